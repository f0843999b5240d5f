-- SPDX-License-Identifier: MIT
-- uncorrected error of a PV guest with a handler; dom0 has no trap handler: no T0; hv gives the trap itself; the guest fetches from the main ring and goes on
require("mce_case").run("DU-5")
