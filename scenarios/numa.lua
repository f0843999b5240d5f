-- SPDX-License-Identifier: MIT
-- NUMA in hv: numa=on reads SRAT and SLIT, a guest's memory comes from the node of the first core that its first vCPU
-- may run on and, when that is full, from the next one. The slides' example machine, two sockets of two cores and 8 GB,
-- by their HOWTO: boot with numa=on, look with the keys u and H, give guests cpus=. hv counts what its tables show; the
-- scenario reads the same tables in RAM.
--
-- The model's firmware leaves 1 GiB below 4 GiB to devices where the slide's had 512 MiB, so node 1 begins at 5 GiB,
-- not at 4.5: the law is that a node's span is its RAM and the hole. hv/core/numa_test.c has the slide's own map.

local N = require("numa")
local MIB, GIB = 256, 262144 -- in frames
local HOLE = GIB

local function same(got, want, name)
    expect(got, { equals = want, name = name })
end

-- ---- The example machine ----------------------------------------------------------------------------------------

N.boot({ nodes = 2, cores = 2, memory = "8G" }, "numa=on",
       { "puppet.elf name=a cpus=0,1 vcpus=2 memory=256M", "puppet.elf name=b cpu=2,3 vcpus=2 memory=256M" })

-- Keys are the control domain's, which is not there, until Ctrl-A has come three times in a row.
same(N.keys("u\1\1u\1\1H"), "", "two Ctrl-A do not switch")
expect(N.keys("\1\1\1"), { matches = "serial input -> hv", name = "three do" })
expect(N.keys("h"), { matches = "hv: keys: ", name = "h says which keys there are" })

local d = N.dump()
same(d.nodes[0].start, 0, "node 0 begins at 0")
same(d.nodes[0].frames, 4 * GIB + HOLE, "its span is 4 GiB of RAM and the hole")
expect(4 * GIB - d.nodes[0].ram, { at_least = 0, at_most = MIB, name = "of which firmware keeps less than 1 MiB" })
same(d.nodes[1].start, d.nodes[0].frames, "node 1 begins where node 0 ends")
same(d.nodes[1].frames, 1048576, "its span is 1,048,576 frames")
same(d.nodes[1].ram, 1048576, "all RAM")
expect(not d.nodes[2], "there is no third")
same(d.nodes[0].check .. d.nodes[1].check, "okok", "both ends of each span belong to it")
same(d.shift, 30, "pieces of 1 GiB keep them apart")
for core = 0, 3 do
    same(d.cores[core], core // 2, "core " .. core .. " is on node " .. core // 2)
end
same(d.distance["0,0"] .. " " .. d.distance["1,1"], "10 10", "a node is 10 from itself")
expect(d.distance["0,1"] > 10 and d.distance["0,1"] == d.distance["1,0"], "SLIT says how far the other is")

local border = d.nodes[1].start << 12
for i, guest in ipairs{ { name = "a", node = 0 }, { name = "b", node = 1 } } do
    local domain = d.domains[i]
    same(domain.total, 256 * MIB - (0xC0000 - 0xA0000 >> 12), guest.name .. " has 256 MiB but the VGA hole")
    same(domain.on[guest.node], domain.total, guest.name .. "'s memory is all on node " .. guest.node)
    same(domain.on[1 - guest.node], 0, "and none elsewhere")
    local below, above = N.census(guest.name, 256 * MIB, border)
    same(below .. " " .. above, domain.on[0] .. " " .. domain.on[1], "its tables in RAM say so too")
end
same(d.free[0] .. " " .. d.free[1], d.nodes[0].free .. " " .. d.nodes[1].free, "H and u agree")
expect(N.keys("\1\1\1"), { matches = "serial input -> dom0", name = "three more Ctrl-A switch back" })
same(N.keys("u"), "", "and u is no key of hv's any more")

-- ---- More than the node has -------------------------------------------------------------------------------------

-- 4 KiB pages: node 0 gives its last one before node 1 gives its first.
N.boot({ nodes = 2, cores = 2, memory = "256M" }, "numa=on",
       { "puppet.elf name=a cpus=0,1 memory=160M backing=4k" })
N.keys("\1\1\1")
d = N.dump()
same(d.domains[1].on[0] + d.domains[1].on[1], d.domains[1].total, "a guest of 160 MiB on nodes of 128 lies on both")
same(d.nodes[0].free, 0, "node 0 has nothing left")
expect(d.domains[1].on[0], { at_least = 100 * MIB, at_most = 128 * MIB, name = "it gave all it had" })
local below, above = N.census("a", 160 * MIB, d.nodes[1].start << 12)
same(below .. " " .. above, d.domains[1].on[0] .. " " .. d.domains[1].on[1], "the tables in RAM say the same")

-- From the last node the next one is the first.
N.boot({ nodes = 2, cores = 2, memory = "256M" }, "numa=on",
       { "puppet.elf name=a cpus=2,3 memory=160M backing=4k" })
N.keys("\1\1\1")
d = N.dump()
same(d.nodes[1].free, 0, "from node 1 it is node 1 that is used up first")
same(d.domains[1].on[1], d.nodes[1].ram, "all of it")
same(d.domains[1].on[0], d.domains[1].total - d.nodes[1].ram, "and node 0 gives the rest")

-- ---- Whose node -------------------------------------------------------------------------------------------------

for _, case in ipairs{ { "all", 0 }, { "1-2", 0 }, { "2-3", 1 }, { "3", 1 }, { "0-3,^0,^1", 1 } } do
    N.boot({ nodes = 2, cores = 2, memory = "256M" }, "numa=on",
           { "puppet.elf name=a vcpus=4 memory=32M cpus=" .. case[1] })
    N.keys("\1\1\1")
    d = N.dump()
    same(d.domains[1].on[case[2]], d.domains[1].total, "cpus=" .. case[1] .. ": all on node " .. case[2])
end

-- ---- The other values -------------------------------------------------------------------------------------------

for _, case in ipairs{ { "", 1 }, { "numa=off", 1 }, { "numa=noacpi", 1 }, { "numa=fake=4", 4 }, { "numa=on", 2 } } do
    N.boot({ nodes = 2, cores = 2, memory = "256M" }, case[1], { "puppet.elf name=a memory=32M cpus=3" })
    N.keys("\1\1\1")
    d = N.dump()
    same(#d.nodes + 1, case[2], (case[1] == "" and "no option" or case[1]) .. ": nodes")
    local total = 0
    for n = 0, case[2] - 1 do
        total = total + d.nodes[n].frames
    end
    expect(total, { at_least = 255 * MIB, at_most = 256 * MIB,
                    name = "their spans are all of memory but the end, where firmware has its tables" })
    same(d.domains[1].on[d.cores[3]], d.domains[1].total, "the guest's memory is on core 3's")
end
