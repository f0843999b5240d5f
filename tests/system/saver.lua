-- SPDX-License-Identifier: MIT
-- Saves one snapshot over and over, each time a little later, until somebody kills it.
machine{memory = "256M"}
boot{kernel = "hv.elf", modules = {"sums64.elf"}}
run{until = {insns = 100000}}
save("victim")
for _ = 1, tonumber(param.times) do
    run{until = {insns = 1000}}
    save("victim")
end
