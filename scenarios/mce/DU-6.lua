-- SPDX-License-Identifier: MIT
-- uncorrected error of a PV guest without a handler; dom0 has the trap handler, answer: notify: T0; notifydomain: CANNOTHANDLE; no operation follows: killed at the deadline
require("mce_case").run("DU-6")
