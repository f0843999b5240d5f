-- SPDX-License-Identifier: MIT
-- R1 to R10: what hypercall 48 answers to whom, from dom0 and from a guest, in both interface versions.
local bench = require("mce_bench")
local rows = require("mce_rows").by_id

local function dom0(line, answer, name)
    expect(bench.dom0(line), { matches = answer, name = name .. ": dom0's " .. line })
end

local function guest(what, name)
    expect(uart{}:gsub("\r", ""), { matches = "(victim) " .. what .. "\n", name = name .. ": a guest's " .. what })
end

bench.build{ cores = 1, domu = "hvm_handler", trap = true, event = true, victim = "calls=1" }
dom0("mca fetch 305419896 1", "fetch=EACCES", "R1, neither version")
guest("R1 fetch=EACCES", "R1, neither version")
guest("R2 fetch=EPERM", "R2, a guest asks for corrected errors")
dom0("mca fetch 1 128", "fetch=EFAULT", "R3, bad flags, version 1")
dom0("mca fetch 2 128", "fetch=EINVAL", "R3, bad flags, version 2")
guest("R3 fetch=EFAULT", "R3, bad flags, version 1")
dom0("mca fetch 1 1", "fetch=NODATA", "R4, nothing to fetch")
guest("R4 fetch=NODATA", "R4, nothing to fetch")
guest("R6 notify=EPERM", "R6, a guest notifies")
dom0("mca notify 0 0 0 1", "result=EACCES", "R7, domain 0")
dom0("mca notify 99 0 0 1", "result=EACCES", "R7, an unknown domain")
dom0("mca notify 2 7 0 1", "result=EACCES", "R7, a vCPU it lacks")

-- While the error of a guest without a handler is held: CANNOTHANDLE; of one with: OK, and once more.
bench.build{ cores = 1, domu = "hvm", trap = true }
bench.inject(rows["DU-24"])
bench.go("1ms")
expect(bench.heard(), { matches = "mca: T0 fetch=OK idx=0", name = "R5, a record" })
dom0("mca notify 1 0 0 1", "result=NOMATCH", "R8, the record names another domain")
dom0("mca notify 2 0 0 1", "result=CANNOTHANDLE", "R9, no trap handler")
bench.build{ cores = 8, domu = "hvm_handler", trap = true }
bench.inject(rows["DU-14"])
bench.go("1ms")
bench.dom0("pause victim") -- its trap is not taken meanwhile
uart{ send = "mca notify 2 0 0 1\nmca notify 2 0 0 1\n" }
bench.go("4ms")
expect(bench.heard():gsub("\r", ""), { matches = "mca: notify result=NOTDELIVERED", name = "R10, a trap is pending" })
log("R1 to R10 as doc/mca.md says")
