/* SPDX-License-Identifier: MIT */
/* A second core of the bare machine for 64-bit programs: started by INIT and SIPI, it runs what it is given. */
#ifndef WORKLOADS_LIB_SMP64_H
#define WORKLOADS_LIB_SMP64_H

#include <stdbool.h>
#include <stdint.h>

#define SMP_PAGE 0x8000u /* where it starts: SIPI vector 08h */

/* What it found in real mode. */
extern volatile struct smp_found {
    uint16_t cs, ds;
    uint32_t edx, cr0;
} smp_found;
/* Interrupts (each gets its EOI) and NMIs that it took. */
extern volatile uint32_t smp_interrupts, smp_nmis;

/* Put the trampoline at SMP_PAGE. */
void smp_prepare(void);
/* INIT, then a STARTUP message; true when the core has arrived. */
bool smp_start(uint8_t id);
/* It has arrived since the last call, within patience. */
bool smp_arrived(void);
/* Let it call function(argument); smp_wait waits for the end: false if it takes too long. */
void smp_run(void (*function)(void *argument), void *argument);
bool smp_wait(void);

#endif
