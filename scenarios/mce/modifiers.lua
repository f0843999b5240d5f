-- SPDX-License-Identifier: MIT
-- What may come on top of a row: OVER, EN=0, a second error while T0 is pending, one inside dom0's handler, an error on another core.
for _, run_modifier in pairs(require("mce_modifiers")) do
    run_modifier()
end
