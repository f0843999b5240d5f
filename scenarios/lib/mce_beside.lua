-- SPDX-License-Identifier: MIT
-- hv's machine check beside the 39 rows (doc/mca.md): the poll's period, case II's operations and dom0's buckets,
-- hypercall 48's injection and version 2, hv's counts against the model's.
-- A function that uses the global expect().

local function beside()
    machine{ nodes = 1, cores = 3, memory = "512M" }
    boot{ kernel = "hv.elf", append = "mce_poll_ms=150 mce_poll_min_ms=20 mce_poll_max_ms=300 mce_dom0_deadline_ms=10",
          modules = { "dom0.elf dom0 name=Domain-0 memory=32M cpus=0",
                      "mcaguest.elf name=victim memory=32M cpus=1-2 handler=1" } }

    local command_line = require("command_line")
    command_line.wait()

    local function dom0(line)
        return command_line.dom0(line, "2s")
    end
    local function answers(line, pattern, name)
        local text = dom0(line)
        if not text:find(pattern) then log(text) end
        expect(text:find(pattern) ~= nil, { equals = true, name = name })
        return text
    end
    -- What hv and the guests have said since.
    local function since(from)
        return (uart{}:sub(from + 1):gsub("\r", ""))
    end
    local function says(from, pattern, name)
        local text = since(from)
        if not text:find(pattern) then log(text) end
        expect(text:find(pattern) ~= nil, { equals = true, name = name })
    end
    -- Until a poll has found something, and dom0 has heard of it.
    local function poll()
        local before, waited = #uart{}, 0
        repeat
            run("5ms")
            waited = waited + 5
        until since(before):find("mca poll found") or waited > 400
        run("1ms")
        return since(before)
    end
    local CE = 0x9410400000080813 -- DRAM ECC, corrected (fact sheet 5.5)
    local DC = 0x9400400000000136 -- DC, line fill from L2, corrected

    -- ---- The poll's period: Xen's 15 -> 7.5 -> 3.75 -> 2 -> 2 s, hundredfold; a free frame's goes to the console.
    local from = #uart{}
    local periods = {}
    for _ = 1, 5 do
        inject{ bank = 0, core = 2, status = DC, address = 0x10000040 }
        periods[#periods + 1] = poll():match("mca poll found=1 counted=0 period_ms=(%d+)")
    end
    expect(table.concat(periods, " "), { equals = "75 37 20 20 20", name = "the period halves down to its least" })
    says(from, "CPU 2 BANK 0\nMISC 0 ADDR 10000040\nSTATUS 9400400000000136 MCGSTATUS 0\n", "mcelog's form")
    says(from, "event=decide class=I2 impacts=xen domain=%- vcpu=%- frame=10000 owner=free .- row=CE%-2\n",
         "of a free frame")

    -- ---- Single frames.
    answers("mca handlers event trap", "event handler on, trap handler on", "dom0's handlers")
    local function free_pages()
        return tonumber(dom0("info"):match("free_pages%s*: (%d+)"))
    end
    local free = free_pages()
    answers("offline-page 10000", "done status=2\n", "a free frame leaves")
    expect(free - free_pages(), { equals = 1, name = "and is one less" })
    answers("query-page 10000", "done status=2\n", "it is offlined")
    answers("online-page 10000", "done status=2\n", "it comes back")
    answers("query-page 10000", "done status=4\n", "it is online")
    expect(free_pages(), { equals = free, name = "and is there again" })
    answers("offline-page 200", "done status=108\n", "hv's own: failed, XENPAGE")
    answers("offline-page 90000", "done status=808\n", "no memory: failed, NOT_RAM")

    -- ---- A live page's 10th corrected error has it replaced; the guest, which sums it all the time, sees nothing.
    answers("create victim", "victim is domain 1\n", "a guest")
    run("5ms")
    local frame
    for _ = 1, 20000 do -- the guest's page, while the core runs the guest
        if pcall(inject, { error = "DRAM ECC corrected", core = 1, guest_physical = 0x800040 }) then break end
        run("3us")
    end
    from = #uart{}
    poll()
    frame = since(from):match("row=CE%-5") and since(from):match("impacts=domu domain=1 vcpu=0 frame=(%x+)")
    if not frame then log(since(from)) end
    expect(frame ~= nil, { equals = true, name = "CE-5 names the frame" })
    local address = tonumber(frame, 16) * 4096 + 0x40
    for _ = 2, 9 do
        inject{ bank = 4, status = CE, address = address }
        poll()
    end
    expect(since(from):find("mca: policy") == nil, { equals = true, name = "nine errors: nothing" })
    inject{ bank = 4, status = CE, address = address }
    poll()
    says(from, "mca: policy page frame=" .. frame .. " domain=1 retire: done gfn=800\n", "the tenth: replaced")
    answers("query-page " .. frame, "done status=2\n", "the old frame is offlined")
    answers("list", "victim%s+1%s+32%s+1 [-r]", "the guest goes on")

    -- An uncorrected error there meets nobody (I9).
    from = #uart{}
    inject{ bank = 4, status = 0xB400210000080813, address = address, mcgstatus = 1 }
    run("2ms")
    says(from, "class=I9 impacts=nobody .- owner=free heal=H1 healed=1 .- row=I9\n", "nobody has the retired frame")
    answers("query-page " .. frame, "done status=12\n", "broken: it stays away")
    answers("online-page " .. frame, "done status=5\n", "for good")

    -- ---- A core with many errors goes offline: its vCPU goes elsewhere.
    answers("mca-policy core=3", "mca%-policy: page=10 cs=100 core=3", "the limit")
    answers("vcpu-pin victim 0 2", "vcpu%-pin", "the guest on core 2")
    for _ = 1, 3 do
        inject{ bank = 0, core = 2, status = DC, address = 0x10001040 }
        poll()
    end
    says(from, "mca: policy core core=2 offline: done\n", "the third takes core 2 away")
    local function vmruns(core)
        return counter("node[0].core[" .. core .. "].svm.vmruns")
    end
    local on2, on1 = vmruns(2), vmruns(1)
    run("5ms")
    expect(vmruns(2) - on2, { equals = 0, name = "core 2 runs nobody" })
    expect(vmruns(1) - on1, { at_least = 1, name = "the guest runs on core 1" })
    answers("core-online 2", "done\n", "online again")
    on2 = vmruns(2)
    run("5ms")
    expect(vmruns(2) - on2, { at_least = 1, name = "and the guest runs there again" })
    answers("core-offline 0", "not supported", "core 0 stays")
    answers("core-offline 3", "invalid", "there is no core 3")

    -- ---- Hypercall 48, version 2.
    answers("mce-cores", "core 2: node 0 apic 2 of 3 cores, family 10 model 2 stepping 3 AuthenticAMD", "physcpuinfo")
    dom0("mce-fetch")
    from = #uart{}
    answers("mce-inject 1 0 9400400000000136 10002040", "registers: done", "a corrected error by msrinject")
    poll()
    says(from, "kind=CE via=poll core=1 .- bank=0 status=9400400000000136 addr=0000000010002040",
         "is found by the poll")
    answers("mce-fetch", "nonurgent id=[1-9]%d* entries=2\n.*mce%-fetch: 0 urgent, 1 nonurgent",
            "fetched and acknowledged")
    answers("mce-fetch", "mce%-fetch: 0 urgent, 0 nonurgent", "once")
    from = #uart{}
    answers("mce-inject 1 0 9800 0", "registers: done", "VAL is not set: nothing")
    answers("mce-inject 1 9 9800 0", "invalid", "there is no bank 9")
    answers("mce-inject 7 0 9800 0", "invalid", "there is no core 7")
    answers(string.format("mce-inject 1 4 b400200000080813 %x", 0x10003000), "#MC: done",
            "an uncorrected one by mceinject")
    run("5ms")
    says(from, "kind=UE via=mc core=1 .- bank=4 status=b400200000080813 addr=0000000010003000 .* mcg=5\n",
         "INT 18's handler saw it")
    says(from, "class=I9 .- row=I9\n", "of a free frame")
    answers("mce-fetch", "mce%-fetch: 1 urgent, 0 nonurgent", "an urgent record")

    -- ---- Online spare: 512 MiB at 40 ns a line (assumed) are 336 ms; the guest stands meanwhile and goes on with its
    -- sums.
    dom0("pause victim")
    answers("spare 0 0 0", "done control=%x+ done=0\n", "the copy begins")
    answers("spare 0 0 1", "busy", "once until reset")
    run("340ms")
    answers("spare", "done=1\n", "the spare rank answers")
    dom0("unpause victim")
    from = #uart{}
    run("5ms")
    says(from, "%(victim%) beat %d+ traps=0", "the guest sums on")

    -- ---- Both sides counted the same: beside what dom0 injected, which the model's banks never saw.
    uart{ send = "poweroff\n" }
    run{ limit = "1s", until = { stop = "exit" } }
    local function hv_count(what)
        return tonumber(uart{}:match('count what="' .. what .. '" value=(%d+)') or 0)
    end
    local function model(name)
        local sum = 0
        for core = 0, 2 do sum = sum + counter("node[0].core[" .. core .. "].mca." .. name) end
        return sum
    end
    expect(hv_count("mca corrected DC"), { equals = model("corrected{bank=DC}") + 1, name = "corrected, DC" })
    expect(hv_count("mca corrected NB"), { equals = counter("node[0].mca.corrected"), name = "corrected, NB" })
    expect(hv_count("mca uncorrected NB"),
           { equals = counter("node[0].mca.uncorrected") + 1, name = "uncorrected, NB" })
    expect(hv_count("mca machine_checks"), { equals = model("raised") + 1, name = "#MCs" })
    expect(hv_count("mca_lost"), { equals = 0, name = "no record was lost" })

    -- ---- H2: a shadow table of each level in a bad frame is made anew; the guest translates as before.
    machine{ nodes = 1, cores = 2, memory = "512M" }
    boot{ kernel = "hv.elf", append = "mce_heal_without_dom0",
          modules = { "mcaguest.elf name=victim memory=32M hap=off cpus=1 beats=400" } }
    local own = symbol("boot_pml4")
    local function shadow_root()
        for _ = 1, 20000 do
            local root = reg("cr3", { core = 1 })
            if root ~= own then return root end
            run("3us")
        end
    end
    run("5ms")
    from = #uart{}
    local healed = {}
    for level = 4, 1, -1 do -- of what maps the guest's page at 8 MiB: the fifth entry of its directory
        local table_at = shadow_root()
        for above = 4, level + 1, -1 do table_at = mem(table_at + (above == 2 and 4 * 8 or 0), 8) & 0xFFFFFFFFFF000 end
        inject{ bank = 4, status = 0xB400210000080813, address = table_at, mcgstatus = 3 }
        run("3ms")
        healed[#healed + 1] = string.format("%x", table_at >> 12)
    end
    for _, bad in ipairs(healed) do
        says(from, 'event=heal action="dropped, rebuilt elsewhere" frame=' .. bad .. "\n", "the table in " .. bad)
        says(from, "class=I5 impacts=xen .- frame=" .. bad .. " owner=xen heal=H2 healed=1 .- row=XU%-2\n",
             "is Xen's, H2")
    end
    run{ limit = "200ms", until = { stop = "exit" } }
    says(from, "guest name=victim outcome=finished", "the guest sums to its end")

    -- ---- The threshold interrupt: the third error of DRAM is told at once, the poll being 15 s away.
    machine{ nodes = 2, cores = 2, memory = "1G" }
    boot{ kernel = "hv.elf", append = "mce_threshold=3", modules = { "mcaguest.elf name=victim memory=32M cpus=1" } }
    run("5ms")
    from = #uart{}
    for i = 1, 3 do
        inject{ error = "DRAM ECC corrected", core = 2, address = 0x3F000000 + 0x1000 * i }
        run("500us")
        expect(since(from):find("via=threshold") ~= nil, { equals = i == 3, name = "error " .. i })
    end
    says(from, "kind=CE via=threshold core=2 .- bank=4 status=d4%x+ addr=000000003f003000",
         "node 1's first core has the last one, OVER")
    expect(counter("node[1].threshold.counted{block=DRAM}"), { equals = 3, name = "the model counted three" })
    expect(counter("node[1].threshold.interrupts{block=DRAM}"), { equals = 1, name = "and interrupted once" })
end

return beside
