-- SPDX-License-Identifier: MIT
-- uncorrected error of dom0, not healed; dom0 has the trap handler: hv panics with the record; no trap
require("mce_case").run("XU-7")
