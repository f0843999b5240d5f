/* SPDX-License-Identifier: MIT */
/*
 * Version 2 of hypercall 48 from the command line: errors injected, the cores as hv knows them, both steps of a
 * fetch.
 */
#ifndef WORKLOADS_DOM0_INJECT_H
#define WORKLOADS_DOM0_INJECT_H

/* Verbs: the words, themselves included. */
void inject_error(unsigned count, char *const *words); /* mce-inject CORE BANK STATUS ADDR [MCGSTATUS], hexadecimal */
void inject_cores(unsigned count, char *const *words); /* mce-cores */
void inject_fetch(unsigned count, char *const *words); /* mce-fetch: all records, acknowledged one by one */

#endif
