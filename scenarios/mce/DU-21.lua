-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest without driver; dom0 has the trap handler, answer: notify: T0; notifydomain: CANNOTHANDLE; no operation follows: killed at the deadline
require("mce_case").run("DU-21")
