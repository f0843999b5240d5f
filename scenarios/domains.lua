-- SPDX-License-Identifier: MIT
-- The control domain and its command line: guests are created from hv's modules, listed, paused, pinned, destroyed
-- while hv runs. Judged by the model where it can see: a pinned guest's VMRUNs happen on its cores alone, a paused
-- guest has none, hv's exit counts of a guest that is gone are the model's. Judged by arithmetic else: sums' checksum
-- does not depend on where or when it ran (zlib's crc32 over the words that its head describes), and a destroyed guest
-- gives back every page.

machine{ nodes = 2, cores = 2, memory = "1G" }
boot{ kernel = "hv.elf",
      modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0", "sums64.elf name=alpha vcpus=2 rounds=2 cpus=2",
                  "sums32.elf name=beta width=32 vcpus=2 backing=4k rounds=1" } }

local command_line = require("command_line")
local dom0 = command_line.answer
command_line.wait()

-- A pattern that the answer must match.
local function answers(line, pattern, name)
    local text = dom0(line)
    if not text:find(pattern) then
        log(text)
    end
    expect(text:find(pattern) ~= nil, { equals = true, name = name })
end

local function vmruns(node, core)
    return counter(string.format("node[%d].core[%d].svm.vmruns", node, core))
end

local function free_pages()
    return tonumber(dom0("info"):match("free_pages%s*: (%d+)"))
end

answers("info", "nr_cpus%s*: 4\n", "four cores")
answers("list", "Domain%-0%s+0%s+32%s+1 r", "dom0 is domain 0, and runs")
local free = free_pages()

-- Created paused: it has its memory and does not run. Core 2 is node 1's first.
answers("create alpha -p", "alpha is domain 1\n", "alpha is domain 1")
answers("list", "alpha%s+1%s+64%s+2 %-%-p", "alpha is paused")
expect(free - free_pages(), { at_least = 64 * 256 - 32, name = "alpha has its memory" })
run("3ms")
expect(vmruns(1, 0), { equals = 0, name = "a paused guest does not run" })
answers("create beta cpus=1,3 -p", "beta is domain 2\n", "beta is domain 2")
answers("vcpu-list beta", "beta%s+2%s+1%s+%d%s+%S+%s+0 1,3\n", "beta's cores")

-- Alpha alone runs, on core 2 alone; then it is stopped in the middle.
dom0("unpause alpha")
run("2ms")
dom0("pause alpha")
local then_runs = vmruns(1, 0)
run("5ms")
expect(then_runs, { at_least = 1, name = "alpha ran on core 2" })
expect(vmruns(1, 0), { equals = then_runs, name = "paused, it runs no more" })
expect(vmruns(0, 1) + vmruns(1, 1), { equals = 0, name = "and ran nowhere else" })
expect(dom0("vcpu-pin alpha 1 2-3"), { equals = "vcpu-pin alpha 1 2-3\n", name = "pinning says nothing" })
answers("vcpu-list alpha", "alpha%s+1%s+1%s+%d%s+%S+%s+%d+ 2%-3\n", "pinned anew")
dom0("unpause alpha")
answers("wait alpha", "alpha: powered off", "alpha ends by itself")
expect(uart{}, { matches = "sums: 2 vCPUs, 256 blocks, 2 rounds: ef9bc5bd", name = "alpha's checksum" })
dom0("unpause beta")
answers("wait beta", "beta: powered off", "beta ends by itself")
expect(uart{}, { matches = "sums: 2 vCPUs, 256 blocks, 1 rounds: 3cb078e4", name = "beta's checksum" })
expect(vmruns(0, 1), { at_least = 1, name = "beta ran on core 1" })

-- What is wrong is said, and harms nobody.
for line, answer in pairs{ ["destroy 0"] = "invalid", ["pause 9"] = "no such domain",
                           ["pause gamma"] = "no such domain",
                           ["unpause alpha"] = "invalid", ["create gamma"] = "no module with name=gamma",
                           ["create alpha memory=900G"] = "memory= must be",
                           ["create alpha vcpus=9"] = "vcpus= must be",
                           ["create alpha memory=4G"] = "not enough memory",
                           ["vcpu-pin alpha 0 8-9"] = "invalid",
                           ["vcpu-pin alpha 7 0"] = "no such domain", ["frobnicate"] = "unknown",
                           ["destroy"] = "usage: destroy DOMAIN" } do
    answers(line, answer, line .. ": " .. answer)
end

-- Destroyed: their last reports, hv's counts against the model's, every page back, new numbers.
dom0("destroy alpha")
dom0("destroy beta")
answers("list", "Time%(s%)\nDomain%-0[^\n]*\n$", "dom0 is alone")
expect(free_pages(), { equals = free, name = "every page is back" })
local model, vmcb, compared = {}, {}, 0
for _, row in ipairs(exits()) do
    local key = string.format("%x %s", row.vmcb, row.exit)
    model[key] = (model[key] or 0) + row.count
end
for name, id, address in uart{}:gmatch("vcpu guest=(%w+) id=(%d+) vmcb=(%x+)") do
    vmcb[name .. id] = address
end
for name, id, reason, count in uart{}:gmatch("exits guest=(%w+) vcpu=(%d+) reason=([%w_]+) count=(%d+)") do
    expect(tonumber(count), { equals = model[vmcb[name .. id] .. " " .. reason] or 0,
                              name = string.format("%s vCPU %s: %s", name, id, reason) })
    compared = compared + 1
end
expect(compared, { at_least = 10, name = "reasons compared" })
answers("create beta", "beta is domain %d+\n", "the places can be used again")
answers("destroy beta", "guest name=beta outcome=destroyed", "destroyed while it runs")
run("5ms") -- the core that it ran on gives them back, after destroy has answered
expect(free_pages(), { equals = free, name = "and every page is back again" })

-- Moved while it runs, to a new domain of this machine, it goes on where it was.
dom0("create alpha vcpus=1 rounds=40 memory=16M")
run("2ms")
answers("migrate --live alpha 127.0.0.1", "alpha is domain %d+ now", "alpha is moved")
answers("wait alpha", "alpha: powered off", "and ends by itself")
expect(uart{}, { matches = "sums: 1 vCPUs, 256 blocks, 40 rounds: 4beff1c4", name = "with the right checksum" })
dom0("destroy alpha")
expect(free_pages(), { equals = free, name = "both its memories are back" })

-- A storm: as many as there are places, then none; ended while they run, wait or are paused, under both paging modes.
local made = 0
while dom0("create beta -p memory=4M name=n" .. made):find("is domain") do
    made = made + 1
end
expect(made, { equals = 31, name = "32 places, dom0 has one" })
answers("create beta", "no room", "then there is no room")
for i = 0, made - 1 do
    dom0("destroy n" .. i)
end
for i = 1, 8 do
    dom0("create beta" .. (i % 2 == 0 and " hap=off" or " populate=demand"))
    if i > 4 then
        dom0("pause beta")
    elseif i > 2 then
        dom0("wait beta")
    end
    dom0("destroy beta")
end
expect(free_pages(), { equals = free, name = "every page is back after the storm" })

-- dmesg last: what it prints has prompts in it.
local before = #uart{}
uart{ send = "dmesg\npoweroff\n" }
run{ limit = "5s" }
expect(uart{}:sub(before), { matches = "guest name=beta outcome=destroyed", name = "dmesg is what hv printed last" })
expect(uart{}, { matches = "hv: done, 45 of 45 guests finished", name = "dom0 takes hv along" })
log(string.format("3 guests made, ruled and destroyed from dom0's command line; %d exit counts equal the model's",
                  compared))
