-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver and handler; dom0 has the trap handler, answer: notify + operation: T0; dom0 notifies, the guest handles it; then dom0's operation is carried out
require("mce_case").run("DU-12")
