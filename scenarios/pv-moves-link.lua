-- SPDX-License-Identifier: MIT
-- A paravirtual guest (workloads/pv64/mover.c) goes to another machine on a link: where its frames have other numbers,
-- where features are missing that it may have seen, and where the link is cut in the middle. Wherever it goes on it has
-- what it had; if it does not go, its call says so and it goes on here. Not live: it is suspended from its first page
-- to its last.

local command_line = require("command_line")
local dom0 = command_line.dom0

-- The data are (i + 1) * 9E3779B97F4A7C15h for i from 0 to 16 * 512 - 1, modulo 2^64.
local words = 16 * 512
local SUM = string.format("%x", (words * (words + 1) // 2) * 0x9E3779B97F4A7C15)

-- The guest's last words about itself on this machine.
local function has()
    local last
    for line in uart{}:gmatch("has (resumes=[^\r\n]*)") do
        last = line
    end
    return last
end

local function wait_for(text)
    for _ = 1, 300 do
        if has() == text then
            return true
        end
        run("500us")
    end
    return false
end

local function words_after(resumes, moves)
    return string.format("resumes=%d moves=%d sum=%s limit=12345", resumes, moves, SUM)
end

-- Two machines, the guest on the first.
local function pair(from, to, mask)
    local ends = {}
    for i, model in ipairs{ from, to } do
        ends[i] = machine{ model = model, cores = 2, memory = "128M", link = true }
    end
    link{ ends[1], ends[2], bandwidth = "10G", latency = "20us" }
    for i = 1, 2 do
        use(ends[i])
        -- what the second has given away before is not there for the guest
        local image = i == 1 and "pv64-mover.elf" or "pv64-crash.elf"
        local modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                          image .. " name=mover type=pv memory=4M vcpus=2 cpus=1" }
        boot{ kernel = "hv.elf", append = i == 1 and mask ~= "" and "cpuid_mask_cpu=" .. mask or "", modules = modules }
        command_line.wait()
    end
    use(ends[1])
    dom0("create mover")
    expect(wait_for(words_after(0, 0)), { equals = true, name = "it has begun" })
    return ends
end

local function went(name, ends, answer)
    expect(answer, { matches = "mover is domain 1 of elsewhere now", name = name })
    use(ends[2])
    expect(wait_for(words_after(1, 1)), { equals = true, name = name .. ": it has there what it had" })
    expect(uart{}:match("guest=mover domain=1 map=%x+ pages=(%d+)"), { equals = "1024", name = name .. ": its pages" })
end

local function stayed(name, ends)
    expect(wait_for(words_after(1, 0)), { equals = true, name = name .. ": it goes on here" })
    use(ends[2])
    expect(has() == nil, name .. ": and not there")
end

-- From, under a mask, to; what is missing there.
local POOL = {
    { "10h-b3", "", "10h-b3" },
    { "10h-c2", "", "k8-f", "POPCNT" },
    { "10h-c2", "fam_0f_rev_f", "k8-f" },
}
for _, row in ipairs(POOL) do
    local from, mask, to, missing = table.unpack(row)
    local name = string.format("%s %s to %s", from, mask == "" and "unmasked" or "under " .. mask, to)
    local ends = pair(from, to, mask)
    local answer = dom0("migrate mover elsewhere")
    if missing then
        expect(answer, { matches = "migrate mover: not here: " .. missing, name = name })
        stayed(name, ends)
    else
        went(name, ends, answer)
    end
    log(name .. ": " .. (missing and "refused, it goes on here" or "moved"))
end

-- The link is cut while its pages go: it is suspended, and goes on here. Plugged in again, it goes.
local ends = pair("10h-b3", "10h-b3", "")
uart{ send = "migrate mover elsewhere\n" }
while not uart{}:find("migrate domain=1 suspended") do
    run("50us")
end
cut("1ms")
local answer = uart{ expect = command_line.PROMPT, limit = "4s" }
expect(answer, { matches = "migrate mover: the link was lost", name = "cut" })
stayed("cut", ends)
use(ends[1])
link{ ends[1], ends[2], bandwidth = "10G", latency = "20us" }
answer = dom0("migrate mover elsewhere")
expect(answer, { matches = "mover is domain 2 of elsewhere now", name = "plugged in again" })
use(ends[2])
expect(wait_for(words_after(2, 1)), { equals = true, name = "plugged in again: it has there what it had" })
log("cut in the middle: it goes on here, and moves when it is asked again")
