-- SPDX-License-Identifier: MIT
-- hv's telemetry rings, watched: their invariants hold after every store to a word that they are about, so at every instruction.
--
-- watch(complain) from now on, of the machine that has booted. Gives a table that counts the stores looked at.
-- record(index) is what one of version 1 says.

-- Layout: hv/mca/ring_v1.h, hv/mca/ring_v2.h; struct mca_info (hv/abi/mca.h) is 768 bytes.
local SLOTS, SLOT, NOTIFIED = 10, 8 + 768, 12 + 768
local NOTIFY_IDX, ENTRIES, ENTRY = 16 + SLOTS * SLOT, 30, 8 + 768
local FREE, UNCOMMITTED, COMMITTED, PROCESSING = 0, 1, 2, 3
local MAY_FOLLOW = {
    [FREE] = { [UNCOMMITTED] = true },
    [UNCOMMITTED] = { [COMMITTED] = true },
    [COMMITTED] = { [PROCESSING] = true, [FREE] = true }, -- fetched, or dumped on the console
    [PROCESSING] = { [FREE] = true },
}

-- Version 1: free-running indices. Nothing is fetched that was not produced, each is produced once, none goes back, and
-- who skips records has counted them as lost before.
local function watch_indices(ring, seen, complain)
    local NAMES = { "error_idx", "fetch_idx", "lost", "lost_told" }
    local last = { mem(ring, 4), mem(ring + 4, 4), mem(ring + 8, 4), mem(ring + 12, 4) }
    local lost_before = last[3]
    at({ stored = ring, size = 16 }, function(event)
        local now = { mem(ring, 4), mem(ring + 4, 4), mem(ring + 8, 4), mem(ring + 12, 4) }
        local skipped = now[2] - last[2] - 1
        seen.stores = seen.stores + 1
        for i, name in ipairs(NAMES) do
            if now[i] < last[i] then
                complain(string.format("ring: %s goes back from %d to %d (core %d)", name, last[i], now[i], event.core))
            end
        end
        if now[1] - last[1] > 1 then
            complain(string.format("ring: error_idx goes from %d to %d", last[1], now[1]))
        end
        if now[2] > now[1] or now[4] > now[3] then
            complain(string.format("ring: %d fetched of %d, %d lost known of %d", now[2], now[1], now[4], now[3]))
        end
        if skipped > 0 then
            if now[3] - lost_before < skipped + 1 then
                complain(string.format("ring: fetch_idx skips %d, %d are lost", skipped + 1, now[3] - lost_before))
            end
            lost_before = now[3]
        end
        last = now
    end)
end

-- A slot holds nothing, or one of the records whose place it is, that was produced, and no older one than before.
local function watch_slots(ring, seen, complain)
    for i = 0, SLOTS - 1 do
        local at_slot, newest = ring + 16 + i * SLOT, 0
        at({ stored = at_slot, size = 4 }, function()
            local committed = mem(at_slot, 4)
            seen.stores = seen.stores + 1
            if committed ~= 0 and ((committed - 1) % SLOTS ~= i or committed > mem(ring, 4) or committed < newest) then
                complain(string.format("ring: slot %d holds record %d of %d, after %d", i, committed - 1, mem(ring, 4),
                                       newest - 1))
            end
            newest = math.max(newest, committed)
        end)
        -- What a notified domain gets is a copy of a record that was produced.
        local copy = ring + NOTIFY_IDX + 4 + i * NOTIFIED + 8
        at({ stored = copy, size = 4 }, function()
            seen.stores = seen.stores + 1
            if mem(copy, 4) >= mem(ring, 4) then
                complain(string.format("ring: a copy of record %d of %d", mem(copy, 4), mem(ring, 4)))
            end
        end)
    end
end

-- Version 2: free -> uncommitted -> committed -> processing -> free; a committed one that is on the console is free.
local function watch_entries(entries, seen, complain)
    for i = 0, ENTRIES - 1 do
        local at_entry = entries + 4 + i * ENTRY
        local state = mem(at_entry, 1)
        at({ stored = at_entry, size = 1 }, function()
            local now = mem(at_entry, 1)
            seen.stores = seen.stores + 1
            if now ~= state and not (MAY_FOLLOW[state] or {})[now] then
                complain(string.format("ring: entry %d goes from state %d to %d", i, state, now))
            end
            state = now
        end)
    end
end

local function watch(complain)
    local seen = { stores = 0 }
    local ring = symbol("machine_check_ring")
    watch_indices(ring, seen, complain)
    watch_slots(ring, seen, complain)
    watch_entries(symbol("machine_check_entries"), seen, complain)
    return seen
end

-- Record `index` of version 1 while its slot is its own: what its global record and its recovery record say
-- (struct mca_global_v1 and mca_recovery); nil.
local GLOBAL, RECOVERY, HEAD = 0, 3, 4

local function record(index)
    local at_slot = symbol("machine_check_ring") + 16 + index % SLOTS * SLOT
    if mem(at_slot, 4) ~= index + 1 then
        return nil
    end
    local found, at_record = {}, at_slot + 8 + HEAD
    for _ = 1, mem(at_slot + 8, 4) do
        local kind = mem(at_record, 2)
        if kind == GLOBAL then
            found.domid, found.vcpu = mem(at_record + 4, 2), mem(at_record + 16, 2)
            found.core, found.flags = mem(at_record + 12, 2), mem(at_record + 32, 4)
        elseif kind == RECOVERY then
            found.frame = mem(at_record + 8, 8)
        end
        at_record = at_record + mem(at_record + 2, 2)
    end
    return found
end

return { watch = watch, record = record }
