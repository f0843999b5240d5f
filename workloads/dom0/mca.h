/* SPDX-License-Identifier: MIT */
/* The control domain's part in machine check: its handlers, and what it answers (doc/mca.md). */
#ifndef WORKLOADS_DOM0_MCA_H
#define WORKLOADS_DOM0_MCA_H

#include <stdint.h>

/* The words of the verb mca, itself included. */
void mca_verb(unsigned count, char *const *words);
/* The event channel of VIRQ_MCA; 0: not bound. What it announced is fetched and said. */
uint32_t mca_port(void);
void mca_event(void);

#endif
