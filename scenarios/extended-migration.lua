-- SPDX-License-Identifier: MIT
-- CPUID masks for pools of unlike machines. For each of Xen's eight names: what CPUID reports on a masked core is the
-- table's word AND the processor's: for hv; for paravirtual kernels of 64 and 32 bits and their user code, where
-- nothing but the MSRs is in between, in a guest and in the control domain; and for HVM ones, where hv answers CPUID
-- and takes more away. On the bare machine too, of every revision from K8's C on, by the same MSRs; what came before
-- has none. Then the pool: who has run on A under mask M may go on at B if B has all that it has seen, else the missing
-- features are named. hv's code gives the verdicts, on every model; this script checks them bit by bit.
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

-- What hv, and guests of it, see of a model under options: hv's line, and the guests' by "name who".
local HVM = { "features.elf name=dom control memory=16M", "features.elf name=user memory=16M" }
local PV = { "pv64-features.elf name=pv64 type=pv memory=16M",
             "pv32.elf name=pv32 type=pv width=32 memory=16M features" }
local PV_CONTROL = { "pv64-features.elf name=pvdom type=pv control memory=16M" }
local function under_hv(model, options, modules)
    machine{ model = model, cores = 2, memory = "256M" }
    boot{ kernel = "hv.elf", append = options, modules = modules }
    run{ limit = "2s" }
    local console, seen = uart{}, {}
    local one, two, three, four = console:match("1%.ecx=(%x+) 1%.edx=(%x+) 80000001%.ecx=(%x+) 80000001%.edx=(%x+)")
    for name, who, line in console:gmatch("%(([%a%d]+)%) features (%a+) ([%x,]+)") do
        seen[name .. " " .. who] = line
    end
    if #modules == 1 then -- with one guest, lines do not say whose they are
        for who, line in console:gmatch("\nfeatures (%a+) ([%x,]+)") do
            seen[modules[1]:match("name=(%w+)") .. " " .. who] = line
        end
    end
    return one and table.concat({ one, two, three, four }, ","), seen, console
end

-- The bare machine's view at CPL 0, and that CPL 3 sees the same. HTT and CmpLegacy say that there are two cores, which
-- revisions B to D never have.
local ONE_CORE = { ["k8-b"] = true, ["k8-c"] = true, ["k8-d"] = true }
local function bare(model, options)
    machine{ model = model, cores = ONE_CORE[model] and 1 or 2, memory = "64M" }
    boot{ kernel = "features.elf", append = options }
    run{ limit = "1s" }
    local seen = uart{}:match("kernel ([%x,]+)")
    expect(uart{}, { matches = "features user " .. seen,
                     name = model .. " " .. options .. ": CPL 3 sees what CPL 0 sees" })
    return words(seen)
end

-- ---- The table, on revision B3 -----------------------------------------------------------------------------

-- Where CPUID is the processor's own; where hv answers and leaves out what it gives no guest.
local NATIVE = { "pv64 native", "pv64 user", "pv32 native", "pv32 user", "pvdom native", "pvdom user" }
local ANSWERED = { "dom kernel", "dom user", "user kernel", "user user", "pv64 forced", "pvdom forced" }
local function all_views(options)
    local host, views
    for i, modules in ipairs{ HVM, PV, PV_CONTROL } do
        local line, seen = under_hv("10h-b3", options, modules)
        expect(i == 1 or line == host, { equals = true, name = options .. ": the same at each boot" })
        host, views = line, views or {}
        for view, features in pairs(seen) do
            views[view] = features
        end
    end
    return host, views
end

local hardware = bare("10h-b3", "")
local _, unmasked = all_views("")
for _, view in ipairs(NATIVE) do
    expect(unmasked[view], { equals = text(hardware), name = "unmasked: " .. view })
end
for i, mask in ipairs(MASKS) do
    local option = i % 2 == 0 and "amd_cpu=" or "cpuid_mask_cpu="
    local host, seen = all_views(option .. mask[1])
    local masked = text(both(hardware, mask[2]))

    expect(host, { equals = masked, name = option .. mask[1] .. ": the core reports" })
    for _, view in ipairs(NATIVE) do
        expect(seen[view], { equals = masked, name = mask[1] .. ": " .. view })
    end
    for _, view in ipairs(ANSWERED) do
        expect(seen[view], { equals = text(both(words(unmasked[view]), mask[2], HYPERVISOR)),
                             name = mask[1] .. ": " .. view })
    end
end
log(string.format("10h-b3: %d names by %d views of CPUID: the table's words AND the processor's", #MASKS,
                  #NATIVE + #ANSWERED))

-- Every revision that has the MSRs; before revision F there is no SVM for hv, so the bare machine shows them.
local MODELS = { "k8-c", "k8-d", "k8-e", "k8-f", "k8-g", "10h-b3", "10h-c2", "10h-d0" }
local processor = {}
for _, model in ipairs(MODELS) do
    processor[model] = bare(model, "")
    for _, mask in ipairs(MASKS) do
        expect(text(bare(model, "mask=" .. mask[1])), { equals = text(both(processor[model], mask[2])),
                                                       name = model .. " under " .. mask[1] })
    end
end
bare("k8-b", "override")
expect(select(2, uart{}:gsub("override c001100[45] %a+ #GP", "")),
       { equals = 4, name = "k8-b: none of the MSRs, with the password or without" })
log(string.format("%d revisions by %d names on the bare machine: the same; k8-b: #GP at each MSR", #MODELS, #MASKS))

-- Single words: the others are all ones, the name does not count.
local host = under_hv("10h-b3", "cpuid_mask_cpu=fam_0f_rev_c cpuid_mask_ext_ecx=0x1f", HVM)
expect(host, { equals = text{ hardware[1], hardware[2], hardware[3] & 0x1F, hardware[4] },
               name = "a word takes the name's place" })
-- 1.ECX, 1.EDX, 8000_0001.ECX, 8000_0001.EDX one by one, and all four; a bit that the processor has not stays away.
local FINE = { "ecx", "edx", "ext_ecx", "ext_edx" }
local some, all_four = { 0x80002001, 0x078BFBFF, 0x800000FF, 0xE1D3FBFF }, {}
for i, word in ipairs(FINE) do
    local want = { table.unpack(hardware) }
    want[i] = want[i] & some[i]
    all_four[i] = string.format("cpuid_mask_%s=0x%x", word, some[i])
    local _, seen = under_hv("10h-b3", all_four[i], PV)
    expect(seen["pv64 user"], { equals = text(want), name = "cpuid_mask_" .. word .. " alone" })
end
local _, by_words = under_hv("10h-b3", table.concat(all_four, " "), PV)
expect(by_words["pv64 user"], { equals = text(both(hardware, some)), name = "all four words" })
local nothing, seen, console = under_hv("10h-b3", "cpuid_mask_cpu=fam_12_rev_a", HVM)
expect(console, { matches = "CPUID mask fam_12_rev_a is unknown: nothing is masked", name = "an unknown name is said" })
expect(nothing == nil and seen["user user"] == unmasked["user user"], { equals = true, name = "and masks nothing" })

-- ---- The pool ----------------------------------------------------------------------------------------------

-- A guest on A under M, by its features; every A and M that give the same are one. HVM guests of hv where hv runs;
-- before revision F what a paravirtual guest would see, which is the processor's own.
local sources, names = {}, {}
for _, model in ipairs(MODELS) do
    local view = text(processor[model])
    if not (model == "k8-c" or model == "k8-d" or model == "k8-e") then
        view = select(2, under_hv(model, "", HVM))["user kernel"]
    end
    for i = 0, #MASKS do
        local mask = MASKS[i]
        local features = mask and text(both(words(view), mask[2], HYPERVISOR)) or view
        if not names[features] then
            names[features] = {}
            sources[#sources + 1] = features
        end
        table.insert(names[features], model .. (mask and " under " .. mask[1] or " unmasked"))
    end
end

local FIRST, verdicts, accepted, refused = 32, {}, 0, 0 -- so many verdicts from one boot
for _, model in ipairs(MODELS) do
    local there, answers = processor[model], {}
    for first = 1, #sources, FIRST do
        local options = {}
        for i = first, math.min(first + FIRST - 1, #sources) do
            options[#options + 1] = string.format("guest%d=%s", i - first, sources[i])
        end
        machine{ model = model, memory = "64M", cores = ONE_CORE[model] and 1 or 2 }
        boot{ kernel = "features.elf", append = table.concat(options, " ") }
        run{ limit = "1s" }
        for i, answer in uart{}:gmatch("guest(%d+) ([^\r\n]*)") do
            answers[first + tonumber(i)] = answer
        end
    end
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
        local verdict = answers[i] or "no answer"
        local named = select(2, verdict:gsub("%S+", "")) - 1 -- without "accepted" or "refused:"
        local move = string.format("%s to %s", names[features][1], model)
        expect(named, { equals = missing, name = move .. ": features missing" })
        expect(verdict:match("^%a+"), { equals = missing == 0 and "accepted" or "refused", name = move })
        for _, name in ipairs(names[features]) do
            verdicts[name .. " to " .. model] = verdict
            accepted, refused = accepted + (missing == 0 and 1 or 0), refused + (missing == 0 and 0 or 1)
        end
        log(string.format("%-30s to %-6s %s", move:match("(.*) to"), model, verdict))
    end
end
expect(accepted + refused, { equals = #MODELS * (#MASKS + 1) * #MODELS, name = "moves judged" })
log(string.format("of %d moves from A under M to B %d are accepted, %d refused with the names of what is missing",
                  accepted + refused, accepted, refused))

expect(verdicts["10h-b3 under fam_0f_rev_f to k8-f"], { equals = "accepted", name = "10h masked goes to 0Fh" })
expect(verdicts["10h-b3 unmasked to k8-f"],
       { equals = "refused: POPCNT ABM SSE4A MisAlignSse 3DNowPrefetch Page1GB", name = "10h as it is does not" })

-- ---- While it runs: dom0's platform operation ---------------------------------------------------------------

machine{ model = "10h-b3", cores = 2, memory = "256M" }
boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 memory=16M", "features.elf name=f memory=16M",
                                     "sums64.elf name=s memory=16M rounds=100000" } }
local command_line = require("command_line")
local dom0 = command_line.answer
command_line.wait()
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

-- By its four words, through the hypercall itself: refused to others than domain 0, and while a guest has seen more.
local puppets = require("puppets")
puppets.machine{ cores = 2, memory = "128M" }
local guests = puppets.boot{ "puppet.elf name=control control=on memory=8M wait=spin",
                             "puppet.elf name=target memory=8M wait=spin" }
local EPERM, EBUSY, PLATFORM_OP, MASK, VERSION = -1, -16, 7, 0x100, 0x03000000
local function mask_words(guest, list)
    local place = puppets.put(guest, string.pack("<I4I4", MASK, VERSION) .. string.rep("\0", 16) ..
                              string.pack("<I4I4I4I4", table.unpack(list)))
    local result = puppets.ask(guest, puppets.HYPERCALL, PLATFORM_OP, puppets.BLOCK, 0, 0)
    return result, { string.unpack("<I4I4I4I4", mem(place + 24, 16)) }
end
expect(mask_words(guests.target, some), { equals = EPERM, name = "words from a guest: -EPERM" })
expect(mask_words(guests.control, some), { equals = EBUSY, name = "words while a guest has seen more: -EBUSY" })
local result, effective = mask_words(guests.control, { 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF })
expect(result, { equals = 0, name = "words that take nothing" })
expect(text(effective), { equals = text(hardware), name = "give what the processor has" })
puppets.post(guests.target, puppets.EXIT, 0)
run("1ms")
result, effective = mask_words(guests.control, some)
expect(result, { equals = 0, name = "words once the guest is gone" })
expect(text(effective), { equals = text(both(hardware, some)), name = "give both" })
expect(puppets.ask(guests.control, puppets.CPUID, 0x80000001) >> 32 & ~some[3],
       { equals = 0, name = "and CPUID says so" })
