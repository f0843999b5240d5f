-- SPDX-License-Identifier: MIT
-- Live migration inside one machine (hypervisor-features.md A11): pre-copy with log-dirty, its three stop conditions,
-- downtime; memory and state compared at the moment of the move; the known traps; and a move that is cut at any
-- moment, or finds no memory, leaves the guest as it was.
--
--     -s only=live|stop|modes|cut|dom0|node   one part

local puppets = require("puppets")
local translate, census, ask, post, wait = puppets.translate, puppets.census, puppets.ask, puppets.post, puppets.wait
local HYPERCALL, STORE, LOAD, CHURN, CR8_WRITE, CR8_READ, REGISTERS =
    puppets.HYPERCALL, puppets.STORE, puppets.LOAD, puppets.CHURN, puppets.CR8_WRITE, puppets.CR8_READ,
    puppets.REGISTERS
local FRAME, BLOCK = puppets.FRAME, puppets.BLOCK
local guests

local function boot_guests(list, options)
    puppets.machine{ nodes = 1, cores = options.cores or #list, memory = options.memory or "1G",
                     walk_caches = options.caches or false }
    guests = puppets.boot(list, options.append)
end

local function pin(guest, core)
    puppets.pin(guests.control, guest, core)
end

local function free_pages()
    return puppets.free_pages(guests.control)
end

-- ---- Moving --------------------------------------------------------------------------------------------------

-- Every frame of the guest, here and there: present in both or none, with the same contents.
local function compare_memory(name, guest, there, frames)
    local differ, compared = 0, 0
    for frame = 0, frames - 1 do
        local a, b = translate(guest.root, frame * FRAME), translate(there, frame * FRAME)
        if a and b then
            compared = compared + 1
            differ = differ + (mem(a, FRAME) == mem(b, FRAME) and 0 or 1)
        elseif a or b then
            differ = differ + 1
        end
    end
    expect(differ, { equals = 0, name = name .. ": frames that differ" })
    return compared
end

-- hv_migrate. At the moment of the move both guests stand still: then their memories are compared.
local SAME, TO_NESTED, TO_SHADOW = 0, 1, 2

local function migrate(name, guest, frames, cut, mode)
    local seen = #uart{}
    local place = puppets.put(guests.control, puppets.domctl_head(guest.domain, 0x46310101) ..
                              string.pack("<I4I4I8I8I8I4I4", 0, 0, 0, 0, cut or 0, mode or SAME, 0))
    post(guests.control, HYPERCALL, 36, BLOCK, 0, 0)
    if frames then
        -- A breakpoint slows the model down: only for the last round.
        while not uart{}:sub(seen):find("then=[frt]") do
            run("5us")
        end
        run{ until = { symbol = "guest_come_alive" }, limit = "2s" }
        local there = tonumber(uart{}:sub(seen):match("new=%d+ map=(%x+)"), 16)
        expect(compare_memory(name, guest, there, frames), { at_least = 1000, name = name .. ": frames compared" })
        guest.root = there
    end
    local result = wait(guests.control)
    local new, rounds, pages, downtime = string.unpack("<I4I4I8I8", mem(place + 16, 24))
    if result == 0 then
        expect(new ~= guest.domain, name .. ": it has a new number")
        guest.domain = new
    end
    local text, last = uart{}:sub(seen), nil
    for verdict in text:gmatch("then=(%a+)") do
        last = verdict ~= "end" and verdict or last
    end
    return { result = result, rounds = rounds, pages = pages, downtime = downtime, verdict = last, text = text }
end

local function boot_pair(target, options)
    options = options or {}
    boot_guests({ "puppet.elf name=control control=on memory=8M wait=spin", target },
                { memory = options.memory or "128M", cores = 2, caches = true, append = options.append })
    pin(guests.control, 0)
    pin(guests.target, 1)
    return guests.target
end

local function ms(ns)
    return string.format("%d.%03d ms", ns // 1000000, ns % 1000000 // 1000)
end

-- ---- Live: a guest that stores without end, and one that waits -----------------------------------------------

local FRAMES = 1536 -- 6 MiB

local function live()
    for _, backing in ipairs{ "4k", "2m" } do
        local target = boot_pair("puppet.elf name=target memory=6M wait=spin backing=" .. backing)
        local before, free, number = ask(target, REGISTERS), free_pages(), target.domain
        ask(target, CR8_WRITE, 2)
        before = before + 2 -- IRQL 2, as the checksum has it
        ask(target, STORE, 0x400000, 256, 4096, 7)
        ask(target, CHURN, 0x400000, 40, 4096, 1)
        local moved = migrate(backing, target, FRAMES)
        expect(moved.result, { equals = 0, name = backing .. ": it moves" })
        expect(moved.verdict, { equals = "few", name = backing .. ": 40 pages written in a round are few" })
        expect(ask(target, CR8_READ), { equals = 2, name = backing .. ": V_TPR comes from the local APIC (IRQL 2)" })
        expect(ask(target, REGISTERS), { equals = before, name = backing .. ": EFER.LMA, CR0.WP, MSRs, DR0, XMM5 ..." })
        expect(ask(target, LOAD, 0x400000 + 40 * 4096, 216, 4096), { equals = 216 * 7 + 216 * (40 + 255) // 2,
                                                                     name = backing .. ": what it had stored" })
        expect(free_pages(), { equals = free, name = backing .. ": hv has as much memory as before" })
        log(string.format("%s backing: domain %d -> %d, %d rounds, %d pages of %d, downtime %s", backing, number,
                          target.domain, moved.rounds, moved.pages, FRAMES - 32, ms(moved.downtime)))
        for round, sent, skipped in moved.text:gmatch("round=(%d+) sent=(%d+) skipped=(%d+)") do
            log(string.format("    round %s: %s sent, %s skipped", round, sent, skipped))
        end
    end
end

-- ---- Stop conditions -------------------------------------------------------------------------------------------

-- Rounds go on until, after one of them, a condition holds for the first time (hypervisor-features.md A11), and then
-- comes the last one, with the guest stopped.
local FEW, ROUNDS_MAX, MEMORIES_MAX = 50, 29, 3

local function stopped_in_time(name, text)
    local total, rounds, ended = 0, 0, nil
    for round, sent, skipped, verdict in text:gmatch("round=(%d+) sent=(%d+) skipped=(%d+) then=(%a+)") do
        rounds, total = rounds + 1, total + tonumber(sent)
        expect(tonumber(round), { equals = rounds, name = name .. ": rounds by number" })
        if ended then
            expect(verdict, { equals = "end", name = name .. ": the round after " .. ended })
            return
        end
        local right = sent + skipped < FEW and "few" or rounds >= ROUNDS_MAX and "rounds" or
            total > MEMORIES_MAX * (FRAMES - 32) and "total" or "another"
        expect(verdict, { equals = right, name = string.format("%s: what round %d ends with", name, rounds) })
        ended = right ~= "another" and right or nil
    end
    expect(nil, name .. ": a last round")
end

local function stop()
    for _, case in ipairs{ { "few", 0 }, { "rounds", 64 }, { "total", 480 } } do
        local target = boot_pair("puppet.elf name=target memory=6M wait=spin backing=4k")
        if case[2] > 0 then
            ask(target, CHURN, 0x400000, case[2], 4096, 1)
        end
        local moved = migrate(case[1], target, FRAMES)
        expect(moved.result, { equals = 0, name = case[1] .. ": it moves" })
        expect(moved.verdict, { equals = case[1], name = string.format("%d pages written all the time", case[2]) })
        stopped_in_time(case[1], moved.text)
        log(string.format("%4d pages written all the time: %2d rounds, %5d pages, %d.%02d memories, stopped by '%s', "
                          .. "downtime %s", case[2], moved.rounds, moved.pages, moved.pages // (FRAMES - 32),
                          moved.pages * 100 // (FRAMES - 32) % 100, moved.verdict, ms(moved.downtime)))
    end
end

-- ---- Guest modes by backing by paging mode here and there ------------------------------------------------------

local MODES = {
    { "long", "puppet.elf name=target" },
    { "pae", "puppet32.elf name=target width=32 mode=pae" },
    { "legacy", "puppet32.elf name=target width=32 mode=legacy" },
    { "off", "puppet32.elf name=target width=32 mode=off" },
}
local PAGING = { "nested", "shadow" }

local function modes()
    local runs = 0
    for _, mode in ipairs(MODES) do
        for _, backing in ipairs{ "4k", "2m" } do
            for _, here in ipairs(PAGING) do
                for _, there in ipairs(PAGING) do
                    local name = string.format("%s guest, %s backing, %s to %s", mode[1], backing, here, there)
                    local target = boot_pair(string.format("%s memory=6M wait=spin backing=%s hap=%s", mode[2], backing,
                                                           here == "nested" and "on" or "off"))
                    ask(target, CR8_WRITE, 2)
                    ask(target, STORE, 0x400000, 256, 4096, 7)
                    local before = ask(target, REGISTERS)
                    local moved = migrate(name, target, FRAMES, 0, there == "nested" and TO_NESTED or TO_SHADOW)
                    expect(moved.result, { equals = 0, name = name .. ": it moves" })
                    expect(ask(target, REGISTERS), { equals = before, name = name .. ": registers" })
                    expect(ask(target, CR8_READ), { equals = 2, name = name .. ": TPR" })
                    expect(ask(target, LOAD, 0x400000, 256, 4096), { equals = 256 * 7 + 255 * 128,
                                                                     name = name .. ": memory" })
                    runs = runs + 1
                end
            end
        end
    end
    log(string.format("%d moves by guest mode, backing and paging mode: memory and registers the same after each",
                      runs))
end

-- ---- Moves that fail ---------------------------------------------------------------------------------------------

local function sizes(root)
    local found = census(root)
    return string.format("%d %d %d in %d", found[0], found[1], found[2], found.tables)
end

-- The guest answers under its old number, with its registers and memory, and hv has lost no page.
local function unharmed(name, target, before)
    expect(ask(target, REGISTERS), { equals = before.registers, name = name .. ": registers" })
    expect(ask(target, LOAD, 0x400000, 256, 4096), { equals = before.sum, name = name .. ": memory" })
    expect(sizes(target.root), { equals = before.sizes, name = name .. ": nested entries by size" })
    expect(free_pages(), { equals = before.free, name = name .. ": free pages" })
end

-- After a first move that fails at once: hv keeps the bitmap that it made for the guest.
local function look(target)
    expect(migrate("first", target, nil, 1).result, { equals = -5, name = "cut at once: EIO" })
    ask(target, STORE, 0x400000, 256, 4096, 7)
    return { registers = ask(target, REGISTERS), sum = ask(target, LOAD, 0x400000, 256, 4096),
             sizes = sizes(target.root), free = free_pages() }
end

local function cut()
    local target = boot_pair("puppet.elf name=target memory=6M wait=spin backing=2m")
    local before, cuts = look(target), 0
    for _, records in ipairs{ 2, 3, 20, 48, 49, 50, 51, 52, 53, 54 } do
        local moved = migrate("cut", target, nil, records)
        if moved.result == 0 then
            break
        end
        cuts = cuts + 1
        local name = string.format("cut after %d records", records)
        expect(moved.result, { equals = -5, name = name .. ": EIO" })
        expect(moved.text, { matches = "failed: the link was lost", name = name })
        unharmed(name, target, before)
    end
    expect(cuts, { at_least = 5, name = "moves that were cut" })
    -- No room for a second guest.
    target = boot_pair("puppet.elf name=target memory=32M wait=spin backing=2m", { memory = "64M" })
    before = look(target)
    local moved = migrate("no memory", target)
    expect(moved.result, { equals = -5, name = "no memory: EIO" })
    expect(moved.text, { matches = "failed: not enough memory", name = "no memory" })
    unharmed("no memory", target, before)
    log(string.format("%d moves cut at different records, one without memory: the guest unharmed each time", cuts))
end

-- ---- From dom0's command line: the fifth domain, two vCPUs at work, to 127.0.0.1 ---------------------------------

local command_line = require("command_line")
local dom0, WORK = command_line.dom0, "vcpus=2 rounds=24"

-- The same work on the bare machine, which has one core for it: its result depends on neither cores nor order.
local function checksum()
    machine{ memory = "64M" }
    boot{ kernel = "sums64.elf", append = WORK }
    run{}
    return uart{}:match("rounds: (%x+)")
end

local function from_dom0()
    local right = checksum()
    machine{ nodes = 2, cores = 2, memory = "512M" }
    boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                                         "sums64.elf name=sums memory=12M cpus=2-3 " .. WORK } }
    command_line.wait()
    for i = 1, 5 do
        dom0("create sums name=g" .. i .. " -p")
    end
    dom0("unpause 5")
    run("100us")
    local answer = dom0("migrate --live 5 127.0.0.1")
    expect(answer, { matches = "g5 is domain 6 now", name = "the fifth domain is the sixth" })
    expect(dom0("list"), { matches = "g5                     6", name = "and listed so" })
    expect(answer:find("rounds: ") == nil, "its work was not over yet")
    expect(dom0("wait g5"), { matches = "g5: powered off", name = "it ends by itself" })
    expect(uart{}:match("%(g5%) sums: [^\n]*rounds: (%x+)"), { equals = right, name = "its checksum" })
    log(string.format("domain 5 -> 6 by dom0: %s rounds, downtime %s ns; two vCPUs went on to the right checksum",
                      answer:match("rounds=(%d+) pages"), answer:match("downtime_ns=(%d+)")))
end

-- ---- To another node of the machine: first the vCPUs' cores, then memory follows ------------------------------------

local function node()
    local right = checksum()
    for _, backing in ipairs{ "4k", "2m" } do
        machine{ nodes = 2, cores = 2, memory = "512M" }
        boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                                             "sums64.elf name=sums memory=12M cpus=1 backing=" .. backing .. " "
                                             .. WORK } }
        command_line.wait()
        for i = 1, 5 do
            dom0("create sums name=g" .. i .. " -p")
        end
        dom0("unpause 5")
        run("100us")
        expect(dom0("migrate --live --node=7 5 127.0.0.1"), { matches = "there is no such node", name = "no node 7" })
        local before = counter("node[1].core[*].svm.vmruns")
        expect(before, { equals = 0, name = "VMRUNs on node 1 before" })
        local answer = dom0("migrate --live --node=1 5 127.0.0.1")
        expect(answer, { matches = "g5 is domain 6 now", name = "it moves" })
        local home = counter("node[0].core[1].svm.vmruns")
        local there, all = puppets.pages_on(tonumber(answer:match("new=6 map=(%x+)"), 16), 1)
        expect(there, { equals = all, name = backing .. ": pages on node 1" })
        expect(all, { equals = 12 * 256 - 32, name = backing .. ": of all" })
        dom0("wait g5")
        expect(uart{}:match("%(g5%) sums: [^\n]*rounds: (%x+)"), { equals = right, name = "its checksum" })
        expect(counter("node[0].core[1].svm.vmruns"), { equals = home, name = "VMRUNs on its old core since" })
        expect(counter("node[1].core[*].svm.vmruns"), { at_least = 1, name = "VMRUNs on node 1" })
        log(string.format("%s backing: domain 5 to node 1: %d of %d pages there", backing, there, all))
    end
end

local PARTS = { live = live, stop = stop, modes = modes, cut = cut, dom0 = from_dom0, node = node }
if param.only and not PARTS[param.only] then
    error("-s only=" .. param.only .. ": live, stop, modes, cut, dom0 and node are right", 0)
end
for _, part in ipairs{ "live", "stop", "modes", "cut", "dom0", "node" } do
    if not param.only or param.only == part then
        PARTS[part]()
    end
end
