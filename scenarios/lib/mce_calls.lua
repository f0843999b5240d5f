-- SPDX-License-Identifier: MIT
-- R1 to R10: what hypercall 48 answers to whom, from dom0 and from a guest, in both interface versions (doc/mca.md).
local bench = require("mce_bench")
local rows = require("mce_rows").by_id

local ANSWERS = {
    "neither version: EACCES", "a guest asks for corrected errors: EPERM", "bad flags: EFAULT, EINVAL",
    "nothing to fetch: NODATA",
    "a record: OK", "a guest notifies: EPERM", "of dom0, an unknown domain or vCPU: EACCES",
    "the record names another: NOMATCH", "no trap handler: CANNOTHANDLE", "a trap is pending: NOTDELIVERED",
}

-- Runs them all; gives what is wrong of each, R1 first, and what each is.
local function run_calls()
    local wrong = {}
    for i = 1, #ANSWERS do
        wrong[i] = {}
    end

    -- `name` begins with the number: "R3, bad flags".
    local function check(text, wanted, name)
        if not text:gsub("\r", ""):find(wanted, 1, true) then
            local list = wrong[tonumber(name:match("^R(%d+)"))]
            list[#list + 1] = name .. ": no " .. wanted
        end
    end
    local function dom0(line, answer, name)
        check(bench.dom0(line), answer, name .. ", dom0's " .. line)
    end
    local function guest(what, name)
        check(uart{}, "(victim) " .. what, name .. ", a guest's")
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
    check(bench.heard(), "mca: T0 fetch=OK idx=0", "R5, a record")
    dom0("mca notify 1 0 0 1", "result=NOMATCH", "R8, the record names another domain")
    dom0("mca notify 2 0 0 1", "result=CANNOTHANDLE", "R9, no trap handler")
    bench.build{ cores = 8, domu = "hvm_handler", trap = true }
    bench.inject(rows["DU-14"])
    bench.go("1ms")
    bench.dom0("pause victim") -- its trap is not taken meanwhile
    uart{ send = "mca notify 2 0 0 1\nmca notify 2 0 0 1\n" }
    bench.go("4ms")
    check(bench.heard(), "mca: notify result=NOTDELIVERED", "R10, a trap is pending")
    uart{ send = "migrate --live victim 127.0.0.1\n" }
    bench.go("4ms")
    check(bench.heard(), "a machine check of it is under way", "R10, it does not move")
    uart{ send = "unpause victim\n" }
    bench.wait_beats("victim", 2)
    guest("trap 18: fetch=OK", "R10, the first of two copies")
    check(uart{}:match("%(victim%) beat %d+ (traps=1 fetch=%u+)") or "", "traps=1 fetch=OK", "R10, the second")
    return wrong
end

return { run = run_calls, answers = ANSWERS }
