-- SPDX-License-Identifier: MIT
-- Each check of machine{check=} flags its planted violation, with symbol and line, and flags nothing else.
-- The plant is a few bytes of machine code laid over a function of hv that is about to run.

local function u32(value)
    return string.pack("<I4", value)
end

-- Lay `code` over the function; a loop follows, so that the machine runs on for nothing.
local function lay(name, code)
    for i, byte in ipairs{ (code .. "\xeb\xfe"):byte(1, -1) } do
        mem(symbol(name) + i - 1, 1, byte)
    end
end

local function stop_at(name, cores)
    machine{ cores = cores or 1, memory = "256M", check = "list" }
    boot{ kernel = "hv.elf", modules = { "sums64.elf memory=16M" } }
    run{ until = { symbol = name } }
end

local function patched(name, code, cores, address)
    stop_at(name, cores)
    if address then
        mem(address, 8, 1)
    end
    lay(name, code)
    run{ until = { time = "1ms" } }
    return findings()
end

local function plant(what, name, code, address, cores, written)
    local found = patched(name, code, cores, written)
    local first = found[1] or { kind = "nothing", text = "" }
    expect(#found, { equals = 1, name = what .. ": findings" })
    expect(first.kind, { equals = what, name = what .. ": what was found" })
    expect(first.text, { matches = " at " .. symbol(first.rip or 0) .. "+", name = what .. ": its symbol" })
    expect(first.text, { matches = ".c:", name = what .. ": its file and line" })
    expect(first.address, { equals = address, name = what .. ": the address" })
    log(first.text)
end

-- When smp_start_cores runs, the pool is made and guests are.
local at = "smp_start_cores"
stop_at(at)
local start, data = symbol("hv_image_start"), symbol("percores")
-- A page in the middle of the largest free block: node 0's struct page_pool has its lists behind three words.
local free
for order = 0, 18 do
    local head = mem(symbol("pools") + 24 + 8 * order, 8)
    free = head ~= 0 and order > 0 and head + 0x1000 or free
end

-- mov byte [address], 1
local function store(address)
    return "\xc6\x04\x25" .. u32(address) .. "\x01"
end
-- mov rax, [address]
local function load_from(address)
    return "\x48\x8b\x04\x25" .. u32(address)
end

plant("text-write", at, store(start + 0x800), start + 0x800)
plant("free-write", at, store(free + 0x10), free + 0x10)
plant("free-read", at, load_from(free), free, 1, free) -- the scenario wrote it before
plant("uninitialised", at, load_from(free + 0x20), free + 0x20)

-- mov byte [module], 1: the loader put it behind hv's image, and hv only reads it
stop_at("hv_main")
local module = mem(mem(reg("rsi") + 24, 4), 4) -- multiboot information: mods_addr; the first module's start
plant("foreign-write", at, store(module), module)

-- mov byte [percores], 0C3h (ret); mov eax, percores; call rax
plant("execute", at, "\xc6\x04\x25" .. u32(data) .. "\xc3\xb8" .. u32(data) .. "\xff\xd0", data)

-- mov qword [slice_ns], rax on each of two cores, as hv once did
plant("race", "schedule_begin", "\x48\x89\x04\x25" .. u32(symbol("slice_ns")), symbol("slice_ns"), 2)
