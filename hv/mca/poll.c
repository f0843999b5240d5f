/* SPDX-License-Identifier: MIT */
#include "hv/mca/poll.h"

#include <stdbool.h>

/* MC4_MISC (BKDG10 MSR0000_0413). */
#define MISC_VALID (1ull << 63)
#define MISC_COUNTER_PRESENT (1ull << 62)
#define MISC_LOCKED (1ull << 61)
#define MISC_LVT_OFFSET (0xFull << 52)
#define MISC_COUNT_ENABLED (1ull << 51)
#define MISC_INTERRUPT (3ull << 49)
#define MISC_INTERRUPT_APIC (1ull << 49)
#define MISC_OVERFLOW (1ull << 48)
#define MISC_COUNT_SHIFT 32
#define MISC_COUNT_MASK 0xFFFull

uint32_t mca_poll_next(struct mca_poll *poll, unsigned adjust)
{
    uint64_t period = adjust ? poll->period_ms / (adjust + 1ull) : poll->period_ms * 2ull;

    if (period < poll->min_ms)
        period = poll->min_ms;
    if (period > poll->max_ms)
        period = poll->max_ms;
    poll->period_ms = (uint32_t)period;
    return poll->period_ms;
}

unsigned mca_poll_adjust(unsigned cores_that_found, unsigned hardware_count)
{
    return cores_that_found + (hardware_count ? hardware_count - 1 : 0);
}

static bool usable(uint64_t misc)
{
    return misc & MISC_VALID && misc & MISC_COUNTER_PRESENT && !(misc & MISC_LOCKED);
}

/* The counter interrupts when it gets to FFFh, and stays there. */
static uint64_t first_count(unsigned threshold)
{
    return threshold ? MISC_COUNT_MASK - threshold : 0;
}

unsigned mca_block_count(uint64_t misc, unsigned threshold)
{
    uint64_t count = misc >> MISC_COUNT_SHIFT & MISC_COUNT_MASK, first = first_count(threshold);

    if (!usable(misc) || !(misc & MISC_COUNT_ENABLED) || count < first)
        return 0;
    return (unsigned)(count - first);
}

uint64_t mca_block_restart(uint64_t misc, unsigned threshold)
{
    if (!usable(misc))
        return misc;
    misc &= ~(MISC_COUNT_MASK << MISC_COUNT_SHIFT | MISC_OVERFLOW | MISC_INTERRUPT | MISC_LVT_OFFSET);
    if (threshold)
        misc |= MISC_INTERRUPT_APIC;
    return misc | MISC_COUNT_ENABLED | first_count(threshold) << MISC_COUNT_SHIFT;
}
