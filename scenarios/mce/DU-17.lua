-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver, without handler; dom0 has the trap handler, answer: notify + operation: T0; notifydomain: CANNOTHANDLE; dom0's operation is carried out
require("mce_case").run("DU-17")
