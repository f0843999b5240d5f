-- SPDX-License-Identifier: MIT
-- Random errors of random kinds at random moments, dom0 and four guests running: no record is lost without being counted, nobody is
-- hurt whom the table does not name, hv stands, and its telemetry rings are sound at every instruction (mce_ring.lua).
--
-- `-s errors=N` (200; the whole is 10000), `-s seed=N` (1).
local bench = require("mce_bench")
local ERRORS, SEED = tonumber(param.errors or "200"), tonumber(param.seed or "1")
math.randomseed(SEED)

machine{ nodes = 1, cores = 4, memory = "256M" }
boot{ kernel = "hv.elf", append = "mce_dom0_deadline_ms=2 mce_poll_ms=1 mce_poll_min_ms=1 mce_poll_max_ms=1",
      modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                  "mcaguest.elf name=hvm memory=16M cpus=1 handler=1 quiet=400",
                  "mcaguest.elf name=plain memory=16M cpus=2 quiet=400",
                  "mcapv.elf type=pv name=pv memory=16M cpus=3 handler=1 quiet=400",
                  "sums64.elf name=sums memory=9M vcpus=2 blocks=64 rounds=1000000" } }
uart{ expect = "dom0# ", limit = "1s" }
bench.dom0("mca-policy page=1000000 cs=1000000 core=1000000") -- case II is another matter
bench.dom0("mca handlers event trap")
bench.dom0("mca answer notify dwell=" .. (param.dwell or "900")) -- so long that rings fill meanwhile
for _, name in ipairs{ "hvm", "plain", "pv", "sums" } do
    bench.dom0("create " .. name)
end
bench.go("2ms")

-- ---- What hv and dom0 say, line by line -----------------------------------------------------------------------------

local found, decided, told, hurt, wrong = {}, {}, {}, {}, 0
local free = {} -- frames that nobody has, as corrected errors in them have shown
local dumped, kills, traps = 0, 0, 0

local function complain(text)
    wrong = wrong + 1
    if wrong <= 5 then
        log(text)
    end
end

local ring = symbol("machine_check_ring")
local watched = require("mce_ring").watch(complain)

at({ output = "mca record=" }, function(event)
    local line = event.line
    local record, what = line:match("record=(%S+) step=%S+ event=(%S+)")
    if what == "found" then
        found[record] = true
    elseif what == "decide" then
        if line:find("owner=free", 1, true) then
            free[#free + 1] = tonumber(line:match("frame=(%x+)"), 16) * 4096
        end
        decided[record] = (decided[record] or "") .. " dom" .. line:match("domain=(%S+)") .. " " ..
            line:match("row=(%S+)")
    elseif what == "dump" then
        dumped, told[record] = dumped + 1, true
    elseif what == "kill" then
        local domain = line:match("domain=(dom%d+)")
        kills, hurt[domain] = kills + 1, true
        if not (decided[record] or ""):find(domain .. " ", 1, true) then
            complain("nobody decided that: " .. line)
        end
    elseif what == "panic" then
        complain("hv panics: " .. line)
    end
end)
at({ output = "fetch=OK idx=" }, function(event)
    local record = event.line:match("^mca: .* idx=(%d+)")
    if record then
        told[record] = true
    end
end)
at({ output = ") trap 18: fetch=OK" }, function() traps = traps + 1 end)

-- ---- Errors ---------------------------------------------------------------------------------------------------------

-- A frame of each guest that nobody uses.
local PLACES = { hvm = { core = 1, page = 0xC00000 }, plain = { core = 2, page = 0xC00000 } }
local function frame_of(name)
    local place = PLACES[name]
    local made = bench.inject_in_guest(place.core, place.page, { error = "DRAM ECC corrected" })
    return tonumber(made.words:match("address (%x+)"), 16)
end

local CORRECTED = { "DC L2 line fill corrected", "DC data load corrected", "DC data scrub corrected",
                    "L2 scrub corrected",
                    "L2 data TLB walk corrected", "L2 tag corrected" }

local function random_error(frames)
    local dice = math.random(1000)
    if dice <= 450 then
        inject{ error = "DRAM ECC corrected", core = math.random(0, 3), address = math.random(0x100, 0xFFFF) * 4096 }
    elseif dice <= 850 then
        inject{ error = CORRECTED[math.random(#CORRECTED)], core = math.random(0, 3),
                address = math.random(0x100, 0xFFFF) * 4096 }
    elseif dice <= 930 and #free > 0 then
        inject{ error = "DRAM scrub uncorrected", core = math.random(0, 3), address = free[math.random(#free)] }
    elseif dice <= 940 and #free > 0 then -- more than the ring holds, while dom0 is in its handler
        for _ = 1, 14 do
            inject{ error = "DRAM scrub uncorrected", core = math.random(0, 3), address = free[math.random(#free)] }
            bench.go("40us")
        end
    elseif dice <= 996 then
        inject{ error = "DRAM scrub uncorrected", core = math.random(1, 3), address = frames.hvm }
    elseif frames.plain then
        inject{ error = "DRAM scrub uncorrected", core = math.random(1, 3), address = frames.plain }
        frames.plain = nil
    end
end

local frames = { hvm = frame_of("hvm"), plain = frame_of("plain") }
local recreated = 0
for i = 1, ERRORS do
    random_error(frames)
    local goes, how = bench.go(math.random(20, 700) .. "us")
    if not goes then
        complain("the machine stops behind error " .. i .. ": " .. how)
        break
    end
    if not frames.plain and i % 16 == 0 then
        bench.go("6ms")
        bench.dom0("destroy plain")
        bench.dom0("create plain")
        for at = #free, 1, -1 do -- it, or hv for it, may have any of them now
            free[at] = nil
        end
        bench.go("1ms")
        frames.plain, recreated = frame_of("plain"), recreated + 1
    end
end
bench.go("6ms")

-- ---- The account --------------------------------------------------------------------------------------------------

local list = bench.dom0("list")
for _, name in ipairs{ "hvm", "pv", "sums" } do
    expect(list:find(name .. "%s+%d+%s+%d+%s+%d [r-][b-]%-%-%-%- ") ~= nil,
           { equals = true, name = name .. " goes on" })
end
expect(bench.dom0("mca"), { matches = "nested=0", name = "no trap inside another" })
local produced, fetched = mem(ring, 4), mem(ring + 4, 4) -- from here on a record waits for dom0
uart{ send = "poweroff\n" }
run{ limit = "1s", until = { stop = { "exit" } } }

local function hv_count(what)
    local sum = 0
    for value in uart{}:gmatch('count what="' .. what .. '" value=(%d+)') do
        sum = sum + tonumber(value)
    end
    return sum
end
local FATES = { "logged", "overwrote", "lost" }
local fates = {}
for _, fate in ipairs(FATES) do -- the model's own count, of cores' banks and of the northbridge's
    fates[fate] = counter("node[0].core[*].mca.errors{fate=" .. fate .. "}") +
        counter("node[0].mca.errors{fate=" .. fate .. "}")
end
local met = fates.logged + fates.overwrote + fates.lost
local seen = hv_count("mca corrected %u+") + hv_count("mca uncorrected %u+")
-- By its number each record that dom0 has passed was fetched, dumped on the console, or is lost; one that was forgotten
-- before hv said a line of it, because its core had four waiting, may be counted twice, then and when the ring overruns
-- it.
local untold, unsaid = 0, 0
for number = 0, produced - 1 do
    unsaid = unsaid + (found[tostring(number)] and 0 or 1)
    untold = untold + (number < fetched and not told[tostring(number)] and 1 or 0)
end
local lost = hv_count("mca_lost")
expect(wrong, { equals = 0, name = "complaints" })
expect(watched.stores,
       { at_least = 3 * produced,
         name = "stores to words of the rings: a record takes its number, clears its slot, commits" })
expect(seen, { equals = fates.logged, name = "hv saw each error that its bank kept" })
expect(lost, { at_least = untold, name = "records counted as lost, against those that nobody was told of" })
expect(lost, { at_most = untold + unsaid, name = "and no more than that" })
log(string.format("seed %d: %d errors, %d kept by a bank (%d overwrote or were lost there); %d records, %d told, " ..
                  "%d on the console, %d lost, %d counted; %d traps of guests, %d killed by their row, " ..
                  "%d made again; rings sound after %d stores", SEED, met, fates.logged, met - fates.logged, produced,
                  fetched - untold, dumped, untold, lost, traps, kills, recreated, watched.stores))
