-- SPDX-License-Identifier: MIT
-- A 64-bit image with Xen's note 18 enters the PVH way: what it is given, and the fixed hardware that its ACPI tables
-- name, under nested and shadow paging, with one vCPU and with three; it ends by \_S5 of its DSDT.

local CHECKS = 36 -- 10 of the start, 8 tables, 4 of the MADT, 1 of \_S5, 3 of PM1, 8 of memory, 2 of the timers

for _, hap in ipairs{ "on", "off" } do
    for _, vcpus in ipairs{ 1, 3 } do
        local name = string.format("hap=%s vcpus=%d: ", hap, vcpus)
        machine{ cores = 2, memory = "256M" }
        boot{ kernel = "hv.elf", modules = {
            string.format("pvh.elf name=pvh memory=48M vcpus=%d hap=%s ramdisk=walkbench.elf -- bell=7 top=48M",
                          vcpus, hap),
            "walkbench.elf ramdisk" } }
        run{ limit = "2s" }
        local console = uart{}
        local held, failed = select(2, console:gsub("%(pvh%) ok", "")), console:match("not ok[^\n]*")
        expect(held, { equals = CHECKS, name = name .. "checks that hold" })
        expect(failed or "none", { equals = "none", name = name .. "checks that do not" })
        expect(console:match("guest name=pvh outcome=(%a+)"), { equals = "finished",
               name = name .. "it powers itself off" })
    end
end
