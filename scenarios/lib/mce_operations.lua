-- SPDX-License-Identifier: MIT
-- Case II, operation by operation (O1 to O11 of doc/mca.md): those that C2-1 to C2-8 do not show by themselves. Each is a
-- function that gives the list of what is wrong.
local bench = require("mce_bench")
local rows = require("mce_rows").by_id

local OFFLINED, PENDING, BROKEN = 2, 8, 0x10 -- of page_offline_op's query

local function heard(text)
    return bench.heard():gsub("\r", ""):find(text, 1, true) ~= nil
end

local function frame_of(made)
    return tonumber(made.words:match("address (%x+)"), 16) >> 12
end

local function query(frame)
    return tonumber(bench.dom0(string.format("query-page %x", frame)):match("status=(%x+)") or 0, 16)
end

-- Whoever was not hit goes on; and who must not, does not.
local function go_on(check, names)
    for _, name in ipairs(names) do
        check(bench.wait_beats(name, 2), name .. " stands")
    end
    check(not heard("the sum is wrong"), "a guest's data are wrong")
end

local function stands(name)
    bench.go("1ms") -- what its console held back
    local before = bench.beats(name)
    bench.go("3ms")
    return bench.beats(name) == before
end

local operations = {}

operations.O1 = { "statistics only: dom0 fetches and counts", function()
    local wrong, check = bench.wrongs()
    bench.build{ cores = 1, domu = "hvm", event = true }
    for n = 1, 3 do
        bench.inject_victim{ error = "DRAM ECC corrected" }
        bench.go("2500us")
        check(bench.dom0("mca"):find("events=" .. n, 1, true), "dom0 has not counted " .. n)
    end
    check(not heard("mca: policy"), "an operation")
    go_on(check, { "victim", "other" })
    return wrong
end }

operations.O2 = { "notify: the guest's handler is called", function()
    local wrong, check = bench.wrongs()
    bench.build{ cores = 1, domu = "hvm_handler", trap = true, answer = "notify" }
    bench.inject(rows["DU-11"])
    bench.go("5ms")
    check(heard("mca: notify domain=2 vcpu=0 result=OK"), "dom0 does not notify")
    check(heard("(victim) trap 18: fetch=OK"), "the guest's handler is not called")
    go_on(check, { "victim", "other" })
    return wrong
end }

-- O2, then the guest's kernel ends the process that met the error: the others' sums go on.
local function process(domu, options)
    local wrong, check = bench.wrongs()
    bench.build{ cores = 1, domu = domu, trap = true, answer = "notify", victim = "processes=3 " .. (options or "") }
    local made = bench.inject(rows[domu == "pv_handler" and "DU-1" or "DU-11"])
    bench.go("5ms")
    check(heard("(victim) trap 18: fetch=OK"), "the guest's handler is not called")
    check(heard("(victim) process 0 has ended, 2 go on"), "not one process alone ends")
    go_on(check, { "victim", "other" })
    return wrong, check, frame_of(made)
end

operations.O5 = { "process retirement: one process of three ends, in an HVM and in a paravirtual guest", function()
    local wrong = process("hvm_handler")
    for _, text in ipairs((process("pv_handler"))) do
        wrong[#wrong + 1] = "pv: " .. text
    end
    return wrong
end }

operations.O7 = { "kill and restart: the guest is made anew and goes on", function()
    local wrong, check = bench.wrongs()
    bench.build{ cores = 1, domu = "hvm", trap = true, answer = "destroy" }
    local frame = frame_of(bench.inject(rows["DU-23"]))
    bench.go("5ms")
    check(not bench.dom0("list"):find("victim", 1, true), "it is there still")
    check(query(frame) & (OFFLINED | BROKEN) == OFFLINED | BROKEN, "its bad frame is to be had again")
    check(stands("victim"), "the killed guest speaks")
    local before = bench.beats("other")
    check(bench.dom0("create victim"):find("domain", 1, true), "it is not made anew")
    local from = #uart{}
    bench.go("5ms")
    check(bench.heard(from):find("(victim) beat", 1, true), "the new guest stands")
    check(bench.beats("other") > before, "the other guest stands")
    check(not heard("the sum is wrong"), "a guest's data are wrong")
    return wrong
end }

operations.O8 = { "pause and unpause: the guest stands, and goes on", function()
    local wrong, check = bench.wrongs()
    bench.build{ cores = 1, domu = "hvm", trap = true, answer = "pause" }
    bench.inject(rows["DU-23"])
    bench.go("3ms")
    check(heard("mca: pause domain=2"), "dom0 does not pause it")
    check(stands("victim"), "it goes on")
    go_on(check, { "other" })
    bench.dom0("unpause victim")
    go_on(check, { "victim", "other" })
    return wrong
end }

operations.O11 = { "balloon out: the guest gives the bad frame back, nobody gets it again", function()
    local wrong, check, frame = process("pv_handler", "balloon=1")
    check(heard("(victim) page given back: 1"), "hv does not take the page")
    check(query(frame) & (OFFLINED | PENDING | BROKEN) == OFFLINED | BROKEN, "the frame is to be had again")
    bench.dom0(string.format("online-page %x", frame))
    check(query(frame) & (OFFLINED | BROKEN) == OFFLINED | BROKEN, "it comes online")
    return wrong
end }

return operations
