/* SPDX-License-Identifier: MIT */
#include "sim/cpu/model/perf.h"

#include "sim/cpu/core_counters.h"
#include "sim/cpu/model/msr.h"

/* PERF_CTL, MSRC001_0000. */
#define CTL_EVENT_LOW 7, 0
#define CTL_UNIT_MASK 15, 8
#define CTL_USR 16
#define CTL_OS 17
#define CTL_EDGE 18
#define CTL_INT 20
#define CTL_EN 22
#define CTL_INV 23
#define CTL_COUNT_MASK 31, 24
#define CTL_EVENT_HIGH 35, 32
#define CTL_GUEST_ONLY 40
#define CTL_HOST_ONLY 41

#define COUNTER_BITS 48
#define COUNTER_MASK (BIT(COUNTER_BITS) - 1)
#define ALL_SIZES 7

/* ---- Events ------------------------------------------------------------------------------------------------ */

static uint64_t cycles_not_halted(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return core->cycles - core->svm.halted_cycles;
}

static uint64_t instructions(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return core->instructions;
}

static uint64_t l2_dtlb_hits(struct core *core, unsigned unit_mask)
{
    return mmu_event_count(core->mmu, MMU_EVENT_L2_HITS, 0, unit_mask);
}

static uint64_t data_walks(struct core *core, unsigned unit_mask)
{
    return mmu_event_count(core->mmu, MMU_EVENT_WALKS, 0, unit_mask);
}

static uint64_t l1_dtlb_hits(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return mmu_event_count(core->mmu, MMU_EVENT_L1_HITS, 0, ALL_SIZES);
}

static uint64_t global_flushes(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return mmu_event_count(core->mmu, MMU_EVENT_GLOBAL_FLUSHES, 0, ALL_SIZES);
}

static uint64_t walk_references(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return mmu_event_count(core->mmu, MMU_EVENT_REFERENCES, 0, ALL_SIZES);
}

/* No data-cache model: the L2 cache serves every reference of a walk (models.h, cost_ref). */
static uint64_t nothing(struct core *core, unsigned unit_mask)
{
    (void)core, (void)unit_mask;
    return 0;
}

static uint64_t l2_itlb_hits(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return mmu_event_count(core->mmu, MMU_EVENT_L2_HITS, 1, ALL_SIZES);
}

static uint64_t code_walks(struct core *core, unsigned unit_mask)
{
    return mmu_event_count(core->mmu, MMU_EVENT_WALKS, 1, unit_mask);
}

static uint64_t interrupts_taken(struct core *core, unsigned unit_mask)
{
    (void)unit_mask;
    return core->count->interrupts + core->count->virtual_interrupts;
}

/*
 * deviation: a walk that faults is no miss; 1G pages that enter the TLB as 2M count as 1G; 084h's entries that the
 * L2 ITLB never holds (2M) do not arise.
 */
static const struct perf_event {
    uint16_t number;
    uint8_t units;    /* bits of the unit mask that mean something; 0: it is ignored */
    bool all_units;   /* only all of them together can be counted */
    bool per_cycle;   /* happens once in each counted cycle: CntMask and Inv can be honoured */
    uint64_t (*count)(struct core *core, unsigned unit_mask);
} events[] = {
    { 0x045, 7, false, false, l2_dtlb_hits },
    { 0x046, 7, false, false, data_walks },
    { 0x04D, 7, true, false, l1_dtlb_hits },
    { 0x054, 0, false, false, global_flushes },
    { 0x076, 0, false, true, cycles_not_halted },
    { 0x07D, 4, true, false, walk_references },
    { 0x07E, 4, true, false, nothing },
    { 0x084, 0, false, false, l2_itlb_hits },
    { 0x085, 3, false, false, code_walks },
    { 0x0C0, 0, false, false, instructions },
    { 0x0CF, 0, false, false, interrupts_taken },
};

static unsigned event_number(uint64_t control)
{
    return (unsigned)(bits(control, CTL_EVENT_HIGH) << 8 | bits(control, CTL_EVENT_LOW));
}

/* The event that `control` selects in a way that the model can count, or NULL. */
static const struct perf_event *find(uint64_t control)
{
    unsigned number = event_number(control), units = (unsigned)bits(control, CTL_UNIT_MASK);

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        const struct perf_event *event = &events[i];

        if (event->number != number)
            continue;
        if (event->units && (units & ~event->units || (event->all_units && units != event->units)))
            return NULL;
        if (bit(control, CTL_EDGE) || (bits(control, CTL_COUNT_MASK) && !event->per_cycle))
            return NULL;
        return event;
    }
    return NULL;
}

/*
 * With CntMask a counter counts cycles with at least that many events, with Inv cycles with fewer; without CntMask
 * Inv means nothing. An event that comes once a cycle: all cycles, or none.
 */
static bool counts_cycles(uint64_t control)
{
    uint64_t threshold = bits(control, CTL_COUNT_MASK);

    return threshold == 0 || (threshold == 1) != bit(control, CTL_INV);
}

/* ---- Counting ------------------------------------------------------------------------------------------------ */

/* assumed: GuestOnly and HostOnly together, or neither, count in both. */
static bool counts_now(const struct core *core, uint64_t control)
{
    bool guest_only = bit(control, CTL_GUEST_ONLY), host_only = bit(control, CTL_HOST_ONLY);

    if (!bit(control, core->perf.user ? CTL_USR : CTL_OS))
        return false;
    return guest_only == host_only || guest_only == core->perf.guest;
}

static uint64_t event_count(struct core *core, uint64_t control)
{
    const struct perf_event *event = find(control);

    return event ? event->count(core, (unsigned)bits(control, CTL_UNIT_MASK)) : 0;
}

static void add(struct core *core, unsigned n, uint64_t events_since)
{
    uint64_t *counter = &core->msr->perf_ctr[n];
    uint64_t sum = *counter + events_since;

    if (sum > COUNTER_MASK && bit(core->msr->perf_ctl[n], CTL_INT)) {
        core->perf.overflowed = true;
        core_attention(core);
    }
    *counter = sum & COUNTER_MASK;
}

void perf_sync(struct core *core)
{
    struct perf_core *perf = &core->perf;

    for (unsigned n = 0; n < PERF_COUNTERS; n++) {
        uint64_t control = core->msr->perf_ctl[n], now;

        if (!bit(perf->enabled, n))
            continue;
        now = event_count(core, control);
        if (counts_now(core, control)) /* a scenario may have cleared the model's counters since */
            add(core, n, now >= perf->last[n] ? now - perf->last[n] : now);
        perf->last[n] = now;
    }
}

uint64_t perf_read(struct core *core, unsigned n)
{
    perf_sync(core);
    return core->msr->perf_ctr[n];
}

void perf_write(struct core *core, unsigned n, uint64_t value)
{
    perf_sync(core);
    core->msr->perf_ctr[n] = value & COUNTER_MASK;
}

/* ---- Control ------------------------------------------------------------------------------------------------- */

void perf_changed(struct core *core)
{
    struct perf_core *perf = &core->perf;

    perf->enabled = 0;
    perf->interrupts = perf->exact = false;
    for (unsigned n = 0; n < PERF_COUNTERS; n++) {
        uint64_t control = core->msr->perf_ctl[n];
        const struct perf_event *event = bit(control, CTL_EN) ? find(control) : NULL;

        if (!event || (event->per_cycle && !counts_cycles(control)))
            continue;
        perf->enabled |= (uint8_t)BIT(n);
        perf->interrupts |= bit(control, CTL_INT);
        perf->exact |= event->count == instructions || (bit(control, CTL_INT) && !event->per_cycle);
    }
}

void perf_select(struct core *core, unsigned n, uint64_t control)
{
    perf_sync(core);
    if (bit(control, CTL_EN) && !find(control))
        unmodelled_note(core->unmodelled, "performance event %03X, PERF_CTL %08X", event_number(control),
                        (unsigned)(uint32_t)control);
    core->msr->perf_ctl[n] = control;
    core->perf.last[n] = event_count(core, control);
    perf_changed(core);
}

uint64_t perf_due(const struct core *core)
{
    uint64_t due = NEVER;

    for (unsigned n = 0; n < PERF_COUNTERS; n++) {
        uint64_t control = core->msr->perf_ctl[n], left = COUNTER_MASK + 1 - core->msr->perf_ctr[n];

        if (bit(core->perf.enabled, n) && bit(control, CTL_INT) && counts_now(core, control) && left < due)
            due = left;
    }
    return due;
}
