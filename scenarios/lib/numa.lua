-- SPDX-License-Identifier: MIT
-- What hv says on the keys u and H, and what its nested tables in RAM say of where a guest's pages are.
local N = {}
local translate = require("puppets").translate

-- Boot hv with these guests, {name = its words}, and wait until every core is up.
function N.boot(machine_words, append, modules)
    machine(machine_words)
    boot{ kernel = "hv.elf", append = append, modules = modules }
    uart{ expect = " cores", limit = "1s" }
    run("1ms")
end

local function keys(bytes)
    local before = #uart{}
    uart{ send = bytes }
    run("2ms")
    return uart{}:sub(before + 1)
end
N.keys = keys

-- The answers as tables; input is hv's. The line of the key h comes behind all of them.
function N.dump()
    local text, patience = keys("uHh"), 100
    while not text:find("hv: keys: ", 1, true) and patience > 0 do
        text, patience = text .. keys(""), patience - 1
    end
    local found = { nodes = {}, cores = {}, domains = {}, distance = {}, free = {} }
    for n, start, frames, ram, free, check in
        text:gmatch("u: node (%d+) start=(%d+) frames=(%d+) ram=(%d+) free=(%d+) check=(%a+)") do
        found.nodes[tonumber(n)] = { start = tonumber(start), frames = tonumber(frames), ram = tonumber(ram),
                                     free = tonumber(free), check = check }
    end
    for core, node in text:gmatch("u: core (%d+) node (%d+)") do
        found.cores[tonumber(core)] = tonumber(node)
    end
    for a, b, distance in text:gmatch("u: distance (%d+) (%d+) (%d+)") do
        found.distance[a .. "," .. b] = tonumber(distance)
    end
    for domain, total in text:gmatch("u: domain (%d+) total=(%d+)") do
        found.domains[tonumber(domain)] = { total = tonumber(total), on = {} }
    end
    for domain, node, pages in text:gmatch("u: domain (%d+) node (%d+) pages=(%d+)") do
        found.domains[tonumber(domain)].on[tonumber(node)] = tonumber(pages)
    end
    for node, free in text:gmatch("H: node (%d+) zone 0 free=(%d+)") do
        found.free[tonumber(node)] = tonumber(free)
    end
    found.shift = tonumber(text:match("u: shift=(%d+)"))
    return found
end

-- Pages of this guest below and from `border` on, by its nested tables in RAM; hv's keys have no part in it.
function N.census(name, frames, border)
    local root = tonumber(uart{}:match("guest " .. name .. ": .- map (%x+)"), 16)
    local below, above, gpa = 0, 0, 0
    while gpa < frames << 12 do
        local spa, level = translate(root, gpa)
        local step = spa and 1 << 9 * level or 1
        if spa then
            if spa < border then below = below + step else above = above + step end
        end
        gpa = gpa + (step << 12)
    end
    return below, above
end

return N
