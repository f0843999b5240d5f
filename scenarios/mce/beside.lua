-- SPDX-License-Identifier: MIT
-- Beside the 39 rows: the poll's period, case II's operations and dom0's buckets, hypercall 48's injection and version 2, counts.
require("mce_beside")()
