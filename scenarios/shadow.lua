-- SPDX-License-Identifier: MIT
-- Nested and shadow paging side by side, the same guests, between their marks: what each costs by exits, cycles and
-- references of page walks.
--
--   compute   sums64: arithmetic over 1 MiB, again and again
--   churn     fork, write, exec, exit: page tables change all the time (workloads/programs/churn)
--   chase     a pointer chase through 16 MiB of 4K pages, warm: nothing but TLB misses
--
-- The shape is what matters (the slides give no figures): nested paging has no exit per guest page fault, page-table
-- write or context switch, and longer walks; shadow paging the reverse. Cycles are modelled, with assumed costs of
-- VMRUN and #VMEXIT. `-s only=churn` runs one.

local BEGIN, END = 0x46310001, 0x46310002
local ROUNDS, PAGES, WRITTEN = 16, 64, 16
local TOUCHES, PASSES = 4096, 2
local BLOCKS = 256 -- pages of sums64

local WORKLOADS = {
    { name = "compute", module = "sums64.elf rounds=4" },
    { name = "churn", module = string.format("churn.elf rounds=%d pages=%d written=%d", ROUNDS, PAGES, WRITTEN) },
    { name = "chase", module = string.format("walkbench.elf mode=long4k order=chase touches=%d passes=%d warm=1",
                                             TOUCHES, PASSES) },
}
local SHOWN = { "EXCP_PF", "CR0_READ", "CR0_WRITE", "CR3_READ", "CR3_WRITE", "CR4_READ", "CR4_WRITE", "INVLPG", "NPF",
                "INTR", "IOIO", "VMMCALL" }

local function exits_now()
    local count, cycles, sum = {}, {}, 0
    for _, row in ipairs(exits()) do
        local reason = row.exit:gsub("^VMEXIT_", "")
        count[reason] = (count[reason] or 0) + row.count
        cycles[reason] = (cycles[reason] or 0) + row.cycles
        sum = sum + row.count
    end
    return { count = count, cycles = cycles, sum = sum }
end

local function state()
    local w = walks{ of = "guest" }
    return { exits = exits_now(), cycles = counter("node[*].core[*].cycles.total"), walks = w.walks, refs = w.refs }
end

-- hv's own counts, exit by exit, against the model's, over the whole run.
local function compare_counts(name, console, mode)
    local model, compared = exits_now().count, 0
    for reason, count in console:gmatch("exits guest=%* vcpu=%* reason=VMEXIT_([%w_]+) count=(%d+)") do
        expect(tonumber(count), { equals = model[reason] or 0, name = name .. ": hv's count of " .. reason })
        compared = compared + 1
    end
    expect(compared, { at_least = 4, name = name .. ": reasons compared" })
    if mode == "nested" then
        return {}
    end
    local hv = {}
    for key, value in console:match("shadow guest=[^\n]*"):gmatch("([%w_]+)=(%d+)") do
        hv[key] = tonumber(value)
    end
    expect(hv.shadow_fill + hv.pf_reflected + hv.table_writes + hv.device,
           { equals = model.EXCP_PF, name = name .. ": what hv made of #PF exits, and the model's count of them" })
    return hv
end

local function measure(workload, mode)
    local name = workload.name .. ", " .. mode
    machine{ memory = "512M" }
    boot{ kernel = "hv.elf", append = mode == "shadow" and "hap=off" or "",
          modules = { workload.module .. " name=w memory=64M" } }
    run{ until = { exit = "VMMCALL", eax = BEGIN }, limit = "20s" }
    local before = state()
    run{ until = { exit = "VMMCALL", eax = END }, limit = "20s" }
    local after = state()
    run{ limit = "20s" }
    local console = uart{}
    local result = { exits = {}, exit_cycles = 0, hv = compare_counts(name, console, mode) }
    expect(console:match("outcome=(%a+)"), { equals = "finished", name = name .. ": the guest finishes" })
    expect(console:match("guest w:[^\n]*width 64, (%a+) paging"), { equals = mode, name = name .. ": the mode" })
    for reason, count in pairs(after.exits.count) do
        result.exits[reason] = count - (before.exits.count[reason] or 0)
        result.exit_cycles = result.exit_cycles + after.exits.cycles[reason] - (before.exits.cycles[reason] or 0)
    end
    result.cycles, result.walks, result.refs = after.cycles - before.cycles, after.walks - before.walks,
                                               after.refs - before.refs
    result.result = console:match("result=(%x+)")
    return result
end

local function count(result, reason)
    return result.exits[reason] or 0
end

local function show(workload, nested, shadow)
    log(string.format("%-10s %14s %14s", workload.name, "nested", "shadow"))
    for _, reason in ipairs(SHOWN) do
        if count(nested, reason) + count(shadow, reason) > 0 then
            log(string.format("  %-12s %10d %14d", reason, count(nested, reason), count(shadow, reason)))
        end
    end
    for _, row in ipairs{ { "walks", "walks" }, { "references", "refs" }, { "cycles", "cycles" },
                          { "of exits", "exit_cycles" } } do
        log(string.format("  %-12s %10d %14d", row[1], nested[row[2]], shadow[row[2]]))
    end
    log("")
end

-- No exit of shadow paging's kind under nested paging, whatever the guest does to its tables.
local function expect_quiet(name, nested)
    for _, reason in ipairs{ "EXCP_PF", "CR0_WRITE", "CR3_READ", "CR3_WRITE", "CR4_WRITE", "INVLPG", "NPF" } do
        expect(count(nested, reason), { equals = 0, name = name .. ", nested: " .. reason })
    end
end

local SHAPE = {
    compute = function(nested, shadow)
        -- one fault for each page, at its first touch; then there is nothing to exit for: within 5 % of each other
        expect(count(shadow, "EXCP_PF"), { equals = BLOCKS, name = "compute, shadow: #PF exits" })
        expect(shadow.cycles, { at_most = nested.cycles + nested.cycles // 20, name = "compute: shadow costs no more" })
        expect(nested.cycles, { at_most = shadow.cycles + shadow.cycles // 20, name = "compute: nested costs no more" })
    end,
    churn = function(nested, shadow)
        local faults = ROUNDS * (WRITTEN + PAGES)
        expect(shadow.hv.pf_reflected, { equals = faults, name = "churn, shadow: #PFs that are the guest's own" })
        expect(count(shadow, "CR3_WRITE"), { equals = ROUNDS * 4, name = "churn, shadow: CR3 writes" })
        expect(count(shadow, "INVLPG"), { equals = faults, name = "churn, shadow: INVLPGs" })
        expect(count(shadow, "EXCP_PF"), { at_least = 2 * faults, name = "churn, shadow: #PF exits" })
        expect(shadow.cycles, { at_least = 2 * nested.cycles, name = "churn: shadow costs more than twice as much" })
    end,
    chase = function(nested, shadow)
        expect(count(shadow, "EXCP_PF"), { equals = 0, name = "chase, shadow: no fault on a warm working set" })
        expect(nested.walks, { at_least = PASSES * TOUCHES - TOUCHES, name = "chase, nested: walks" })
        expect(nested.refs * shadow.walks, { at_least = nested.walks * shadow.refs + 1,
                                             name = "chase: a nested walk reads more entries" })
        expect(nested.cycles, { at_least = shadow.cycles + 1, name = "chase: nested costs more" })
    end,
}

for _, workload in ipairs(WORKLOADS) do
    if not param.only or param.only == workload.name then
        local nested, shadow = measure(workload, "nested"), measure(workload, "shadow")
        expect(shadow.result, { equals = nested.result, name = workload.name .. ": the same result" })
        expect_quiet(workload.name, nested)
        show(workload, nested, shadow)
        SHAPE[workload.name](nested, shadow)
    end
end
