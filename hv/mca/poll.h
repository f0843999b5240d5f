/* SPDX-License-Identifier: MIT */
/*
 * How often hv looks into the banks for corrected errors, which raise no #MC on this family: the period gets shorter
 * while something is found, longer while nothing is. Pure.
 */
#ifndef HV_MCA_POLL_H
#define HV_MCA_POLL_H

#include <stdint.h>

/* Of Xen 3.3: 15 s, never below 2 s nor above 30 s. */
#define MCA_POLL_FIRST_MS 15000u
#define MCA_POLL_MIN_MS 2000u
#define MCA_POLL_MAX_MS 30000u

struct mca_poll {
    uint32_t period_ms, min_ms, max_ms;
};

/* After a poll: the next period. adjust: see mca_poll_adjust. */
uint32_t mca_poll_next(struct mca_poll *poll, unsigned adjust);
/*
 * What a poll counts for: cores that found something, and what MC4_MISC's counters counted beyond the one in the
 * bank.
 */
unsigned mca_poll_adjust(unsigned cores_that_found, unsigned hardware_count);
/*
 * Errors that a block of threshold counters has counted since it was restarted with this threshold; 0 also if it does
 * not count, or firmware keeps it.
 */
unsigned mca_block_count(uint64_t misc, unsigned threshold);
/*
 * The block counting anew: an interrupt by the APIC's extended LVT entry 0 after `threshold` errors (1 to
 * MCA_THRESHOLD_MAX),
 * 0: none. As it was, if it cannot be used.
 */
#define MCA_THRESHOLD_MAX 0xFFEu
uint64_t mca_block_restart(uint64_t misc, unsigned threshold);

#endif
