-- SPDX-License-Identifier: MIT
-- Machine check: every row of case I on 1 and on 8 cores, case II (C2-1 to C2-8), hypercall 48 (R1 to R10), with verdicts.
--
-- `-s only=DU` (or DU-1, XU ...) takes the rows whose names begin so, `-s cores=1` one of the two machines, `-s
-- titles=yes` prints what each row is and runs nothing, `-s stop=first` ends with the first row that fails.
local table_of = require("mce_rows")
local case = require("mce_case")

local CORES = param.cores and { tonumber(param.cores) } or { 1, 8 }
local counts = { ok = 0, FAILS = 0, ["not yet"] = 0 }

local function verdict(id, cores)
    local wrong, why = case.judge(id, cores)
    local word = not wrong and why:sub(1, 7) or #wrong == 0 and "ok" or "FAILS"
    counts[word] = counts[word] + 1
    for _, text in ipairs(wrong or {}) do
        log(string.format("    %s on %d cores: %s", id, cores, text))
    end
    if wrong then
        expect(#wrong, { equals = 0, name = id .. " on " .. cores .. " cores: differences from the table" })
    end
    return word
end

if param.titles then -- what the files of the rows begin with
    for _, row in ipairs(table_of.rows) do
        log(table_of.title(row))
    end
    return
end

for _, row in ipairs(table_of.rows) do
    if not param.only or row.id:sub(1, #param.only) == param.only then
        local cells = {}
        for i, cores in ipairs(CORES) do
            cells[i] = string.format("%d core%s: %-8s", cores, cores > 1 and "s" or " ", verdict(row.id, cores))
        end
        if param.stop and counts.FAILS > 0 then
            return
        end
        log(string.format("%-6s %s %s", row.id, table.concat(cells, " "), row.outcome))
    end
end

-- Case II and the calls, each on the machine that it needs.
local function single(id, wrong, text)
    local word = #wrong == 0 and "ok" or "FAILS"
    counts[word] = counts[word] + 1
    expect(table.concat(wrong, "; "), { equals = "", name = id })
    log(string.format("%-6s %-8s %s", id, word, text))
end
if not param.only or param.only:sub(1, 1) == "C" and not param.only:find("^CE") then
    for id, row in pairs(require("mce_two")) do
        single(id, row[2](), row[1])
    end
end
if not param.only or param.only == "R" then
    local calls = require("mce_calls")
    for i, wrong in ipairs(calls.run()) do
        single("R" .. i, wrong, calls.answers[i])
    end
end
log(string.format("%d ok, %d fail, %d not yet", counts.ok, counts.FAILS, counts["not yet"]))
