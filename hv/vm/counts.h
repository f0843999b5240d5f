/* SPDX-License-Identifier: MIT */
/*
 * hv's own exit counts: per vCPU and reason, how many and how many cycles until the next VMRUN. The simulator
 * keeps the same figures independently; tests compare them.
 */
#ifndef HV_VM_COUNTS_H
#define HV_VM_COUNTS_H

#include <stdint.h>

#define EXIT_COUNT_NPF 0x90     /* exit codes 000h-08Fh keep their own number */
#define EXIT_COUNT_INVALID 0x91
#define EXIT_COUNT_OTHER 0x92
#define EXIT_COUNT_REASONS 0x93

struct exit_count {
    uint64_t count, cycles;
};

struct exit_counts {
    struct exit_count reason[EXIT_COUNT_REASONS];
    uint64_t halted_cycles; /* time blocked in HLT: not handling time */
    uint64_t runs;          /* VMRUNs */
    /* of the exit being handled */
    unsigned open_reason;
    uint64_t open_since;
};

#define EXIT_COUNT_NONE EXIT_COUNT_REASONS

void counts_init(struct exit_counts *counts);
void counts_exit(struct exit_counts *counts, uint64_t exitcode, uint64_t tsc);
/* The vCPU goes on (at its next VMRUN) or blocks: handling ends here. */
void counts_handled(struct exit_counts *counts, uint64_t tsc);
unsigned counts_index(uint64_t exitcode);
uint64_t counts_exitcode(unsigned index);

#endif
