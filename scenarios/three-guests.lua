-- SPDX-License-Identifier: MIT
-- Three guests of two vCPUs each, 64 and 32 bits wide, on 2 nodes x 2 cores under hv: every guest's checksum is
-- right (sums' results do not depend on width, vCPUs or order), and hv's own count of every exit reason of every
-- vCPU is the model's.
--
--     -s backing=4k|2m|1g   largest nested page (2m)      -s rounds=N   work of each guest (2)

local backing, rounds = param.backing or "2m", tonumber(param.rounds or 2)

-- Default blocks (256); computed independently with zlib's crc32.
local SUMS = { [1] = "3cb078e4", [2] = "ef9bc5bd", [4] = "00a8e209" }

machine{ nodes = 2, cores = 2, memory = backing == "1g" and "12G" or "1G" }
local function guest(name, width)
    return string.format("sums%d.elf name=%s width=%d vcpus=2 memory=%s backing=%s rounds=%d", width, name, width,
                         backing == "1g" and "2G" or "64M", backing, rounds)
end
boot{ kernel = "hv.elf", modules = { guest("alpha", 64), guest("beta", 32), guest("gamma", 64) } }
run{ limit = "60s" }

local console = uart{}
for _, name in ipairs{ "alpha", "beta", "gamma" } do
    local outcome, result = console:match("guest name=" .. name .. " outcome=(%a+) result=(%x+)")
    expect(outcome, { equals = "finished", name = name .. " finishes" })
    if SUMS[rounds] then
        expect(result:sub(-8), { equals = SUMS[rounds], name = name .. "'s checksum" })
    end
end

-- The model's counts by vCPU and reason; hv names its vCPUs' VMCBs.
local model = {}
for _, row in ipairs(exits()) do
    local key = string.format("%x %s", row.vmcb, row.exit)
    model[key] = (model[key] or 0) + row.count
end
local vmcb = {}
for name, id, address in console:gmatch("vcpu guest=(%w+) id=(%d+) vmcb=(%x+)") do
    vmcb[name .. id] = address
end
local compared = 0
for name, id, reason, count in console:gmatch("exits guest=(%w+) vcpu=(%d+) reason=([%w_]+) count=(%d+)") do
    local key = vmcb[name .. id] .. " " .. reason
    expect(tonumber(count), { equals = model[key] or 0, name = string.format("%s vCPU %s: %s", name, id, reason) })
    model[key] = nil
    compared = compared + 1
end
for key, count in pairs(model) do
    expect(count, { equals = 0, name = "exits that hv did not count: " .. key })
end
expect(compared, { at_least = 12, name = "reasons compared" })
expect(select(2, console:gsub("vcpu guest=", "")), { equals = 6, name = "vCPUs" })
log(string.format("3 guests x 2 vCPUs finished with the right checksums; %d exit counts equal the model's", compared))
