-- SPDX-License-Identifier: MIT
-- Paravirtual guests beside HVM ones, on 2 nodes x 4 cores under one scheduler: kernels that try what a
-- paravirtual kernel may do and what hv must refuse (workloads/pv64: tables, traps, race, storm), two HVM guests that
-- compute. All end well, hv's own count of the paravirtual guests' traps is the model's count of exceptions raised,
-- every entry into a paravirtual guest ends by one trap, hypercall, system call or interrupt, and none of them by a
-- #VMEXIT.

machine{ nodes = 2, cores = 4, memory = "512M" }
boot{ kernel = "hv.elf", modules = {
    "pv64-tables.elf name=tables type=pv memory=16M",
    "sums64.elf name=alpha vcpus=2 memory=16M rounds=1",
    "pv64-traps.elf name=traps type=pv memory=16M vcpus=2",
    "sums32.elf name=beta width=32 vcpus=2 memory=16M rounds=1",
    "pv64-storm.elf name=storm type=pv memory=16M calls=3000 seed=2007",
    "pv64-race.elf name=race type=pv memory=16M vcpus=2",
    "pv64-tables.elf name=again type=pv memory=8M cpus=3",
} }
run{ limit = "60s" }

local console = uart{}
for _, name in ipairs{ "tables", "alpha", "traps", "beta", "race", "storm", "again" } do
    expect(console:match("guest name=" .. name .. " outcome=(%a+)"),
           { equals = "finished", name = name .. " finishes" })
end
for name, checks in pairs{ tables = 135, traps = 102, race = 18, storm = 5, again = 135 } do
    local passed = select(2, console:gsub("%(" .. name .. "%) ok ", ""))
    expect(passed, { equals = checks, name = name .. ": checks that hold" })
    expect(not console:find("(" .. name .. ") not ok", 1, true), name .. ": none fails")
end

-- hv's counts: an entry ends one way.
local total = {}
local function add(key, value)
    total[key] = (total[key] or 0) + tonumber(value)
end
for line in console:gmatch("[^\n]+") do
    local entries, interrupts, calls, int_n, upcalls, failsafes =
        line:match("^pv guest=%w+ vcpu=%d+ entries=(%d+) interrupts=(%d+) system_calls=(%d+) int_n=(%d+) " ..
                   "upcalls=(%d+) failsafes=(%d+)")
    if entries then
        add("entries", entries)
        add("ends", interrupts)
        add("ends", calls)
        add("ends", failsafes)
        add("upcalls", upcalls)
        add("int_n", int_n)
        add("failsafes", failsafes)
    end
    local vector, count, refused =
        line:match("^pv_trap guest=%w+ vcpu=%d+ vector=(%d+) count=(%d+) bounced=%d+ refused=(%d+)")
    if vector then
        add("trap" .. vector, count)
        add("trap" .. vector, refused)
        add("ends", count)
    end
    count = line:match("^pv_hypercall guest=%w+ vcpu=%d+ number=%d+ count=(%d+)")
    if count then
        add("hypercalls", count)
        add("ends", count)
    end
end
expect(total.ends, { equals = total.entries, name = "ends of entries into paravirtual guests" })
expect(total.hypercalls, { at_least = 400, name = "hypercalls" })
expect(total.upcalls, { at_least = 5, name = "event upcalls" })

-- The model's: the HVM guests raise none of these. A selector that hv could not load counts; the #GP of INT n is
-- nested in its delivery, which the model's count leaves out.
local names = { [0] = "DE", [1] = "DB", [3] = "BP", [6] = "UD", [7] = "NM", [13] = "GP", [14] = "PF" }
local log_line = ""
for vector, name in pairs(names) do
    local raised = counter("node[*].core[*].exceptions.raised{vector=" .. name .. "}")
    local counted = (total["trap" .. vector] or 0) + (name == "GP" and -total.int_n or 0)
    expect(counted, { equals = raised, name = "#" .. name })
    expect(counted, { at_least = 1, name = "#" .. name .. " is there" })
    log_line = log_line .. string.format(" %s %d", name, counted)
end

-- No #VMEXIT belongs to a paravirtual vCPU.
local exits_of = {}
for _, row in ipairs(exits()) do
    exits_of[string.format("%x", row.vmcb)] = (exits_of[string.format("%x", row.vmcb)] or 0) + row.count
end
for name, vmcb in console:gmatch("vcpu guest=(%w+) id=%d+ vmcb=(%x+)") do
    if name == "alpha" or name == "beta" then
        expect(exits_of[vmcb] or 0, { at_least = 1, name = name .. " has exits" })
    else
        expect(exits_of[vmcb] or 0, { equals = 0, name = name .. " has none" })
    end
end
expect(console:find("it was written in between, and writes to the table were #PF", 1, true) ~= nil,
       { equals = true, name = "race's two vCPUs run at once" })
log(string.format("5 paravirtual and 2 HVM guests: %d entries, %d hypercalls;%s", total.entries, total.hypercalls,
                  log_line))
