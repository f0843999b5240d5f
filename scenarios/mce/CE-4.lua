-- SPDX-License-Identifier: MIT
-- corrected error of dom0; dom0 has no event handler: record on hv's console, its slot released; nobody stops
require("mce_case").run("CE-4")
