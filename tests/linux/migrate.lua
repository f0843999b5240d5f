-- SPDX-License-Identifier: MIT
-- Debian's kernel, a guest of hv, is migrated live while it runs its self-check: inside one machine, and (to=link) to
-- another. It goes on to the end of its check and powers off there, as on a native PC (xen=off) and with Xen's
-- interface (event channels, single-shot timers, clock and runstates, grant frames). The other may be of another
-- revision, whose features the first one's mask does not exceed (extended migration).
-- Files: -s dir=DIR, as for guest.lua.   -s only=NAME: one row   -s rows=all: not only those that come by themselves
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

local function start(m, row, append)
    use(m)
    boot{ kernel = "hv.elf", append = append, modules = {
        "dom0.elf dom0 memory=32M cpus=0",
        string.format("%s/vmlinux name=debian memory=256M vcpus=%d cpus=1-%d %s ramdisk=%s/guest.cpio.gz -- "
                      .. "console=ttyS0 panic=-1 cryptomgr.notests quiet", dir, row.vcpus, row.vcpus, row.words, dir),
        dir .. "/guest.cpio.gz ramdisk" } }
    uart{ expect = PROMPT, limit = "2s" }
end

local function move(row)
    local name, linked = row[1], row.linked
    local function side(model)
        return machine{ model = model or "10h-b3", memory = "1G", cores = row.vcpus + 1, link = linked }
    end
    local here = side(row.from)
    local there = here
    if linked then
        there = side(row.to)
        link{ here, there, bandwidth = "10G", latency = "20us" }
        start(there, row)
    end
    start(here, row, row.mask and "cpuid_mask_cpu=" .. row.mask)
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
        local found = console:match("[^\r\n]*" .. bad .. "[^\r\n]*")
        if not (bad == "unstable" and row.other_rate) then
            expect(found or "none", { equals = "none", name = name .. ": " .. bad })
        end
    end
    if row.to == "k8-f" then
        local reasons = {}
        for _, exit in ipairs(exits()) do
            reasons[exit.exit] = (reasons[exit.exit] or 0) + exit.count
        end
        expect(reasons.VMEXIT_NPF == nil, name .. ": no nested paging there")
        expect(reasons.VMEXIT_EXCP_PF, { at_least = 1, name = name .. ": but shadow paging" })
    end
    log(string.format("%-36s %s", name, answer:match("rounds=%d+ pages=%d+ memory=%d+ downtime_ns=%d+")))
end

local ROWS = {
    { "xen=off", vcpus = 1, words = "xen=off" },
    { "xen=on, 2 vCPUs, over the link", vcpus = 2, words = "xen=on", linked = true },
    -- To a family that has no nested paging: it goes on under shadow paging. Its TSC goes on at 2.8 GHz instead of 2.3:
    -- Linux's watchdog may find that out and give the TSC up. Xen's clock, which it uses, is right.
    { "10h-b3 under fam_0f_rev_f to k8-f", vcpus = 1, words = "xen=on", linked = true,
      from = "10h-b3", mask = "fam_0f_rev_f", to = "k8-f", other_rate = true },
    { "10h-c2 under fam_10_rev_b to 10h-b3", vcpus = 1, words = "xen=off", linked = true, more = true,
      from = "10h-c2", mask = "fam_10_rev_b", to = "10h-b3" },
    { "xen=on", vcpus = 1, words = "xen=on", more = true },
    { "xen=on, 2 vCPUs", vcpus = 2, words = "xen=on", more = true },
    { "xen=on, shadow", vcpus = 1, words = "xen=on hap=off", more = true },
    { "xen=on, over the link", vcpus = 1, words = "xen=on", linked = true, more = true },
}
for _, row in ipairs(ROWS) do
    if param.only == row[1] or not param.only and (param.rows == "all" or not row.more) then
        move(row)
    end
end
