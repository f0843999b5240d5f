-- SPDX-License-Identifier: MIT
-- What Xen's migration got wrong once (hypervisor-features.md A11, "known traps"), each by itself: a guest goes from
-- nested paging to shadow paging, to shadow paging, back, and to nested, and after each move what it reads is what it
-- had. Expected values are the architecture's or the guest's own, not what an earlier run gave.

local puppets = require("puppets")
local ask = puppets.ask
local MIGRATE, TO_NESTED, TO_SHADOW = 0x46310101, 1, 2
local EFER, EFER_LME, EFER_LMA, EBC_FREQUENCY = 0xC0000080, 1 << 8, 1 << 10, 0x2A
local CR0_WP, CR0_PG = 1 << 16, 1 << 31
local WAYS = { TO_SHADOW, TO_SHADOW, TO_NESTED, TO_NESTED }
local PAGING = { [TO_NESTED] = "nested", [TO_SHADOW] = "shadow" }
local control, target

local function boot(string)
    puppets.machine{ cores = 2, memory = "128M" }
    local guests = puppets.boot{ "puppet.elf name=control control=on memory=8M wait=spin",
                                 string .. " memory=6M wait=spin" }
    control, target = guests.control, guests.target
end

local function move(mode)
    local result = puppets.domctl(control, target.domain, MIGRATE,
                                  string.pack("<I4I4I8I8I8I4I4", 0, 0, 0, 0, 0, mode, 0))
    local domain, root = uart{}:match("migrate domain=" .. target.domain .. " new=(%d+) map=(%x+)")
    expect(result, { equals = 0, name = "it moves" })
    target.domain, target.root = tonumber(domain), tonumber(root, 16)
end

local function reads(what, argument, mask, value, name)
    expect(ask(target, what, argument) & mask, { equals = value, name = name })
end

-- ---- The traps: what a guest prepares, and what it has to find before the first move and after each ---

-- V_TPR comes from the virtual local APIC before every entry (Xen 2d36048152).
local tpr = { "TPR at IRQL 2",
    function() ask(target, puppets.CR8_WRITE, 2) end,
    function(name) reads(puppets.CR8_READ, 0, ~0, 2, name) end }

-- EFER.LMA is in the context (Xen 09fa4973a1), and it is the guest's, not hv's.
local function lma(value)
    return { "EFER.LME and LMA", nil,
             function(name) reads(puppets.MSR_READ, EFER, EFER_LME | EFER_LMA, value, name) end }
end

-- Shadow paging runs with CR0.WP set whatever the guest has (Xen 1abe8d9d1e). The guest clears WP and stores through a
-- read-only page; with WP set it could not, as the end shows.
local PAGE = puppets.WINDOW_2M + 0x400000
local stored = 100
local wp = { "CR0.WP clear",
    function()
        ask(target, puppets.CR0_WRITE, ask(target, puppets.CR0_READ) & ~CR0_WP)
        ask(target, puppets.PROTECT, 0x400000)
    end,
    function(name)
        stored = stored + 1
        reads(puppets.CR0_READ, 0, CR0_WP, 0, name)
        ask(target, puppets.STORE, PAGE, 1, 8, stored)
        expect(ask(target, puppets.LOAD, PAGE, 1, 8),
               { equals = stored, name = name .. ": a store to a read-only page" })
    end }

-- And with CR0.PG.
local pg = { "CR0.PG clear", nil, function(name) reads(puppets.CR0_READ, 0, CR0_PG | CR0_WP, 0, name) end }

-- A guest that began on another vendor's processor reads its MSRs: 0, no #GP (Xen d25c0b84c6).
local intel = { "another vendor's MSR", nil, function(name) reads(puppets.MSR_READ, EBC_FREQUENCY, ~0, 0, name) end }

-- CPUID is the same at both ends (hypervisor-features.md F).
local seen
local cpuid = { "CPUID 1 and 8000_0001", function() seen = nil end, function(name)
    local now = string.format("%x %x", ask(target, puppets.CPUID, 1), ask(target, puppets.CPUID, 0x80000001))
    seen = seen or now
    expect(now, { equals = seen, name = name })
end }

-- ---- All of a guest's, four ways ------------------------------------------------------------------------------------

local function look(guest, traps, when)
    for _, trap in ipairs(traps) do
        trap[3](string.format("%s, %s: %s", guest, when, trap[1]))
    end
end

local function all_ways(guest, string, traps)
    boot(string)
    for _, trap in ipairs(traps) do
        if trap[2] then
            trap[2]()
        end
    end
    look(guest, traps, "before")
    local from, names = TO_NESTED, {}
    for i, mode in ipairs(WAYS) do
        move(mode)
        look(guest, traps, PAGING[from] .. " to " .. PAGING[mode])
        from = mode
    end
    for i, trap in ipairs(traps) do
        names[i] = trap[1]
    end
    log(string.format("%-10s %d moves: %s", guest, #WAYS, table.concat(names, ", ")))
end

all_ways("32 bits", "puppet32.elf name=target width=32 mode=pae", { tpr, lma(0), intel, cpuid })
all_ways("paging off", "puppet32.elf name=target width=32 mode=off", { pg, lma(0), tpr })
all_ways("64 bits", "puppet.elf name=target", { tpr, lma(EFER_LME | EFER_LMA), wp, intel, cpuid })
ask(target, puppets.CR0_WRITE, ask(target, puppets.CR0_READ) | CR0_WP)
puppets.post(target, puppets.STORE, PAGE, 1, 8, 7)
run("1ms")
expect(puppets.answered(target), { equals = false, name = "with CR0.WP it is #PF, and the guest has no handler" })
expect(puppets.peek(target, 0x400000), { equals = stored, name = "and nothing is stored" })
