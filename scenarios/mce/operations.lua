-- SPDX-License-Identifier: MIT
-- Case II, operation by operation: those of O1 to O11 that C2-1 to C2-8 do not show, among them process retirement and balloon out.
--
-- `-s only=O5` takes one.
local operations = require("mce_operations")
local names = {}

for id in pairs(operations) do
    names[#names + 1] = id
end
table.sort(names, function(a, b) return tonumber(a:sub(2)) < tonumber(b:sub(2)) end)
for _, id in ipairs(names) do
    if not param.only or param.only == id then
        local what, judge = operations[id][1], operations[id][2]
        expect(table.concat((judge()), "; "), { equals = "", name = id .. ": " .. what })
        log(id .. " " .. what)
    end
end
