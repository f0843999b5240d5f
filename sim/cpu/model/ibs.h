/* SPDX-License-Identifier: MIT */
/*
 * Instruction-based sampling, MSRC001_1030 to 103A (BKDG10 2.17.2; fact sheet 2.6): two counters, each of which
 * tags what comes when it reaches its maximum. What was tagged is described in registers, and an interrupt raised
 * by the extended LVT entry that IbsCtl names. Counting stops until software clears the valid bit.
 * deviation: an instruction is one fetch and one op; the low bits of the counts are never randomised (IbsRandEn, and
 * after each sample), so that runs repeat; a tagged op that faults or is intercepted gives no sample: what is
 * executed next is tagged instead. No caches, no branch prediction: none of their bits is ever set.
 */
#ifndef FAM10H_CPU_MODEL_IBS_H
#define FAM10H_CPU_MODEL_IBS_H

#include "sim/cpu/model/msr.h"

/* IBS_FETCH_CTL, MSRC001_1030. */
#define IBS_FETCH_MAX 15, 0 /* bits 19:4 of the maximum */
#define IBS_FETCH_COUNT 31, 16
#define IBS_FETCH_LATENCY 47, 32
#define IBS_FETCH_EN 48
#define IBS_FETCH_VAL 49
#define IBS_FETCH_COMPLETE 50
#define IBS_FETCH_PHYSICAL_VALID 52
#define IBS_FETCH_PAGE_2M 53
#define IBS_FETCH_L1_MISS 55
#define IBS_FETCH_L2_MISS 56
#define IBS_FETCH_RESULT (bits_mask(47, 32) | bits_mask(56, 50))

/* IBS_OP_CTL, MSRC001_1033. */
#define IBS_OP_MAX 15, 0
#define IBS_OP_EN 17
#define IBS_OP_VAL 18
#define IBS_OP_COUNT_OPS 19 /* revision C on: dispatched ops, else cycles */
#define IBS_OP_COUNT 51, 32

/* IBS_FETCH_CTL or IBS_OP_CTL has a new value. An enabled counter with a maximum of 0 is noted: it never samples. */
void ibs_write(struct core *core, bool op, uint64_t value);
/* The register with the count as it is now. */
uint64_t ibs_read(struct core *core, bool op);
/* Derived state anew, from the control registers. */
void ibs_changed(struct core *core);

/* At a boundary with core->ibs.counting: bring the counts up to date. true: what comes next is tagged. */
bool ibs_due(struct core *core);

/* Which of the two counters has reached its maximum, by the counts of the last ibs_due. */
bool ibs_fetch_due(const struct core *core);
bool ibs_op_due(const struct core *core);
/* The counter of ops runs: enabled, no sample waits, the maximum is not 0. */
bool ibs_op_counts(const struct msr_storage *msr);

/* Revision C and D show the count of ops, can count ops, and know of 1G pages in the L2 TLB. */
static inline bool ibs_revision_c(const struct core *core)
{
    return core->model->nrip;
}

#endif
