-- SPDX-License-Identifier: MIT
-- Live migration between two machines on a link (hypervisor-features.md A11, F): memory and registers the same after
-- the move; the link cut at many moments, the target without memory or reset: the guest goes on at the source, or
-- nobody lets it go on twice; modes of guest, backing and paging; machines of unlike revisions.
--
--     -s only=live|cut|room|reset|modes|dom0|pool   one part      -s size=full   all moments, modes and pairs

local puppets = require("puppets")
local translate, census, ask, post, wait = puppets.translate, puppets.census, puppets.ask, puppets.post, puppets.wait
local HYPERCALL, STORE, LOAD, CHURN, CR8_WRITE, CR8_READ, REGISTERS, CPUID =
    puppets.HYPERCALL, puppets.STORE, puppets.LOAD, puppets.CHURN, puppets.CR8_WRITE, puppets.CR8_READ,
    puppets.REGISTERS, puppets.CPUID
local FRAME, BLOCK = puppets.FRAME, puppets.BLOCK
local SAME, TO_NESTED, TO_SHADOW, LINK = 0, 1, 2, 1
local EIO = -5
local CONTROL = "puppet.elf name=control control=on memory=8M wait=spin"
local TARGET = "puppet.elf name=target memory=6M wait=spin backing=2m"
local FRAMES = 1536 -- 6 MiB
local full = param.size == "full"

-- ---- Two machines, a guest on the first ----------------------------------------------------------------------

local CABLE = { bandwidth = "10G", latency = "20us" }

local function plug(p)
    link{ p.here, p.there, bandwidth = CABLE.bandwidth, latency = CABLE.latency }
end

-- {here=, there=: machines, control=, target=: guests here, other=: the control domain there}
local function pair(target, options)
    options = options or {}
    local p = {}
    local function side(model, memory, cores)
        return machine{ model = model or "10h-b3", cores = cores or 2, memory = memory or "128M", link = true }
    end
    p.here = side(options.here, options.memory, options.cores)
    p.there = side(options.there, options.room, options.cores_there)
    plug(p)
    puppets.current = p.here
    local guests = puppets.boot({ CONTROL, target }, options.append)
    p.control, p.target = guests.control, guests.target
    puppets.current = p.there
    p.other = puppets.boot({ CONTROL }, options.append_there).control
    if (options.cores or 2) > 1 then
        puppets.pin(p.control, p.control, 0)
        puppets.pin(p.control, p.target, 1)
    end
    return p
end

local function begin(p, mode)
    use(p.here)
    p.seen = #uart{}
    puppets.put(p.control, puppets.domctl_head(p.target.domain, 0x46310101) ..
                string.pack("<I4I4I8I8I8I4I4", 0, 0, 0, 0, 0, mode or SAME, LINK))
    post(p.control, HYPERCALL, 36, BLOCK, 0, 0)
end

local function said(p)
    use(p.here)
    return uart{}:sub(p.seen)
end

-- The guest that arrived last on a machine, as hv says.
local function arrived(p)
    local domain, root
    use(p.there)
    for d, r in uart{}:gmatch("incoming guest=target domain=(%d+) map=(%x+)") do
        domain, root = tonumber(d), tonumber(r, 16)
    end
    return domain and { name = "target", domain = domain, root = root, machine = p.there,
                        requests = p.target.requests }
end

-- What came of it: the result, and the target there if it has moved.
local function settle(p)
    local result = wait(p.control, "20us")
    local place = translate(p.control.root, BLOCK)
    local new, rounds, pages, downtime = string.unpack("<I4I4I8I8", mem(place + 16, 24))
    local moved = { result = result, rounds = rounds, pages = pages, downtime = downtime,
                    why = mem(place + 64, 80):match("^[^\0]*"), text = said(p) }
    if result == 0 then
        moved.target = arrived(p)
        expect(moved.target and moved.target.domain, { equals = new, name = "the number there" })
    end
    return moved
end

local function ms(ns)
    return string.format("%d.%03d ms", ns // 1000000, ns % 1000000 // 1000)
end

local function sizes(guest)
    use(guest.machine)
    local found = census(guest.root)
    return string.format("%d %d %d in %d", found[0], found[1], found[2], found.tables)
end

local function fill(p)
    ask(p.target, STORE, 0x400000, 256, 4096, 7)
    ask(p.target, CR8_WRITE, 2)
end

local SUM = 256 * 7 + 255 * 128

-- After a first move that fails at once: hv keeps the bitmap that it made for the guest.
local function look(p)
    use(p.here)
    expect(puppets.domctl(p.control, p.target.domain, 0x46310101, string.pack("<I4I4I8I8I8", 0, 0, 0, 0, 1)),
           { equals = EIO, name = "cut at once: EIO" })
    fill(p)
    return { registers = ask(p.target, REGISTERS), one = ask(p.target, CPUID, 1),
             extended = ask(p.target, CPUID, 0x80000001), sizes = sizes(p.target),
             here = puppets.free_pages(p.control), there = puppets.free_pages(p.other) }
end

-- Registers, IRQL, features and memory as `before`.
local function same(name, guest, before)
    expect(ask(guest, REGISTERS), { equals = before.registers,
                                     name = name .. ": EFER.LMA, CR0.WP, MSRs, DR0, XMM5 ..." })
    expect(ask(guest, CR8_READ), { equals = 2, name = name .. ": V_TPR comes from the local APIC (IRQL 2)" })
    expect(ask(guest, CPUID, 1), { equals = before.one, name = name .. ": CPUID 1" })
    expect(ask(guest, CPUID, 0x80000001), { equals = before.extended, name = name .. ": CPUID 8000_0001" })
    expect(ask(guest, LOAD, 0x400000, 256, 4096), { equals = SUM, name = name .. ": memory" })
end

-- It answers here under its old number; nothing is left of it there.
local function unharmed(name, p, before)
    same(name, p.target, before)
    expect(sizes(p.target), { equals = before.sizes, name = name .. ": nested entries by size" })
    expect(puppets.free_pages(p.control), { equals = before.here, name = name .. ": free pages here" })
    use(p.there)
    run("100us")
    expect(puppets.free_pages(p.other), { equals = before.there, name = name .. ": free pages there" })
end

-- ---- Live --------------------------------------------------------------------------------------------------

-- Both stand still at the moment of the move: every frame, here and there.
local function compare_memory(p)
    while not said(p):find("then=[frt]") do
        run("5us")
    end
    use(p.there)
    run{ until = { symbol = "guest_come_alive" }, limit = "2s" }
    local root, differ, compared = arrived(p).root, 0, 0
    for frame = 0, FRAMES - 1 do
        use(p.here)
        local a = translate(p.target.root, frame * FRAME)
        local bytes = a and mem(a, FRAME)
        use(p.there)
        local b = translate(root, frame * FRAME)
        compared = compared + (a and b and 1 or 0)
        differ = differ + (bytes == (b and mem(b, FRAME)) and 0 or 1)
    end
    expect(differ, { equals = 0, name = "frames that differ" })
    expect(compared, { equals = FRAMES - 32, name = "frames compared" })
end

local function live()
    local p = pair(TARGET)
    local before = look(p)
    ask(p.target, CHURN, 0x500000, 40, 4096, 1)
    begin(p)
    compare_memory(p)
    local moved = settle(p)
    expect(moved.result, { equals = 0, name = "it moves" })
    expect(moved.text, { matches = "then=few", name = "40 pages written in a round are few" })
    same("there", moved.target, before)
    use(p.here)
    expect(counter("platform.link.bytes_sent"), { at_least = moved.pages * FRAME, name = "bytes on the cable" })
    log(string.format("6 MiB over %s bit/s, %s away: %d rounds, %d pages, downtime %s", CABLE.bandwidth, CABLE.latency,
                      moved.rounds, moved.pages, ms(moved.downtime)))
    return moved
end

-- ---- The link is cut ---------------------------------------------------------------------------------------

-- A guest in doubt stands still here. Plugged in again, both ends find out who has it, and one of them lets it go on.
-- (If the answer had come before the cut, and hv saw the cut first, it is decided already.)
local function decide(name, p, before)
    expect(said(p), { matches = "undecided", name = name .. ": hv says so" })
    local posted = 0 -- into memory that stays behind if it has gone
    if not said(p):find("new=") then
        post(p.target, REGISTERS)
        use(p.here)
        run("1ms")
        expect(puppets.answered(p.target), { equals = false, name = name .. ": it stands still here" })
        posted = 1
    end
    plug(p)
    use(p.here)
    run("2ms")
    local guest = arrived(p)
    if not said(p):find("new=") then
        puppets.wait(p.target)
        expect(guest == nil, name .. ": it runs here alone")
        unharmed(name, p, before)
        return "here"
    end
    expect(guest ~= nil, name .. ": it is gone here, and runs there")
    guest.requests = p.target.requests - posted
    same(name, guest, before)
    return "there"
end

-- One cut; where the guest is afterwards.
local function cut_once(name, p, before)
    local moved = settle(p)
    if moved.result == 0 then
        same(name, moved.target, before)
        return "there"
    end
    expect(moved.result, { equals = EIO, name = name .. ": EIO" })
    if moved.why:find("^undecided") then
        return "undecided, then " .. decide(name, p, before)
    end
    expect(moved.why, { equals = "the link was lost", name = name })
    plug(p)
    unharmed(name, p, before)
    return "here"
end

local function moments()
    local list = {}
    for us = 50, 4800, full and 500 or 1500 do
        list[#list + 1] = { string.format("cut after %d us", us), us }
    end
    for us = 0, 300, full and 20 or 60 do
        list[#list + 1] = { string.format("cut %d us after the guest was stopped", us), us, true }
    end
    return list
end

local function cut_sweep()
    local p, before
    local ends = {}
    for _, moment in ipairs(moments()) do
        if not p then
            p = pair(TARGET)
            before = look(p)
        end
        begin(p)
        if moment[3] then
            while not said(p):find("then=few") do
                run("5us")
            end
        end
        use(p.here)
        cut(moment[2] .. "us")
        local where = cut_once(moment[1], p, before)
        ends[where] = (ends[where] or 0) + 1
        if where:find("there") then
            p = nil
        end
    end
    for where, count in pairs(ends) do
        log(string.format("%3d cuts: the guest goes on %s", count, where))
    end
    expect(ends.here, { at_least = 5, name = "cuts that left it here" })
    return ends
end

-- The answer that it runs there is lost: exactly once it goes on.
local function cut_in_doubt()
    for _, case in ipairs{ { "GO lost", "here", "outgoing_commit", "undecided, then here" },
                           { "RUNS lost", "there", "guest_come_alive", "undecided, then there" } } do
        local p = pair(TARGET)
        local before = look(p)
        begin(p)
        use(p[case[2]])
        run{ until = { symbol = case[3] } }
        cut()
        expect(cut_once(case[1], p, before), { equals = case[4], name = case[1] })
    end
end

local function cut_all()
    cut_sweep()
    cut_in_doubt()
end

-- ---- The target has no memory, or is reset -------------------------------------------------------------------

local function room()
    local p = pair("puppet.elf name=target memory=56M wait=spin backing=2m", { room = "64M" })
    local before = look(p)
    begin(p)
    local moved = settle(p)
    expect(moved.result, { equals = EIO, name = "no memory there: EIO" })
    expect(moved.why, { matches = "not enough memory", name = "and the other end's words" })
    unharmed("no memory there", p, before)
    log("target without memory: refused, the guest unharmed")
end

-- Reset while it receives; it comes up again, knows nothing of the guest, and the next move is a whole one.
local function reset()
    local p, moved = pair(TARGET)
    local before = look(p)
    for _, us in ipairs(full and { 50, 500, 1500, 2500, 3500, 4500 } or { 200, 3000 }) do
        begin(p)
        run(us .. "us")
        puppets.current = p.there
        p.other = puppets.boot({ CONTROL }, "", true).control
        moved = settle(p)
        local name = string.format("target reset after %d us", us)
        expect(moved.result, { equals = EIO, name = name .. ": EIO" })
        expect(moved.why, { equals = "the link was lost", name = name })
        before.there = puppets.free_pages(p.other)
        unharmed(name, p, before)
    end
    begin(p)
    moved = settle(p)
    expect(moved.result, { equals = 0, name = "the next move" })
    same("after resets", moved.target, before)
    log("target reset while it receives: the guest unharmed each time, and moved the next time")
end

-- ---- Guest modes by backing by paging mode here and there ------------------------------------------------------

local MODES = {
    { "long", "puppet.elf name=target" },
    { "pae", "puppet32.elf name=target width=32 mode=pae" },
    { "legacy", "puppet32.elf name=target width=32 mode=legacy" },
    { "off", "puppet32.elf name=target width=32 mode=off" },
}
local PAGING = { "nested", "shadow" }

-- In small, each mode, backing and direction at least once.
local function mode_cases()
    local list = {}
    for m in ipairs(MODES) do
        for b, backing in ipairs{ "4k", "2m" } do
            for h, here in ipairs(PAGING) do
                for t, there in ipairs(PAGING) do
                    if full or ((m - 1) % 2 + 1 == b and (m + 1) // 2 == h and (m + b) % 2 + 1 == t) then
                        list[#list + 1] = { MODES[m], backing, here, there }
                    end
                end
            end
        end
    end
    return list
end

local function modes()
    local cases = mode_cases()
    for _, case in ipairs(cases) do
        local mode, backing, here, there = table.unpack(case)
        local name = string.format("%s guest, %s backing, %s to %s", mode[1], backing, here, there)
        local p = pair(string.format("%s memory=6M wait=spin backing=%s hap=%s", mode[2], backing,
                                     here == "nested" and "on" or "off"))
        local before = look(p)
        begin(p, there == "nested" and TO_NESTED or TO_SHADOW)
        local moved = settle(p)
        expect(moved.result, { equals = 0, name = name .. ": it moves" })
        same(name, moved.target, before)
    end
    log(string.format("%d moves over the link by guest mode, backing and paging mode: all the same after each", #cases))
end

-- ---- Two vCPUs at work, from one dom0's command line to the other ------------------------------------------------

local command_line = require("command_line")
local dom0, WORK = command_line.dom0, "vcpus=2 rounds=24"

-- The same work on the bare machine: its result depends on neither cores nor order.
local function checksum()
    machine{ memory = "64M" }
    boot{ kernel = "sums64.elf", append = WORK }
    run{}
    return uart{}:match("rounds: (%x+)")
end

local function from_dom0()
    local right, ends = checksum(), {}
    for i = 1, 2 do
        ends[i] = machine{ cores = 3, memory = "256M", link = true }
    end
    link{ ends[1], ends[2], bandwidth = "10G", latency = "20us" }
    for i = 1, 2 do
        use(ends[i])
        boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                                             "sums64.elf name=sums memory=12M cpus=1-2 " .. WORK } }
        command_line.wait()
    end
    use(ends[1])
    dom0("create sums name=g1")
    local answer = dom0("migrate --live 1 elsewhere")
    expect(answer, { matches = "g1 is domain 1 of elsewhere now", name = "dom0 moves it" })
    expect(answer:find("rounds: ") == nil, "its work was not over yet")
    expect(dom0("list"):find("\ng1") == nil, "it is not listed any more")
    expect(dom0("migrate --node=0 1 elsewhere"), { matches = "--node is for this machine", name = "no node there" })
    use(ends[2])
    dom0("wait 1")
    expect(uart{}:match("%(g1%) sums: [^\n]*rounds: (%x+)"), { equals = right, name = "its checksum" })
    log("two vCPUs, from dom0 to dom0: " .. answer:match("downtime_ns=%d+") .. ", the right checksum there")
end

-- ---- Machines of unlike revisions ------------------------------------------------------------------------------

-- From, with which mask, to; the features that are missing there (none: it moves). Revisions before F have no SVM.
local POOL = {
    { "10h-b3", "", "10h-c2" },
    { "10h-c2", "fam_0f_rev_f", "k8-f" },
    { "10h-c2", "", "k8-f", "POPCNT ABM SSE4A MisAlignSse 3DNowPrefetch Page1GB" },
    { "k8-g", "", "k8-f", "3DNowPrefetch" },
    { "k8-f", "", "10h-b3" },
    { "10h-b3", "fam_10_rev_b", "10h-c2" },
    { "10h-b3", "fam_0f_rev_g", "k8-g" },
    { "10h-b3", "fam_0f_rev_g", "k8-f", "3DNowPrefetch" },
    { "k8-g", "fam_0f_rev_f", "k8-f" },
    { "10h-d0", "fam_10_rev_b", "10h-b3" },
}

local function pool()
    for i, row in ipairs(POOL) do
        if full or i <= 4 then
            local from, mask, to, missing = table.unpack(row)
            local name = string.format("%s %s to %s", from, mask == "" and "unmasked" or "under " .. mask, to)
            local p = pair(TARGET, { here = from, there = to, append = mask == "" and "" or "cpuid_mask_cpu=" .. mask })
            local before = look(p)
            begin(p)
            local moved = settle(p)
            expect(moved.result, { equals = missing and EIO or 0, name = name })
            if missing then
                expect(moved.why, { equals = "not here: " .. missing, name = name .. ": what is missing there" })
                unharmed(name, p, before)
            else
                same(name, moved.target, before)
            end
            log(string.format("%-36s %s", name, missing and "refused: " .. missing or "moved"))
        end
    end
end

local PARTS = { live = live, cut = cut_all, room = room, reset = reset, modes = modes, dom0 = from_dom0, pool = pool }
if param.only and not PARTS[param.only] then
    error("-s only=" .. param.only .. ": live, cut, room, reset, modes, dom0 and pool are right", 0)
end
for _, part in ipairs{ "live", "cut", "room", "reset", "modes", "dom0", "pool" } do
    if not param.only or param.only == part then
        PARTS[part]()
    end
end
