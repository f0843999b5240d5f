-- SPDX-License-Identifier: MIT
-- Case II, C2-1 to C2-8: corrected errors lead dom0 to retire pages, to the online spare, to take cores offline, to move guests.
--
-- `-s only=C2-4` takes one.
local two = require("mce_two")

for id, case in pairs(two) do
    if not param.only or param.only == id then
        expect(table.concat(case[2](), "; "), { equals = "", name = id .. ": " .. case[1] })
        log(id .. " " .. case[1])
    end
end
