/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_counts.h"

#include "hv/core/console.h"
#include "hv/core/format.h"
#include "hv/vm/machine_check.h"

static const char *const bank_names[MCA_BANKS] = { "DC", "IC", "BU", "LS", "NB", "FR" };
static uint64_t counts[MACHINE_CHECK_COUNTERS]; /* atomic */

static void add(unsigned which)
{
    __atomic_fetch_add(&counts[which], 1, __ATOMIC_RELAXED);
}

void machine_check_count(const struct mca_error *error)
{
    if (mca_interrupted(error))
        add(MACHINE_CHECK_TAKEN);
    for (unsigned i = 0; i < error->count; i++)
        add((error->bank[i].status & MCA_UC ? MACHINE_CHECK_UNCORRECTED : MACHINE_CHECK_CORRECTED) +
            error->bank[i].number);
}

void machine_check_count_lost(void)
{
    add(MACHINE_CHECK_LOST);
}

uint64_t machine_check_counter(enum machine_check_counter which)
{
    return __atomic_load_n(&counts[which], __ATOMIC_RELAXED) +
           (which == MACHINE_CHECK_LOST ? machine_check_lost() : 0);
}

void machine_check_counter_name(enum machine_check_counter which, char *name, unsigned size)
{
    if (which == MACHINE_CHECK_TAKEN)
        format_text(name, size, "mca machine_checks");
    else if (which == MACHINE_CHECK_LOST)
        format_text(name, size, "mca_lost");
    else if (which < MACHINE_CHECK_UNCORRECTED)
        format_text(name, size, "mca corrected %s", bank_names[which - MACHINE_CHECK_CORRECTED]);
    else
        format_text(name, size, "mca uncorrected %s", bank_names[which - MACHINE_CHECK_UNCORRECTED]);
}

void machine_check_report(void)
{
    for (unsigned i = 0; i < MACHINE_CHECK_COUNTERS; i++) {
        uint64_t value = machine_check_counter((enum machine_check_counter)i);
        char name[32];

        if (!value)
            continue;
        machine_check_counter_name((enum machine_check_counter)i, name, sizeof(name));
        console_print("count what=\"%s\" value=%lu", name, (unsigned long)value);
    }
}
