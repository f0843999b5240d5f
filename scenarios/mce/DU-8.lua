-- SPDX-License-Identifier: MIT
-- uncorrected error of a PV guest without a handler; dom0 has the trap handler, answer: operation only: T0; dom0's operation is carried out
require("mce_case").run("DU-8")
