-- SPDX-License-Identifier: MIT
-- The slides' claims (Xen Summit 2007), each measured on hv and its guests; what is not built yet says so.
--
-- Every number comes from the model's counters while real machine code runs: hv boots, starts walkbench or
-- ping as a guest, and the guest's VMMCALL marks bound what is counted. `-s only=walks` (or another name of PARTS)
-- runs one part; `-s cr8=full` counts all 10,000,000 CR8 exits.

local BEGIN, END = 0x46310001, 0x46310002

-- `-s cr8=full` is what ./run does: 10,000,000 accesses. Without it a hundredth, in the same proportions, which
-- checks the law and claims nothing.
local cr8_size = param.cr8 or "small"
if cr8_size ~= "full" and cr8_size ~= "small" then
    error("-s cr8=" .. cr8_size .. ": small and full are right", 0)
end

local LEVELS = { long4k = 4, long2m = 3, long1g = 2, pae4k = 3, pae2m = 2, legacy4k = 2, legacy4m = 1, off = 0 }
local NESTED = { ["4k"] = 4, ["2m"] = 3, ["1g"] = 2 }

-- Boot hv with one guest. 1G nested pages and 1G guest pages need a guest that has whole gigabytes.
local function boot_guest(guest)
    local huge = guest.backing == "1g" or guest.mode == "long1g"
    local words = {
        guest.program, "name=" .. (guest.mode or "g0"), "backing=" .. guest.backing,
        "width=" .. (guest.mode:find("^long") and 64 or 32),
        "memory=" .. (huge and "3G" or guest.memory or "64M"), "region=" .. (huge and "1G" or "8M"),
        "mode=" .. guest.mode,
    }
    for key, value in pairs(guest.options or {}) do
        words[#words + 1] = key .. "=" .. value
    end
    machine{ memory = huge and "6G" or "512M", walk_caches = guest.caches or false }
    boot{ kernel = "hv.elf", append = guest.append or "", modules = { table.concat(words, " ") } }
end

-- The guest's data-side walks between its two marks.
local function measure(guest)
    boot_guest(guest)
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "20s" }
    local before = walks{ of = "guest", side = "data" }
    run{ until = { exit = "VMMCALL", eax = END }, limit = "20s" }
    local after = walks{ of = "guest", side = "data" }
    local delta = {}
    for _, key in ipairs{ "walks", "refs", "ad_writes", "cycles" } do
        delta[key] = after[key] - before[key]
    end
    return delta
end

local function percent(part, whole)
    local hundredths = (part * 10000 + whole // 2) // whole
    return string.format("%d.%02d %%", hundredths // 100, hundredths % 100)
end

-- References of one walk: an exact integer, or the condition of the measurement is broken.
local function references(delta, what)
    expect(delta.walks, { at_least = 64, name = what .. ": walks" })
    expect(delta.refs % delta.walks, { equals = 0, name = what .. ": references divide by walks" })
    return delta.refs // delta.walks
end

local rows = {}
-- `holds`: the measured figure is the slide's (expected, so that a run fails when it is not).
local function row(number, claim, slide, measured, holds, how)
    if holds ~= nil then
        expect(holds, claim)
    end
    rows[#rows + 1] = { number, claim, slide, measured, holds == nil and "" or holds and "holds" or "DIFFERS", how }
end

-- ---- The walk table: eight guest modes by three backings, walk caches off -----------------------------------

local walk = {}

local function walk_table()
    log("Nested page walks, walk caches off: references of the walk / total with the data access")
    log(string.format("%-12s %14s %14s %14s", "guest", "4K backing", "2M backing", "1G backing"))
    for _, mode in ipairs{ "long4k", "long2m", "long1g", "pae4k", "pae2m", "legacy4k", "legacy4m", "off" } do
        local cells = {}
        for i, backing in ipairs{ "4k", "2m", "1g" } do
            local name = string.format("%s on %s", mode, backing)
            local delta = measure{ program = "walkbench.elf", mode = mode, backing = backing,
                                   options = { touches = 256, order = mode == "off" and "cold" or "linear" } }
            local refs = references(delta, name)
            local n, m = LEVELS[mode], NESTED[backing]
            expect(refs, { equals = (n + 1) * (m + 1) - 1, name = name .. ": references of a walk" })
            expect(delta.ad_writes, { equals = 0, name = name .. ": A/D writes" })
            walk[name] = refs
            cells[i] = string.format("%d / %d", refs, refs + 1)
        end
        log(string.format("%-12s %14s %14s %14s", mode, table.unpack(cells)))
    end
    log("")
end

local function walk_claims()
    local a, b, c = walk["long4k on 4k"] + 1, walk["long4k on 2m"] + 1, walk["long2m on 2m"] + 1
    local deep, flat = walk["off on 4k"], walk["off on 2m"]
    row("18", "nested depth with 4K and 2M backing", "4 / 3", deep .. " / " .. flat, deep == 4 and flat == 3,
        "references of the final gPA alone, guest paging off")
    row("19", "references, guest 4K on 4K", "25", a, a == 25, "24 of the walk + 1")
    row("20", "references, guest 4K on 2M", "20", b, b == 20, "19 of the walk + 1")
    row("21", "reduction", "20 %", percent(a - b, a), (a - b) * 5 == a, "(25 - 20) / 25")
    row("22", "references, guest 2M on 2M", "16", c, c == 16, "15 of the walk + 1")
    row("23", "reduction", "36 %", percent(a - c, a), (a - c) * 25 == a * 9, "(25 - 16) / 25")
end

-- ---- 2M backing: what the builder makes of 256 MiB ------------------------------------------------------------

local function entries(backing)
    machine{ memory = "512M" }
    boot{ kernel = "hv.elf", modules = { "sums64.elf name=g memory=256M backing=" .. backing } }
    run{}
    local tables, small, large = uart{}:match("npt_tables=(%d+) npt_4k=(%d+) npt_2m=(%d+)")
    return tonumber(large), tonumber(small), tonumber(tables)
end

-- scenarios/large-pages.lua counts the entries in the tables themselves.
local function builder()
    local large, small, tables = entries("2m")
    local none, all, more = entries("4k")
    row("16", "2M entries of a 256 MiB guest, and 4K ones", "2 Meg pages", string.format("%d + %d", large, small),
        large == 127 and small == 480 and tables == 4, string.format("in %d table pages", tables))
    row("16", "the same with 4K backing", "-", string.format("%d + %d", none, all),
        none == 0 and all == 65504 and more == 131, string.format("in %d table pages", more))
end

-- ---- TLB reach: a linear sweep of 32 MiB in steps of 4K ------------------------------------------------------

local SWEEP_MB = 32

local function sweep(mode, backing)
    return measure{ program = "walkbench.elf", mode = mode, backing = backing,
                    options = { touches = SWEEP_MB * 256, stride = "4K" } }.walks
end

local function reach()
    local four, splintered, mixed, two = sweep("long4k", "4k"), sweep("long2m", "4k"), sweep("long4k", "2m"),
                                         sweep("long2m", "2m")
    expect(four, { equals = SWEEP_MB * 256, name = "sweep, 4K on 4K: TLB fills" })
    expect(splintered, { equals = SWEEP_MB * 256, name = "sweep, 2M on 4K: TLB fills" })
    expect(mixed, { equals = SWEEP_MB * 256, name = "sweep, 4K on 2M: TLB fills" })
    expect(two, { equals = SWEEP_MB // 2, name = "sweep, 2M on 2M: TLB fills" })
    row("17", "4K entries that one 2M entry replaces", "512", four // two, four == 512 * two,
        string.format("TLB fills of a %d MiB sweep, 4K/4K over 2M/2M: %d / %d", SWEEP_MB, four, two))
    row("17", "the same with only the backing at 2M", "-", string.format("%d (no gain)", four // mixed), mixed == four,
        "guest 4K on 2M fills 4K entries: cheaper walks, the same reach")
end

-- ---- Walk caches as Barcelona has them ------------------------------------------------------------------------

local function caches()
    log("The same with page-walk cache and nested TLB as the model has them (cycles: assumed costs)")
    log(string.format("%-16s %10s %10s %12s %12s", "guest on backing", "refs off", "refs on", "cycles off",
                      "cycles on"))
    for _, cell in ipairs{ { "long4k", "4k" }, { "long4k", "2m" }, { "long2m", "2m" } } do
        local guest = { program = "walkbench.elf", mode = cell[1], backing = cell[2], options = { touches = 256 } }
        local off = measure(guest)
        guest.caches = true
        local on = measure(guest)
        local name = string.format("%s on %s", cell[1], cell[2])
        expect(on.walks, { equals = off.walks, name = name .. ": walk caches change no walk's count" })
        expect(on.refs, { at_most = off.refs - 1, name = name .. ": references with walk caches" })
        expect(on.cycles, { at_most = off.cycles - 1, name = name .. ": cycles with walk caches" })
        log(string.format("%-16s %10d %10d %12d %12d", name, off.refs, on.refs, off.cycles, on.cycles))
    end
    log("")
end

-- ---- ASIDs ------------------------------------------------------------------------------------------------------

-- hv gives the vCPU a new ASID before each VMRUN until it has assigned `count`; 63 are usable.
local function flushes(count, append)
    machine{}
    boot{ kernel = "hv.elf", append = string.format("asid_bench=%d %s", count, append or ""),
          modules = { string.format("ping.elf count=%d", count + 100) } }
    run{ limit = "20s" }
    return counter("node[*].core[*].tlb.flushes{cause=all}"), uart{}
end

-- Guest data-side walks of a loop that touches PAGES pages before each of EXITS exits.
local EXITS, PAGES = 1000, 16

local function ping(append)
    machine{ walk_caches = false }
    boot{ kernel = "hv.elf", append = append,
          modules = { string.format("ping.elf backing=4k count=%d pages=%d", EXITS, PAGES) } }
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "20s" }
    local before = walks{ of = "guest", side = "data" }.walks
    run{ until = { exit = "VMMCALL", eax = END }, limit = "20s" }
    return walks{ of = "guest", side = "data" }.walks - before
end

local function asids()
    local measured = {}
    local counts = cr8_size == "full" and { 63, 64, 126, 127, 1000, 100000 } or { 63, 64, 126, 127, 1000 }
    for i, count in ipairs(counts) do
        local by_model, console = flushes(count)
        local by_hv = tonumber(console:match("assignments=%d+ flushes=(%d+)"))
        expect(by_model, { equals = (count + 62) // 63, name = count .. " ASID assignments: flushes" })
        expect(by_hv, { equals = by_model, name = count .. " ASID assignments: hv counts as the model" })
        measured[i] = by_model
    end
    local expected_text = cr8_size == "full" and "1, 2, 2, 3, 16, 1588" or "1, 2, 2, 3, 16"
    row("7", "TLB flushes, " .. table.concat(counts, " ") .. " assignments", "ASIDs 1-63",
        table.concat(measured, ", "), table.concat(measured, ", ") == expected_text,
        "TLB_CONTROL flushes the model saw; ceil(n / 63)")
    local kept = {}
    for i, model in ipairs{ "k8-f", "k8-g", "10h-b3" } do
        machine{ model = model, memory = "256M" }
        boot{ kernel = "hv.elf", append = "asid_bench=126", modules = { "ping.elf memory=16M count=300" } }
        run{ limit = "20s" }
        local flushed = counter("node[*].core[*].svm.flushes")
        kept[i] = flushed == 2 and "on" or flushed == counter("node[*].core[*].svm.vmruns") and "off" or "?"
    end
    row("5", "ASIDs on Family 0Fh revision F, G, Family 10h", "10h, 0Fh G", table.concat(kept, ", "),
        table.concat(kept, ", ") == "off, on, on", "126 assignments: 2 flushes, or one at every VMRUN (erratum 170)")
    local refused = counter("node[*].core[*].svm.exits{code=VMEXIT_INVALID}")
    row("6", "VMRUNs with ASID 0, the host's", "none", refused == 0 and "none" or refused, refused == 0,
        "they would be VMEXIT_INVALID")
    local on, off = ping("asid"), ping("no-asid")
    expect(on, { equals = PAGES, name = "exit loop with ASIDs: TLB misses, all in the first pass" })
    expect(off // EXITS, { equals = PAGES, name = "exit loop without ASIDs: TLB misses of each pass" })
    row("7", "TLB misses of each exit, 16 pages, ASIDs off / on", "-",
        string.format("%d / %d", off // EXITS, (on - PAGES) // EXITS), nil, "guest data side, after the first pass")
end

-- ---- CR8 ---------------------------------------------------------------------------------------------------------

-- Exits of one run of ntirql, by the model and by hv. scenarios/cr8.lua checks much more of the same runs.
local function level_exits(generation, width, sections, dpcs)
    machine{ memory = "256M" }
    boot{ kernel = "hv.elf", append = "cr8=" .. generation,
          modules = { string.format("ntirql%d.elf width=%d memory=16M sections=%d dpcs=%d reads=1", width, width,
                                    sections, dpcs) } }
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "600s" }
    local cycles = counter("node[*].core[*].cycles.total")
    run{ until = { exit = "VMMCALL", eax = END }, limit = "600s" }
    cycles = counter("node[*].core[*].cycles.total") - cycles
    run{ limit = "600s" }
    local count, console = { CR8 = 0, NPF = 0, VINTR = 0, cycles = cycles }, uart{}
    for _, e in ipairs(exits()) do
        local key = e.exit:match("_(CR8)_") or e.exit:match("_(NPF)$") or e.exit:match("_(VINTR)$")
        if key then
            count[key] = count[key] + e.count
        end
    end
    local by_hv = 0
    for exits_of_reason in console:gmatch("exits guest=%* vcpu=%* reason=VMEXIT_CR8_%a+ count=(%d+)") do
        by_hv = by_hv + tonumber(exits_of_reason)
    end
    local name = string.format("%d bits, cr8=%d: ", width, generation)
    expect(by_hv, { equals = count.CR8, name = name .. "hv counts CR8 exits as the model" })
    expect(tonumber(console:match("run=(%d+)")), { equals = dpcs, name = name .. "DPCs run" })
    return count, console:match("history=(%x+)"), counter("node[*].core[*].cr8.unmasked")
end

-- ntirql with NT's 64 Hz clock, whose handler asks for a DPC each time: a tick that finds the level raised costs
-- generation 1 a second exit. scenarios/cr8.lua checks more of these runs.
local function clock_row(full)
    local ticks, exits_of = full and 6000 or 64, {}
    for generation = 1, 2 do
        machine{ memory = "256M" }
        boot{ kernel = "hv.elf", append = "cr8=" .. generation,
              modules = { "ntirql64.elf memory=16M ticks=" .. ticks } }
        run{ limit = "600s" }
        exits_of[generation] = { CR8 = 0, VINTR = 0 }
        for _, e in ipairs(exits()) do
            local key = e.exit:match("_(CR8)_") or e.exit:match("_(VINTR)$")
            if key then
                exits_of[generation][key] = exits_of[generation][key] + e.count
            end
        end
        if generation == 1 then
            local console = uart{}
            local raised, overtaken = console:match("raised=(%d+) overtaken=(%d+)")
            expect(exits_of[1].CR8, { at_least = ticks + raised - overtaken, at_most = ticks + raised,
                                      name = "64 Hz, cr8=1: CR8 exits" })
        end
    end
    expect(exits_of[2].CR8, { equals = 0, name = "64 Hz, cr8=2: CR8 exits" })
    row("9", string.format("the same with a 64 Hz clock, %d ticks (cr8=1)", ticks), "6,000", exits_of[1].CR8, nil,
        string.format("ticks + those that found the level raised; cr8=2: 0, and %d VINTR", exits_of[2].VINTR))
end

local function cr8()
    local full = cr8_size == "full"
    local sections, dpcs = full and 3321333 or 33213, full and 6000 or 60
    local note = full and "" or "; 1/100 of the size, -s cr8=full is all of it"
    local before, first = level_exits(0, 64, sections, dpcs)
    local after, second, let_in = level_exits(1, 64, sections, dpcs)
    local later, third = level_exits(2, 64, sections, dpcs)
    expect(second, { equals = first, name = "cr8=1: the guest's history of levels is that of cr8=0" })
    expect(third, { equals = first, name = "cr8=2: the guest's history of levels is that of cr8=0" })
    expect(let_in, { equals = dpcs, name = "interrupts that a lowering CR8 write let in" })
    expect(before.CR8, { equals = full and 10000000 or 100000, name = "cr8=0: CR8 exits" })
    expect(after.CR8, { equals = dpcs, name = "cr8=1: CR8 exits" })
    expect(later.CR8, { equals = 0, name = "cr8=2: CR8 exits" })
    expect(later.VINTR, { equals = dpcs, name = "cr8=2: VINTR exits" })
    -- the slide's figures are those of the full size alone
    local holds_8, holds_9 = nil, nil
    if full then
        holds_8, holds_9 = before.CR8 == 10000000, after.CR8 == 6000
    end
    row("8", "CR8 exits before the patch (cr8=0)", "10,000,000", before.CR8, holds_8,
        "VMEXIT_CR8_READ + _WRITE of ntirql" .. note)
    row("9", "CR8 exits after it (cr8=1)", "6,000", after.CR8, holds_9,
        string.format("CR8 writes while a vector is masked; cr8=2: %d, and %d VINTR", later.CR8, later.VINTR) .. note)
    local function saved(than)
        return string.format("%.1f %%", 100 * (before.cycles - than.cycles) / before.cycles)
    end
    row("9", "guest cycles saved by cr8=1, by cr8=2", "-", saved(after) .. ", " .. saved(later), nil,
        string.format("of %d, between the guest's marks; modelled, with assumed costs of VMRUN and #VMEXIT",
                      before.cycles))
    clock_row(full)
    local mmio = level_exits(0, 32, 300, 10).NPF
    local same = mmio == level_exits(1, 32, 300, 10).NPF and mmio == level_exits(2, 32, 300, 10).NPF
    row("10", "guests that gain", "64-bit HVM", same and "64-bit only" or "others too", same,
        string.format("32-bit guest, TPR by MMIO: %d APIC exits in each generation", mmio))
end

-- ---- hap ---------------------------------------------------------------------------------------------------------

local SUM = "3cb078e4" -- of sums with its default blocks; computed independently with zlib's crc32

-- Guests of both widths in one run: how many finish with the right sum, and in which mode hv says they run.
local function boots(append)
    machine{ memory = "512M" }
    boot{ kernel = "hv.elf", append = append,
          modules = { "sums64.elf name=a memory=16M", "sums32.elf name=b width=32 memory=16M" } }
    run{ limit = "20s" }
    local console, good, modes, exits_of = uart{}, 0, {}, {}
    for result in console:gmatch("outcome=finished result=%x*(%x%x%x%x%x%x%x%x) ") do
        good = good + (result == SUM and 1 or 0)
    end
    for width, mode in console:gmatch("width (%d+), (%a+) paging") do
        modes[#modes + 1] = width .. " " .. mode
    end
    for _, e in ipairs(exits()) do
        exits_of[e.exit] = (exits_of[e.exit] or 0) + e.count
    end
    return good, table.concat(modes, ", "), exits_of, console
end

local function hap()
    local nested, nested_modes, nested_exits, log_on = boots("")
    local shadow, shadow_modes, shadow_exits, log_off = boots("hap=off")
    expect(nested_exits.VMEXIT_EXCP_PF or 0, { equals = 0, name = "hap: #PF exits" })
    expect(shadow_exits.VMEXIT_EXCP_PF or 0, { at_least = 2 * 256, name = "hap=off: #PF exits" })
    expect(log_off, { matches = "nested paging is supported but disabled", name = "hap=off: the boot log" })
    expect(shadow_modes, { equals = "64 shadow, 32 shadow", name = "hap=off: both guests' mode" })
    row("1", "guests with the right result, nested / shadow", "NP support",
        string.format("%d / %d of 2", nested, shadow), nested == 2 and shadow == 2,
        "sums64 and sums32 with hap on and off; scenarios/shadow.lua: what each costs")
    row("3", "hap without an option", "on", log_on:match("nested paging is enabled") and "on" or "off",
        log_on:match("nested paging is enabled") ~= nil, "the boot log; no #PF exit, which shadow paging has")
    row("4", "guest widths that are nested by default", "64b/32b", nested_modes == "64 nested, 32 nested" and "64b/32b"
        or nested_modes, nested_modes == "64 nested, 32 nested", "the mode hv gave each guest")
end

-- ---- Live migration inside one machine ----------------------------------------------------------------------------

-- One guest, moved from nested paging to shadow paging, to shadow paging, back, and to nested: all four ways of A11.
local function four_ways()
    local puppets = require("puppets")
    local MIGRATE, TO_NESTED, TO_SHADOW, STORED = 0x46310101, 1, 2, 256 * 7 + 255 * 128
    puppets.machine{ cores = 2, memory = "128M" }
    local guests = puppets.boot{ "puppet.elf name=control control=on memory=8M wait=spin",
                                 "puppet.elf name=target memory=6M wait=spin" }
    local control, target, same, ways = guests.control, guests.target, 0, {}
    puppets.ask(target, puppets.STORE, 0x400000, 256, 4096, 7)
    puppets.ask(target, puppets.CR8_WRITE, 2)
    local before = puppets.ask(target, puppets.REGISTERS)
    for _, mode in ipairs{ TO_SHADOW, TO_SHADOW, TO_NESTED, TO_NESTED } do
        local result = puppets.domctl(control, target.domain, MIGRATE,
                                      string.pack("<I4I4I8I8I8I4I4", 0, 0, 0, 0, 0, mode, 0))
        local domain, root = uart{}:match("migrate domain=" .. target.domain .. " new=(%d+) map=(%x+)")
        if result ~= 0 or not domain then
            break
        end
        target.domain, target.root = tonumber(domain), tonumber(root, 16)
        ways[#ways + 1] = mode == TO_SHADOW and "S" or "N"
        same = same + (puppets.ask(target, puppets.REGISTERS) == before and
                       puppets.ask(target, puppets.CR8_READ) == 2 and
                       puppets.ask(target, puppets.LOAD, 0x400000, 256, 4096) == STORED and 1 or 0)
    end
    row("2", "nested and shadow paging: moves that lose nothing", "3.1.1", same .. " of 4", same == 4,
        "N-" .. table.concat(ways, "-") .. ": registers, TPR and memory the same after each")
end

-- scenarios/migrate.lua compares memory and state, and cuts moves.
local function migration()
    four_ways()
    machine{ nodes = 2, cores = 2, memory = "512M" }
    boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                                         "sums64.elf name=sums memory=12M cpus=1 vcpus=2 rounds=24" } }
    local dom0 = require("command_line").dom0
    require("command_line").wait()
    for i = 1, 5 do
        dom0("create sums name=g" .. i .. " -p")
    end
    dom0("unpause 5")
    run("100us")
    dom0("migrate --live --node=1 5 127.0.0.1")
    local map = uart{}:match("domain=5 new=%d+ map=(%x+)")
    local there, all = 0, 0
    if map then
        there, all = require("puppets").pages_on(tonumber(map, 16), 1)
    end
    dom0("wait g5")
    local new, rounds, downtime = uart{}:match("domain=5 new=(%d+) rounds=(%d+).-downtime_ns=(%d+)")
    local sum = uart{}:match("%(g5%) sums: [^\n]*rounds: (%x+)")
    machine{ memory = "64M" }
    boot{ kernel = "sums64.elf", append = "vcpus=2 rounds=24" }
    run{}
    row("15", "xm migrate --live 5 127.0.0.1", "dom id 5", "5 -> " .. (new or "none"),
        new == "6" and sum ~= nil and sum == uart{}:match("rounds: (%x+)"),
        string.format("%s rounds, stopped for %s ns; its two vCPUs went on to the right checksum", rounds, downtime))
    row("15", "its pages on node 1 with --node=1", "dom id 5", percent(there, all),
        there == all and all == 12 * 256 - 32,
        string.format("%d of %d pages of the new map; its cores are node 1's", there, all))
end

-- ---- CPUID masks and affinity -------------------------------------------------------------------------------------

-- 1.ECX, 1.EDX, 8000_0001.ECX, 8000_0001.EDX as a guest's user code sees them under hv.
local function seen_by_user(append)
    local words = {}
    machine{ memory = "128M" }
    boot{ kernel = "hv.elf", append = append, modules = { "features.elf name=f memory=16M" } }
    run{ limit = "2s" }
    for word in uart{}:match("features user ([%x,]+)"):gmatch("%x+") do
        words[#words + 1] = tonumber(word, 16)
    end
    return words
end

-- scenarios/extended-migration.lua has all eight names, and who may move where.
local function masks()
    local mask = { 0x80002001, 0x178BFBFF, 0x0000001F, 0xEBD3FBFF } -- of a 0Fh revision F; bit 31 of 1.ECX is hv's own
    local plain, masked = seen_by_user(""), seen_by_user("cpuid_mask_cpu=fam_0f_rev_f")
    local override = { msr(0xC0011004), msr(0xC0011005) }
    local hidden, same = { 0, 0, 0, 0 }, true
    for i = 1, 4 do
        same = same and masked[i] == plain[i] & mask[i]
        for bit = 0, 31 do
            hidden[i] = hidden[i] + ((plain[i] & ~masked[i]) >> bit & 1)
        end
    end
    local visible = override[1] & mask[2] == override[1] & 0xFFFFFFFF and
                    override[2] & mask[4] == override[2] & 0xFFFFFFFF
    row("26", "CPUID override MSRs, cpuid_mask_cpu=fam_0f_rev_f", "C001_1004/5",
        same and visible and "C001_1004/5" or "wrong",
        same and visible, string.format("they hold %x and %x; CPL 3 sees the AND", override[1], override[2]))
    row("27", "leaves that lose features, and how many", "1, 8000_0001",
        string.format("%d, %d", hidden[1] + hidden[2], hidden[3] + hidden[4]),
        same and hidden[1] + hidden[2] > 0 and hidden[3] + hidden[4] > 0,
        "every bit of the four words checked against the unmasked guest's")
end

-- On the bare machine: revision C has the MSRs behind a password, what came before it has none, and hv's code refuses
-- the mask.
local function availability()
    local found = {}
    for _, model in ipairs{ "k8-b", "k8-c", "k8-f", "10h-b3" } do
        machine{ model = model, memory = "64M" }
        boot{ kernel = "features.elf", append = "override" }
        run{ limit = "1s" }
        local words = uart{}
        local function answer(msr, how)
            return words:match("override " .. msr .. " " .. how .. " (%S+)")
        end
        found[#found + 1] = string.format("%s %s %s %s %s", answer("c0011004", "keyed"), answer("c0011005", "keyed"),
                                          answer("c0011004", "plain"), answer("c0011005", "plain"),
                                          words:match("override can be masked") and "yes" or "no")
        if model == "k8-c" then
            expect(words, { matches = "override c0011004 keyed read 00000000078bfbff", name = "1.EDX of revision C" })
            expect(words, { matches = "override c0011005 keyed read 00000000e1d3fbff", name = "8000_0001.EDX of it" })
        end
    end
    local right = found[1] == "#GP #GP #GP #GP no" and found[2] == "read read #GP #GP yes" and found[3] == found[2] and
                  found[4] == "read read read read yes"
    row("28", "override MSRs: K8 before C, C, F; 10h", "2, K8 RevC",
        right and "none, 2, 2; 2" or table.concat(found, ", "), right,
        "RDMSR with and without the password; before C #GP, and hv refuses the mask")
end

local function affinity()
    machine{ nodes = 2, cores = 2, memory = "256M" }
    boot{ kernel = "hv.elf", modules = { "sums64.elf name=a cpus=0,1 vcpus=4 memory=16M" } }
    run{ limit = "20s" }
    local on, off = counter("node[0].core[*].svm.vmruns"), counter("node[1].core[*].svm.vmruns")
    row("32", "cores that four vCPUs with cpus=0,1 ran on", "cpu=0,1", off == 0 and "0 and 1 alone" or "others too",
        on > 0 and off == 0, string.format("VMRUNs on cores 0 and 1: %d, on 2 and 3: %d", on, off))
end

-- The HOWTO's example machine; scenarios/numa.lua has spilling and the other options.
local function numa()
    local N = require("numa")
    N.boot({ nodes = 2, cores = 2, memory = "8G" }, "",
           { "puppet.elf name=a cpus=0,1 memory=64M", "puppet.elf name=b cpus=2,3 memory=64M" })
    N.keys("\1\1\1")
    local off = N.dump()
    N.boot({ nodes = 2, cores = 2, memory = "8G" }, "numa=on",
           { "puppet.elf name=a cpus=0,1 memory=64M", "puppet.elf name=b cpu=2,3 memory=64M" })
    local before, after = N.keys("uH"), N.keys("\1\1\1uH")
    local d = N.dump()
    local a, b, zero, one = d.domains[1], d.domains[2], d.nodes[0], d.nodes[1]
    local _, above = N.census("b", 64 * 256, one.start << 12)
    local function cores(node)
        return table.concat({ d.cores[2 * node] == node and 2 * node or "-",
                              d.cores[2 * node + 1] == node and 2 * node + 1 or "-" }, ",")
    end
    local function gib(frames)
        return string.format("%.1f", frames / 262144):gsub("%.0$", "")
    end
    row("14", "guest memory on one NUMA node", "100 %", string.format("%d %%", 100 * b.on[1] // b.total),
        b.on[1] == b.total and above == b.total, "hv's key u, and the nested tables in RAM")
    row("29", "numa=on; nodes with and without it", "numa=on", #d.nodes + 1 .. " and " .. #off.nodes + 1,
        #d.nodes == 1 and #off.nodes == 0, "Xen 3.0.4 and later; off by default")
    row("31", "Ctrl-A three times, u, H", "u, H", before == "" and after:find("H: node 1") and "answered" or "not",
        before == "" and after:find("u: node 1") ~= nil and after:find("H: node 1") ~= nil,
        "nothing before the third Ctrl-A")
    row("33", "example machine: sockets, cores of each, RAM", "2, 2, 8 GB", string.format("2, 2, %s GiB",
        gib((zero.ram + one.ram + 255) // 256 * 256)), #d.nodes == 1 and #d.cores == 3,
        "nodes, cores and RAM that hv found")
    row("34", "RAM of each node, in frames of 4 KiB", "4 GB", string.format("%d %d", zero.ram, one.ram),
        one.ram == 1048576 and zero.ram <= 1048576 and zero.ram > 1048576 - 256, "node 0 less what firmware keeps")
    row("35", "node 0 and the hole, node 1 behind them (GiB)", "0-4.5 .5 -8.5",
        string.format("0-%s 1 -%s", gib(zero.frames), gib(one.start + one.frames)),
        zero.frames == 4 * 262144 + 262144 and one.start == zero.frames,
        "the model's hole is 1 GiB, the slide's .5; a unit test has the slide's map")
    row("36", "cores of the nodes", "0,1 / 2,3", cores(0) .. " / " .. cores(1),
        cores(0) == "0,1" and cores(1) == "2,3", "key u")
    row("37", "placement by the first vCPU", "node of vCPU 0",
        string.format("%d and %d", a.on[0] == a.total and 0 or -1, b.on[1] == b.total and 1 or -1),
        a.on[0] == a.total and b.on[1] == b.total, "cpus=0,1 and cpu=2,3")
end

-- Case I, on one core; scenarios/mce/all.lua has 8 cores too.
local function machine_checks_of_hv()
    local case, ok, all = require("mce_case"), 0, require("mce_rows").rows
    for _, r in ipairs(all) do
        local wrong = case.judge(r.id, 1)
        ok = ok + (wrong and #wrong == 0 and 1 or 0)
    end
    row("13", "machine-check cases: rows of case I that hold", "39", ok, ok == 39,
        "hv's lines, the guests' and dom0's words against the table; scenarios/mce has them on 8 cores, too")
    local two, calls = 0, 0
    for _, c in pairs(require("mce_two")) do
        two = two + (#c[2]() == 0 and 1 or 0)
    end
    for _, wrong in ipairs(require("mce_calls").run()) do
        calls = calls + (#wrong == 0 and 1 or 0)
    end
    row("13", "the same: of case II, and answers of hypercall 48", "I and II", two .. " and " .. calls,
        two == 8 and calls == 10,
        "C2-1 to C2-8: dom0 retires pages, takes the spare, cores offline, moves guests; R1 to R10")
end

-- The kinds of guest that the slide names for BSD, with our own kernels.
local function bsd_guests()
    local matrix, ok = require("bsd_matrix"), {}
    local console = matrix.run()
    for _, guest in ipairs(matrix.guests) do
        ok[#ok + 1] = not matrix.wrong(guest, console) and guest.kind or nil
    end
    row("11", "BSD's kinds of guest: 32-bit PV and HVM, 64-bit PV", "32bit/64b",
        #ok == #matrix.guests and "both" or #ok .. " kinds", #ok == #matrix.guests,
        "own kernels in BSD's loader form, no BSD; scenarios/bsd.lua")
end

local LATER = {
    { "12", "dom0's IOMMU map", "1:1" },
    { "24", "CPU load for PowerNow!", "0-100" }, { "25", "unit of getidletime", "ns" },
    { "30", "dom0's memory while guests start", "dom0-min-mem 0" },
}

-- A line of each row within 100 columns, and how it was measured below.
local WIDTHS = { 3, 50, 14, 22, 7 }
local COLUMNS, INDENT = 100, "    "

local function print_row(...)
    local cells = {}
    for i, width in ipairs(WIDTHS) do
        local cell = tostring(select(i, ...))
        if #cell > width then
            error(string.format("claims: %s is wider than its column of %d", cell, width), 0)
        end
        cells[i] = cell .. string.rep(" ", width - #cell)
    end
    log((table.concat(cells, " "):gsub(" +$", "")))
end

local function print_how(text)
    local line = INDENT
    for word in text:gmatch("%S+") do
        if #line + 1 + #word > COLUMNS then
            log(line)
            line = INDENT
        end
        line = line .. (line == INDENT and "" or " ") .. word
    end
    log(line)
end

local function print_claims()
    for i, r in ipairs(rows) do
        r.order = tonumber(r[1]) * 1000 + i -- rows of one number stay in their order
    end
    for i, r in ipairs(LATER) do
        rows[#rows + 1] = { r[1], r[2], r[3], "not yet", "", order = tonumber(r[1]) * 1000 + i }
    end
    table.sort(rows, function(a, b) return a.order < b.order end)
    print_row("#", "claim", "slide", "measured", "")
    for _, r in ipairs(rows) do
        print_row(table.unpack(r, 1, 5))
        if r[6] then
            print_how(r[6])
        end
    end
end

local PARTS = {
    { "walks", function() walk_table(); walk_claims() end }, { "builder", builder }, { "caches", caches },
    { "reach", reach }, { "asids", asids }, { "cr8", cr8 }, { "hap", hap }, { "migration", migration },
    { "masks", function() masks(); availability() end },
    { "affinity", affinity }, { "numa", numa }, { "mce", machine_checks_of_hv }, { "bsd", bsd_guests },
}

local only, names = param.only, {}
for _, part in ipairs(PARTS) do
    names[#names + 1] = part[1]
    names[part[1]] = true
end
if only and not names[only] then
    error("-s only=" .. only .. ": right are " .. table.concat(names, ", "), 0)
end
for _, part in ipairs(PARTS) do
    if not only or only == part[1] then
        part[2]()
    end
end
print_claims()
