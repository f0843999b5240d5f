-- SPDX-License-Identifier: MIT
-- The guests of the slides' BSD row, as kinds: paravirtual and HVM, 32 and 64 bits wide, made by the control domain
-- beside one another on one machine. Used by scenarios/bsd.lua and claims.lua.

local command_line = require("command_line")
local matrix = { dom0 = command_line.dom0 }

-- What each guest has to show: all checks of its own, and its plan says how many those are; or sums' checksum (zlib's
-- crc32; one round).
matrix.guests = {
    { name = "net32", kind = "32-bit PV", form = "__xen_guest, symbols",
      string = "pv32.elf name=net32 type=pv width=32 memory=16M" },
    { name = "hvm32", kind = "32-bit HVM, nested", form = "multiboot", sum = "3cb078e4",
      string = "sums32.elf name=hvm32 width=32 vcpus=2 memory=16M rounds=1" },
    { name = "shadow32", kind = "32-bit HVM, shadow", form = "multiboot", sum = "3cb078e4",
      string = "sums32.elf name=shadow32 width=32 vcpus=2 memory=16M rounds=1 hap=off" },
    { name = "net64", kind = "64-bit PV", form = "ELF notes",
      string = "pv64-tables.elf name=net64 type=pv memory=16M" },
    { name = "hvm64", kind = "64-bit HVM, nested", form = "multiboot", sum = "3cb078e4",
      string = "sums64.elf name=hvm64 vcpus=2 memory=16M rounds=1" },
}

function matrix.free_pages()
    return tonumber(matrix.dom0("info"):match("free_pages%s*: (%d+)"))
end

-- All of them at once on two cores; what hv reports of each comes when it is destroyed. Returns the console.
function matrix.run(more)
    local modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0" }
    for _, guest in ipairs(matrix.guests) do
        modules[#modules + 1] = guest.string
    end
    for _, string in ipairs(more or {}) do
        modules[#modules + 1] = string
    end
    machine{ nodes = 1, cores = 2, memory = "512M" }
    boot{ kernel = "hv.elf", modules = modules }
    command_line.wait()
    for _, guest in ipairs(matrix.guests) do
        matrix.dom0("create " .. guest.name)
    end
    for _, guest in ipairs(matrix.guests) do
        matrix.dom0("wait " .. guest.name)
    end
    for _, guest in ipairs(matrix.guests) do
        matrix.dom0("destroy " .. guest.name)
    end
    return uart{}
end

-- nil: the guest did all it has to; else what is wrong.
function matrix.wrong(guest, console)
    local outcome = console:match("guest name=" .. guest.name .. " outcome=(%a+)")
    if outcome ~= "finished" then
        return "outcome " .. (outcome or "none")
    end
    if guest.sum then
        local sum = console:match("%(" .. guest.name .. "%) sums: [^\n]*rounds: (%x+)")
        return sum ~= guest.sum and "checksum " .. (sum or "none") or nil
    end
    local planned = tonumber(console:match("%(" .. guest.name .. "%) 1%.%.(%d+)") or 0)
    local passed = select(2, console:gsub("%(" .. guest.name .. "%) ok ", ""))
    if planned == 0 or passed ~= planned then
        return passed .. " of " .. planned .. " checks"
    end
end

return matrix
