-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver and handler; dom0 has the trap handler, answer: operation only: T0; the guest is not trapped (its fetch: NODATA); dom0's operation is carried out
require("mce_case").run("DU-13")
