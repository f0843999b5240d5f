/* SPDX-License-Identifier: MIT */
/* What a core counts besides its MMU, its APIC and SVM. Rows: counters.c. Never anything of one engine only. */
#ifndef FAM10H_CPU_CORE_COUNTERS_H
#define FAM10H_CPU_CORE_COUNTERS_H

#include <stdint.h>

struct core;
struct counter_set;

struct core_counters {
    uint64_t instructions;       /* retired; both are brought up to date whenever core_run returns, because */
    uint64_t cycles;             /* counters may be cleared and the core's own clock may not */
    uint64_t exceptions[32];     /* raised by instructions and boundaries, by vector; before interception */
    uint64_t interrupts;         /* physical, acknowledged */
    uint64_t virtual_interrupts; /* V_IRQ taken */
    uint64_t nmis;
    uint64_t cr8[2][3];          /* retired reads and writes: in the host, of V_TPR, of the APIC's TPR by a guest */
    uint64_t cr8_unmasked;       /* interrupts that a guest's MOV to CR8 let in */
    uint64_t waited_cycles;      /* in HLT, MWAIT or wait-for-SIPI */
};

void core_counters_attach(struct core *core, struct counter_set *counters, const char *path);

#endif
