-- SPDX-License-Identifier: MIT
-- What may come on top of a row, each a function: OVER, EN=0, an error while T0 is pending, one inside dom0's handler, one on
-- another core. They use the global expect().
local bench = require("mce_bench")
local rows = require("mce_rows").by_id

local OVER, EN = 1 << 62, 1 << 60
local LS_READ = 0xB400000000000833 -- VAL, UC, EN, ADDRV; BUS SRC DRD MEM LG

-- Lines that a pattern of `step event rest` matches, of one record.
local function count(record, what)
    local n = 0
    for _, line in ipairs(bench.lines()) do
        local text = line.step .. " " .. line.event .. " " .. line.rest
        if line.record == tostring(record) and text:find(what, 1, true) then
            n = n + 1
        end
    end
    return n
end

local function once(record, what, name)
    expect(count(record, what), { equals = 1, name = name .. ": " .. what })
end

local function heard(what, name)
    expect(bench.heard():find(what, 1, true) ~= nil, { equals = true, name = name .. ": " .. what })
end

local function build(cores, answer)
    bench.build{ cores = cores, domu = "hvm_handler", trap = true, event = true, answer = answer }
end

-- The system-physical address of the victim's page: hv finds a corrected error there (record 0).
local function address_of_victim()
    local made = bench.inject_in_guest(bench.victim_core, bench.VICTIM_PAGE, { error = "DRAM ECC corrected" })
    for _ = 1, 20 do
        bench.go("250us")
        if count(0, "notify to=dom0.0 by=virq") == 1 then
            break
        end
    end
    return tonumber(made.words:match("address (%x+)"), 16)
end

-- The registers as they are, on the victim's core while it runs the victim; restartable.
local function registers(status, address)
    local made = bench.inject_in_guest(bench.victim_core, bench.VICTIM_PAGE,
                                       { error = "DC data scrub corrected", pcc = false })
    assert(made)
    msr(0x401, 0, { core = bench.victim_core }) -- that one only said that the guest runs
    inject{ bank = 3, core = bench.victim_core, status = status, address = address, mcgstatus = 1 }
end

local modifiers = {}

-- OVER: a flag of the record; one error
function modifiers.over()
    build(1, "notify")
    local address = address_of_victim()
    registers(LS_READ | OVER, address)
    bench.go("5ms")
    once(1, "found kind=UE via=exit", "OVER")
    once(1, string.format("status=%016x", LS_READ | OVER), "OVER")
    once(1, "3a resume vcpu=dom2.0 into=handler", "OVER")
    heard(string.format("status=%x", LS_READ | OVER), "OVER, dom0's record")
    expect(bench.wait_beats("victim", 2), "OVER: the guest goes on")
    log("OVER: one record, with the flag; its row as without")
end

-- EN=0: no #MC; found by the poll, reported all the same, counted for no threshold
function modifiers.disabled()
    build(1, "notify")
    local address = address_of_victim()
    local raised = counter("node[*].core[*].mca.raised")
    local counted = counter("node[*].threshold.counted{block=DRAM}")
    registers(LS_READ & ~EN, address)
    bench.go("5ms")
    expect(counter("node[*].core[*].mca.raised"), { equals = raised, name = "EN=0: no #MC" })
    once(1, "found kind=UE via=poll", "EN=0")
    once(1, "2c decide class=I8 impacts=domu", "EN=0")
    once(1, "3a resume vcpu=dom2.0 into=handler", "EN=0")
    expect(counter("node[*].threshold.counted{block=DRAM}"), { equals = counted, name = "EN=0: no threshold counts" })
    log("EN=0: found by polling, reported all the same")
end

-- A third while the second's T0 waits for the end of dom0's handler: not delivered, its record waits
function modifiers.pending()
    build(8, "notify dwell=700")
    bench.inject(rows["DU-11"])
    bench.go("300us")
    heard("mca: T0 fetch=OK idx=0", "while pending")
    bench.inject_in_guest(bench.other_core, bench.OTHER_PAGE, { error = "load system read" })
    for _ = 1, 40 do
        bench.go("10us")
        if count(1, "2c notify") > 0 then
            break
        end
    end
    once(1, "2c notify to=dom0.0 by=trap from=hv result=OK", "while pending")
    bench.inject(rows["XU-1"])
    bench.go("8ms")
    once(2, "2b notify to=dom0.0 by=trap from=hv result=NOTDELIVERED", "while pending")
    expect(bench.dom0("mca"), { matches = "traps=2 nested=0", name = "while pending: no trap of its own" })
    expect(bench.dom0("mca fetch 1 1"), { matches = "call fetch=OK idx=2",
                                          name = "while pending: its record is there" })
    log("UE while T0 is pending: NOTDELIVERED, and its record is fetched later")
end

-- An error inside dom0's handler: it waits for the handler's end
function modifiers.inside()
    build(8, "notify dwell=700")
    bench.inject(rows["DU-11"])
    bench.go("300us")
    heard("mca: T0 fetch=OK idx=0", "inside the handler")
    bench.inject_in_guest(bench.other_core, bench.OTHER_PAGE, { error = "load system read" })
    bench.go("8ms")
    once(1, "2c notify to=dom0.0 by=trap from=hv result=OK", "inside the handler")
    expect(bench.dom0("mca"),
           { matches = "traps=2 nested=0", name = "inside the handler: two traps, none inside the other" })
    heard("mca: T0 fetch=OK idx=1", "inside the handler")
    log("UE inside dom0's handler: queued, taken behind it")
end

-- An error on another core than dom0's: its vCPU 0 goes there, and back
function modifiers.elsewhere()
    build(8, "notify")
    local before = counter("node[1].core[1].svm.vmruns")
    bench.inject(rows["DU-11"])
    bench.go("5ms")
    once(0, "2c affinity vcpu=dom0.0 core=5", "another core")
    once(0, "affinity vcpu=dom0.0 core=restored", "another core")
    expect(counter("node[1].core[1].svm.vmruns"), { at_least = before + 1, name = "another core: dom0 runs there" })
    expect(bench.dom0("vcpu-list 0"), { matches = " 0\n", name = "another core: affinity as before" })
    heard("global domid=2 vcpu=0 core=5", "another core")
    log("UE on another core: dom0's vCPU 0 takes T0 there, and its affinity comes back")
end

-- Found by the scrubber, on a core that runs another domain: the record names whose frame it is, which leaves later
function modifiers.scrubbed()
    build(8, "notify")
    local address = address_of_victim()
    inject{ error = "DRAM scrub uncorrected", core = bench.other_core, address = address }
    bench.go("8ms")
    once(1, string.format("2c decide class=I8 impacts=domu domain=2 vcpu=0 frame=%x owner=dom2", address >> 12),
         "scrubbed")
    once(1, "2c hold vcpu=dom2.0", "scrubbed")
    once(1, "3a resume vcpu=dom2.0 into=handler", "scrubbed")
    heard("global domid=2 vcpu=0 core=", "scrubbed, dom0's record")
    heard("trap 18: fetch=OK bank=4 status=b4", "scrubbed, its owner") -- it may be within another line of it
    expect(bench.dom0(string.format("query-page %x", address >> 12)),
           { matches = "done status=18\n", name = "scrubbed: pending, broken" })
    log("UE that the scrubber found on another core: its owner's row")
end

return modifiers
