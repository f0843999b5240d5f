-- SPDX-License-Identifier: MIT
-- Machine checks in the memory of Debian's kernel, an HVM guest of hv that knows nothing of hv's machine check: a
-- corrected error is found by hv's poll and costs it nothing; an uncorrected one on its stack kills it (row DU-25: HVM,
-- no driver, dom0 without a handler), and dom0 goes on with its memory back but for that frame.
-- Files: -s dir=DIR, as for guest.lua.

local dir = param.dir or error("-s dir=DIR: where vmlinux and guest.cpio.gz are", 0)
local PROMPT, CORE = "dom0# ", 1
local KERNEL = 0x1000000 -- guest-physical, where CONFIG_PHYSICAL_START has put it: always memory of its own

machine{ memory = "1G", cores = 2 }
boot{ kernel = "hv.elf", append = "mce_poll_ms=20 mce_poll_min_ms=20 mce_poll_max_ms=40", modules = {
    "dom0.elf dom0 memory=32M cpus=0",
    string.format("%s/vmlinux name=debian memory=256M cpus=%d xen=off ramdisk=%s/guest.cpio.gz -- "
                  .. "console=ttyS0 panic=-1 cryptomgr.notests quiet", dir, CORE, dir),
    dir .. "/guest.cpio.gz ramdisk" } }
uart{ expect = PROMPT, limit = "2s" }

local function dom0(line)
    local before = #uart{}
    uart{ send = line .. "\n" }
    return (uart{ expect = PROMPT, limit = "4s" }:sub(before + 1):gsub("\r", ""))
end
local function free_pages()
    return tonumber(dom0("info"):match("free_pages%s*: (%d+)"))
end
local function when_it_runs() -- the core is in the guest, between two of its instructions
    for _ = 1, 100000 do
        if reg("asid", { core = CORE }) ~= 0 then
            return
        end
        run("1us")
    end
    error("the guest does not run", 0)
end

local before_it = free_pages()
dom0("create debian")
uart{ expect = "(debian) ok ", limit = "30s" } -- its first check has passed

when_it_runs()
inject{ error = "DRAM ECC corrected", core = CORE, guest_physical = KERNEL }
uart{ expect = "mca poll found=", limit = "1s" }
local function decided(record)
    return uart{}:match("mca record=" .. record .. " step=%w+ event=decide [^\r\n]*") or "nothing"
end
log(decided(0))
expect(decided(0), { matches = "impacts=domu domain=1 ", name = "a corrected error: whose frame it is" })
uart{ expect = "(debian) ok ", limit = "30s" }
expect(uart{}:find("event=kill") == nil, "a corrected error: it goes on")

when_it_runs()
inject{ error = "load system read", core = CORE, linear = reg("rsp", { core = CORE }), on = "read" }
uart{ expect = "event=kill", limit = "1s" }
run("10ms")
log(decided(1))
expect(decided(1), { matches = "domu=hvm row=DU-25", name = "an uncorrected error: the table's row" })
expect(uart{}, { matches = "event=kill domain=dom1 row=DU-25 why=no_handler",
                 name = "an uncorrected error: it is killed" })
expect(dom0("list"):find("debian[^\n]* %-%-%-%-c%-") ~= nil, "dom0 lists it as crashed")
dom0("destroy debian")
expect(dom0("query-page " .. decided(1):match("frame=(%x+)")),
       { matches = "status=12", name = "the broken frame stays away" }) -- offlined, broken (hv/abi/mca.h)
expect(free_pages(), { equals = before_it - 1, name = "the rest of its memory is free again" })
