/* SPDX-License-Identifier: MIT */
/* What hv has seen of machine checks, for perfc_op and the report; sim/mce keeps the same figures by itself. */
#ifndef HV_VM_MACHINE_CHECK_COUNTS_H
#define HV_VM_MACHINE_CHECK_COUNTS_H

#include "hv/mca/error.h"

enum machine_check_counter {
    MACHINE_CHECK_TAKEN,        /* #MC, those that a guest was interrupted by included */
    MACHINE_CHECK_CORRECTED,    /* by bank */
    MACHINE_CHECK_UNCORRECTED = MACHINE_CHECK_CORRECTED + MCA_BANKS,
    MACHINE_CHECK_LOST = MACHINE_CHECK_UNCORRECTED + MCA_BANKS, /* mca_lost */
    MACHINE_CHECK_COUNTERS
};

/* In #MC context too: no lock. */
void machine_check_count(const struct mca_error *error);
void machine_check_count_lost(void);
uint64_t machine_check_counter(enum machine_check_counter which);
/* "mca machine_checks", "mca corrected NB" ... */
void machine_check_counter_name(enum machine_check_counter which, char *name, unsigned size);
/* Report lines, if there was any. */
void machine_check_report(void);

#endif
