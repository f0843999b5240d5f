-- SPDX-License-Identifier: MIT
-- The credit scheduler: guests that never rest share the cores by weight, a cap holds although the core would be idle,
-- pins keep the other cores free, and cores without work sleep. hv says how long each vCPU ran; the model's count of
-- VMRUNs by core says where, its count of retired instructions that nobody spins.
--
-- A slice is 1 ms here (Xen: 30), a tick a third of it; shares are taken over 60 slices and may be off by one slice
-- in each direction, which is 2 %.

local command_line = require("command_line")
local dom0 = command_line.answer
local SLICE_US = 1000

local function start(cores, a, b)
    machine{ nodes = 1, cores = cores, memory = "512M" }
    boot{ kernel = "hv.elf", append = "sched_credit_tslice_ms=1",
          modules = { "dom0.elf dom0 name=Domain-0 memory=16M cpus=0",
                      string.format("%s cpus=%d", a or "sums64.elf name=a memory=16M rounds=100000", cores - 1),
                      string.format("%s cpus=%d", b or "sums64.elf name=b memory=16M rounds=100000", cores - 1) } }
    command_line.wait()
end

-- Microseconds that a guest's only vCPU has run.
local function ran(name)
    return tonumber(dom0("vcpu-list " .. name):match(name .. "%s+%d+%s+0%s+%d%s+%S+%s+(%d+)"))
end

local function now_us()
    return run("1us").time_ps // 1000000
end

-- Shares of one core in percent, of a and b, over 60 ms.
local function shares()
    local a, b = ran("a"), ran("b")
    local since = now_us()
    run("60ms")
    a, b = ran("a") - a, ran("b") - b
    local took = now_us() - since
    return (a * 100 + took // 2) // took, (b * 100 + took // 2) // took
end

local function about(value, want, name)
    expect(math.abs(value - want) <= 3, { equals = true, name = string.format("%s: %d %%", name, want) })
    log(string.format("%-44s %3d %%, by arithmetic %d %%", name, value, want))
end

-- One core: all of it is wanted.
start(1)
dom0("create a")
dom0("create b")
local a, b = shares()
about(a, 50, "one core, equal weights, a")
about(b, 50, "one core, equal weights, b")
dom0("sched-credit a weight=768")
expect(dom0("sched-credit a"), { matches = "a: weight 768 cap 0", name = "the weight is kept" })
a, b = shares()
about(a, 75, "one core, weights 768 and 256, a")
about(b, 25, "one core, weights 768 and 256, b")

-- Two cores with both on the second: credits are the machine's, 600 a slice, so that neither runs out of them and
-- weights say nothing. That is Xen's credit scheduler, too.
start(2)
dom0("create a")
dom0("create b")
dom0("sched-credit a weight=768")
a, b = shares()
about(a, 50, "pinned together, weights 768 and 256, a")
dom0("sched-credit a cap=20")
a, b = shares()
about(a, 20, "a with a cap of 20, b without, a")
about(b, 80, "a with a cap of 20, b without, b")
dom0("pause b")
a, b = shares()
about(a, 20, "a alone with its cap")
expect(b, { equals = 0, name = "b is paused" })

-- One core, one guest that yields after each piece of its work, one that never rests: a yield gives the core away for
-- one slice, whatever the other's credits, and not for longer. 40 pieces take the time that a run alone tells, and
-- 40 slices of the other, whose checksum is of 20 rounds, by zlib's crc32.
local YIELDS = 40
start(1, string.format("ping.elf name=a memory=128M by=yield pages=20480 count=%d", YIELDS),
      "sums64.elf name=b memory=16M rounds=20 expect=0x9696c930")
dom0("create a")
uart{ expect = string.format("(a) ping: %d exits by yield", YIELDS), limit = "1s" }
local work = ran("a")
dom0("destroy a")
dom0("create b")
local before = ran("b")
dom0("create a")
uart{ expect = string.format("(a) ping: %d exits by yield", YIELDS), limit = "100ms" }
local others = ran("b") - before
-- Up to six more while dom0 creates and asks.
expect(others, { at_least = (YIELDS - 2) * SLICE_US, at_most = (YIELDS + 6) * SLICE_US,
                 name = "a slice for each yield, in us" })
expect(ran("a"), { at_least = work * 97 // 100, at_most = work * 103 // 100,
                   name = "who yields runs as long as alone" })
uart{ expect = "(b) sums: 1 vCPUs, 256 blocks, 20 rounds: 9696c930", limit = "200ms" }
log(string.format("%d yields beside a busy guest: %d us of its own, %d us of the other's", YIELDS, ran("a"), others))

-- Four cores: those without work sleep, until b may use them.
local function of_core(core, what)
    return counter(string.format("node[0].core[%d].%s", core, what))
end
start(4)
dom0("create a")
dom0("create b")
dom0("sched-credit a cap=20")
local before = { of_core(1, "instructions.retired"), of_core(2, "instructions.retired") }
run("20ms")
expect(of_core(1, "instructions.retired") - before[1], { equals = 0, name = "core 1 sleeps" })
expect(of_core(2, "instructions.retired") - before[2], { equals = 0, name = "core 2 sleeps" })
expect(of_core(1, "svm.vmruns") + of_core(2, "svm.vmruns"), { equals = 0, name = "only the pinned core ran guests" })
dom0("vcpu-pin b 0 1-2")
a, b = shares()
about(a, 20, "a on core 3 with its cap")
about(b, 100, "b on another core")
expect(of_core(1, "svm.vmruns") + of_core(2, "svm.vmruns"), { at_least = 1, name = "one of its cores was woken" })
uart{ send = "poweroff\n" }
run{ limit = "1s" }
expect(uart{}, { matches = "hv: done", name = "hv ends with dom0" })
