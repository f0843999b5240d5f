/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_REPORT_H
#define HV_VM_REPORT_H

/* Print every guest's result and exit counts, then stop the machine: 0 if all finished. The first caller does it. */
void report_and_stop(void) __attribute__((noreturn));

#endif
