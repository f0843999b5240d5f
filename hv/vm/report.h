/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_REPORT_H
#define HV_VM_REPORT_H

#include "hv/vm/guest.h"

/* Print every guest's result and exit counts, then stop the machine: 0 if all finished. The first caller does it. */
void report_and_stop(void) __attribute__((noreturn));

/* A guest's last lines, at the end of its life; its counts stay in the totals. */
void report_retire(const struct guest *guest);
/* Exits of a reason over all guests, those that are gone included. */
struct exit_count report_total(unsigned reason);

#endif
