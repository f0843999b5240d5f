-- SPDX-License-Identifier: MIT
-- Large nested pages (hypervisor-features.md D): what the builder makes, what splits a page, log-dirty at 4K
-- exactness, joining again, and what a walk costs before, while and after. hv's counts are compared with what this
-- script finds in the nested tables itself, and its dirty bitmap with the frames that the model saw stored to.
--
--     -s only=builder|walks|causes|smp   one part

local puppets = require("puppets")
local translate, census, ask, post = puppets.translate, puppets.census, puppets.ask, puppets.post
local WINDOW_4K, WINDOW_2M, WINDOW_1G = 0x8000000000, 0x10000000000, 0x18000000000
local EXIT, HYPERCALL, STORE, LOAD, CHURN, FLUSH, STORE32, LOAD32 =
    puppets.EXIT, puppets.HYPERCALL, puppets.STORE, puppets.LOAD, puppets.CHURN, puppets.FLUSH, puppets.STORE32,
    puppets.LOAD32
local ADDRESS, PS, FRAME, BITMAP = puppets.ADDRESS, puppets.PS, puppets.FRAME, puppets.BITMAP
local guests

local function boot_guests(list, options)
    puppets.machine{ nodes = 1, cores = options.cores or #list, memory = options.memory or "1G",
                     walk_caches = options.caches or false }
    guests = puppets.boot(list, options.append)
end

local function domctl(domain, command, body)
    return puppets.domctl(guests.control, domain, command, body)
end

local function pin(guest, core)
    puppets.pin(guests.control, guest, core)
end

local function hv_memory(guest, op, gfn)
    local result, body = domctl(guest.domain, 0x46310110, string.pack("<I4I4I8I8", op, 0, gfn or 0, 0))
    expect(result, { equals = 0,
                     name = string.format("%s: memory operation %d of frame %x", guest.name, op, gfn or 0) })
    return (string.unpack("<I8", body, 17))
end

local PROMOTE, BALLOON_OUT, BALLOON_IN, SHARE, MMIO, READ_ONLY, RAM, RETIRE, ENTRIES = 0, 1, 2, 3, 4, 5, 6, 7, 8

-- shadow_op; the frames of the bitmap, as a set, for those that give one.
local BEGIN, OFF, CLEAN, PEEK = 2, 0, 11, 12

local function shadow_op(guest, op, frames)
    local result, body = domctl(guest.domain, 10,
                                string.pack("<I4I4I4I4I8I8I4I4", op, 0, 0, 0, frames and BITMAP or 0, frames or 0, 0,
                                            0))
    expect(result, { equals = 0, name = string.format("%s: shadow_op %d", guest.name, op) })
    local set, count = {}, 0
    for word = 0, (frames or 0) // 64 - 1 do
        local bits = puppets.peek(guests.control, BITMAP + word * 8)
        for bit = 0, 63 do
            if bits >> bit & 1 ~= 0 then
                set[word * 64 + bit] = true
                count = count + 1
            end
        end
    end
    expect(count, { equals = (frames and string.unpack("<I4", body, 37) or 0), name = "the bitmap's bits" })
    return set, count
end

-- All guests end, and hv says what it counted of the target's map.
local function finish()
    for _, guest in pairs(guests) do
        post(guest, EXIT, 0)
    end
    run{}
end

local function said(what)
    return tonumber(uart{}:match('map guest=target what="' .. what .. '" count=(%d+)') or 0)
end

-- ---- The builder: 256 MiB ------------------------------------------------------------------------------------

local function builder()
    for _, case in ipairs{ { "2m", large = 127, small = 480, tables = 4 },
                           { "4k", large = 0, small = 127 * 512 + 480, tables = 131 } } do
        machine{ memory = "512M" }
        boot{ kernel = "hv.elf", modules = { "sums64.elf name=g memory=256M backing=" .. case[1] } }
        run{}
        local console = uart{}
        local root = tonumber(console:match("guest g:.- map (%x+)"), 16)
        local found = census(root)
        expect(found[1], { equals = case.large, name = case[1] .. ": large entries" })
        expect(found[0], { equals = case.small, name = case[1] .. ": small entries" })
        expect(found.tables, { equals = case.tables, name = case[1] .. ": table pages" })
        expect(console:match("npt_tables=%d+ npt_4k=%d+ npt_2m=%d+"),
               { equals = string.format("npt_tables=%d npt_4k=%d npt_2m=%d", found.tables, found[0], found[1]),
                 name = case[1] .. ": hv counts the same" })
        log(string.format("256 MiB guest, %s backing: %d large and %d small entries, %d table pages", case[1],
                          found[1], found[0], found.tables))
    end
end

-- ---- Log-dirty: exactness, splits, and what a walk costs -----------------------------------------------------

-- The guest's own table frames, from its CR3.
local function guest_tables(guest)
    local cr3
    for _, row in ipairs(exits()) do
        if row.n_cr3 == guest.root then
            cr3 = mem(row.vmcb + 0x550, 8)
        end
    end
    local found = {}
    local function visit(table_gpa, level)
        found[table_gpa >> 12] = true
        if level == 0 then
            return
        end
        local bytes = mem((translate(guest.root, table_gpa)), FRAME)
        for at = 1, FRAME, 8 do
            local entry = string.unpack("<I8", bytes, at)
            if entry & 1 ~= 0 and entry & PS == 0 then
                visit(entry & ADDRESS, level - 1)
            end
        end
    end
    visit(cr3 & ADDRESS, 3)
    return found
end

-- The bitmap against the model's list of frames that were stored to, both by gPA. Frames of the guest's tables are
-- written, to the nested level, by a walk that only reads them (APM2 15.25.6); all others must be equal.
local function compare(name, guest, frames, dirty, stored_spa)
    local stored, tables = {}, guest_tables(guest)
    local missed, wrong, written, walked = 0, 0, 0, 0
    local by_spa = {}
    for _, spa in ipairs(stored_spa) do
        by_spa[spa] = true
    end
    for frame = 0, frames - 1 do
        local spa = translate(guest.root, frame * FRAME)
        stored[frame] = spa and by_spa[spa] or nil
        if stored[frame] then
            written = written + 1
            missed = missed + (dirty[frame] and 0 or 1)
        elseif dirty[frame] then
            walked = walked + 1
            wrong = wrong + (tables[frame] and 0 or 1)
        end
    end
    expect(missed, { equals = 0, name = name .. ": frames stored to that hv did not note" })
    expect(wrong, { equals = 0, name = name .. ": frames noted that nobody wrote" })
    return written, walked, stored
end

-- Guest page sizes by the window that has them: bits of a page, levels of the guest's walk.
local WINDOWS = { { "4K", WINDOW_4K, 4 }, { "2M", WINDOW_2M, 3 }, { "1G", WINDOW_1G, 2 } }
local AREA = 0x1000000

-- References of one access's walk. It goes twice: the first may meet a page that wants noting.
local function walk_length(guest, address)
    ask(guest, LOAD, address, 1, 0)
    ask(guest, FLUSH)
    trace{ walks = true, core = 1, limit = 20000 }
    ask(guest, LOAD, address, 1, 0)
    local count = 0
    for _, ref in ipairs((trace{ walks = false, core = 1 })) do
        if ref.asid ~= 0 and not ref.fetch and ref.gva >> 12 == address >> 12 then
            count = count + 1
        end
    end
    return count
end

-- Cycles of the walks of 64 first touches, with the walk caches that Barcelona has. Twice, as above.
local TOUCHES = 64

local function walk_cycles(guest, address)
    local cycles
    for _ = 1, 2 do
        ask(guest, FLUSH)
        local before = walks{ of = "guest", side = "data", core = 1 }
        ask(guest, LOAD, address, TOUCHES, FRAME)
        cycles = walks{ of = "guest", side = "data", core = 1 }.cycles - before.cycles
    end
    return cycles
end

-- The memory that is measured lies where the backing has its full size: a whole GiB of the guest for 1G.
local CASES = {
    { backing = "4k", memory = "64M", machine = "256M", at = 0, bytes = 64 << 20, levels = 4 },
    { backing = "2m", memory = "64M", machine = "256M", at = 0, bytes = 64 << 20, levels = 3 },
    { backing = "1g", memory = "2G", machine = "5G", at = 1 << 30, bytes = 2 << 30, levels = 2 },
}

local function boot_pair(case, caches)
    boot_guests({ "puppet.elf name=control control=on memory=16M wait=spin",
                  string.format("puppet.elf name=target memory=%s wait=spin backing=%s", case.memory, case.backing) },
                { memory = case.machine, caches = caches })
    pin(guests.control, 0)
    pin(guests.target, 1)
    return guests.target
end

-- One row of the table: walks of the written 2 MiB (m nested levels) and of the 2 MiB behind it (m_other). A guest of
-- n levels reads n entries of its own tables, which have m_tables nested levels: n (m_tables + 1) + m references.
local function phase(case, target, name, caches, m_tables, m, m_other)
    local cells = {}
    for _, where in ipairs{ { AREA, m }, { AREA + (2 << 20), m_other } } do
        for _, window in ipairs(WINDOWS) do
            local address = window[2] + case.at + where[1]
            if caches then
                cells[#cells + 1] = walk_cycles(target, address)
            else
                local length = walk_length(target, address)
                expect(length, { equals = window[3] * (m_tables + 1) + where[2],
                                 name = string.format("%s, %s, guest %s: references of a walk", case.backing, name,
                                                      window[1]) })
                cells[#cells + 1] = length
            end
        end
    end
    log(string.format("%-8s %-28s %7d %7d %7d   %7d %7d %7d", case.backing, name, table.unpack(cells)))
end

-- Written and noted: the frames that five stores hit, and what else the guest touches to get there.
local function exactness(case, target)
    local frames = case.bytes // FRAME
    local wanted, base = { 0, 1, 2, 100, 511 }, case.at + AREA
    shadow_op(target, CLEAN, frames)
    stores{ begin = true }
    for _, page in ipairs(wanted) do
        ask(target, STORE, WINDOW_1G + base + page * FRAME, 3, 8, page)
    end
    local stored = stores{ begin = false }
    local dirty, count = shadow_op(target, CLEAN, frames)
    local written, walked, by_frame = compare(case.backing, target, frames, dirty, stored)
    expect(count, { equals = written + walked, name = case.backing .. ": bits are frames written and tables walked" })
    local hit = 0
    for frame = base // FRAME, base // FRAME + 511 do
        hit = hit + (dirty[frame] and 1 or 0)
        expect(dirty[frame] == by_frame[frame], string.format("%s: frame %x is noted if stored to", case.backing,
                                                              frame))
    end
    expect(hit, { equals = #wanted, name = case.backing .. ": frames noted among the 512" })
    log(string.format("%-8s %d frames stored to, all noted; %d more are guest page tables that were walked",
                      case.backing, written, walked))
    local again, none = shadow_op(target, PEEK, frames)
    expect(again[base // FRAME] == nil, case.backing .. ": clean forgets")
    expect(none, { at_most = count, name = case.backing .. ": and only notes anew" })
end

local function log_dirty(case, caches)
    local target = boot_pair(case, caches)
    local before = census(target.root)
    local large = case.levels
    local tables = math.max(large, 3) -- the guest's tables lie below 1 GiB, where the VGA hole allows no 1G page
    phase(case, target, "before", caches, tables, large, large)
    shadow_op(target, BEGIN)
    local enabled = census(target.root)
    expect(enabled[2], { equals = before[2], name = case.backing .. ": enabling splits no 1G page" })
    expect(before[1] - enabled[1], { at_most = 2, name = case.backing .. ": nor 2M pages but the guest's own" })
    phase(case, target, "log-dirty, nothing written", caches, 4, large, large)
    exactness(case, target)
    phase(case, target, "log-dirty, frames written", caches, 4, 4, math.max(large, 3))
    local during = census(target.root)
    expect(during[2], { equals = 0, name = case.backing .. ": no 1G page is left" })
    shadow_op(target, OFF)
    phase(case, target, "log-dirty off", caches, 4, 4, math.max(large, 3))
    local joined = hv_memory(target, PROMOTE)
    phase(case, target, "joined again", caches, tables, large, large)
    local after = census(target.root)
    for size = 0, 2 do
        expect(after[size], { equals = before[size],
                              name = string.format("%s: entries of size %d as before", case.backing, size) })
        expect(hv_memory(target, ENTRIES, size), { equals = after[size], name = "hv counts these entries" })
    end
    expect(after.tables, { equals = before.tables, name = case.backing .. ": table pages as before" })
    finish()
    -- Splits by the tables that were there meanwhile: each 2M page written became 512, a 1G page 512 of 2M before that.
    local of_1g = before[2] - during[2]
    expect(said("p2m_split log_dirty"), { equals = before[1] - during[1] + of_1g * 512 + of_1g,
                                          name = case.backing .. ": splits by hv's count" })
    expect(said("p2m_promote"), { equals = joined, name = case.backing .. ": joins by hv's count" })
    expect(joined, { equals = said("p2m_split log_dirty"), name = case.backing .. ": as many joins as splits" })
end

local HEAD = string.format("%-8s %-28s %7s %7s %7s   %7s %7s %7s", "backing", "", "4K", "2M", "1G", "4K", "2M", "1G")

local function walk_costs()
    for _, caches in ipairs{ false, true } do
        log(caches and "Cycles (assumed costs) of the walks of 64 first touches, walk caches as Barcelona's" or
            "References of one walk, walk caches off; guest pages of 4K, 2M, 1G")
        log(string.format("%-37s %-23s   %s", "", "in the 2M written to", "in the 2M behind it"))
        log(HEAD)
        for _, case in ipairs(CASES) do
            log_dirty(case, caches)
        end
        log("")
    end
end

-- ---- What else splits a page ---------------------------------------------------------------------------------

-- Each cause takes one frame of a 2M page of its own. `after`: what its first doubleword then reads.
local NONE = 0xffffffff
local CAUSES = {
    { op = BALLOON_OUT, counter = "balloon", present = 511, after = NONE },
    { op = SHARE, counter = "sharing", present = 512, after = 0 },
    { op = MMIO, counter = "mmio", present = 511, after = NONE },
    { op = READ_ONLY, counter = "read_only", present = 512 },
    { op = RETIRE, counter = "retirement", present = 512 },
}
local BEFORE, WRITTEN = 0x5eed0000, 0x12345678

-- The 511 other frames of the page lie where they lay.
local function others_unmoved(target, cause, base, spa, hit)
    local moved = 0
    for frame = 0, 511 do
        local now, level = translate(target.root, base + frame * FRAME)
        if frame ~= hit and (now ~= spa + frame * FRAME or level ~= 0) then
            moved = moved + 1
        end
    end
    expect(moved, { equals = 0, name = cause.counter .. ": of the other 511 frames" })
end

local function one_cause(target, cause, number)
    local base, hit = 0x1000000 + number * 0x200000, 77 + number
    local gpa = base + hit * FRAME
    local spa, level = translate(target.root, base)
    local before = census(target.root)
    expect(level, { equals = 1, name = cause.counter .. ": a 2M page" })
    ask(target, STORE32, gpa, BEFORE + number)
    hv_memory(target, cause.op, gpa // FRAME)
    local after = census(target.root)
    expect(before[1] - after[1], { equals = 1, name = cause.counter .. ": pages split" })
    expect(after[0] - before[0], { equals = cause.present, name = cause.counter .. ": small entries made" })
    others_unmoved(target, cause, base, spa, hit)
    expect(ask(target, LOAD32, gpa), { equals = cause.after or BEFORE + number, name = cause.counter .. ": it reads" })
    ask(target, STORE32, gpa, WRITTEN)
    local kept = cause.op == SHARE or cause.op == RETIRE
    expect(ask(target, LOAD32, gpa), { equals = kept and WRITTEN or cause.after or BEFORE + number,
                                       name = cause.counter .. ": and after a write" })
    expect(ask(target, LOAD32, gpa + FRAME), { equals = 0, name = cause.counter .. ": the neighbour is untouched" })
    return gpa, translate(target.root, gpa), spa + hit * FRAME
end

local function causes()
    boot_guests({ "puppet.elf name=control control=on memory=16M wait=spin",
                  "puppet.elf name=target memory=64M wait=spin" },
                { memory = "256M" })
    local target, before = guests.target, census(guests.target.root)
    local place, now, was = {}, {}, {}
    for i, cause in ipairs(CAUSES) do
        place[cause.op], now[cause.op], was[cause.op] = one_cause(target, cause, i)
    end
    expect(now[SHARE] ~= was[SHARE] and now[RETIRE] ~= was[RETIRE], "shared and retired frames lie elsewhere")
    expect(mem(now[SHARE], 4), { equals = WRITTEN, name = "a write to the shared frame is in hv's page" })
    expect(mem(was[RETIRE], 4), { equals = BEFORE + 5, name = "the retired frame keeps what it had: nobody uses it" })
    hv_memory(target, BALLOON_IN, place[BALLOON_OUT] // FRAME)
    expect(ask(target, LOAD32, place[BALLOON_OUT]), { equals = 0, name = "a frame given again is empty" })
    hv_memory(target, RAM, place[READ_ONLY] // FRAME)
    ask(target, STORE32, place[READ_ONLY], WRITTEN)
    expect(ask(target, LOAD32, place[READ_ONLY]), { equals = WRITTEN, name = "RAM again takes writes" })
    -- Only the page whose frames are all its own, in a row, joins; the one given again too if it got its old frame.
    local joins = 1 + (translate(target.root, place[BALLOON_OUT]) == was[BALLOON_OUT] and 1 or 0)
    expect(hv_memory(target, PROMOTE), { equals = joins, name = "pages that join again" })
    expect(census(target.root)[1], { equals = before[1] - #CAUSES + joins, name = "2M pages at the end" })
    finish()
    for _, cause in ipairs(CAUSES) do
        expect(said("p2m_split " .. cause.counter), { equals = 1, name = "hv's count of splits for " .. cause.counter })
    end
    log(string.format("%d causes of a split besides log-dirty, one page each; %d joined again", #CAUSES, joins))
end

-- ---- Several cores: a translation from before must not be used -----------------------------------------------

-- A guest stores to PAGES pages without end, its vCPU wandering over two cores, while the control domain takes the
-- bitmap again and again. Every interval holds whole rounds, so every bitmap must hold every page: a core that kept
-- a writable translation over a take would store without a fault, and its frames would be missing.
local PAGES, TAKES = 40, 20

local function smp()
    boot_guests({ "puppet.elf name=control control=on memory=16M wait=spin",
                  "puppet.elf name=target memory=64M backing=2m wait=spin",
                  "puppet.elf name=third memory=16M wait=spin" }, { memory = "256M", cores = 2, caches = true,
                  append = "sched_credit_tslice_ms=1" })
    local target, missing, cores = guests.target, 0, 0
    shadow_op(target, BEGIN)
    ask(target, CHURN, 0x2000000, PAGES, 0x11000, 1)
    for _ = 1, TAKES do
        run("3ms")
        local dirty = shadow_op(target, CLEAN, 16384)
        for page = 0, PAGES - 1 do
            missing = missing + (dirty[(0x2000000 + page * 0x11000) // FRAME] and 0 or 1)
        end
    end
    for core = 0, 1 do
        cores = cores + (walks{ of = "guest", core = core }.walks > 0 and 1 or 0)
    end
    expect(cores, { equals = 2, name = "cores that ran guests" })
    expect(missing, { equals = 0, name = "frames that were stored to and not noted, over all takes" })
    -- The last interval, exactly: the churn ends, one more take, nothing else.
    ask(target, LOAD32, 0x2000000)
    shadow_op(target, CLEAN, 16384)
    stores{ begin = true }
    ask(target, STORE, 0x2400000, 5, 0x1000, 9)
    local stored = stores{ begin = false }
    local dirty = shadow_op(target, CLEAN, 16384)
    compare("smp", target, 16384, dirty, stored)
    log(string.format("%d takes of the bitmap on two cores, %d frames each written in every interval: none missing",
                      TAKES,
                      PAGES))
end

local ORDER = { "builder", "walks", "causes", "smp" }
local PARTS = { builder = builder, walks = walk_costs, causes = causes, smp = smp }
if param.only and not PARTS[param.only] then
    error("-s only=" .. param.only .. ": builder, walks, causes and smp are right", 0)
end
for _, part in ipairs(ORDER) do
    if not param.only or param.only == part then
        PARTS[part]()
    end
end
