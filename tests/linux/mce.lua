-- SPDX-License-Identifier: MIT
-- Debian's kernel meets machine checks: corrected ones by polling and by threshold interrupts, then, from the same
-- moment, an uncorrected one in a user process and a fatal one. What it says of them is linux.sh's to check.
-- -s dir=DIR of the images; the snapshot of that moment goes where --snapshots says
local function build()
    machine{ memory = "512M" }
end
local function ready(what)
    uart{ expect = "mce ready " .. what, limit = "100s" }
end
local function panics(name)
    local event = run{ until = { stop = { "reset", "shutdown", "power-off", "halted" } }, limit = "60s" }
    expect(event.reason, { equals = "reset", name = name .. ": the kernel panics" }) -- panic=-1
    log(uart{})
    for _, check in ipairs(machine_checks()) do log(check.fate, check.words) end
end

build()
boot{ kernel = param.dir .. "/vmlinux", modules = { param.dir .. "/root.cpio.gz" },
      append = "console=ttyS0 panic=-1 cryptomgr.notests mce" }
ready("corrected")
run("10ms")
inject{ error = "DRAM ECC corrected", address = 0x12345670, mask = 0x100 }
ready("threshold")
for i = 1, 10 do
    run("1ms")
    inject{ error = "DRAM ECC corrected", address = 0x2000000 + i * 0x1000 }
end
ready("last")
run("50ms")
save("mce.snapshot")
repeat run("20us") until reg("cs") & 3 == 3 -- in a user process, restartable: RIPV, EIPV and no PCC
inject{ bank = 3, status = 0xB400000000000833, address = 0x3456780, mcgstatus = 3 }
panics("user")

build()
restore("mce.snapshot")
inject{ error = "watchdog timeout" }
panics("fatal")
