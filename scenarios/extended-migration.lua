-- SPDX-License-Identifier: MIT
-- CPUID masks for pools of unlike machines. For each of Xen's eight names: what CPUID reports on a masked core is the
-- table's word AND the processor's, for hv, for the control domain and for another guest, at CPL 0 and at CPL 3. Then
-- the pool: who has run on A under mask M may go on at B if B has all that it has seen, else the missing features are
-- named. hv's code gives the verdicts, on every model; this script checks them bit by bit.
--
-- The words are 1.ECX, 1.EDX, 8000_0001.ECX, 8000_0001.EDX (MSRC001_1004 and MSRC001_1005). Xen's definitions, as
-- computed in 2c9b12c9e4.

local MASKS = {
    { "fam_0f_rev_c", { 0x00000000, 0x078BFBFF, 0x00000000, 0xE1D3FBFF } },
    { "fam_0f_rev_d", { 0x00000000, 0x078BFBFF, 0x00000001, 0xE3D3FBFF } },
    { "fam_0f_rev_e", { 0x00000001, 0x178BFBFF, 0x00000003, 0xE3D3FBFF } },
    { "fam_0f_rev_f", { 0x00002001, 0x178BFBFF, 0x0000001F, 0xEBD3FBFF } },
    { "fam_0f_rev_g", { 0x00002001, 0x178BFBFF, 0x0000011F, 0xEBD3FBFF } },
    { "fam_10_rev_b", { 0x00802009, 0x178BFBFF, 0x000006FF, 0xEFD3FBFF } },
    { "fam_10_rev_c", { 0x00802009, 0x178BFBFF, 0x000036FF, 0xEFD3FBFF } },
    { "fam_11_rev_b", { 0x00002001, 0x178BFBFF, 0x0000111F, 0xEBD3FBFF } },
}
local HYPERVISOR = 0x80000000 -- 1.ECX bit 31, hv's own

local function words(text)
    local list = {}
    for word in text:gmatch("%x+") do
        list[#list + 1] = tonumber(word, 16)
    end
    return list
end
local function text(list)
    return string.format("%08x,%08x,%08x,%08x", list[1], list[2], list[3], list[4])
end
local function both(a, b, and_bits)
    local list = {}
    for i = 1, 4 do
        list[i] = a[i] & (i == 1 and b[i] | (and_bits or 0) or b[i])
    end
    return list
end

-- What hv, and its two guests, see of a model under options: hv's line, and the guests' by "name who".
local function under_hv(model, options)
    machine{ model = model, cores = 2, memory = "256M" }
    boot{ kernel = "hv.elf", append = options,
          modules = { "features.elf name=dom control memory=16M", "features.elf name=user memory=16M" } }
    run{ limit = "2s" }
    local console, seen = uart{}, {}
    local one, two, three, four = console:match("1%.ecx=(%x+) 1%.edx=(%x+) 80000001%.ecx=(%x+) 80000001%.edx=(%x+)")
    for name, who, line in console:gmatch("%((%a+)%) features (%a+) ([%x,]+)") do
        seen[name .. " " .. who] = line
    end
    return one and table.concat({ one, two, three, four }, ","), seen, console
end

-- ---- The table, on revision B3 -----------------------------------------------------------------------------

local VIEWS = { "dom kernel", "dom user", "user kernel", "user user" }
local _, unmasked = under_hv("10h-b3", "")
machine{ model = "10h-b3", cores = 2, memory = "64M" }
boot{ kernel = "features.elf" }
run{ limit = "1s" }
local hardware = words(uart{}:match("kernel ([%x,]+)"))
expect(uart{}, { matches = "features user " .. text(hardware), name = "CPL 3 sees what CPL 0 sees" })
for i, mask in ipairs(MASKS) do
    local option = i % 2 == 0 and "amd_cpu=" or "cpuid_mask_cpu="
    local host, seen = under_hv("10h-b3", option .. mask[1])

    expect(host, { equals = text(both(hardware, mask[2])), name = option .. mask[1] .. ": the core reports" })
    for _, view in ipairs(VIEWS) do
        expect(seen[view], { equals = text(both(words(unmasked[view]), mask[2], HYPERVISOR)),
                             name = mask[1] .. ": " .. view })
    end
end

-- Single words: the others are all ones, the name does not count.
local host = under_hv("10h-b3", "cpuid_mask_cpu=fam_0f_rev_c cpuid_mask_ext_ecx=0x1f")
expect(host, { equals = text{ hardware[1], hardware[2], hardware[3] & 0x1F, hardware[4] },
               name = "a word takes the name's place" })
local nothing, seen, console = under_hv("10h-b3", "cpuid_mask_cpu=fam_12_rev_a")
expect(console, { matches = "CPUID mask fam_12_rev_a is unknown: nothing is masked", name = "an unknown name is said" })
expect(nothing == nil and seen["user user"] == unmasked["user user"], { equals = true, name = "and masks nothing" })

-- ---- The pool ----------------------------------------------------------------------------------------------

-- A guest of hv on A under M, by its features; every A and M that give the same are one.
local sources, names = {}, {}
for _, model in ipairs{ "10h-b3", "10h-c2", "10h-d0" } do
    local _, view = under_hv(model, "")
    for i = 0, #MASKS do
        local mask = MASKS[i]
        local features = mask and text(both(words(view["user kernel"]), mask[2], HYPERVISOR)) or view["user kernel"]
        if not names[features] then
            names[features] = {}
            sources[#sources + 1] = features
        end
        table.insert(names[features], model .. (mask and " under " .. mask[1] or " unmasked"))
    end
end
local options = {}
for i, features in ipairs(sources) do
    options[i] = string.format("guest%d=%s", i - 1, features)
end

local verdicts = {}
for _, model in ipairs{ "k8-c", "k8-d", "k8-e", "k8-f", "k8-g", "10h-b3", "10h-c2", "10h-d0" } do
    -- HTT and CmpLegacy say that there are two cores, which revisions C and D never have.
    machine{ model = model, memory = "64M", cores = (model == "k8-c" or model == "k8-d") and 1 or 2 }
    boot{ kernel = "features.elf", append = table.concat(options, " ") }
    run{ limit = "1s" }
    local there = words(uart{}:match("kernel ([%x,]+)"))
    for i, features in ipairs(sources) do
        local guest, missing = words(features), 0
        guest[1] = guest[1] & ~HYPERVISOR
        for word = 1, 4 do
            local bits = guest[word] & ~there[word]
            if word == 4 then -- 8000_0001.EDX says some of 1.EDX again
                bits = bits & ~(guest[2] & ~there[2] & 0x0183F3FF)
            end
            for bit = 0, 31 do
                missing = missing + (bits >> bit & 1)
            end
        end
        local verdict = uart{}:match("guest" .. i - 1 .. " ([^\r\n]*)")
        local named = select(2, verdict:gsub("%S+", "")) - 1 -- without "accepted" or "refused:"
        local move = string.format("%s to %s", names[features][1], model)
        expect(named, { equals = missing, name = move .. ": features missing" })
        expect(verdict:match("^%a+"), { equals = missing == 0 and "accepted" or "refused", name = move })
        verdicts[move] = verdict
        log(string.format("%-32s to %-6s %s", names[features][1], model, verdict))
    end
end

expect(verdicts["10h-b3 under fam_0f_rev_f to k8-f"], { equals = "accepted", name = "10h masked goes to 0Fh" })
expect(verdicts["10h-b3 unmasked to k8-f"],
       { equals = "refused: POPCNT ABM SSE4A MisAlignSse 3DNowPrefetch Page1GB", name = "10h as it is does not" })

-- ---- While it runs: dom0's platform operation ---------------------------------------------------------------

machine{ model = "10h-b3", cores = 2, memory = "256M" }
boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 memory=16M", "features.elf name=f memory=16M",
                                     "sums64.elf name=s memory=16M rounds=100000" } }
local function dom0(line)
    local before = #uart{}
    uart{ send = line .. "\n" }
    return (uart{ expect = "dom0# ", limit = "2s" }):sub(before + 1)
end
uart{ expect = "dom0# ", limit = "1s" }
dom0("create s")
expect(dom0("cpuid-mask fam_0f_rev_f"), { matches = "busy", name = "a guest runs with more: -EBUSY" })
dom0("destroy s")
local narrow = both(hardware, MASKS[4][2])
expect(dom0("cpuid-mask fam_0f_rev_f"), { matches = string.format("80000001.ecx=%08x", narrow[3]),
                                          name = "without it: what is reported now" })
dom0("create f popcnt")
dom0("wait f")
expect(uart{}, { matches = "features user " .. text(both(words(unmasked["user user"]), MASKS[4][2], HYPERVISOR)),
                 name = "a new guest sees the mask" })
expect(uart{}, { matches = "popcnt of f0f0f0f1 is 17", name = "what a mask hides is there all the same" })
expect(msr(0xC0011004, { core = 1 }), { equals = narrow[1] << 32 | narrow[2], name = "on the other core, too" })
expect(dom0("cpuid-mask fam_9"), { matches = "not there", name = "an unknown name" })
dom0("create s")
expect(dom0("cpuid-mask fam_10_rev_b"), { matches = "1.ecx=00802009", name = "wider is always possible" })
uart{ send = "poweroff\n" }
run{ limit = "1s" }
