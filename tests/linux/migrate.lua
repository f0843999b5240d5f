-- SPDX-License-Identifier: MIT
-- Debian's kernel, a guest of hv, is migrated live while it runs its self-check: inside one machine, and (to=link) to
-- another. It goes on to the end of its check and powers off there, as on a native PC (xen=off) and with Xen's
-- interface (event channels, single-shot timers, clock and runstates, grant frames).
-- Files: -s dir=DIR, as for guest.lua.   -s only=NAME: one row   -s rows=all: not only the first two
--
--     fam10h run tests/linux/migrate.lua -s dir=build/linux

local dir = param.dir or error("-s dir=DIR: where vmlinux and guest.cpio.gz are", 0)
local SELF_CHECKS = 17
local PROMPT = "dom0# "

local function count(text, pattern)
    return select(2, text:gsub(pattern, ""))
end

local function dom0(line, limit)
    local before = #uart{}
    uart{ send = line .. "\n" }
    return (uart{ expect = PROMPT, limit = limit or "4s" }:sub(before + 1):gsub("\r", ""))
end

local function start(m, vcpus, words)
    use(m)
    boot{ kernel = "hv.elf", modules = {
        "dom0.elf dom0 memory=32M cpus=0",
        string.format("%s/vmlinux name=debian memory=256M vcpus=%d cpus=1-2 %s ramdisk=%s/guest.cpio.gz -- "
                      .. "console=ttyS0 panic=-1 quiet", dir, vcpus, words, dir),
        dir .. "/guest.cpio.gz ramdisk" } }
    uart{ expect = PROMPT, limit = "2s" }
end

local function move(name, vcpus, words, linked)
    local here = machine{ memory = "1G", cores = 3, link = linked }
    local there = here
    if linked then
        there = machine{ memory = "1G", cores = 3, link = true }
        link{ here, there, bandwidth = "10G", latency = "20us" }
        start(there, vcpus, words)
    end
    start(here, vcpus, words)
    dom0("create debian")
    uart{ expect = "(debian) ok ", limit = "30s" } -- its first check has passed
    local answer = dom0("migrate --live 1 " .. (linked and "there" or "127.0.0.1"), "10s")
    expect(answer, { matches = linked and "debian is domain 1 of there now" or "debian is domain 2 now",
                     name = name .. ": it moves" })
    local before = uart{}
    expect(before:find("fam10h guest: done") == nil, name .. ": it is not over yet")
    use(there)
    uart{ expect = "fam10h guest: done", limit = "30s" }
    expect(dom0(linked and "wait 1" or "wait 2", "10s"), { matches = "powered off", name = name .. ": it powers off" })
    local console = linked and before .. uart{} or uart{}
    expect(count(console, "%(debian%) ok %- "), { equals = SELF_CHECKS, name = name .. ": self-checks that passed" })
    expect(count(console, "%(debian%) not ok"), { equals = 0, name = name .. ": self-checks that failed" })
    for _, bad in ipairs{ "clocksource: Long readout", "unstable", "BUG:", "Call Trace", "soft lockup", "rcu: INFO" } do
        expect(count(console, bad), { equals = 0, name = name .. ": " .. bad })
    end
    log(string.format("%-32s %s", name, answer:match("rounds=%d+ pages=%d+ memory=%d+ downtime_ns=%d+")))
end

local ROWS = {
    { "xen=off", 1, "xen=off" },
    { "xen=on, 2 vCPUs, over the link", 2, "xen=on", true },
    { "xen=on", 1, "xen=on", more = true },
    { "xen=on, 2 vCPUs", 2, "xen=on", more = true },
    { "xen=on, shadow", 1, "xen=on hap=off", more = true },
    { "xen=on, over the link", 1, "xen=on", true, more = true },
}
for _, row in ipairs(ROWS) do
    if param.only == row[1] or not param.only and (param.rows == "all" or not row.more) then
        move(table.unpack(row))
    end
end
