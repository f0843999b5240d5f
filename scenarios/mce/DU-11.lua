-- SPDX-License-Identifier: MIT
-- uncorrected error of an HVM guest with driver and handler; dom0 has the trap handler, answer: notify: T0; dom0 notifies; the guest's handler fetches the record, heals itself and goes on
require("mce_case").run("DU-11")
