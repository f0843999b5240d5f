-- SPDX-License-Identifier: MIT
-- Every reference of a nested walk, one by one, against the tables in RAM.
--
-- The script walks the guest's and the nested tables by itself, from the CR3 and N_CR3 that the VMCB holds, and
-- compares address and content of each entry with what the model says it read: 24 for 4K on 4K.

local VMCB_N_CR3, VMCB_CR3 = 0x0b0, 0x550 -- APM2 appendix B
local ADDRESS = 0x000ffffffffff000
local PS = 1 << 7

-- Nested walk of one gPA: appends its references, gives the sPA.
local function walk_nested(refs, root, g, gpa)
    local base = root
    for n = 4, 1, -1 do
        local shift = 12 + 9 * (n - 1)
        local spa = base + (gpa >> shift & 511) * 8
        local entry = mem(spa, 8)
        refs[#refs + 1] = { g = g, n = n, spa = spa, value = entry }
        base = entry & ADDRESS
        if n == 1 or n < 4 and entry & PS ~= 0 then
            local offset = (1 << shift) - 1
            return base & ~offset | gpa & offset
        end
    end
end

-- The whole 2-D walk of a guest-virtual address in long mode.
local function walk_guest(root, cr3, gva)
    local refs, table_gpa = {}, cr3 & ADDRESS
    for g = 4, 1, -1 do
        local shift = 12 + 9 * (g - 1)
        local spa = walk_nested(refs, root, g, table_gpa + (gva >> shift & 511) * 8)
        local entry = mem(spa, 8)
        refs[#refs + 1] = { g = g, n = 0, spa = spa, value = entry }
        table_gpa = entry & ADDRESS
        if g == 1 or g < 4 and entry & PS ~= 0 then
            local offset = (1 << shift) - 1
            walk_nested(refs, root, 0, table_gpa & ~offset | gva & offset)
            return refs
        end
    end
end

local function compare(mode, backing, count)
    local name = string.format("%s on %s", mode, backing)
    machine{ walk_caches = false }
    boot{ kernel = "hv.elf", modules = {
        string.format("walkbench.elf mode=%s backing=%s memory=64M touches=64", mode, backing) } }
    run{ until = { exit = "VMMCALL", eax = 0x46310001 } }
    trace{ walks = true, limit = 10000 }
    run{ until = { exit = "VMMCALL", eax = 0x46310002 } }
    local seen, lost = trace{ walks = false }
    expect(lost, { equals = 0, name = name .. ": references that did not fit" })

    local vmcb = exits()[1].vmcb
    local n_cr3, cr3 = mem(vmcb + VMCB_N_CR3, 8), mem(vmcb + VMCB_CR3, 8)
    local walks_seen, at, wrong = 0, 1, 0
    local data = {}
    for _, ref in ipairs(seen) do
        if ref.asid ~= 0 and not ref.fetch then
            data[#data + 1] = ref
        end
    end
    while at <= #data do
        local expected = walk_guest(n_cr3, cr3, data[at].gva)
        for i, want in ipairs(expected) do
            local ref = data[at + i - 1] or {}
            if ref.g ~= want.g or ref.n ~= want.n or ref.spa ~= want.spa or ref.value ~= want.value or ref.write or
               ref.source ~= "memory" then
                wrong = wrong + 1
            end
        end
        expect(#expected, { equals = count, name = name .. ": references of walk " .. walks_seen + 1 })
        at, walks_seen = at + #expected, walks_seen + 1
    end
    expect(wrong, { equals = 0, name = name .. ": references that are not the tables' entries" })
    expect(walks_seen, { equals = 64, name = name .. ": walks" })

    log(string.format("%s: the first walk, of gVA 0x%x", name, data[1].gva))
    for i = 1, count do
        local ref = data[i]
        local what = ref.n == 0 and string.format("guest level %d", ref.g) or
                     ref.g == 0 and string.format("nested level %d of the final gPA", ref.n) or
                     string.format("nested level %d of guest level %d's address", ref.n, ref.g)
        log(string.format("  %2d  entry at 0x%09x = 0x%016x  %s", i, ref.spa, ref.value, what))
    end
end

compare("long4k", "4k", 24)
compare("long4k", "2m", 19)
compare("long2m", "2m", 15)
