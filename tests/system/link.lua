-- SPDX-License-Identifier: MIT
-- Two linked machines, one migrating a guest to the other: straight through, in pieces (-s pieces=N, of one machine and
-- of the other), or saved in the middle (-s save=yes) and gone on with (-s restore=yes). Both hashes at the end are for
-- link.sh to compare.
local END_PS = 25000000000 -- 25 ms: well after the move
local ends = {}
for i = 1, 2 do
    ends[i] = machine{ cores = 2, memory = "128M", link = true }
end
link{ ends[1], ends[2], bandwidth = "10G", latency = "7us" }
local function both(what)
    for i, m in ipairs(ends) do
        use(m)
        what(i)
    end
end

if param.restore then
    both(function(i) restore("end" .. i) end)
else
    both(function()
        boot{ kernel = "hv.elf", modules = { "dom0.elf dom0 memory=32M cpus=0",
                                             "sums64.elf name=sums memory=12M cpus=1 rounds=24" } }
        uart{ expect = "dom0# ", limit = "1s" }
    end)
    use(ends[1])
    uart{ send = "create sums name=g\n", expect = "dom0# " }
    uart{ send = "migrate --live 1 there\n" }
    run("4123us")
    if param.save then
        both(function(i) save("end" .. i) end)
    end
end
for i = 1, tonumber(param.pieces or "0") do
    use(ends[1 + i % 2])
    run("137us")
end
-- To one moment of the first machine, wherever the pieces ended.
use(ends[1])
local now = run("1us").time_ps
run((END_PS - now) // 1000 .. "ns")
both(function() log(hash()) end)
use(ends[1])
log(uart{}:match("is domain 1 of there") or "not moved")
use(ends[2])
log(uart{}:match("migrate incoming [^\r\n]*") or "nothing came")
