-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver, without handler; dom0 has the trap handler, answer: none: T0; the vCPU is held; the deadline passes; hv kills the guest
require("mce_case").run("DU-19")
