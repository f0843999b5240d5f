-- SPDX-License-Identifier: MIT
-- uncorrected error of a PV guest without a handler; dom0 has no trap handler: no T0; hv kills the guest at once, the machine goes on
require("mce_case").run("DU-10")
