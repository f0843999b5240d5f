-- SPDX-License-Identifier: MIT
-- For scenarios that look into hv's guests: nested tables, read by ourselves, and puppets, guests that do what they
-- are asked by a mailbox in their memory. A guest is {name=, domain=, root=, machine=, requests=}; `control` is the
-- one that may rule over the others.

local P = {}

P.MAILBOX = 0x300000
P.EXIT, P.HYPERCALL, P.STORE, P.LOAD, P.CHURN, P.CR8_WRITE, P.CR8_READ = 0, 1, 2, 3, 4, 5, 6
P.FLUSH, P.STORE32, P.LOAD32, P.REGISTERS, P.CPUID = 7, 8, 9, 10, 11
P.CR0_READ, P.CR0_WRITE, P.MSR_READ, P.PROTECT = 12, 13, 14, 15
P.WINDOW_2M = 0x10000000000
P.ADDRESS, P.PS, P.FRAME = 0x000ffffffffff000, 1 << 7, 4096
local ADDRESS, PS, FRAME, MAILBOX = P.ADDRESS, P.PS, P.FRAME, P.MAILBOX

-- ---- Nested tables -------------------------------------------------------------------------------------------

-- sPA and page size of a gPA; nil: not present.
function P.translate(root, gpa)
    local base = root
    for level = 3, 0, -1 do
        local entry = mem(base + (gpa >> 12 + 9 * level & 511) * 8, 8)
        if entry & 1 == 0 then
            return nil
        end
        base = entry & ADDRESS
        if level == 0 or entry & PS ~= 0 then
            local offset = (1 << 12 + 9 * level) - 1
            return base & ~offset | gpa & offset, level
        end
    end
end
local translate = P.translate

-- Present leaf entries by size (0: 4K), and tables, the root included.
function P.census(root)
    local found = { [0] = 0, 0, 0, tables = 0 }
    local function count(base, level)
        found.tables = found.tables + 1
        local bytes = mem(base, FRAME)
        for at = 1, FRAME, 8 do
            local entry = string.unpack("<I8", bytes, at)
            if entry & 1 ~= 0 then
                if level == 0 or entry & PS ~= 0 then
                    found[level] = found[level] + 1
                else
                    count(entry & ADDRESS, level - 1)
                end
            end
        end
    end
    count(root, 3)
    return found
end

-- Pages of the map that lie on a node, and all. The northbridge says where its DRAM is: F1x40, F1x44 and so on, base
-- and limit in units of 16 MiB.
function P.pages_on(root, node)
    local base = (pci(0, 24, 1, 0x40 + 8 * node) >> 16) << 24
    local limit = ((pci(0, 24, 1, 0x44 + 8 * node) >> 16) + 1) << 24
    local there, all = 0, 0
    local function visit(table_base, level)
        local bytes = mem(table_base, FRAME)
        for at = 1, FRAME, 8 do
            local entry = string.unpack("<I8", bytes, at)
            if entry & 1 ~= 0 and (level == 0 or entry & PS ~= 0) then
                local size = 1 << 12 + 9 * level
                local first = entry & ADDRESS & ~(size - 1)
                all = all + size // FRAME
                there = there + (first >= base and first + size <= limit and size // FRAME or 0)
            elseif entry & 1 ~= 0 then
                visit(entry & ADDRESS, level - 1)
            end
        end
    end
    visit(root, 3)
    return there, all
end

-- ---- Guests that do what they are asked ----------------------------------------------------------------------

-- Boots hv with these modules on P.current; the guests by name, each ready. `warm`: once more, after a reset.
function P.boot(list, append, warm)
    local here, guests = use(P.current), {}
    boot{ kernel = "hv.elf", append = append or "", modules = list, warm = warm }
    uart{ expect = "cores" }
    for name, domain, root in uart{}:gmatch("guest (%w+):.- domain (%d+), map (%x+)") do
        guests[name] = { name = name, domain = tonumber(domain), root = tonumber(root, 16), requests = 0,
                         machine = here }
    end
    for _ = 1, #list do
        uart{ expect = "puppet: ready" }
    end
    return guests
end

-- A machine, which is current from now on.
function P.machine(keys)
    P.current = machine(keys)
    return P.current
end

local function peek(guest, gpa)
    use(guest.machine)
    return mem((translate(guest.root, gpa)), 8)
end
P.peek = peek

local function poke(guest, gpa, value)
    use(guest.machine)
    mem((translate(guest.root, gpa)), 8, value)
end

function P.post(guest, what, ...)
    local arguments = { ... }
    poke(guest, MAILBOX + 16, what)
    for i, value in ipairs(arguments) do
        poke(guest, MAILBOX + 16 + 8 * i, value)
    end
    guest.requests = guest.requests + 1
    poke(guest, MAILBOX, guest.requests)
end

function P.answered(guest)
    return peek(guest, MAILBOX + 8) == guest.requests
end

-- Looks each 5 us of the machine's time, or each `step`.
function P.wait(guest, step)
    for _ = 1, 20000 do
        if P.answered(guest) then
            return peek(guest, MAILBOX + 56)
        end
        run(step or "5us")
    end
    error(guest.name .. " does not answer", 0)
end

function P.ask(guest, what, ...)
    P.post(guest, what, ...)
    return P.wait(guest)
end

-- ---- What the control domain may do: its structure lies at 4 MiB of its memory, a bitmap at 5 MiB --------------

P.BLOCK, P.BITMAP = 0x400000, 0x500000
local BLOCK, BITMAP = P.BLOCK, P.BITMAP

-- The structure's place in RAM, with these bytes in it and zeros behind.
function P.put(control, bytes)
    use(control.machine)
    local place = translate(control.root, BLOCK)
    bytes = bytes .. string.rep("\0", 144 - #bytes)
    for at = 1, #bytes, 8 do
        mem(place + at - 1, 8, (string.unpack("<I8", bytes, at)))
    end
    return place
end

function P.domctl_head(domain, command)
    return string.pack("<I4I4I2I2I2I2", command, 0x15, domain, 0, 0, 0)
end

function P.domctl(control, domain, command, body)
    local place = P.put(control, P.domctl_head(domain, command) .. body)
    local result = P.ask(control, P.HYPERCALL, 36, BLOCK, 0, 0)
    return result, mem(place + 16, #body)
end

-- setvcpuaffinity: vCPU 0 of a guest runs on that core alone.
function P.pin(control, guest, core)
    use(control.machine)
    mem((translate(control.root, BITMAP)), 8, 1 << core)
    expect(P.domctl(control, guest.domain, 9, string.pack("<I4I4I8I4I4I8I4I4", 0, 1, BITMAP, 64, 0, 0, 0, 0)),
           { equals = 0, name = "pin " .. guest.name })
end

-- Free pages, as hv says (sysctl physinfo).
function P.free_pages(control)
    local place = P.put(control, string.pack("<I4I4", 3, 0x15))
    expect(P.ask(control, P.HYPERCALL, 35, BLOCK, 0, 0), { equals = 0, name = "physinfo" })
    local free = mem(place + 56, 8)
    expect(free, { at_least = 1000, name = "free pages" })
    return free
end

return P
