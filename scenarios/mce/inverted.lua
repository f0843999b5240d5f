-- SPDX-License-Identifier: MIT
-- Each branch of hv's machine-check decision code inverted, one after the other: something fails.
--
-- For an hv.elf that tests/mutants has built, in which every such condition asks whether it is the one to be inverted.
-- First everything runs as it should, to see what asks which; then each is inverted where it is asked until a row
-- notices. `-s only=3,7` takes these, `-s every=N -s from=K` each N-th; `-s units=DU-1,beside` asks these alone.
local bench = require("mce_bench")
local case = require("mce_case")
local COUNT = tonumber(param.count) or error("it wants the hv that `make mutants` builds, and runs it with", 0)
local NONE = 0xFFFFFFFF

local units = {}
local function unit(name, run_unit)
    if not param.units or ("," .. param.units .. ","):find("," .. name .. ",", 1, true) then
        units[#units + 1] = { name = name, run = run_unit, asks = {} }
    end
end
for _, row in ipairs(require("mce_rows").rows) do
    unit(row.id, function() return case.judge(row.id, 1) end)
end
for id, two in pairs(require("mce_two")) do
    unit(id, two[2])
end
for name, run_modifier in pairs(require("mce_modifiers")) do
    unit("modifiers." .. name, function()
        run_modifier()
        return {}
    end)
end
unit("beside", function()
    require("mce_beside")()
    return {}
end)
unit("calls", function()
    local all = {}
    for i, wrong in ipairs(require("mce_calls").run()) do
        for _, text in ipairs(wrong) do
            all[#all + 1] = "R" .. i .. ": " .. text
        end
    end
    return all
end)

-- ---- What the scenarios call, on a machine in which one branch is inverted ------------------------------

local inverted, asks = NONE, nil
local plain = { machine = machine, boot = boot, uart = uart, expect = expect, log = log }

local function note_asked()
    if asks then
        local at = symbol("mutant_asked")
        for n = 0, COUNT - 1 do
            asks[n] = asks[n] or mem(at + n, 1) ~= 0 or nil
        end
    end
end
local started
function machine(options)
    if started then
        note_asked()
    end
    started = false
    return plain.machine(options)
end
function boot(options)
    plain.boot(options)
    started = true
    mem(symbol("mutant_inverted"), 4, inverted)
end
function uart(options) -- an hv that has gone astray is not waited for
    if options.limit and inverted ~= NONE then
        options.limit = "60ms"
    end
    return plain.uart(options)
end
function expect(found, wanted)
    if type(wanted) ~= "table" or not (wanted.equals ~= nil and found == wanted.equals or
       wanted.matches and tostring(found):find(wanted.matches, 1, true)
       or wanted.at_least and found >= wanted.at_least) then
        if wanted ~= nil and type(wanted) ~= "string" or not found then
            error("not as expected: " .. (type(wanted) == "table" and wanted.name or tostring(wanted)), 0)
        end
    end
end
function log()
end

local function run_unit(of)
    started = false
    local done, wrong = pcall(of.run)
    local fails = not done and tostring(wrong) or wrong and wrong[1]
    if started then
        note_asked()
    end
    return fails
end

-- ---- As it should be --------------------------------------------------------------------------------

for _, of in ipairs(units) do
    asks = of.asks
    local fails = run_unit(of)
    plain.expect(fails or "", { equals = "", name = of.name .. " of an hv in which nothing is inverted" })
end
asks = nil

-- ---- One by one -------------------------------------------------------------------------------------

local caught, every = 0, tonumber(param.every or "1")
for n = 0, COUNT - 1 do
    if param.only and ("," .. param.only .. ","):find("," .. n .. ",", 1, true) or
       not param.only and n % every == tonumber(param.from or "0") then
        local asked, by, why = 0, nil, nil
        inverted = n
        for _, of in ipairs(units) do
            if of.asks[n] then
                asked = asked + 1
                why = not by and run_unit(of) or why
                by = by or why and of.name
            end
        end
        caught = caught + (by and 1 or 0)
        plain.log(string.format("%d %s", n, by and "caught " .. by .. ": " .. why:gsub("\n.*", "")
                                            or "missed by " .. asked))
    end
end
