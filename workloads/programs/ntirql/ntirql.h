/* SPDX-License-Identifier: MIT */
/* What the profiles of ntirql share: the level, its history, the DPC. */
#ifndef WORKLOADS_PROGRAMS_NTIRQL_NTIRQL_H
#define WORKLOADS_PROGRAMS_NTIRQL_NTIRQL_H

#include <stdint.h>

#include "workloads/lib/apic.h"

#define PASSIVE 0u
#define DISPATCH 2u
#define CLOCK 13u
#define DPC_VECTOR (DISPATCH << 4 | 0xF)
#define FNV_PRIME 0x100000001B3ull
#define FNV_BASIS 0xCBF29CE484222325ull

struct interrupt_frame;

extern uint64_t reads, writes, dpcs_requested, history;
extern volatile uint64_t dpcs_run;

/* Ask for the DPC, which is an interrupt to itself. */
void request_dpc(void);
void set_gate(unsigned vector, void (*handler)(struct interrupt_frame *));
/* A number of the command line. */
uint32_t number(const char *name, uint32_t fallback);
/* clock.c */
void clock_profile(uint32_t ticks);

static inline uintptr_t level_register_read(void)
{
#ifdef __x86_64__
    uintptr_t value;

    __asm__ volatile("mov %%cr8, %0" : "=r"(value) : : "memory");
    return value;
#else
    return apic_read(APIC_TPR) >> 4;
#endif
}

static inline void level_register_write(uintptr_t level)
{
#ifdef __x86_64__
    __asm__ volatile("mov %0, %%cr8" : : "r"(level) : "memory");
#else
    apic_write(APIC_TPR, (uint32_t)level << 4);
#endif
}

static inline void note(uint64_t what)
{
    history = (history ^ what) * FNV_PRIME;
}

static inline uintptr_t level_read(void)
{
    reads++;
    return level_register_read();
}

/* Noted after the write, so that an interrupt taken right behind it is noted before. */
static inline void level_write(uintptr_t level)
{
    writes++;
    level_register_write(level);
    note(level);
}

#endif
