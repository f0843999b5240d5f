-- SPDX-License-Identifier: MIT
-- R1 to R10: what hypercall 48 answers to whom, from dom0 and from a guest, in both interface versions.
local calls = require("mce_calls")

for i, wrong in ipairs(calls.run()) do
    expect(table.concat(wrong, "; "), { equals = "", name = "R" .. i .. ": " .. calls.answers[i] })
    log(string.format("R%-2d %s", i, calls.answers[i]))
end
