/* SPDX-License-Identifier: MIT */
/* Corrected errors, which raise no #MC: every core looks into its banks, once a period (hv/mca/poll.h). */
#ifndef HV_VM_MACHINE_CHECK_POLL_H
#define HV_VM_MACHINE_CHECK_POLL_H

#include "hv/core/percore.h"
#include "hv/mca/error.h"
#include "hv/mca/poll.h"

void machine_check_poll_init(const struct mca_poll *poll);
/* On core 0: the first period begins. */
void machine_check_poll_begin(void);
/* In the core's loop: look, if a poll was called that this core has not answered. */
void machine_check_poll_run(struct percore *core);
/* What one found, in machine_check.c. */
void machine_check_found_by_poll(struct mca_error *error, enum mca_via via);

#endif
