-- SPDX-License-Identifier: MIT
-- Storms of moves inside the machine (workloads/tests/hostile/storm.c): the control domain moves two guests between
-- nested and shadow paging while they compute, with right and wrong requests, and its other vCPU pauses them, asks
-- for moves while one is under way, and destroys two more in the middle of theirs; a guest that is no control domain
-- asks for everybody's move. The guests' checksums are arithmetic's and hv's free pages add up. ./test full runs it
-- with hv's own accesses checked.
--
--     -s rounds=N   moves that the one vCPU asks for (20)    -s seed=N   where some are cut (1)

local rounds, seed = tonumber(param.rounds or 20), tonumber(param.seed or 1)
local CHECKSUM = "9696c930" -- of sums' 20 rounds of 256 blocks, by zlib's crc32

machine{ cores = 4, memory = "256M" }
local function guest(name, doomed)
    return string.format("sums64.elf name=%s memory=10M backing=4k blocks=256 %s", name,
                         doomed and "rounds=100000" or "rounds=20 expect=0x" .. CHECKSUM)
end
boot{ kernel = "hv.elf", append = "sched_credit_tslice_ms=1", modules = {
    string.format("hostile.elf name=storm control vcpus=2 memory=12M attack=storm rounds=%d seed=%d", rounds, seed),
    guest("alpha"), guest("beta"), guest("gone"), guest("lost", true), guest("last", true),
    "hostile.elf name=outsider memory=12M attack=asks rounds=20" } }
local event = run{ limit = "1s" }
local console = uart{}

expect(event.reason, { equals = "exit", name = "hv comes to its end" })
for _, name in ipairs{ "alpha", "beta" } do
    expect(console:match("guest name=" .. name .. " outcome=finished result=%x-(" .. CHECKSUM .. ")"),
           { equals = CHECKSUM, name = name .. "'s checksum" })
end
expect(console:match("asks: %d+ rounds, (%d+) exceptions"), { equals = "0", name = "moves granted to the outsider" })
expect(console:match("storm: %d+ rounds, (%d+) exceptions"), { equals = "0", name = "wrong answers of hv, pages lost" })
expect(select(2, console:gsub("failed: it was destroyed", "")),
       { equals = 2, name = "guests destroyed in the middle of their moves" })
expect(console:find("failed: the link was lost", 1, true) ~= nil, "a move was cut")
local moves, refused, pages = console:match("storm: (%d+) moves, (%d+) refused or cut, (.-)\r?\n")
expect(tonumber(moves) or 0, { at_least = 1, name = "moves that succeeded" })
log(string.format("%s moves, %s refused or cut, %s", moves, refused, pages))
