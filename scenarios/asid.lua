-- SPDX-License-Identifier: MIT
-- ASIDs: what hv's generations cost in TLB flushes, what ASIDs save, and that none is ever stale.
--
--     -s size=full    100,000 assignments too
--
-- Independent counts: hv's own, the model's of flushes that TLB_CONTROL asked for and of TLB misses, and a check that
-- reads each VMCB after its VMRUN: an ASID that has served another guest since the last flush would be stale.

local BEGIN, END = 0x46310001, 0x46310002
local size = param.size or "small"
if size ~= "small" and size ~= "full" then
    error("-s size=" .. size .. ": small and full are right", 0)
end

local function start(append, modules, options)
    machine(options or { walk_caches = false })
    boot{ kernel = "hv.elf", append = append, modules = modules }
end

local function flushes_by_model()
    return counter("node[*].core[*].svm.flushes")
end

local function of_hv(console)
    local assignments, flushes = console:match("asid core=0 assignments=(%d+) flushes=(%d+)")
    return tonumber(assignments), tonumber(flushes)
end

-- ---- One flush for 63 assignments ------------------------------------------------------------------------------

log("ASIDs handed out one after the other (1 to 63): TLB flushes, ceil(n / 63)")
for _, count in ipairs(size == "full" and { 63, 64, 126, 127, 1000, 100000 } or { 63, 64, 126, 127, 1000 }) do
    start("asid_bench=" .. count, { string.format("ping.elf cpus=0 count=%d", count + 100) }, {})
    run{ limit = "60s" }
    local assignments, flushes = of_hv(uart{})
    expect(assignments, { equals = count, name = count .. " assignments: hv's own count" })
    expect(flushes_by_model(), { equals = (count + 62) // 63, name = count .. " assignments: flushes" })
    expect(flushes, { equals = flushes_by_model(), name = count .. " assignments: hv counts flushes as the model" })
    log(string.format("%8d %8d", count, flushes))
end

start("no-asid", { "ping.elf cpus=0 count=1000" }, {})
run{ limit = "20s" }
expect(flushes_by_model(), { equals = counter("node[*].core[*].svm.vmruns"), name = "no-asid: every VMRUN flushes" })
log(string.format("no-asid  %8d of %d VMRUNs", flushes_by_model(), counter("node[*].core[*].svm.vmruns")))

-- Which processors keep them apart: Family 10h, and Family 0Fh from revision G on. Before it erratum 170 forbids a
-- VMRUN with another ASID and no flush. (Family 0Fh has no nested paging: its guests get shadow paging.)
log("")
log("By processor, 126 assignments wanted: ASIDs assigned, flushes, VMRUNs")
for _, case in ipairs{ { "k8-f", false }, { "k8-g", true }, { "10h-b3", true } } do
    start("asid_bench=126", { "ping.elf cpus=0 memory=16M count=300" }, { model = case[1], memory = "256M" })
    run{ limit = "20s" }
    local assignments, vmruns = of_hv(uart{}), counter("node[*].core[*].svm.vmruns")
    expect(assignments, { equals = case[2] and 126 or 0, name = case[1] .. ": assignments" })
    expect(flushes_by_model(), { equals = case[2] and 2 or vmruns, name = case[1] .. ": flushes" })
    log(string.format("%-8s %8d %8d %8d", case[1], assignments, flushes_by_model(), vmruns))
end

-- ---- What an exit costs the TLB --------------------------------------------------------------------------------

local EXITS, PAGES = 1000, 16

local function ping(append)
    start(append, { string.format("ping.elf cpus=0 backing=4k count=%d pages=%d", EXITS, PAGES) })
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "20s" }
    local guest, host = walks{ of = "guest" }.walks, walks{ of = "host" }.walks
    run{ until = { exit = "VMMCALL", eax = END }, limit = "20s" }
    return walks{ of = "guest" }.walks - guest, walks{ of = "host" }.walks - host
end

log("")
log(string.format("TLB misses (data side) of %d exits, %d pages touched before each", EXITS, PAGES))
local guest_on, host_on = ping("asid")
local guest_off, host_off = ping("no-asid")
expect(guest_on, { equals = PAGES, name = "with ASIDs: the guest's misses, all in the first pass" })
expect(guest_off // EXITS, { equals = PAGES, name = "without: the guest's misses of each exit, every page" })
expect(host_on, { at_most = EXITS // 10, name = "with ASIDs: hv's misses" })
expect(host_off, { at_least = EXITS, name = "without: hv's misses, some after every exit" })
log(string.format("asid     guest %8d  hv %8d", guest_on, host_on))
log(string.format("no-asid  guest %8d  hv %8d", guest_off, host_off))

-- ---- Two guests in turn on one core ----------------------------------------------------------------------------

local function alternate(append)
    local modules = {}
    for i = 1, 2 do
        modules[i] = string.format("ping.elf name=g%d cpus=0 memory=16M backing=4k by=yield count=%d pages=%d tag=%d",
                                   i, EXITS, PAGES, i)
    end
    start(append, modules)
    run{ limit = "20s" }
    expect(uart{}, { matches = "2 of 2 guests finished", name = append .. ": both guests find what they wrote" })
    return flushes_by_model(), walks{ of = "guest" }.walks
end

log("")
log(string.format("Two guests in turn on one core, %d switches: flushes, guests' misses", 2 * EXITS))
local bump_flushes, bump_misses = alternate("asid_switch_bump")
local flushes, misses = alternate("no-asid_switch_bump")
expect(bump_flushes, { at_least = 2 * EXITS, name = "a bump at each switch: flushes" })
expect(bump_misses, { at_least = 2 * EXITS * PAGES, name = "a bump at each switch: misses" })
expect(flushes, { equals = 1, name = "one host CR3 for all: flushes" })
expect(misses, { at_most = bump_misses // 100, name = "one host CR3 for all: misses" })
log(string.format("a host CR3 write at each switch, as Xen's   %8d %8d", bump_flushes, bump_misses))
log(string.format("one host CR3 for all                        %8d %8d", flushes, misses))

-- ---- A guest that switches address spaces ----------------------------------------------------------------------

local function cr3_loop(append)
    start(append, { string.format("ping.elf cpus=0 by=cr3 count=%d", EXITS) }, {})
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "20s" }
    local before = flushes_by_model()
    run{ until = { exit = "VMMCALL", eax = END }, limit = "20s" }
    return flushes_by_model() - before
end

log("")
log(string.format("%d guest CR3 writes: TLB flushes", EXITS))
local plain, intercepted, off = cr3_loop("no-npt_cr3w"), cr3_loop("npt_cr3w"), cr3_loop("npt_cr3w no-asid")
expect(plain, { equals = 0, name = "not intercepted: the processor drops its own ASID's entries" })
expect(intercepted, { at_least = EXITS // 63, at_most = EXITS // 63 + 1, name = "intercepted: one for 63 writes" })
expect(off, { at_least = EXITS, at_most = EXITS + EXITS // 10, name = "intercepted, no ASIDs: one for each" })
log(string.format("not intercepted %6d, intercepted %6d, intercepted without ASIDs %6d", plain, intercepted, off))

-- ---- None is ever stale ----------------------------------------------------------------------------------------

-- After #VMEXIT rAX of the host is what VMRUN was given: the VMCB, which still says what it asked for.
local function watch()
    local seen = { stale = 0, vmruns = 0, zero = 0, most = 0 }
    local owner = {}
    at({ exit = "any" }, function(event)
        local vmcb = reg("rax", { core = event.core })
        local asid, flush = mem(vmcb + 0x58, 4), mem(vmcb + 0x5C, 1)
        local who = string.format("%x on %x", vmcb, mem(vmcb + 0xB0, 8))
        local of_core = flush == 1 and {} or owner[event.core] or {}
        owner[event.core] = of_core
        if of_core[asid] and of_core[asid] ~= who then
            seen.stale = seen.stale + 1
        end
        of_core[asid] = who
        seen.vmruns = seen.vmruns + 1
        seen.zero = seen.zero + (asid == 0 and 1 or 0)
        seen.most = math.max(seen.most, asid)
    end)
    return seen
end

-- Every VMRUN a new ASID, so that each number goes from guest to guest many times; the guests have the same addresses,
-- linear and guest-physical, and different contents. Then two cores, between which the guests wander.
log("")
for _, case in ipairs{ { "one core", 1, "asid_bench=2000" }, { "two cores", 2, "" } } do
    local modules = {}
    for i = 1, 3 do
        modules[i] = string.format("ping.elf name=g%d memory=16M backing=4k by=yield count=%d pages=%d tag=%d", i,
                                   EXITS, PAGES, i)
    end
    start(case[3], modules, { cores = case[2] })
    local seen = watch()
    run{ limit = "60s" }
    expect(uart{}, { matches = "3 of 3 guests finished", name = case[1] .. ": each guest finds what it wrote" })
    expect(seen.stale, { equals = 0, name = case[1] .. ": VMRUNs with an ASID that another guest left entries under" })
    expect(seen.zero, { equals = 0, name = case[1] .. ": VMRUNs with the host's ASID" })
    expect(seen.vmruns, { equals = counter("node[*].core[*].svm.vmruns"), name = case[1] .. ": VMRUNs looked at" })
    expect(seen.most, { at_most = 63, name = case[1] .. ": the highest ASID" })
    log(string.format("Stale ASIDs, %s: %d in %d VMRUNs; highest ASID %d", case[1], seen.stale, seen.vmruns, seen.most))
end
