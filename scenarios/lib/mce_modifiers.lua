-- SPDX-License-Identifier: MIT
-- What may come on top of a row, each a function: OVER, EN=0, an error while T0 is pending, one inside dom0's handler, one on
-- another core, of a second vCPU, of hv itself, two at once, more than there is room for. They use the global expect().
local bench = require("mce_bench")
local ring = require("mce_ring")
local rows = require("mce_rows").by_id

local OVER, EN = 1 << 62, 1 << 60
local VAL_UC_EN = 0xB000000000000136 -- VAL, UC, EN: no address; DC
local PCC = 0xB200000000000136 -- VAL, UC, EN, PCC: no address; DC
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
    expect(count(0, "affinity vcpu=dom2"), { equals = 0, name = "another core: the guest's vCPU is there already" })
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

-- Two errors of one vCPU, none answered: it is held until both deadlines are over, and finds a copy of each
function modifiers.unanswered()
    build(8, "")
    local address = address_of_victim()
    for record = 1, 2 do
        inject{ error = "DRAM scrub uncorrected", core = bench.other_core, address = address }
        bench.go("400us")
        once(record, "2c hold vcpu=dom2.0", "two deadlines")
    end
    bench.go("6ms")
    once(1, "3a notify to=dom2.0 by=trap from=hv result=OK", "two deadlines")
    once(2, "3a notify to=dom2.0 by=trap from=hv result=NOTDELIVERED", "two deadlines")
    heard("trap 18: fetch=OK", "two deadlines, the first copy")
    expect(bench.heard():match("%(victim%) beat %d+ (traps=1 fetch=%u+)") or "",
           { equals = "traps=1 fetch=OK", name = "two deadlines, the second" })
    log("Two UEs of a vCPU that nobody answers: both copies are there for it")
end

-- Its core is taken offline while the guest's vCPU is held: that is dom0's operation, the vCPU goes on elsewhere
function modifiers.offline()
    build(8, "")
    bench.inject(rows["DU-13"])
    bench.go("400us")
    bench.dom0("core-offline 5")
    local frame = bench.heard():match("event=decide [^\n]-frame=(%x+)")
    once(0, "II operation op=core_offline domain=dom2 frame=" .. frame .. " result=0", "core offline")
    once(0, "3a answer dom0=operation row=DU-13", "core offline")
    once(0, "3a resume vcpu=dom2.0 into=program", "core offline")
    expect(count(0, "II operation"), { equals = 1, name = "core offline: of that vCPU alone" })
    log("UE answered by taking the core offline: an operation on the vCPU that it held")
end

-- Held inside its handler by a second error, then paused there: it does not move before the handler's end
function modifiers.handling()
    build(8, "")
    local address = address_of_victim()
    inject{ error = "DRAM scrub uncorrected", core = bench.other_core, address = address }
    for _ = 1, 800 do -- dom0 does not answer
        bench.go("10us")
        if count(1, "3a resume vcpu=dom2.0 into=handler") == 1 then
            break
        end
    end
    bench.go("20us") -- in the handler, which says a line
    inject{ bank = 3, core = bench.victim_core, status = LS_READ, address = address, mcgstatus = 1 }
    bench.go("400us")
    once(2, "2c hold vcpu=dom2.0", "in the handler")
    expect(bench.heard():find("trap 18:", 1, true) == nil,
           { equals = true, name = "in the handler: it is not through" })
    bench.dom0("pause victim")
    once(2, "3a resume vcpu=dom2.0 into=program", "in the handler")
    bench.dom0("migrate --live victim 127.0.0.1")
    heard("a machine check of it is under way", "in the handler")
    bench.dom0("unpause victim")
    expect(bench.wait_beats("victim", 2), "in the handler: the guest goes on")
    heard("trap 18: fetch=OK", "in the handler")
    log("A guest that is paused inside its handler does not move")
end

-- H2: the log-dirty bitmap of a guest that moves (log_dirty_begin's third argument) is made anew, and it arrives
function modifiers.bitmap()
    bench.build{ cores = 8, domu = "hvm", trap = true }
    local bitmap
    local waits = at({ symbol = "log_dirty_begin" }, function(event)
        bitmap = bitmap or reg("rdx", { core = event.core })
    end)
    uart{ send = "migrate --live victim 127.0.0.1\n" }
    for _ = 1, 1000 do
        if bitmap then
            break
        end
        bench.go("20us")
    end
    cancel(waits)
    inject{ error = "DRAM scrub uncorrected", core = 3, address = bitmap }
    bench.go("2ms")
    once(0, string.format("2b heal action=\"dropped, rebuilt elsewhere\" frame=%x", bitmap >> 12), "bitmap")
    once(0, string.format("frame=%x owner=xen heal=H2 healed=1", bitmap >> 12), "bitmap")
    once(0, "2b notify to=dom0.0 by=trap from=hv result=OK", "bitmap")
    uart{ expect = "victim is domain", limit = "50ms" }
    uart{ expect = "dom0# ", limit = "1ms" }
    heard("victim is domain 3 now", "bitmap")
    expect(bench.wait_beats("victim", 2), "bitmap: the guest goes on")
    expect(bench.heard():find("the sum is wrong", 1, true) == nil,
           { equals = true, name = "bitmap: the guest's data" })
    expect(bench.dom0(string.format("query-page %x", bitmap >> 12)),
           { matches = "done status=18\n", name = "bitmap: the old one is pending, broken: nobody gets it" })
    log("UE in the log-dirty bitmap of a guest that moves: rebuilt, it arrives")
end

local FREE = 0x8000000 -- in the middle of memory

-- On core 3, which has no guest.
local function of_free_frame(times, time)
    for _ = 1, times do
        inject{ bank = 3, core = 3, status = LS_READ, address = FREE, mcgstatus = 1 }
        bench.go(time)
    end
end

-- More than a core's queue holds (4, while its loop waits for the ring's lock), then more than the ring does (10)
function modifiers.lost()
    bench.build{ cores = 8, domu = "hvm", trap = true }
    bench.dom0("mce-fetch") -- version 2; T0's fetch is version 1, whose losses then count
    local lock = symbol("ring_lock")
    mem(lock, 4, mem(lock, 4) + 1)
    of_free_frame(7, "20us")
    mem(lock + 4, 4, mem(lock + 4, 4) + 1)
    bench.go("3ms")
    for record = 0, 6 do
        expect(count(record, "decide class=I9"), { equals = record < 4 and 1 or 0, name = "lost: record " .. record })
    end
    for _ = 1, 4 do
        bench.dom0("mca fetch 1 1")
    end
    of_free_frame(1, "1ms")
    heard("mca: T0 fetch=OK idx=7", "lost: those in between are skipped")
    bench.dom0("mca answer dwell=9000")
    of_free_frame(1, "300us")
    heard("mca: T0 fetch=OK idx=8", "lost")
    of_free_frame(14, "200us") -- 9 to 22; the next T0 finds 13 to 22
    bench.go("12ms")
    heard("mca: T0 fetch=OK idx=13", "lost: the oldest gave way")
    of_free_frame(1, "1ms")
    expect((ring.record(23) or { flags = 0 }).flags & 0x80000000, { equals = 0x80000000,
           name = "lost: the next record says so" })
    bench.go("10ms")
    uart{ send = "poweroff\n" }
    run{ limit = "1s", until = { stop = "exit" } }
    expect(bench.heard():match('count what="mca_lost" value=(%d+)') or "",
           { equals = "7", name = "lost: three of the queue's, four of the ring's" })
    log("More UEs than a core's queue and the ring hold: each that is lost is counted, the next record tells")
end

-- An error that ends hv itself: nobody is waited for, the ring's lock may be this core's own
-- (struct lock: next, serving).
local function ends(where, core, is_there, context, mcg)
    build(8, "notify")
    for _ = 1, 20000 do
        if is_there(core) then
            break
        end
        run("200ns")
    end
    local lock = symbol("ring_lock")
    mem(lock, 4, mem(lock + 4, 4) + 1)
    inject{ bank = 0, core = core, status = PCC, mcgstatus = mcg }
    local event = run{ until = { stop = { "exit", "shutdown", "reset" }, time = "5ms" } }
    expect(event.reason, { equals = "exit", name = where .. ": hv panics" })
    heard("event=found kind=UE via=mc core=" .. core .. " context=" .. context, where)
    heard("event=panic row=XU-3", where)
    expect(mem(symbol("mca_panic_record"), 8),
           { equals = 0x43494E415041434D, name = where .. ": the record survives" })
end

-- Between two entries of its guest, behind STGI.
local function is_in_hv(core)
    return reg("asid", { core = core }) == 0 and reg("rflags", { core = core }) & 0x200 ~= 0
end

local function is_idle() -- one that has no guest
    return true
end

function modifiers.final()
    ends("PCC in hv", 5, is_in_hv, "hv", 0)
    ends("PCC in idle, RIPV=1", 3, is_idle, "idle", 1)
    log("UE that ends hv itself: it panics at once, whoever holds the ring's lock")
end

-- Taken while a guest's second vCPU runs: the record names that one
function modifiers.second()
    machine{ nodes = 1, cores = 2, memory = "256M" }
    boot{ kernel = "hv.elf", modules = { "sums64.elf name=sums memory=9M vcpus=2 blocks=64 rounds=1000000" } }
    run("2ms")
    for core = 0, 1 do
        for _ = 1, 20000 do
            if reg("asid", { core = core }) ~= 0 then
                break
            end
            run("200ns")
        end
        inject{ bank = 0, core = core, status = VAL_UC_EN, mcgstatus = 1 }
    end
    run{ limit = "2ms", until = { stop = "exit" } }
    local seen = 0
    local FOUND = "mca record=(%d) step=1 event=found kind=UE [^\n]-context=dom(%d)%.(%d)"
    for record, domid, vcpu in uart{}:gmatch(FOUND) do
        local said = ring.record(tonumber(record))
        expect(said and said.domid .. "." .. said.vcpu,
               { equals = domid .. "." .. vcpu, name = "two vCPUs: record " .. record .. " names who took it" })
        seen = seen | 1 << tonumber(vcpu)
    end
    expect(seen, { equals = 3, name = "two vCPUs: both were there" })
    log("UE of a guest's second vCPU: the record names it")
end

return modifiers
