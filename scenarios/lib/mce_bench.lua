-- SPDX-License-Identifier: MIT
-- hv with dom0, a guest that an error may hit (victim) and one that nothing may happen to (other): how to build them, talk to
-- dom0, make an error and read what hv says of it. Used by scenarios/mce.

local command_line = require("command_line")
local PROMPT = command_line.PROMPT
-- Guest-physical addresses by which a translation tells whose turn it is: only the guest with that much memory has
-- them.
local VICTIM_PAGE, DOM0_PAGE, OTHER_PAGE = 0x800000, 0x1800000, 0x300000
local DEADLINE_MS = 3

local bench = { VICTIM_PAGE = VICTIM_PAGE, DOM0_PAGE = DOM0_PAGE, OTHER_PAGE = OTHER_PAGE }

local PROGRAM = { pv_handler = "mcapv.elf type=pv", pv = "mcapv.elf type=pv" }
local GUEST_OPTIONS = { hvm_handler = "driver=1 handler=1", hvm_driver = "driver=1", hvm = "",
                        pv_handler = "driver=1 handler=1",
                        pv = "driver=1" }

-- Kinds of guest that exist so far.
function bench.has_guest(kind)
    return GUEST_OPTIONS[kind] ~= nil
end

-- What a command line printed.
function bench.dom0(line)
    return command_line.dom0(line, "2s")
end

-- What is wrong, as a list of texts, and the check that adds to it.
function bench.wrongs()
    local wrong = {}
    return wrong, function(holds, text)
        if not holds then
            wrong[#wrong + 1] = text
        end
    end
end

-- cores: 1, or 8 on two nodes. The victim runs on core `victim_core` alone, dom0 on core 0.
function bench.build(options)
    local eight = options.cores == 8
    local victim, other = eight and 5 or 0, eight and 6 or 0
    machine{ nodes = eight and 2 or 1, cores = eight and 4 or 1, memory = "256M" }
    boot{ kernel = "hv.elf",
          append = "mce_dom0_deadline_ms=" .. DEADLINE_MS .. " mce_poll_ms=1 mce_poll_min_ms=1 mce_poll_max_ms=1 " ..
                   (options.append or ""),
          modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                      string.format("%s name=victim memory=16M cpus=%d %s %s", PROGRAM[options.domu] or "mcaguest.elf",
                                    victim, GUEST_OPTIONS[options.domu or "hvm"], options.victim or ""),
                      "mcaguest.elf name=other memory=4M page=3M quiet=8 cpus=" .. other } }
    command_line.wait()
    bench.cores, bench.victim_core, bench.other_core = options.cores, victim, other
    bench.dom0("mca handlers" .. (options.event and " event" or "") .. (options.trap and " trap" or ""))
    bench.dom0("mca answer " .. (options.answer or ""))
    bench.dom0("create other")
    bench.dom0("create victim")
    bench.wait_beats("victim", 2)
    bench.wait_beats("other", 1)
    bench.from = #uart{}
end

function bench.beats(name)
    local last = 0
    for number in uart{}:gmatch("%(" .. name .. "%) beat (%d+)") do
        last = tonumber(number)
    end
    return last
end

-- So much machine time; false and how, if the machine stops before.
function bench.go(time)
    local event = run{ until = { stop = { "exit", "shutdown", "reset", "power-off", "halted" }, time = time } }
    return event.reason == "time", event.reason
end

-- Machine time until a guest has said `count` more beats; false: it says no more.
function bench.wait_beats(name, count, limit)
    local wanted = bench.beats(name) + count
    for _ = 1, (limit or 40) do
        if bench.beats(name) >= wanted then
            return true
        end
        if not bench.go("250us") then
            return false
        end
    end
    return bench.beats(name) >= wanted
end

-- Run `core` until its guest is the one that has this guest-physical page, then inject there.
function bench.inject_in_guest(core, page, changes)
    local error = {}
    for key, value in pairs(changes) do
        error[key] = value
    end
    error.core, error.guest_physical = core, page
    for _ = 1, 20000 do
        local done, result = pcall(inject, error)
        if done then
            return result
        elseif not tostring(result):find("runs no guest") then
            expect(false, tostring(result))
            return
        end
        run("3us")
    end
    expect(false, "core " .. core .. " runs the guest that has page " .. page)
end

-- A paravirtual guest is the only one at CPL 3; its page is where it said.
local function inject_in_pv_guest(core, error)
    error.core, error.linear = core, tonumber(uart{}:match("%(victim%) page at (%x+)"), 16)
    for _ = 1, 20000 do
        if reg("cpl", { core = core }) == 3 then
            local done, result = pcall(inject, error)
            if done then
                return result
            end
        end
        run("3us")
    end
    expect(false, "core " .. core .. " runs the paravirtual guest")
end

-- The errors that the rows need, by whom they impact.
local function make(row, changes)
    local error = {}
    for key, value in pairs(changes or {}) do
        error[key] = value
    end
    if row.kind == "CE" then
        error.error = error.error or "DRAM ECC corrected"
    elseif row.impacts == "domu" then -- consumed by a load, restartable
        error.error, error.on = error.error or "load system read", "read"
    elseif row.healed then -- found by the scrubber, before anybody consumed it
        error.error = error.error or "DRAM scrub uncorrected"
    else -- the context is corrupt
        error.error = error.error or "DRAM ECC uncorrected"
    end
    if PROGRAM[row.domu] then
        return inject_in_pv_guest(bench.victim_core, error)
    elseif row.impacts == "domu" then
        return bench.inject_in_guest(bench.victim_core, VICTIM_PAGE, error)
    elseif row.impacts == "dom0" then
        uart{ send = "list\n" }
        local result = bench.inject_in_guest(0, DOM0_PAGE, error)
        if not row.panics then
            pcall(uart, { expect = PROMPT, limit = "5ms" })
        end
        return result
    end
    error.core = 0
    error.address = symbol(row.healed and "hv_main" or "percores")
    return inject(error)
end

function bench.inject_victim(error)
    return bench.inject_in_guest(bench.victim_core, VICTIM_PAGE, error)
end

function bench.inject(row, changes)
    local made = make(row, changes)
    if made then
        step("0 inject", function()
            return made.words .. " (" .. made.fate .. ")" ..
                   (made.fate == "planted" and "\nit waits for the load that consumes it" or "\nit waits in its bank")
        end)
    end
    return made
end

-- ---- hv's lines ---------------------------------------------------------------------------------------------------

-- {record, step, event, rest, [key]=value} of each "mca record=" line behind `from`.
function bench.lines(from)
    local lines = {}
    for record, step, event, rest in uart{}:sub((from or bench.from) + 1):gsub("\r", "")
        :gmatch("mca record=(%S+) step=(%S+) event=(%S+)([^\n]*)\n") do
        local line = { record = record, step = step, event = event, rest = rest:gsub("^ ", "") }
        for key, value in rest:gmatch("([%w_]+)=(%S+)") do
            line[key] = value
        end
        lines[#lines + 1] = line
    end
    return lines
end

function bench.heard(from)
    return uart{}:sub((from or bench.from) + 1)
end

-- ---- Step by step: what stands where when hv says a line ------------------------------------------------------------

local function banks()
    local out = {}
    for core = 0, bench.cores - 1 do
        for bank = 0, 5 do
            local status = msr(0x401 + 4 * bank, { core = core })
            if status >> 63 ~= 0 then
                out[#out + 1] = string.format("core %d: %s", core,
                                              mca_words(bank, status, msr(0x402 + 4 * bank, { core = core })))
            end
        end
    end
    return #out > 0 and table.concat(out, "\n            ") or "no bank holds an error"
end

local function where_cores_stand()
    local guests, hv = {}, {}
    for core = 0, bench.cores - 1 do
        local asid = reg("asid", { core = core })
        if asid == 0 then
            hv[#hv + 1] = core
        else
            guests[#guests + 1] = string.format("core %d in a guest (ASID %d, CPL %d) at %x\n            ", core, asid,
                                                reg("cpl", { core = core }), reg("rip", { core = core }))
        end
    end
    return table.concat(guests) .. "in hv: core " .. table.concat(hv, ", ")
end

-- The last thing that each guest said, and dom0.
local function guests()
    local out = {}
    for _, name in ipairs{ "victim", "other" } do
        out[#out + 1] = name .. " said \"" .. (uart{}:match(".*%(" .. name .. "%) ([^\r\n]*)") or "nothing") .. "\""
    end
    local dom0 = bench.heard():match(".*(mca: [^\r\n]*)")
    out[#out + 1] = "dom0 said " .. (dom0 and "\"" .. dom0 .. "\"" or "nothing of it")
    return table.concat(out, "\n            ")
end

local function view(first, second)
    return string.format("%-11s %s\nbanks:      %s\nguests:     %s\nat %d us:  %s", first, second, banks(), guests(),
                         bench.now_us or 0, where_cores_stand())
end

-- Show what an injection made, and each line that hv says of it, with what there is to see beside it.
function bench.follow(row, title)
    bench.row = row
    step("case", title)
    at({ exit = "EXCP_MC" }, function(event)
        bench.now_us = event.time_ps // 1000000
        step("1 #MC", function() return view("hardware:", "#MC of a guest, intercepted: VMEXIT_EXCP_MC") end)
    end)
    at({ output = "mca record=" }, function(event)
        bench.now_us = event.time_ps // 1000000
        local label = (event.line:match("step=(%S+)") or "?") .. " " .. (event.line:match("event=(%S+)") or "")
        step(label, function()
            local text = view("hv says:", event.line)
            if event.line:find("event=decide", 1, true) then
                text = text .. "\ntable:      " .. row.id .. ": " .. row.outcome
            end
            return text
        end)
    end)
    for _, said in ipairs{ "(victim) trap", "mca: T0", "mca: event" } do
        at({ output = said }, function(event)
            step("told", "a guest says: " .. event.line)
        end)
    end
end

return bench
