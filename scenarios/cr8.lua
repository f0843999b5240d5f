-- SPDX-License-Identifier: MIT
-- CR8 in hv's three generations (cr8=0, 1, 2) under ntirql, a guest that keeps its interrupt level in CR8 as
-- 64-bit NT does. One section in 554 asks for a DPC while its level is raised; only the CR8 write that lowers
-- that level has anything to let in.
--
--     -s size=full    3,327,333 sections, 10,000,000 accesses (small: 100,000, in the same proportions)
--
-- Independent counts: the guest's own, hv's, the model's of exits and of completed accesses, and the model's of
-- interrupts that a lowering write let in (cr8.unmasked), which asks nobody what is pending.

local SIZES = {
    small = { sections = 33213, dpcs = 60, sweep = 10000, tpr = 300, ticks = 192 },
    full = { sections = 3321333, dpcs = 6000, sweep = 1000000, tpr = 30000, ticks = 6000 },
}
local size = SIZES[param.size or "small"]
if not size then
    error("-s size=" .. param.size .. ": small and full are right", 0)
end

local BEGIN, END = 0x46310001, 0x46310002

-- What a run of ntirql must come to: a section is a read and two writes, a DPC the same again.
local function expected(sections, dpcs, reads)
    return { reads = sections + 2 * dpcs + reads, writes = 2 * sections + 4 * dpcs }
end

-- Boot ntirql on hv (generation) or alone (generation nil); everything that was counted.
local function ntirql_with(generation, options, width)
    machine{ memory = "256M" }
    if generation then
        boot{ kernel = "hv.elf", append = "cr8=" .. generation,
              modules = { string.format("ntirql%d.elf width=%d memory=16M %s", width, width, options) } }
    else
        boot{ kernel = "ntirql64.elf", append = options }
    end
    local result, cycles = { exits = {} }, nil
    if generation then
        run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "600s" }
        cycles = counter("node[*].core[*].cycles.total")
        run{ until = { exit = "VMMCALL", eax = END }, limit = "600s" }
        result.cycles = counter("node[*].core[*].cycles.total") - cycles
    end
    run{ limit = "600s" }
    local console = uart{}
    for _, key in ipairs{ "reads", "writes", "dpcs", "run", "ticks", "raised", "overtaken", "sections" } do
        result[key] = tonumber(console:match("ntirql:[^\n]* " .. key .. "=(%d+)"))
    end
    result.kcycles_raised, result.kcycles = console:match("kcycles raised=(%d+) total=(%d+)")
    result.history = console:match("history=(%x+)")
    for _, row in ipairs(exits()) do
        result.exits[row.exit] = (result.exits[row.exit] or 0) + row.count
    end
    result.hv = {}
    for reason, count in console:gmatch("exits guest=%* vcpu=%* reason=([%w_]+) count=(%d+)") do
        result.hv[reason] = tonumber(count)
    end
    for _, place in ipairs{ "host", "virtual", "physical" } do
        result[place] = {
            read = counter("node[*].core[*].cr8.accesses{op=read,of=" .. place .. "}"),
            write = counter("node[*].core[*].cr8.accesses{op=write,of=" .. place .. "}"),
        }
    end
    result.unmasked = counter("node[*].core[*].cr8.unmasked")
    return result
end

local function ntirql(generation, sections, dpcs, width)
    return ntirql_with(generation, string.format("sections=%d dpcs=%d reads=1", sections, dpcs), width)
end

local function exits_of(result, reason)
    return result.exits["VMEXIT_" .. reason] or 0
end

-- ---- P-exact ------------------------------------------------------------------------------------------------

local want = expected(size.sections, size.dpcs, 1)
local TABLE = { -- generation: CR8 reads that exit, writes, VINTR
    [0] = { want.reads, want.writes, 0 },
    [1] = { 0, size.dpcs, 0 },
    [2] = { 0, 0, size.dpcs },
}

-- The bare machine has a real local APIC and no hypervisor: its history is what every generation must give.
local bare = ntirql(nil, size.sections, size.dpcs, 64)
expect(bare.host.read, { equals = want.reads, name = "bare machine: CR8 reads" })
expect(bare.host.write, { equals = want.writes, name = "bare machine: CR8 writes" })

local function check_exact(generation, result)
    local name = "cr8=" .. generation .. ": "
    for i, reason in ipairs{ "CR8_READ", "CR8_WRITE", "VINTR" } do
        expect(exits_of(result, reason), { equals = TABLE[generation][i], name = name .. "VMEXIT_" .. reason })
        expect(result.hv["VMEXIT_" .. reason] or 0,
               { equals = exits_of(result, reason), name = name .. "hv counts VMEXIT_" .. reason .. " as the model" })
    end
    expect(result.reads, { equals = want.reads, name = name .. "the guest's own reads" })
    expect(result.writes, { equals = want.writes, name = name .. "the guest's own writes" })
    expect(result.virtual.read + exits_of(result, "CR8_READ"),
           { equals = want.reads, name = name .. "reads completed and intercepted" })
    expect(result.virtual.write + exits_of(result, "CR8_WRITE"),
           { equals = want.writes, name = name .. "writes completed and intercepted" })
    expect(result.unmasked, { equals = size.dpcs, name = name .. "interrupts that a lowering write let in" })
    expect(result.physical.read + result.physical.write,
           { equals = 0, name = name .. "guest accesses to the physical TPR" })
    expect(result.run, { equals = size.dpcs, name = name .. "DPCs run" })
    expect(result.history, { equals = bare.history, name = name .. "the history of levels is the bare machine's" })
    -- ICR and EOI of each DPC, and SVR once
    expect(exits_of(result, "NPF"), { equals = 2 * size.dpcs + 1, name = name .. "local APIC accesses" })
end

log(string.format("ntirql, 64 bits: %d sections, %d of them with a DPC: %d CR8 reads, %d writes",
                  size.sections + size.dpcs, size.dpcs, want.reads, want.writes))
log(string.format("%-8s %12s %12s %12s %10s %10s %16s", "", "CR8 reads", "CR8 writes", "CR8 exits", "VINTR", "APIC",
                  "cycles"))
local exact = {}
for generation = 0, 2 do
    local result = ntirql(generation, size.sections, size.dpcs, 64)
    check_exact(generation, result)
    exact[generation] = result
    log(string.format("cr8=%d    %12d %12d %12d %10d %10d %16d", generation, exits_of(result, "CR8_READ"),
                      exits_of(result, "CR8_WRITE"), exits_of(result, "CR8_READ") + exits_of(result, "CR8_WRITE"),
                      exits_of(result, "VINTR"), exits_of(result, "NPF"), result.cycles))
end
for generation = 1, 2 do
    expect(exact[generation].cycles, { at_most = exact[0].cycles - 1, name = "cr8=" .. generation .. " saves cycles" })
    log(string.format("cr8=%d saves %d of %d cycles between the marks", generation,
                      exact[0].cycles - exact[generation].cycles, exact[0].cycles))
end

-- ---- P-sweep: the share of sections that mask a request ------------------------------------------------------

log("")
log(string.format("%d sections, a share of them with a DPC", size.sweep))
log(string.format("%-8s %14s %14s %14s", "share", "cr8=0: exits", "cr8=1: exits", "cr8=2: VINTR"))
for _, hundredths in ipairs{ 0, 1, 10, 100, 1000, 10000 } do
    local share = string.format("%d.%02d %%", hundredths // 100, hundredths % 100)
    local dpcs = size.sweep * hundredths // 10000
    local cells, history = {}, nil
    -- In generation 0 every access exits whatever is masked: P-exact shows it at full size, the small one here.
    for generation = size == SIZES.full and 1 or 0, 2 do
        local result = ntirql(generation, size.sweep - dpcs, dpcs, 64)
        local accesses = expected(size.sweep - dpcs, dpcs, 1)
        local exits = exits_of(result, "CR8_READ") + exits_of(result, "CR8_WRITE")
        local law = ({ [0] = accesses.reads + accesses.writes, [1] = dpcs, [2] = 0 })[generation]
        expect(exits, { equals = law, name = string.format("share %s, cr8=%d: CR8 exits", share, generation) })
        -- hv's own timer may end the guest's run just when it has lowered its level: that exit does the VINTR's work
        expect(exits_of(result, "VINTR"), { at_most = generation == 2 and dpcs or 0,
               at_least = generation == 2 and dpcs - exits_of(result, "INTR") or 0,
               name = string.format("share %s, cr8=%d: VINTR exits", share, generation) })
        expect(result.unmasked, { equals = dpcs, name = string.format("share %s, cr8=%d: let in", share, generation) })
        history = history or result.history
        expect(result.history, { equals = history,
               name = string.format("share %s, cr8=%d: the same history", share, generation) })
        cells[generation] = generation == 2 and exits_of(result, "VINTR") or exits
    end
    log(string.format("%-8s %14s %14d %14d", share, cells[0] or "-", cells[1], cells[2]))
end

-- ---- P-timer: a 64 Hz clock whose handler asks for a DPC, 6,000 ticks in 93.75 virtual seconds ---------------
--
-- A tick that interrupts a raised level costs generation 1 a second armed write, so that with the level raised a
-- share d of the time its exits are ticks (1 + d). What the guest counts (ntirql/clock.c) bounds them closely.

local function check_timer(generation, result, name)
    local exits = exits_of(result, "CR8_READ") + exits_of(result, "CR8_WRITE")
    expect(result.ticks, { equals = size.ticks, name = name .. "ticks" })
    expect(result.run, { equals = result.ticks, name = name .. "DPCs run" })
    local law = ({ result.ticks + result.raised, 0 })[generation]
    -- A DPC that was overtaken had its exit before that, or has none.
    expect(exits, { at_least = generation == 1 and law - result.overtaken or law, at_most = law,
                    name = name .. "CR8 exits" })
    for _, reason in ipairs{ "CR8_READ", "CR8_WRITE", "VINTR" } do
        expect(result.hv["VMEXIT_" .. reason] or 0, { equals = exits_of(result, reason),
               name = name .. "hv counts VMEXIT_" .. reason .. " as the model" })
    end
    expect(result.virtual.write + exits_of(result, "CR8_WRITE"),
           { equals = result.writes, name = name .. "writes completed and intercepted" })
    expect(result.physical.read + result.physical.write, { equals = 0, name = name .. "the physical TPR" })
    if generation == 2 then -- one for each masked DPC, and few for vectors that came with IF clear
        expect(exits_of(result, "VINTR"), { at_least = result.ticks - result.overtaken,
               at_most = result.ticks + (result.ticks + 99) // 100, name = name .. "VINTR exits" })
    end
    return exits
end

log("")
log(string.format("ntirql with a 64 Hz clock: %d ticks", size.ticks))
log(string.format("%-12s %10s %10s %10s %10s %14s %12s", "", "ticks", "raised", "d", "CR8 exits", "ticks (1 + d)",
                  "VINTR"))
for _, divides in ipairs{ 14, 90 } do
    for generation = 1, 2 do -- in generation 0 every access exits, whatever the clock does
        local result = ntirql_with(generation, string.format("ticks=%d divides=%d", size.ticks, divides), 64)
        local name = string.format("64 Hz, %d divides, cr8=%d: ", divides, generation)
        local exits = check_timer(generation, result, name)
        local d = result.kcycles_raised * 10000 // result.kcycles -- hundredths of a percent
        local predicted = result.ticks * (10000 + d) // 10000
        if generation == 1 and size == SIZES.full then -- 1.2 %: what the number of ticks lets chance do
            expect(exits, { at_least = predicted * 988 // 1000, at_most = predicted * 1012 // 1000,
                            name = name .. "CR8 exits by the share of time" })
        end
        log(string.format("%-12s %10d %10d %8d.%02d %10d %14d %12d", string.format("cr8=%d", generation), result.ticks,
                          result.raised, d // 100, d % 100, exits, predicted, exits_of(result, "VINTR")))
    end
end

-- ---- Control: a 32-bit guest keeps its level in the APIC's TPR register, and no generation helps ---------------

log("")
log(string.format("ntirql, 32 bits, TPR by MMIO: %d sections, 10 of them with a DPC", size.tpr + 10))
local tpr = expected(size.tpr, 10, 1)
for generation = 0, 2 do
    local result = ntirql(generation, size.tpr, 10, 32)
    local name = "32 bits, cr8=" .. generation .. ": "
    expect(exits_of(result, "NPF"),
           { equals = tpr.reads + tpr.writes + 2 * 10 + 1, name = name .. "local APIC accesses" })
    expect(exits_of(result, "CR8_READ") + exits_of(result, "CR8_WRITE"), { equals = 0, name = name .. "CR8 exits" })
    expect(result.run, { equals = 10, name = name .. "DPCs run" })
    log(string.format("cr8=%d    %12d local APIC exits", generation, exits_of(result, "NPF")))
end
