/* SPDX-License-Identifier: MIT */
#include "sim/platform/hpet.h"

#include "sim/bits.h"

__extension__ typedef unsigned __int128 wide;

#define TICK_NUMERATOR 315  /* 14.31818 MHz = 315/22 MHz */
#define TICK_PS 22000000    /* so many picoseconds are 315 ticks */
#define PERIOD_FS UINT64_C(0x0429b17f)

#define REGISTER_ID 0x000
#define REGISTER_CONFIG 0x010
#define REGISTER_STATUS 0x020
#define REGISTER_COUNTER 0x0f0
#define REGISTER_TIMER 0x100
#define TIMER_STRIDE 0x20
#define TIMER_CONFIG 0x00
#define TIMER_COMPARATOR 0x08

#define CONFIG_ENABLE 0
#define CONFIG_LEGACY 1
#define CONFIG_WRITABLE BITS(1, 0)

/* Tn_CONF */
#define TN_LEVEL 1
#define TN_ENABLE 2
#define TN_PERIODIC 3
#define TN_PERIODIC_CAPABLE 4
#define TN_64_CAPABLE 5
#define TN_VALUE_SET 6
#define TN_32_MODE 8
#define TN_ROUTE 13, 9
#define TN_WRITABLE (BITS(13, 8) | BIT(TN_LEVEL) | BIT(TN_ENABLE) | BIT(TN_PERIODIC) | BIT(TN_VALUE_SET))
#define TN_ROUTES UINT64_C(0x00f00000) /* IOAPIC inputs 20-23 */
#define TN_RESET (TN_ROUTES << 32 | BIT(TN_PERIODIC_CAPABLE) | BIT(TN_64_CAPABLE))

static uint64_t hpet_ticks(const struct hpet *hpet)
{
    return hpet->clock ? (uint64_t)((wide)hpet->clock->now_ps * TICK_NUMERATOR / TICK_PS) : 0;
}

static uint64_t hpet_counter(const struct hpet *hpet)
{
    return bit(hpet->config, CONFIG_ENABLE) ? hpet->counter + (hpet_ticks(hpet) - hpet->since) : hpet->counter;
}

bool hpet_replaces_legacy(const struct hpet *hpet)
{
    return bit(hpet->config, CONFIG_ENABLE) && bit(hpet->config, CONFIG_LEGACY);
}

/* ---- Comparators ------------------------------------------------------------------------------------------------ */

static uint64_t timer_mask(const struct hpet_timer *t)
{
    return bit(t->config, TN_32_MODE) ? UINT32_MAX : UINT64_MAX;
}

/* Where the timer's interrupt goes: the legacy routes override Tn_INT_ROUTE_CNF for timers 0 and 1. */
static void timer_set_line(struct hpet_timer *t, bool level)
{
    struct hpet *hpet = t->hpet;

    if (t->number < 2 && hpet_replaces_legacy(hpet))
        hpet->legacy.set(hpet->legacy.ctx, t->number ? 8 : 0, level);
    else if (bit(TN_ROUTES, (unsigned)bits(t->config, TN_ROUTE)))
        hpet->irq.set(hpet->irq.ctx, (unsigned)bits(t->config, TN_ROUTE), level);
}

/* Ticks until the counter equals the comparator next, at least 1; 0: not within the life of a machine. */
static uint64_t timer_distance(const struct hpet_timer *t, uint64_t counter)
{
    uint64_t distance = (t->comparator - counter) & timer_mask(t);

    if (bit(t->config, TN_32_MODE))
        return distance ? distance : UINT64_C(1) << 32;
    return distance >> 62 ? 0 : distance;
}

static void timer_plan(struct hpet_timer *t)
{
    const struct hpet *hpet = t->hpet;
    uint64_t distance = timer_distance(t, hpet_counter(hpet));
    wide due;

    if (!bit(hpet->config, CONFIG_ENABLE) || !distance) {
        timer_disarm(&t->match);
        return;
    }
    due = ((wide)(hpet_ticks(hpet) + distance) * TICK_PS + TICK_NUMERATOR - 1) / TICK_NUMERATOR;
    if (due < NEVER)
        timer_arm(&t->match, (uint64_t)due);
    else
        timer_disarm(&t->match);
}

static void timer_match(void *ctx)
{
    struct hpet_timer *t = ctx;
    struct hpet *hpet = t->hpet;

    if (bit(t->config, TN_LEVEL))
        hpet->status |= BIT(t->number); /* in edge mode the bit stays 0 */
    if (bit(t->config, TN_ENABLE)) {
        timer_set_line(t, true);
        if (!bit(t->config, TN_LEVEL))
            timer_set_line(t, false);
    }
    if (bit(t->config, TN_PERIODIC) && t->period)
        t->comparator = (t->comparator + t->period) & timer_mask(t);
    timer_plan(t);
}

static void timer_write_config(struct hpet_timer *t, uint64_t value)
{
    timer_set_line(t, false); /* a level that the old route holds */
    t->config = (t->config & ~TN_WRITABLE) | (value & TN_WRITABLE);
    if (bit(t->config, TN_32_MODE)) {
        t->comparator = (uint32_t)t->comparator;
        t->period = (uint32_t)t->period;
    }
    if (bit(t->config, TN_ENABLE) && bit(t->config, TN_LEVEL) && bit(t->hpet->status, t->number))
        timer_set_line(t, true);
}

/* In periodic mode a write sets the period; with Tn_VAL_SET_CNF, for one write, the comparator as well. */
static void timer_write_comparator(struct hpet_timer *t, uint64_t value)
{
    value &= timer_mask(t);
    if (bit(t->config, TN_PERIODIC))
        t->period = value;
    if (!bit(t->config, TN_PERIODIC) || bit(t->config, TN_VALUE_SET))
        t->comparator = value;
    t->config = bit_put(t->config, TN_VALUE_SET, false);
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

static void hpet_plan(struct hpet *hpet)
{
    for (unsigned i = 0; i < HPET_TIMERS; i++)
        timer_plan(&hpet->timer[i]);
}

static void hpet_drop_lines(struct hpet *hpet)
{
    for (unsigned i = 0; i < HPET_TIMERS; i++)
        timer_set_line(&hpet->timer[i], false);
}

static void hpet_write_config(struct hpet *hpet, uint64_t value)
{
    uint64_t counter = hpet_counter(hpet);

    hpet_drop_lines(hpet); /* the legacy bit moves routes, */
    hpet->counter = counter;
    hpet->since = hpet_ticks(hpet);
    hpet->config = value & CONFIG_WRITABLE;
    hpet_drop_lines(hpet); /* and the 8254 or RTC may have left theirs high */
}

/* Write 1 to clear; only level interrupts have the bit. */
static void hpet_write_status(struct hpet *hpet, uint64_t value)
{
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        if (bit(value & hpet->status, i))
            timer_set_line(&hpet->timer[i], false);
    }
    hpet->status &= ~value;
}

static uint64_t hpet_read_register(const struct hpet *hpet, unsigned reg)
{
    unsigned number = (reg - REGISTER_TIMER) / TIMER_STRIDE;

    switch (reg) {
    case REGISTER_ID:
        return PERIOD_FS << 32 | HPET_ID;
    case REGISTER_CONFIG:
        return hpet->config;
    case REGISTER_STATUS:
        return hpet->status;
    case REGISTER_COUNTER:
        return hpet_counter(hpet);
    default:
        if (reg < REGISTER_TIMER || number >= HPET_TIMERS)
            return 0;
        reg &= TIMER_STRIDE - 1;
        return reg == TIMER_CONFIG ? hpet->timer[number].config
                                   : reg == TIMER_COMPARATOR ? hpet->timer[number].comparator : 0;
    }
}

static void hpet_write_register(struct hpet *hpet, unsigned reg, uint64_t value)
{
    unsigned number = (reg - REGISTER_TIMER) / TIMER_STRIDE;

    if (reg == REGISTER_CONFIG) {
        hpet_write_config(hpet, value);
    } else if (reg == REGISTER_STATUS) {
        hpet_write_status(hpet, value);
    } else if (reg == REGISTER_COUNTER) { /* while it runs the specification leaves the result open: it takes it */
        hpet->counter = value;
        hpet->since = hpet_ticks(hpet);
    } else if (reg >= REGISTER_TIMER && number < HPET_TIMERS) {
        if ((reg & (TIMER_STRIDE - 1)) == TIMER_CONFIG)
            timer_write_config(&hpet->timer[number], value);
        else if ((reg & (TIMER_STRIDE - 1)) == TIMER_COMPARATOR)
            timer_write_comparator(&hpet->timer[number], value);
    }
    hpet_plan(hpet);
}

static uint64_t hpet_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)size; /* the map cuts the value */
    return hpet_read_register(ctx, (unsigned)offset & ~7u) >> (8 * (offset & 7));
}

/* 32 and 64 bits, aligned; others are not defined (2.3.1) and do nothing. A half keeps the other half. */
static void hpet_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    unsigned reg = (unsigned)offset & ~7u;
    uint64_t old = reg == REGISTER_STATUS ? 0 : hpet_read_register(ctx, reg);

    if (size == 8 && !(offset & 7))
        hpet_write_register(ctx, reg, value);
    else if (size == 4 && !(offset & 3))
        hpet_write_register(ctx, reg, offset & 4 ? bits_put(old, 63, 32, value) : bits_put(old, 31, 0, value));
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

void hpet_reset(struct hpet *hpet)
{
    hpet_drop_lines(hpet);
    hpet->config = hpet->status = hpet->counter = hpet->since = 0;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *t = &hpet->timer[i];

        t->config = TN_RESET;
        t->comparator = UINT64_MAX;
        t->period = 0;
        timer_disarm(&t->match);
    }
}

void hpet_init(struct hpet *hpet, const struct irq_line *irq, const struct irq_line *legacy)
{
    static const char *const names[HPET_TIMERS] = { "hpet.timer[0]", "hpet.timer[1]", "hpet.timer[2]" };

    hpet->irq = *irq;
    hpet->legacy = *legacy;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        struct hpet_timer *t = &hpet->timer[i];

        t->hpet = hpet;
        t->number = i;
        t->match = (struct timer){ .name = names[i], .fire = timer_match, .ctx = t };
    }
}

void hpet_connect(struct hpet *hpet, struct clock *clock)
{
    hpet->clock = clock;
    for (unsigned i = 0; i < HPET_TIMERS; i++)
        clock_attach(clock, &hpet->timer[i].match);
}

struct mmio_region hpet_region(struct hpet *hpet)
{
    return (struct mmio_region){ "hpet", HPET_BASE, HPET_BYTES, hpet, hpet_read, hpet_write };
}

static const struct state_field hpet_fields[] = {
    STATE_VALUE(struct hpet, config), STATE_VALUE(struct hpet, status), STATE_VALUE(struct hpet, counter),
    STATE_VALUE(struct hpet, since), STATE_EACH(struct hpet, timer, config),
    STATE_EACH(struct hpet, timer, comparator), STATE_EACH(struct hpet, timer, period),
};

const struct state_part hpet_state = {
    .name = "hpet", .fields = hpet_fields, .count = G_N_ELEMENTS(hpet_fields),
};
