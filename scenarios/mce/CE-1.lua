-- SPDX-License-Identifier: MIT
-- corrected error of Xen; dom0 has the event handler: record in the ring, VIRQ_MCA to dom0; nobody stops
require("mce_case").run("CE-1")
