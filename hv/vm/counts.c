/* SPDX-License-Identifier: MIT */
#include "hv/vm/counts.h"

#define EXITCODE_NPF 0x400ull
#define EXITCODE_INVALID UINT64_MAX

unsigned counts_index(uint64_t exitcode)
{
    if (exitcode < EXIT_COUNT_NPF)
        return (unsigned)exitcode;
    if (exitcode == EXITCODE_NPF)
        return EXIT_COUNT_NPF;
    return exitcode == EXITCODE_INVALID ? EXIT_COUNT_INVALID : EXIT_COUNT_OTHER;
}

uint64_t counts_exitcode(unsigned index)
{
    if (index == EXIT_COUNT_NPF)
        return EXITCODE_NPF;
    return index == EXIT_COUNT_INVALID ? EXITCODE_INVALID : index;
}

void counts_init(struct exit_counts *counts)
{
    *counts = (struct exit_counts){ .open_reason = EXIT_COUNT_NONE };
}

void counts_exit(struct exit_counts *counts, uint64_t exitcode, uint64_t tsc)
{
    counts->open_reason = counts_index(exitcode);
    counts->open_since = tsc;
    counts->reason[counts->open_reason].count++;
}

void counts_handled(struct exit_counts *counts, uint64_t tsc)
{
    if (counts->open_reason == EXIT_COUNT_NONE)
        return;
    counts->reason[counts->open_reason].cycles += tsc - counts->open_since;
    counts->open_reason = EXIT_COUNT_NONE;
}
