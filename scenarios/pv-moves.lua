-- SPDX-License-Identifier: MIT
-- The frames of a paravirtual guest change while it lives (workloads/pv64/mover.c), one by one, and all when it moves to
-- a new domain. Operation O4 of case II: the control domain retires, one after the other, the machine frame of each
-- kind of page that it has: data, page tables up to the root that both vCPUs run on, its GDT, its list of frames and
-- the lists of that list, its start information, its code, a record that hv writes. The guest suspends itself, goes on,
-- and has the same: the sum of its data is computed here.

machine{ nodes = 1, cores = 2, memory = "512M" }
boot{ kernel = "hv.elf", append = "mce_poll_ms=1 mce_poll_min_ms=1 mce_poll_max_ms=1", modules = {
    "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
    "pv64-mover.elf name=mover type=pv memory=8M vcpus=2 cpus=1",
} }

local command_line = require("command_line")
local dom0 = command_line.answer
command_line.wait()

-- What the guest says of itself the nth time.
local function has(nth)
    for _ = 1, 200 do
        local count, from = 0, 1
        local console = uart{}:gsub("\r", "")
        while true do
            local at, last = console:find("%(mover%) has [^\n]*\n.-record=%x+ end\n", from)
            if not at then
                break
            end
            count = count + 1
            if count == nth then
                local words = {}
                for key, value in console:sub(at, last):gmatch("(%w+)=(%x+)") do
                    words[key] = value
                end
                return words
            end
            from = last
        end
        run("1ms")
    end
    return {}
end

-- The data are (i + 1) * 9E3779B97F4A7C15h for i from 0 to 16 * 512 - 1, modulo 2^64.
local words = 16 * 512
local SUM = string.format("%x", (words * (words + 1) // 2) * 0x9E3779B97F4A7C15)
local LIMIT = "12345"

dom0("create mover")
local said = 1
local now = has(said)
expect(now.sum, { equals = SUM, name = "the sum at first" })

for _, kind in ipairs{ "data", "l1", "l2", "root", "gdt", "p2m", "list", "lists", "start", "text", "record" } do
    local old = now[kind]
    local answer = dom0("retire-page mover " .. old)
    expect(answer:match("retire%-page %x+: (%w+) gfn=%x+"), { equals = "done", name = kind .. ": retired" })
    said = said + 1
    now = has(said)
    expect(now.sum, { equals = SUM, name = kind .. ": the sum" })
    expect(now.limit, { equals = LIMIT, name = kind .. ": its own segment" })
    expect(now[kind] ~= old, { equals = true, name = kind .. ": another frame" })
    expect(dom0("query-page " .. old):match("status=(%x+)"),
           { equals = "2", name = kind .. ": the old one is offline" })
end

-- C2-4 of a paravirtual guest: the control domain's own policy, at the third corrected error of a frame.
dom0("mca handlers event")
dom0("mca-policy page=3")
local bad = now.data
for _ = 1, 3 do
    inject{ error = "DRAM ECC corrected", core = 0, address = tonumber(bad, 16) * 4096 }
    run("3ms")
end
said = said + 1
now = has(said)
expect(uart{}:find("mca: policy page frame=" .. bad .. " domain=1 retire: done", 1, true) ~= nil,
       { equals = true, name = "three corrected errors: O4" })
expect(now.sum, { equals = SUM, name = "three corrected errors: the sum" })
expect(now.data ~= bad, { equals = true, name = "three corrected errors: another frame" })

-- It moves to a new domain, all its frames others, and from there to a third one.
for move = 1, 2 do
    local answer = dom0("migrate --live mover 127.0.0.1")
    expect(answer:find("mover is domain " .. move + 1 .. " now", 1, true) ~= nil,
           { equals = true, name = "move " .. move })
    said = said + 1
    local old = now
    now = has(said)
    expect(now.moves, { equals = tostring(move), name = "move " .. move .. ": a new domain, says the call" })
    expect(now.sum, { equals = SUM, name = "move " .. move .. ": the sum" })
    expect(now.limit, { equals = LIMIT, name = "move " .. move .. ": its own segment" })
    expect(now.data ~= old.data, { equals = true, name = "move " .. move .. ": another frame" })
    local line = string.format("migrate domain=%d new=%d rounds=1 pages=2048 memory=2048", move, move + 1)
    expect(uart{}:find(line, 1, true) ~= nil,
           { equals = true, name = "move " .. move .. ": each page once, while it is suspended" })
end

-- What cannot be: a frame that is none of its own, hv's page that it shares, a guest that does not answer.
local function refused(what, frame, errno)
    expect(dom0("retire-page mover " .. frame):match("retire%-page %x+: ([^\n]*) gfn"), { equals = errno, name = what })
    said = said + 1
end
refused("a frame of hv's", "100", "not there")
now = has(said)
expect(now.sum, { equals = SUM, name = "after a refusal" })
dom0("destroy mover")
run("2ms")
-- Lists that lie: hv would have to write into a page table, into its own memory; frames are missing. Nothing is
-- done, and the guest goes on.
local LIES = {
    { "table", "invalid", "its list names a frame that it does not have" },
    { "root", "invalid", "its list names a frame that it does not have" },
    { "hv", "invalid", "its list names a frame that it does not have" },
    { "short", "invalid", "its list of frames is not all of its memory" },
}
for _, case in ipairs(LIES) do
    local lie, errno, why = table.unpack(case)
    said = said + 1
    dom0("create mover lie=" .. lie)
    now = has(said)
    refused("lie=" .. lie, now.data, errno)
    now = has(said)
    expect(dom0("migrate mover"), { matches = "migrate mover: " .. why, name = "lie=" .. lie .. ": it does not move" })
    said = said + 1
    now = has(said)
    expect(now.sum, { equals = SUM, name = "lie=" .. lie .. ": it goes on" })
    dom0("destroy mover")
    run("2ms")
end
said = said + 1
dom0("create mover deaf")
now = has(said)
refused("a guest that does not suspend itself", now.data, "no answer")
said = said - 1 -- it has said nothing

-- Nothing stays behind, whether it has moved or not: the same free memory after each round.
local function free_after_a_round()
    dom0("create mover")
    said = said + 1
    has(said)
    dom0("migrate mover")
    said = said + 1
    expect(has(said).moves, { equals = "1", name = "a round: it moves" })
    dom0("destroy mover")
    run("2ms") -- its pages come back on the core that it left
    return dom0("info"):match("free_pages%s*: (%d+)")
end
dom0("destroy mover")
run("2ms")
local free = free_after_a_round()
expect(tonumber(free), { at_least = 1, name = "free pages" })
expect(free_after_a_round(), { equals = free, name = "free pages after another round" })

log("11 kinds of pages of a paravirtual guest replaced, one by policy; moved twice, downtime " ..
    uart{}:match("downtime_ns=(%d+)") .. " ns by stop and copy")
