-- SPDX-License-Identifier: MIT
-- The slides' BSD row: 32-bit paravirtual, 32-bit HVM and 64-bit paravirtual guests, started by the control domain on
-- one machine. The 32-bit kernel comes as BSD's did: described by a string in section __xen_guest, its symbol table
-- behind it. hv's count of how entries into the 32-bit kernel end is complete, none is a #VMEXIT; what hv cannot build
-- is refused, and the machine goes on with as much memory.

local matrix = require("bsd_matrix")

local console = matrix.run{ "pv32.elf name=wide type=pv width=64 memory=16M",
                            "pv64-tables.elf name=narrow type=pv width=32",
                            "sums32.elf name=plain type=pv width=32", "pv32.elf name=two type=pv width=32 vcpus=2" }
for _, guest in ipairs(matrix.guests) do
    expect(matrix.wrong(guest, console) or "nothing", { equals = "nothing", name = guest.name .. ": what is wrong" })
    log(string.format("%-9s %-20s %s", guest.name, guest.kind, guest.form))
end

-- Entries into net32 end by a trap (INT 82h is #GP), an interrupt, or a selector that cannot be loaded.
local entries, interrupts, system_calls, failsafes = console:match(
    "pv guest=net32 vcpu=0 entries=(%d+) interrupts=(%d+) system_calls=(%d+) int_n=%d+ upcalls=%d+ failsafes=(%d+)")
local ends, by_vector, hypercalls = interrupts + failsafes, {}, 0
for vector, count in console:gmatch("pv_trap guest=net32 vcpu=0 vector=(%d+) count=(%d+)") do
    by_vector[tonumber(vector)] = tonumber(count)
    ends = ends + count
end
for count in console:gmatch("pv_hypercall guest=net32 vcpu=0 number=%d+ count=(%d+)") do
    hypercalls = hypercalls + count
end
expect(ends, { equals = tonumber(entries), name = "ends of entries into net32" })
expect(tonumber(system_calls), { equals = 0, name = "SYSCALLs of net32, which has none" })
expect(tonumber(failsafes), { equals = 1, name = "failsafe callbacks: the descriptor that went" })
expect(hypercalls, { at_least = 100, name = "hypercalls by INT 82h" })
expect(by_vector[13] - hypercalls, { at_least = 7, name = "#GP besides" })

-- No #VMEXIT belongs to a paravirtual vCPU, some to each HVM guest.
local exits_of = {}
for _, exit in ipairs(exits()) do
    local vmcb = string.format("%x", exit.vmcb)
    exits_of[vmcb] = (exits_of[vmcb] or 0) + exit.count
end
for name, vmcb in console:gmatch("vcpu guest=(%w+) id=%d+ vmcb=(%x+)") do
    if name:find("^net") then
        expect(exits_of[vmcb] or 0, { equals = 0, name = name .. ": #VMEXITs" })
    end
end

-- Twice more, alone: what hv notes of the machine's frames comes with their first use and stays; all else comes back.
local free
for again = 1, 2 do
    for _, line in ipairs{ "create net32", "wait net32", "destroy net32" } do
        matrix.dom0(line)
    end
    run("5ms") -- the core that it ran on gives its pages back
    expect(matrix.free_pages(), { equals = free or matrix.free_pages(), name = "hv's free pages" })
    free = matrix.free_pages()
end
expect(select(2, uart{}:gsub("guest name=net32 outcome=finished", "")), { equals = 3, name = "net32 runs again" })

-- Refused, each by its own line.
local refused = {
    wide = "type=pv wants a kernel as wide as width= says, 64 bits or 32",
    narrow = "type=pv wants a kernel as wide as width= says, 64 bits or 32",
    plain = "type=pv wants a kernel with Xen's notes",
    two = "type=pv with width=32 has one vCPU: vcpus=1",
}
for name, why in pairs(refused) do
    local text = matrix.dom0("create " .. name)
    expect(uart{}:find(why, 1, true) ~= nil, { equals = true, name = name .. " is refused: " .. why })
    if not uart{}:find(why, 1, true) then
        log(text)
    end
end
expect(matrix.free_pages(), { equals = free, name = "and what is refused takes none" })
