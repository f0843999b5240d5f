/* SPDX-License-Identifier: MIT */
/*
 * The table of #VMEXITs by vCPU, guest, code and rIP (struct exit_row of cpu.h), and svm's counters.
 * A vCPU is its VMCB: the time between its #VMEXIT and its next VMRUN counts on whatever core that is.
 */
#ifndef FAM10H_CPU_SVM_EXITS_H
#define FAM10H_CPU_SVM_EXITS_H

#include "sim/counters.h"
#include "sim/cpu/core.h"
#include "sim/cpu/exec/intercept.h"

struct svm_counters {
    uint64_t vmruns;
    uint64_t flushes;
    uint64_t exits[VMEXIT_KINDS];
};
extern const struct counter_row svm_counter_rows[];
extern const size_t svm_counter_row_count;

/* Every core whose exits the table takes, once. */
void exits_attach(struct exit_table *table, struct core *core);
/* #VMEXIT of core->svm.vmcb begins now: one row more, its time runs from here. */
void exits_left(struct core *core, uint64_t n_cr3, uint64_t code, uint64_t rip);
/* VMRUN of core->svm.vmcb begins now: the time of that vCPU's last exit is known. */
void exits_entered(struct core *core);

#endif
