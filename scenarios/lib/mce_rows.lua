-- SPDX-License-Identifier: MIT
-- Case I as a table: the 39 rows (6 CE, 8 UE of Xen or dom0, 25 UE of a DomU) and what each must come to, from the decision
-- table of the slides (Xen Summit 2007; doc/mca.md has the terms). Nothing here was read off hv.
--
-- `sees` is the exact sequence of hv's lines behind "found" and "decide": step, event, and what the line must say.

local rows, by_id = {}, {}

local function row(id, fields)
    fields.id = id
    rows[#rows + 1] = fields
    by_id[id] = fields
end

-- ---- Step 2a: corrected errors; VIRQ_MCA if dom0 has bound it, else the console -----------------------------------

local WHERE = { "xen", "dom0", "domu" }
for i, impacts in ipairs(WHERE) do
    row("CE-" .. 2 * i - 1, {
        kind = "CE", impacts = impacts, event = true, dom0 = "event", alive = true,
        outcome = "record in the ring, VIRQ_MCA to dom0; nobody stops",
        sees = { { "2a", "notify", "to=dom0.0 by=virq from=hv result=OK" } },
    })
    row("CE-" .. 2 * i, {
        kind = "CE", impacts = impacts, event = false, dom0 = "nothing", alive = true, dumped = true,
        outcome = "record on hv's console, its slot released; nobody stops",
        sees = { { "2a", "dump", "" } },
    })
end

-- ---- Step 2b: uncorrected errors of Xen or dom0 --------------------------------------------------------------------

local function xu(number, impacts, healed, trap)
    local goes_on = healed and trap
    row("XU-" .. number, {
        kind = "UE", impacts = impacts, healed = healed, trap = trap, alive = goes_on, panics = not goes_on,
        dom0 = goes_on and "T0" or "nothing", recovery = goes_on,
        outcome = goes_on and "healed; trap 18 to dom0 with a recovery record; the machine goes on" or
                  healed and "healed, but no handler in dom0: hv panics" or "hv panics with the record; no trap",
        sees = goes_on and { { "2b", "heal", "" }, { "2b", "notify", "to=dom0.0 by=trap from=hv result=OK" } } or
               healed and { { "2b", "heal", "" }, { "2b", "panic", "row=XU-" .. number } } or
               { { "2b", "panic", "row=XU-" .. number } },
    })
end
for i, impacts in ipairs{ "xen", "dom0" } do
    xu(4 * i - 3, impacts, true, true)
    xu(4 * i - 2, impacts, true, false)
    xu(4 * i - 1, impacts, false, true)
    xu(4 * i, impacts, false, false)
end

-- ---- Steps 2c, 3a, 3b: uncorrected errors of a DomU: five kinds of guest, four answers and no handler in dom0 -----

local T0 = { "2c", "notify", "to=dom0.0 by=trap from=hv result=OK" }
local HOLD = { "2c", "hold", "vcpu=DOMU" }

local function du(number, guest, answer, fields)
    local step = guest.step
    fields.kind, fields.impacts, fields.domu = "UE", "domu", guest.name
    fields.answer, fields.trap, fields.number = answer, answer ~= "no handler", number
    fields.dom0 = fields.trap and "T0" or "nothing"
    for _, line in ipairs(fields.sees) do
        line[1] = line[1] == "3" and step or line[1]
    end
    row("DU-" .. number, fields)
end

local function can_handle(first, guest)
    local function told(by)
        return { "3", "notify", "to=DOMU by=trap from=" .. by .. " result=OK" }
    end
    local ROW = function(offset) return "row=DU-" .. first + offset end
    du(first, guest, "notify", {
        alive = true, trapped = true,
        outcome = "T0; dom0 notifies; the guest's handler fetches the record, heals itself and goes on",
        sees = { HOLD, T0, told("dom0"), { "3", "answer", "dom0=notify " .. ROW(0) },
                 { "3", "resume", "vcpu=DOMU into=handler" } },
    })
    du(first + 1, guest, "notify + operation", {
        alive = true, trapped = true, operation = "pause",
        outcome = "T0; dom0 notifies, the guest handles it; then dom0's operation is carried out",
        sees = { HOLD, T0, told("dom0"), { "3", "answer", "dom0=notify " .. ROW(0) },
                 { "3", "resume", "vcpu=DOMU into=handler" },
                 { "II", "operation", "op=pausedomain domain=NAME" },
                 { "3", "answer", "dom0=notify+operation " .. ROW(1) } },
    })
    du(first + 2, guest, "operation only", {
        alive = true, untold = true, operation = "pause",
        outcome = "T0; the guest is not trapped (its fetch: NODATA); dom0's operation is carried out",
        sees = { HOLD, T0, { "II", "operation", "op=pausedomain domain=NAME" },
                 { "3", "answer", "dom0=operation " .. ROW(2) }, { "3", "resume", "vcpu=DOMU into=program" } },
    })
    du(first + 3, guest, "none", {
        alive = true, trapped = true,
        outcome = "T0; the vCPU is held; the deadline passes; hv gives the trap itself, the guest goes on",
        sees = { HOLD, T0, { "3", "deadline", ROW(3) }, told("hv"), { "3", "resume", "vcpu=DOMU into=handler" } },
    })
    du(first + 4, guest, "no handler", {
        alive = true, trapped = true,
        outcome = "no T0; hv gives the trap itself; the guest fetches from the main ring and goes on",
        sees = { { "2c", "notify", "to=DOMU by=trap from=hv result=OK" } },
    })
end

local function cannot_handle(first, guest)
    local refused = { "3", "notify", "to=DOMU by=trap from=dom0 result=CANNOTHANDLE" }
    local ROW = function(offset) return "row=DU-" .. first + offset end
    du(first, guest, "notify", {
        killed = true,
        outcome = "T0; notifydomain: CANNOTHANDLE; no operation follows: killed at the deadline",
        sees = { HOLD, T0, refused, { "3", "answer", "dom0=notify " .. ROW(0) }, { "3", "deadline", ROW(0) },
                 { "3", "kill", "domain=NAME " .. ROW(0) .. " why=deadline" } },
    })
    du(first + 1, guest, "notify + operation", {
        gone = true, operation = "destroy",
        outcome = "T0; notifydomain: CANNOTHANDLE; dom0's operation is carried out",
        sees = { HOLD, T0, refused, { "3", "answer", "dom0=notify " .. ROW(0) },
                 { "II", "operation", "op=destroydomain domain=NAME" },
                 { "3", "answer", "dom0=notify+operation " .. ROW(1) } },
    })
    du(first + 2, guest, "operation only", {
        alive = true, untold = true, operation = "pause",
        outcome = "T0; dom0's operation is carried out",
        sees = { HOLD, T0, { "II", "operation", "op=pausedomain domain=NAME" },
                 { "3", "answer", "dom0=operation " .. ROW(2) }, { "3", "resume", "vcpu=DOMU into=program" } },
    })
    du(first + 3, guest, "none", {
        killed = true,
        outcome = "T0; the vCPU is held; the deadline passes; hv kills the guest",
        sees = { HOLD, T0, { "3", "deadline", ROW(3) }, { "3", "kill", "domain=NAME " .. ROW(3) .. " why=deadline" } },
    })
    du(first + 4, guest, "no handler", {
        killed = true, dumped = true,
        outcome = "no T0; hv kills the guest at once, the machine goes on",
        sees = { { "2c", "kill", "domain=NAME " .. ROW(4) .. " why=no_handler" }, { "2c", "dump", "" } },
    })
end

can_handle(1, { name = "pv_handler", step = "3a" })
cannot_handle(6, { name = "pv", step = "3a" })
can_handle(11, { name = "hvm_handler", step = "3a" })
cannot_handle(16, { name = "hvm_driver", step = "3a" })
cannot_handle(21, { name = "hvm", step = "3b" })

local GUESTS = {
    pv_handler = "a PV guest with a handler", pv = "a PV guest without a handler",
    hvm_handler = "an HVM guest with driver and handler", hvm_driver = "an HVM guest with driver, without handler",
    hvm = "an HVM guest without driver",
}

local OF = { xen = "Xen", dom0 = "dom0", domu = "a guest" }

-- One line that says which case a row is.
local function title(of)
    local handlers = of.kind == "CE" and (of.event and "dom0 has the event handler" or "dom0 has no event handler") or
                     (of.trap and "dom0 has the trap handler" or "dom0 has no trap handler")
    if of.kind == "CE" then
        return string.format("%s: corrected error of %s; %s: %s", of.id, OF[of.impacts], handlers, of.outcome)
    elseif of.impacts ~= "domu" then
        return string.format("%s: uncorrected error of %s, %s; %s: %s", of.id, OF[of.impacts],
                             of.healed and "healed" or "not healed", handlers, of.outcome)
    end
    return string.format("%s: uncorrected error of %s; %s%s: %s", of.id, GUESTS[of.domu], handlers,
                         of.trap and ", answer: " .. of.answer or "", of.outcome)
end

return { rows = rows, by_id = by_id, title = title }
