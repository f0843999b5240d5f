-- SPDX-License-Identifier: MIT
-- Guests that mean harm to hv: hypercalls of noise, page tables with loops and devices in them, descriptor tables in devices,
-- storms on every virtual device, hv's own instructions and MSRs, triple faults. Whatever they do, hv lives, the guest
-- beside them has its checksum, the model's checks of hv's own accesses find nothing, and the end of each is the one
-- that is named here. All is drawn from fixed seeds.
--
--     -s attack=NAME   that one alone      -s rounds=N   of each (100)      -s seed=N   another draw (1)

local only, rounds, seed = param.attack, tonumber(param.rounds or 100), tonumber(param.seed or 1)
local CHECKSUM = "3cb078e4" -- of sums' default blocks, by zlib's crc32

-- Name, how the guest ends, words of its own, how many guests, each with a draw of its own (of roots and descriptors:
-- one for each target). Those that finish say how many exceptions they met; an attack that destroys the guest itself
-- ends by a triple fault, or because hv cannot carry out an access that the guest made its tables of.
local attacks = {
    { "calls", "finished" }, { "vcpus", "any", "vcpus=2" }, { "control", "finished", "control" },
    { "tables", "any", "", 3 }, { "roots", "crashed", "", 7 }, { "descriptors", "crashed", "", 6 },
    { "shutdown", "crashed" },
    { "ports", "finished" }, { "mmio", "any" }, { "interrupts", "finished" }, { "svm", "finished" },
    { "msrs", "finished" },
}

-- Paravirtual kernels that mean harm (workloads/pv64/hostile.c): they use what they were given, page tables,
-- descriptors, handlers, stacks.
local pv_attacks = {
    { "tables", "any", 3 }, { "segments", "finished", 2 }, { "privileged", "finished", 2 }, { "debug", "finished", 2 },
    { "traps", "crashed" }, { "stacks", "crashed", 2 }, { "irets", "any", 4 },
}

local function endures_pv(name, outcome, seed)
    machine{ cores = 2, memory = "256M", check = true }
    boot{ kernel = "hv.elf", append = "sched_credit_tslice_ms=1", modules = {
        string.format("pv64-hostile.elf name=hostile type=pv memory=8M attack=%s rounds=%d seed=%d", name, rounds,
                      seed),
        "sums64.elf name=neighbour memory=16M blocks=256 expect=0x" .. CHECKSUM } }
    local event = run{ limit = "20s" }
    local console, what = uart{}, string.format("paravirtual, %s %d", name, seed)
    expect(event.reason, { equals = "exit", name = what .. ": hv comes to its end" })
    expect(console:match("guest name=neighbour outcome=finished result=%x-(" .. CHECKSUM .. ")"), { equals = CHECKSUM,
           name = what .. ": the neighbour's checksum" })
    local ended = console:match("guest name=hostile outcome=(%a+)")
    if outcome == "any" then -- what it breaks is its own
        expect(ended == "finished" or ended == "crashed", what .. ": the guest ends")
    else
        expect(ended, { equals = outcome, name = what .. ": the guest's end" })
    end
    local count = console:match("pv%-" .. name .. ": %d+ rounds, (%d+) exceptions")
    log(string.format("%-24s %-9s %s", what, ended or "?", count and count .. " exceptions" or
        console:match("guest hostile (vcpu %d crashed: .-):") or ""))
end

local function endures(name, outcome, words, hap, guests)
    machine{ cores = 2, memory = "512M", check = true }
    local modules = { "sums64.elf name=neighbour memory=16M blocks=256 expect=0x" .. CHECKSUM }
    for draw = seed, seed + guests - 1 do
        table.insert(modules, draw - seed + 1, string.format(
            "hostile.elf name=hostile%d memory=32M hap=%s attack=%s rounds=%d seed=%d %s", draw, hap, name, rounds,
            draw, words))
    end
    boot{ kernel = "hv.elf", append = "sched_credit_tslice_ms=1", modules = modules }
    local event = run{ limit = "20s" }
    local console = uart{}
    local all = string.format("%s %d, hap=%s", name, seed, hap)
    expect(event.reason, { equals = "exit", name = all .. ": hv comes to its end" })
    expect(console:match("guest name=neighbour outcome=finished result=%x-(" .. CHECKSUM .. ")"), { equals = CHECKSUM,
           name = all .. ": the neighbour's checksum" })
    for draw = seed, seed + guests - 1 do
        local what = string.format("%s %d, hap=%s", name, draw, hap)
        local ended = console:match("guest name=hostile" .. draw .. " outcome=(%a+)")
        if outcome == "any" then
            expect(ended == "finished" or ended == "crashed", what .. ": the guest ends")
        else
            expect(ended, { equals = outcome, name = what .. ": the guest's end" })
        end
        local count = guests == 1 and console:match(name .. ": %d+ rounds, (%d+) exceptions")
        log(string.format("%-24s %-9s %s", what, ended or "?", count and count .. " exceptions" or
            console:match("guest hostile" .. draw .. " (vcpu %d crashed: .-):") or ""))
    end
end

-- What a guest leaves in its memory, the next one that gets it does not see. The paravirtual one (8 MiB, the
-- same frames twice) fills what it has looked at.
local function peeks()
    machine{ cores = 2, memory = "256M", check = true }
    boot{ kernel = "hv.elf", modules = { "dom0.elf dom0", "sums64.elf name=alpha memory=160M blocks=512",
                                         "hostile.elf name=peeker memory=160M attack=peek",
                                         "pv64-hostile.elf name=kernel type=pv memory=8M attack=peek" } }
    local function look(name, what)
        uart{ send = "create " .. name .. "\n", expect = "dom0# ", limit = "20s" }
        uart{ send = "wait " .. name .. "\n", expect = "dom0# ", limit = "20s" }
        local last
        for count in uart{}:gmatch("peek: %d+ %a+, (%d+) ") do
            last = count
        end
        if what then
            expect(last, { equals = "0", name = "words that are not zero, " .. what })
        end
        uart{ send = "destroy " .. name .. "\n", expect = "dom0# " }
    end
    uart{ expect = "dom0# " }
    look("kernel", "memory that nobody had")
    look("kernel", "another paravirtual guest's memory")
    look("alpha")
    look("peeker", "another guest's memory")
    uart{ send = "poweroff\n" }
    run{ limit = "20s" }
end

if not only or only == "peek" then
    peeks()
end
for _, attack in ipairs(attacks) do
    if not only or only == attack[1] then
        endures(attack[1], attack[2], attack[3] or "", "on", attack[4] or 1)
        endures(attack[1], attack[2], attack[3] or "", "off", attack[4] or 1)
    end
end
for _, attack in ipairs(pv_attacks) do
    if not only or only == "pv-" .. attack[1] then
        for draw = seed, seed + (attack[3] or 1) - 1 do
            endures_pv(attack[1], attack[2], draw)
        end
    end
end
