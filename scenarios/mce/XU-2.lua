-- SPDX-License-Identifier: MIT
-- uncorrected error of Xen, healed; dom0 has no trap handler: healed, but no handler in dom0: hv panics
require("mce_case").run("XU-2")
