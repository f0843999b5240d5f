-- SPDX-License-Identifier: MIT
-- Paravirtual guests that the control domain makes, which is one itself: a kernel that asks for what
-- cannot be (workloads/pv64/crash.c) is ended with one line that says why, and nobody else is; each gives back every
-- page; what needs a translated guest is refused by its errno; what the others do goes on; a machine check reaches the
-- control domain as trap 18.

machine{ nodes = 1, cores = 2, memory = "512M" }
boot{ kernel = "hv.elf", modules = {
    "pv64-dom0.elf dom0 type=pv name=Domain-0 memory=32M cpus=0",
    "pv64-crash.elf name=crash type=pv memory=8M cpus=1",
    "pv64-traps.elf name=traps type=pv memory=16M vcpus=2",
    "sums64.elf name=alpha rounds=1 memory=16M",
} }

local command_line = require("command_line")
local dom0 = command_line.answer
command_line.wait()

local function free_pages()
    run("2ms") -- a destroyed guest's pages come back on the core that it left
    return tonumber(dom0("info"):match("free_pages%s*: (%d+)"))
end

-- The words of hv's line; nil: the guest ends well.
local cases = {
    { "stack", "a trap that its kernel has no handler or no stack for: vector 3" },
    { "iret", "hypercall iret without a frame that can be returned by" },
    { "rip", "hypercall iret without a frame that can be returned by" },
    { "user", "hypercall iret without a frame that can be returned by" },
    { "trap", "a trap that its kernel has no handler or no stack for: vector 6" },
    { "segment", "a segment that cannot be loaded, and no failsafe callback" },
    { "edge", "it goes on at an address that is none" },
    { "halt", "all vCPUs are halted, nothing will wake them" },
    { "spare", nil },
}

-- A guest that computes, beside it a paravirtual one that ends and one that is destroyed in the middle of its work.
local function side_by_side()
    dom0("create alpha")
    local text = dom0("create traps") .. dom0("wait traps")
    local refused = dom0("migrate --live traps 127.0.0.1")
    dom0("destroy traps")
    dom0("wait alpha")
    local alpha = dom0("destroy alpha")
    dom0("create traps")
    dom0("destroy traps")
    free_pages()
    return text, refused, alpha
end

-- What hv keeps of a frame's types and in M2P is taken when a paravirtual guest first has memory there, and stays: the
-- same again, until all the memory that this takes has been a guest's once.
for _ = 1, 6 do
    side_by_side()
end
dom0("create crash how=spare")
dom0("wait crash")
dom0("destroy crash")
local free = free_pages()

for _, case in ipairs(cases) do
    local how, why = case[1], case[2]
    local text = dom0("create crash how=" .. how) .. dom0("wait crash")
    if why then
        expect(text:find(why, 1, true) ~= nil, { equals = true, name = how .. ": " .. why })
    else
        expect(text:find("failsafe=1 gs=0", 1, true) ~= nil, { equals = true, name = how .. ": the failsafe callback" })
    end
    text = dom0("destroy crash")
    expect(text:match("guest name=crash outcome=(%a+)"),
           { equals = why and "crashed" or "finished", name = how .. ": outcome" })
end
expect(free_pages(), { equals = free, name = "all pages come back" })

local text, refused, alpha = side_by_side()
expect(select(2, text:gsub("%(traps%) ok ", "")), { equals = 102, name = "traps' checks" })
expect(refused:find("%-95") ~= nil, { equals = true, name = "a paravirtual guest does not migrate: -EOPNOTSUPP" })
expect(alpha:match("outcome=(%a+) result=%x+"), { equals = "finished", name = "alpha" })
expect(free_pages(), { equals = free, name = "all pages come back from a guest in the middle of its work" })
-- A machine check in memory that nobody has, for which the control domain has a trap handler: trap 18 of its table.
dom0("mca handlers event trap")
text = dom0("mce-inject 1 0 b400200000000136 10000000 5")
expect(text:find("event=notify to=dom0.0 by=trap from=hv result=OK", 1, true) ~= nil, { equals = true, name = "T0" })
expect(text:find("mca: T0 fetch=OK", 1, true) ~= nil, { equals = true, name = "its handler fetches the record" })
expect(dom0("mca"):match("traps=%d+ nested=%d+"), { equals = "traps=1 nested=0", name = "once" })

uart{ send = "poweroff\n" }
run{ limit = "5s" }
expect(uart{}, { matches = "hv: done, 24 of 32 guests finished", name = "dom0 takes hv along" })
log(string.format("%d ways to end a paravirtual kernel, each of them alone", #cases - 1))
