/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_poll.h"

#include "hv/core/clock.h"
#include "hv/core/console.h"
#include "hv/core/lapic.h"
#include "hv/core/text.h"
#include "hv/core/timer.h"
#include "hv/core/traps.h"
#include "hv/mca/banks.h"

static struct mca_poll period;
static struct timer poll_timer;
static unsigned called;             /* polls so far; atomic */
static unsigned answered[CORES_MAX]; /* each core's own */
static unsigned waiting;            /* cores that have not answered; atomic */
static unsigned found, counted;     /* of the poll that is on; atomic */

void machine_check_poll_init(const struct mca_poll *poll)
{
    period = *poll;
}

static void call_all(void *unused)
{
    (void)unused;
    found = counted = 0;
    __atomic_store_n(&waiting, percore_count, __ATOMIC_RELEASE);
    __atomic_fetch_add(&called, 1, __ATOMIC_RELEASE);
    for (unsigned core = 0; core < percore_count; core++) {
        __atomic_store_n(&percores[core].machine_check_due, true, __ATOMIC_RELEASE);
        if (core != percore_self()->index)
            lapic_send_fixed(percores[core].apic_id, VECTOR_FLUSH);
    }
}

void machine_check_poll_begin(void)
{
    poll_timer = (struct timer){ .fire = call_all };
    timer_set(&poll_timer, clock_now() + period.period_ms * CLOCK_MS);
}

/* The last core to answer sets the next period. */
static void finish(void)
{
    unsigned adjust = mca_poll_adjust(__atomic_load_n(&found, __ATOMIC_ACQUIRE),
                                      __atomic_load_n(&counted, __ATOMIC_ACQUIRE));

    timer_set(&poll_timer, clock_now() + mca_poll_next(&period, adjust) * CLOCK_MS);
    if (adjust)
        console_print("mca poll found=%u counted=%u period_ms=%u", found, counted, period.period_ms);
}

/* So many errors of DRAM that waiting for the next poll is not wanted. */
static void answer_threshold(struct percore *core)
{
    struct mca_error error;

    core->threshold_due = false;
    text_zero(&error, sizeof(error));
    mca_banks_collect(&error, true);
    mca_banks_counted(); /* begins anew */
    if (error.count)
        machine_check_found_by_poll(&error, MCA_VIA_THRESHOLD);
}

void machine_check_poll_run(struct percore *core)
{
    struct mca_error error;
    unsigned now = __atomic_load_n(&called, __ATOMIC_ACQUIRE);

    if (core->threshold_due)
        answer_threshold(core);
    if (answered[core->index] == now)
        return;
    answered[core->index] = now;
    text_zero(&error, sizeof(error));
    mca_banks_collect(&error, true);
    __atomic_fetch_add(&counted, mca_banks_counted(), __ATOMIC_ACQ_REL);
    if (error.count) {
        __atomic_fetch_add(&found, 1, __ATOMIC_ACQ_REL);
        machine_check_found_by_poll(&error, MCA_VIA_POLL);
    }
    if (__atomic_sub_fetch(&waiting, 1, __ATOMIC_ACQ_REL) == 0)
        finish();
}
