-- SPDX-License-Identifier: MIT
-- The guest test mce with memory made wrong under it: each kind of access meets its error.
--   -s kernel=FILE; -s cut=N: N instructions behind the planting; -s save=NAME: save there and end; -s restore=NAME
machine{}
boot{ kernel = param.kernel or "mce.elf", append = "planted" }
local function plant()
    local words = symbol("planted_words")
    inject{ error = "DRAM ECC corrected", address = words, on = "read", mask = 0x100 }
    inject{ error = "DRAM ECC uncorrected", address = words + 64, on = "read" }
    inject{ error = "DRAM ECC uncorrected", address = words + 128, on = "write" }
    inject{ error = "DRAM ECC uncorrected", symbol = "planted_code", on = "fetch" }
    inject{ error = "DRAM ECC uncorrected", address = reg("rdi"), on = "walk" }
end
if param.restore then
    restore(param.restore)
else
    run{ until = { symbol = "planted_ready" } }
    plant()
    run{ until = { insns = tonumber(param.cut or 1) } }
end
if param.save then
    save(param.save)
else
    run{ until = { stop = { "exit", "shutdown", "halted", "power-off" } }, limit = "1s" }
    if not param.restore then
        expect(uart{}, { matches = "1..29", name = "the guest came to its end" })
        expect(uart{}:find("not ok", 1, true) == nil, "all its checks held")
    end
    for _, check in ipairs(machine_checks()) do log(check.time_ps, check.node, check.core, check.fate, check.words) end
    log(hash())
end
