-- SPDX-License-Identifier: MIT
-- Case II, C2-1 to C2-8: corrected errors lead dom0 to its operations, before an uncorrected one comes (doc/mca.md). Each is a function
-- that gives the list of what is wrong.
local bench = require("mce_bench")
local rows = require("mce_rows").by_id

local CE = { error = "DRAM ECC corrected" }
local two = {}

-- hv polls each millisecond; dom0's buckets have the limits of the table unless `policy` says otherwise.
local function build(domu, policy, cores)
    bench.build{ cores = cores or 1, domu = domu, event = true, trap = true, answer = "notify" }
    if policy then
        bench.dom0("mca-policy " .. policy)
    end
end

local function poll(times)
    bench.go((times or 1) * 2500 .. "us")
end

-- Corrected errors at an address, found one by one.
local function corrected(address, count)
    for _ = 1, count do
        inject{ error = "DRAM ECC corrected", core = 0, address = address }
        poll()
    end
end

local function heard(pattern)
    return bench.heard():gsub("\r", ""):find(pattern) ~= nil
end

-- Where the victim's page lies: the first corrected error there says it.
local function victims_page()
    local made = bench.inject_victim(CE)
    poll()
    return tonumber(made.words:match("address (%x+)"), 16)
end

local function page_of_free_memory()
    for frame = 0x1000, 0xF000, 0x400 do
        if bench.dom0(string.format("query-page %x", frame)):find("status=4\n") then
            local from = #uart{}
            inject{ error = "DRAM ECC corrected", core = 0, address = frame * 4096 }
            poll()
            if uart{}:sub(from + 1):find("owner=free") then
                return frame
            end
        end
    end
end

two["C2-1"] = { "nine corrected errors of a frame: nothing; the tenth: O3", function()
    local wrong, check = bench.wrongs()
    build("hvm")
    local address = victims_page()
    corrected(address, 8)
    check(not heard("mca: policy"), "something after nine")
    corrected(address, 1)
    check(heard("mca: policy page frame=" .. string.format("%x", address >> 12)), "nothing after the tenth")
    return wrong
end }

two["C2-2"] = { "of a free frame: it leaves the allocator at once", function()
    local wrong, check = bench.wrongs()
    build("hvm", "page=3")
    local frame = page_of_free_memory()
    check(frame, "no free frame")
    if frame then
        corrected(frame * 4096, 2)
        check(heard(string.format("mca: policy page frame=%x offline: done status=2\n", frame)), "not offlined")
        check(bench.dom0(string.format("query-page %x", frame)):find("done status=2\n"), "query: not offlined")
    end
    return wrong
end }

two["C2-3"] = { "of dom0's own frame: offlined when it is given back", function()
    local wrong, check = bench.wrongs()
    build("hvm", "page=3")
    bench.inject({ kind = "CE", impacts = "dom0" })
    poll()
    local frame = bench.heard():match("impacts=dom0 [^\n]-frame=(%x+)")
    check(frame, "no CE of dom0's frame")
    if frame then
        corrected(tonumber(frame, 16) * 4096, 2)
        check(heard("mca: policy page frame=" .. frame .. " offline: done status=%x+\n"), "no operation")
        check(bench.dom0("query-page " .. frame):find("done status=8\n"), "query: not pending")
    end
    return wrong
end }

two["C2-4"] = { "of a guest's live page: replaced, the guest's sums go on (O4)", function()
    local wrong, check = bench.wrongs()
    build("hvm", "page=3")
    local address = victims_page()
    corrected(address, 2)
    check(heard(string.format("mca: policy page frame=%x domain=2 retire: done gfn=800\n", address >> 12)),
          "not replaced")
    check(bench.dom0(string.format("query-page %x", address >> 12)):find("done status=2\n"),
          "the old frame is not offlined")
    check(bench.wait_beats("victim", 2), "the guest stands")
    check(not heard("the sum is wrong"), "the guest's data are wrong")
    return wrong
end }

two["C2-5"] = { "a storm on a rank: the online spare, contents intact (O9)", function()
    local wrong, check = bench.wrongs()
    build("hvm", "page=1000 cs=6")
    local address = victims_page()
    corrected(address, 6)
    check(heard("mca: policy cs node=0 dct=0 cs=0 spare: done\n"), "no spare")
    check(pci(0, 24, 3, 0xB0) & 1 == 1, "F3xB0: SwapEn0")
    bench.dom0("pause victim")
    bench.dom0("pause other")
    bench.go("170ms") -- 256 MiB at 40 ns for each line are 167.8 ms
    bench.dom0("unpause other")
    bench.dom0("unpause victim")
    check(pci(0, 24, 3, 0xB0) & 2 == 2, "F3xB0: SwapDone0")
    check(bench.wait_beats("victim", 2) and not heard("the sum is wrong"), "the guest's data are wrong")
    return wrong
end }

two["C2-6"] = { "a storm on a core: it goes offline, its guests go on elsewhere (O10)", function()
    local wrong, check = bench.wrongs()
    build("hvm", "core=3", 8)
    for _ = 1, 3 do
        inject{ error = "DC L2 line fill corrected", core = bench.victim_core, address = 0x1000 }
        poll()
    end
    check(heard("mca: policy core core=5 offline: done\n"), "not offlined")
    poll()
    local before = counter("node[1].core[1].svm.vmruns")
    check(bench.wait_beats("victim", 2), "the guest stands")
    check(counter("node[1].core[1].svm.vmruns") == before, "the core runs guests")
    return wrong
end }

two["C2-7"] = { "an uncorrected error after retirement hits nobody (I9)", function()
    local wrong, check = bench.wrongs()
    build("hvm", "page=3")
    local address = victims_page()
    corrected(address, 2)
    check(heard("retire: done"), "not replaced")
    inject{ error = "DRAM scrub uncorrected", core = 0, address = address }
    poll()
    check(heard("class=I9 impacts=nobody [^\n]- row=I9"), "not I9")
    check(heard("event=notify to=dom0.0 by=trap from=hv result=OK"), "dom0 is not told")
    check(bench.wait_beats("victim", 2), "the guest stands")
    return wrong
end }

two["C2-8"] = { "the guest moves to the other node, its old frames are retired (O6)", function()
    local wrong, check = bench.wrongs()
    build("hvm_handler", nil, 8)
    local address = victims_page()
    bench.dom0("vcpu-pin victim 0 all")
    check(bench.dom0("vcpu-list victim"):find("^.-victim [^\n]* 0%-7\n"), "not pinned to all cores")
    check(bench.dom0("migrate --live --node=1 victim 127.0.0.1"):find("victim is domain %d+ now"), "not moved")
    check(bench.dom0(string.format("offline-page %x", address >> 12)):find("done status=2\n"),
          "the old frame is not offlined")
    check(bench.wait_beats("victim", 2), "the guest stands")
    -- Its handler is known where it is now; while one of its errors is open it does not move.
    bench.dom0("vcpu-pin victim 0 5")
    bench.dom0("mca answer") -- none
    bench.go("1ms")
    bench.from = #uart{}
    bench.inject(rows["DU-14"])
    bench.go("300us")
    check(heard("domu=hvm_handler row=DU%-11..DU%-14"), "its handler did not move with it")
    bench.dom0("migrate --live victim 127.0.0.1")
    check(heard("migrate domain=%d+ [^\n]*a machine check of it is under way"),
          "it moves while an error of its is open")
    bench.go("5ms")
    check(heard("%(victim%) trap 18: fetch=OK"), "its handler is not called")
    check(bench.wait_beats("victim", 2), "the guest stands behind it")
    check(not heard("the sum is wrong"), "the guest's data are wrong")
    return wrong
end }

return two
