-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver and handler; dom0 has the trap handler, answer: none: T0; the vCPU is held; the deadline passes; hv gives the trap itself, the guest goes on
require("mce_case").run("DU-14")
