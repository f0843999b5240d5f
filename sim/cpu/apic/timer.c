/* SPDX-License-Identifier: MIT */
/*
 * The APIC timer (APM2 16.4.1, BKDG10 2.9): counts down at CLKIN divided by register 3E0. The count is
 * computed from the clock when somebody looks; only an expiry that interrupts is an event.
 */
#include "sim/cpu/apic/apic_private.h"

/* assumed: CLKIN = 200 MHz (fact sheet 2.9), the same in every P-state. */
#define CLKIN_PERIOD_PS UINT64_C(5000)

/* Divide register bits 3, 1, 0: 000 is 2, 001 is 4 ... 110 is 128, 111 is 1 (APM2 16.4.1). */
static unsigned divisor(uint32_t divide)
{
    unsigned code = (unsigned)(bits(divide, 3, 3) << 2 | bits(divide, 1, 0));

    return code == 7 ? 1 : 2u << code;
}

static uint64_t period_ps(const struct local_apic *apic)
{
    return CLKIN_PERIOD_PS * divisor(apic->timer_divide);
}

static bool periodic(const struct local_apic *apic)
{
    return bit(apic->lvt[LVT_TIMER], LVT_PERIODIC);
}

/* ---- Count ------------------------------------------------------------------------------------------- */

/* Counts elapsed since timer_start_ps. */
static uint64_t elapsed(const struct local_apic *apic)
{
    uint64_t now = apic->core->clock->now_ps;

    /* Another core's slice may have set the clock behind this core's own time. */
    return now > apic->timer_start_ps ? (now - apic->timer_start_ps) / period_ps(apic) : 0;
}

uint32_t apic_timer_count(const struct local_apic *apic)
{
    uint64_t counts = elapsed(apic);

    if (apic->timer_from == 0)
        return 0;
    if (counts < apic->timer_from)
        return (uint32_t)(apic->timer_from - counts);
    if (!periodic(apic))
        return 0;
    return (uint32_t)(apic->timer_initial - (counts - apic->timer_from) % apic->timer_initial);
}

/* The first expiry after now, or NEVER. */
static uint64_t next_expiry(const struct local_apic *apic)
{
    uint64_t period = period_ps(apic), now = apic->core->clock->now_ps;
    uint64_t first = apic->timer_start_ps + apic->timer_from * period;
    uint64_t cycle = apic->timer_initial * period;

    if (apic->timer_from == 0)
        return NEVER;
    if (first > now)
        return first;
    return periodic(apic) ? first + ((now - first) / cycle + 1) * cycle : NEVER;
}

static void arm(struct local_apic *apic)
{
    uint64_t due = bit(apic->lvt[LVT_TIMER], LVT_MASK) ? NEVER : next_expiry(apic);

    if (due == NEVER)
        timer_disarm(&apic->timer);
    else
        timer_arm(&apic->timer, due);
}

static void fire(void *ctx)
{
    struct local_apic *apic = ctx;

    apic->count.expirations++;
    apic_accept(apic, (uint8_t)bits(apic->lvt[LVT_TIMER], LVT_VECTOR), false);
    arm(apic);
}

/* Let the count go on from what it is now, at the last whole count. */
static void rebase(struct local_apic *apic)
{
    uint32_t count = apic_timer_count(apic);

    apic->timer_start_ps += elapsed(apic) * period_ps(apic);
    apic->timer_from = count;
}

/* ---- Registers ---------------------------------------------------------------------------------------- */

void apic_timer_init(struct local_apic *apic)
{
    apic->timer.name = "apic timer";
    apic->timer.fire = fire;
    apic->timer.ctx = apic;
    clock_attach(apic->core->clock, &apic->timer);
}

void apic_timer_stop(struct local_apic *apic)
{
    apic->timer_initial = apic->timer_from = 0;
    apic->timer_start_ps = 0;
    timer_disarm(&apic->timer);
}

void apic_timer_write_initial(struct local_apic *apic, uint32_t value)
{
    apic->timer_initial = apic->timer_from = value;
    apic->timer_start_ps = apic->core->clock->now_ps;
    arm(apic);
}

void apic_timer_write_divide(struct local_apic *apic, uint32_t value)
{
    rebase(apic);
    apic->timer_divide = value;
    apic->timer_start_ps = apic->core->clock->now_ps;
    arm(apic);
}

void apic_timer_lvt_changed(struct local_apic *apic, uint32_t old)
{
    uint32_t entry = apic->lvt[LVT_TIMER];

    if (bit(old ^ entry, LVT_PERIODIC)) {
        apic->lvt[LVT_TIMER] = old;
        rebase(apic); /* by the mode it counted in so far */
        apic->lvt[LVT_TIMER] = entry;
    }
    arm(apic);
}
