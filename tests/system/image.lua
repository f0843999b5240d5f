-- SPDX-License-Identifier: MIT
-- One image on one machine, from start to end or cut off: what the system tests compare byte for byte.
--   -s kernel=FILE [-s modules="FILE ARGS;..."] [-s append=TEXT] [-s nodes=N] [-s cores=N] [-s memory=SIZE]
--   -s insns=N     end after N instructions, not when the guest ends
--   -s cuts=A,B    stop at these instruction counts and go on at once
--   -s save=NAME   save at the last cut and end there;  -s restore=NAME: go on from it, with the same cuts
--   -s slice=TIME -s slices=N   after the cuts: N runs of so much machine time each, then on
--   -s rows=A,B    the bench image: insns instructions of each of these rows
local modules, cuts = {}, {}
for module in (param.modules or ""):gmatch("[^;]+") do
    modules[#modules + 1] = module
end
for cut in (param.cuts or ""):gmatch("%d+") do
    cuts[#cuts + 1] = tonumber(cut)
end
local insns, rows, save_name, restore_name = tonumber(param.insns), param.rows, param.save, param.restore
local done = 0

machine{nodes = tonumber(param.nodes or 1), cores = tonumber(param.cores or 1), memory = param.memory or "512M"}
boot{kernel = param.kernel, modules = modules, append = param.append or ""}
if restore_name then
    restore(restore_name)
    done = cuts[#cuts]
end
for _, cut in ipairs(cuts) do
    if cut > done then
        run{until = {insns = cut - done}, limit = "60s"}
        done = cut
    end
end
for _ = 1, tonumber(param.slices or 0) do
    run{until = {time = param.slice}, limit = "60s"}
end
if save_name then
    save(save_name)
elseif rows then
    run{until = {symbol = "row_integer"}, limit = "60s"}
    for row in rows:gmatch("[%w_]+") do
        reg("rip", symbol("row_" .. row))
        run{until = {insns = insns}, limit = "60s"}
    end
elseif insns then
    run{until = {insns = insns - done}, limit = "60s"}
else
    run{until = {stop = {"exit", "power-off", "shutdown", "halted", "reset"}}, limit = "60s"}
end
log(hash())
