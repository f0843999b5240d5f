-- SPDX-License-Identifier: MIT
-- One row of case I on the model: make what the row says, inject the error, compare what hv and the guests do with the table.
-- run(id) is what scenarios/mce/ROW.lua calls, judge(id, cores) what the matrix does.
local table_of = require("mce_rows")
local bench = require("mce_bench")
local ring = require("mce_ring")

local ANSWERS = { notify = "notify", ["notify + operation"] = "notify ", ["operation only"] = "", none = "",
                  ["no handler"] = "" }

local function answer_words(row)
    local words = ANSWERS[row.answer or "none"]
    if row.operation then
        words = words .. row.operation
    end
    return words
end

-- The lines of the error's record behind "found" and "decide", without those that only move a vCPU's affinity.
local function decided(lines)
    local rest, decide = {}, nil
    for _, line in ipairs(lines) do
        if line.event == "decide" then
            decide = decide or line
        elseif line.event ~= "found" and line.event ~= "affinity" then
            rest[#rest + 1] = line
        end
    end
    return rest, decide
end

-- DOMU and NAME in a pattern of the table are the victim's.
local function pattern(text, decide)
    local name = "dom" .. (decide and decide.domain or "?")
    return (text:gsub("DOMU", name .. ".0"):gsub("NAME", name))
end

-- The record in the ring against the lines: whom it impacts, else who ran (nobody: DOMID_SELF and VCPUID_INVALID);
-- what was retired; and that none was lost.
local SELF, NO_VCPU, LOST = 0x7FF0, 0xFFFF, 0x80000000

local function differs(found, decide)
    local record = ring.record(tonumber(found.record))
    if not record then
        return "no record in the ring"
    end
    local idle = found.context == "idle"
    local domid, vcpu = tonumber(decide.domain), tonumber(decide.vcpu)
    if not domid and (idle ~= (record.domid == SELF) or idle ~= (record.vcpu == NO_VCPU)) or
       domid and (record.domid ~= domid or record.vcpu ~= vcpu) then
        return string.format("the record names dom%d.%d", record.domid, record.vcpu)
    elseif record.core ~= tonumber(found.core) or record.flags & LOST ~= 0 then
        return string.format("the record has core %d, flags %x", record.core, record.flags)
    elseif record.frame and record.frame ~= tonumber(decide.frame, 16) then
        return string.format("the recovery record has frame %x", record.frame)
    end
end

-- What differs from the row, as a list of texts.
local function differences(row, lines)
    local wrong, check = bench.wrongs()
    local rest, decide = decided(lines)
    check(decide, "no decision")
    if decide then
        local rows = decide.row
        local first, last = rows:match("^(%S-)%.%.(%S+)$")
        local names = rows == row.id
        if first then -- DU-11..DU-14
            local number = tonumber(row.id:match("%d+"))
            names = row.number and number >= tonumber(first:match("%d+")) and number <= tonumber(last:match("%d+"))
        end
        check(names, "row " .. rows)
        check(decide.impacts == row.impacts, "impacts " .. decide.impacts)
        check(not row.domu or decide.domu == row.domu, "domu " .. decide.domu)
        check(decide.healed == (row.healed and "1" or "0"), "healed " .. decide.healed)
        local text = differs(lines[1], decide)
        check(not text, text)
    end
    for i = 1, math.max(#rest, #row.sees) do
        local line, wanted = rest[i], row.sees[i]
        if not line or not wanted or line.step ~= wanted[1] or line.event ~= wanted[2] or
            not line.rest:find(pattern(wanted[3], decide), 1, true) then
            wrong[#wrong + 1] = string.format("line %d: %s; %s would be right", i,
                line and line.step .. " " .. line.event .. " " .. line.rest or "none",
                wanted and wanted[1] .. " " .. wanted[2] .. " " .. pattern(wanted[3], decide) or "none")
        elseif line.event == "operation" then -- on the frame that is bad
            check(line.frame == decide.frame, "the operation's frame " .. line.frame)
        end
    end
    if row.kind == "UE" and row.impacts == "domu" then -- consumed by the guest's own load
        local found = lines[1] or {}
        check(found.event == "found" and found.via == "exit" and found.core == tostring(bench.victim_core) and
              found.context == "dom" .. (decide and decide.domain or "?") .. ".0",
              "found: " .. (found.rest or "nothing"))
    end
    local heard = bench.heard()
    check(not row.dumped or heard:find("CPU %d+ BANK %d\r?\nMISC %x+ ADDR %x+\r?\nSTATUS %x+ MCGSTATUS %x+"),
          "no dump in mcelog's form")
    check((heard:find("mca: T0 fetch=OK", 1, true) ~= nil) == (row.dom0 == "T0"), "dom0's trap")
    check((heard:find("mca: event fetch=OK", 1, true) ~= nil) == (row.dom0 == "event"), "dom0's event")
    check((heard:find("mca: recovery actions=1", 1, true) ~= nil) == (row.recovery == true), "recovery record")
    check((heard:find("(victim) trap 18: fetch=OK", 1, true) ~= nil) == (row.trapped == true), "the guest's trap")
    check(not heard:find("the sum is wrong", 1, true), "a guest's data are wrong")
    return wrong
end

-- Who lives on, who does not.
local function aftermath(row, wrong)
    local function check(holds, text)
        if not holds then
            wrong[#wrong + 1] = text
        end
    end
    if row.panics then
        return
    end
    if row.operation == "pause" then
        check(not bench.wait_beats("victim", 1, 8), "a paused guest runs")
        bench.dom0("unpause victim")
    end
    check(bench.wait_beats("victim", 2) == (row.alive == true), row.alive and "the guest stands" or "the guest lives")
    check(bench.wait_beats("other", 1), "the other guest stands")
    local listed = bench.dom0("list"):match("victim%s+%d+%s+%d+%s+%d+%s+(%S+)")
    check(row.gone and not listed or row.killed and listed and listed:find("c") or row.alive and listed and
          not listed:find("[cd]"), "dom0 lists it as " .. tostring(listed))
    if row.trapped then
        check(uart{}:match(".*%(victim%) beat %d+ (traps=%d)") == "traps=1", "one trap")
    end
    if row.untold then
        check(bench.heard():find("%(victim%) beat %d+ traps=0"), "no trap")
    end
end

-- The record that survives: hv's symbol mca_panic_record ("MCAPANIC", then the row).
local function panicked(row, wrong)
    local at = symbol("mca_panic_record")
    if mem(at, 8) ~= 0x43494E415041434D or mem(at + 8, 16):sub(1, #row.id + 1) ~= row.id .. "\0" then
        wrong[#wrong + 1] = "no panic record of " .. row.id
    end
end

-- Everything about one row on a machine of 1 or 8 cores. Gives the list of what is wrong, or nil and why it cannot be
-- run yet.
-- `before` is called when all stands ready, in front of the injection.
local function judge(id, cores, show, before)
    local row = table_of.by_id[id]
    if row.domu and not bench.has_guest(row.domu) then
        return nil, "not yet: there is no " .. row.domu .. " guest"
    end
    bench.build{ cores = cores, domu = row.domu, event = row.event, trap = row.trap, answer = answer_words(row) }
    if show then
        bench.follow(row, table_of.title(row))
    end
    local wrong = {}
    if before then
        before()
    end
    bench.inject(row)
    if row.panics then
        local event = run{ until = { stop = { "exit", "shutdown", "reset" }, time = "20ms" } }
        if event.reason ~= "exit" then
            wrong[#wrong + 1] = "hv does not panic: " .. event.reason
        end
    else
        -- until the last line that the table names, and what guests do at once
        for _ = 1, 60 do
            local goes, how = bench.go("250us")
            if not goes then
                wrong[#wrong + 1] = "the machine stops: " .. how
                return wrong
            end
            if #decided(bench.lines()) >= #row.sees then
                break
            end
        end
        bench.go("500us")
    end
    local lines = bench.lines()
    if row.panics then
        panicked(row, wrong)
    end
    aftermath(row, wrong)
    for _, text in ipairs(differences(row, lines)) do
        wrong[#wrong + 1] = text
    end
    return wrong
end

local function run_row(id)
    for _, cores in ipairs(param.cores and { tonumber(param.cores) } or { 1, 8 }) do
        local wrong, why = judge(id, cores, true)
        if wrong then
            for _, text in ipairs(wrong) do
                log(id .. " on " .. cores .. " cores: " .. text)
            end
            expect(#wrong, { equals = 0, name = id .. " on " .. cores .. " cores: differences from the table" })
            if #wrong > 0 and param.verbose then
                log(bench.heard())
            end
        else
            log(id .. ": " .. why)
        end
    end
    log(table_of.title(table_of.by_id[id]))
end

return { judge = judge, run = run_row }
