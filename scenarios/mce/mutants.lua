-- SPDX-License-Identifier: MIT
-- Mutants of hv's decision table: one cell of mca_rows after another is changed in memory, and its row must fail.
--
-- `-s every=N` takes each N-th mutant alone. struct mca_row (hv/mca/decide.h) is a name of 6 bytes and 9 columns of
-- one. Of the columns hv consults all but `notify`; `first` of a guest's rows before dom0 has answered, that is of the
-- first of the four; of `end`, at a deadline, whether the row is FALLBACK. What it does not consult
-- hv/mca/decide_test.c holds.
local case = require("mce_case")
local rows = require("mce_rows").rows

local NAME, ROW = 6, 15
local ANY, FALLBACK, KILL_LATER = 0xFF, 4, 5
local every = tonumber(param.every or "1")

local function other(values)
    return function(value) return value == ANY and 1 or (value + 1) % values end
end

local COLUMNS = {
    { "corrected", 0, other(2) }, { "impact", 1, other(4) }, { "healed", 2, other(2) }, { "domu", 3, other(5) },
    { "handler", 4, other(2) }, { "answer", 5, other(5) },
    { "first", 6, function(value, row)
        return (not row.answer or row.answer == "notify" or row.answer == "no handler") and (value + 1) % 6 or nil
    end },
    { "end", 8, function(value)
        return value == FALLBACK and KILL_LATER or value == KILL_LATER and FALLBACK or nil
    end },
}

local made, caught, at_all = 0, 0, 0

local function try(index, row, column)
    local text
    local done, wrong = pcall(case.judge, row.id, 1, false, function()
        local at = symbol("mca_rows") + (index - 1) * ROW
        assert(mem(at, 16):sub(1, #row.id + 1) == row.id .. "\0", "mca_rows is laid out otherwise")
        local old = mem(at + NAME + column[2], 1)
        local new = column[3](old, row)
        if not new then
            error("no mutant")
        end
        mem(at + NAME + column[2], 1, new)
        text = string.format("%s.%s %d -> %d", row.id, column[1], old, new)
    end)
    if not text then
        assert(tostring(wrong):find("no mutant"), wrong)
        return
    end
    made = made + 1
    caught = caught + ((not done or #wrong > 0) and 1 or 0)
    expect(not done or #wrong > 0, { equals = true, name = "caught: " .. text })
end

for index, row in ipairs(rows) do
    for _, column in ipairs(COLUMNS) do
        at_all = at_all + 1
        if at_all % every == 0 then
            try(index, row, column)
        end
    end
end
log(string.format("%d of %d mutants of the table caught", caught, made))
