-- SPDX-License-Identifier: MIT
-- uncorrected error of Xen, healed; dom0 has the trap handler: healed; trap 18 to dom0 with a recovery record; the machine goes on
require("mce_case").run("XU-1")
