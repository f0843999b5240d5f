/* SPDX-License-Identifier: MIT */
/* The bench image: rows and what they share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Memory map of the image: 1 GiB, identity-mapped. */
#define POOL 0x04000000u          /* page tables of the chase and of the nested tables */
#define COPY 0x10000000u          /* copy area, 192 MiB */
#define CHASE 0x20000000u         /* chased area */
#define CHASE_BYTES 0x10000000u   /* 256 MiB */
#define PAGE 4096u

/* compute.c */
uint64_t row_integer(void);
uint64_t row_branch(void);
uint64_t copy_words(uint64_t distance, uint64_t bytes, unsigned rounds);
uint64_t row_smc(void);

/* float.c */
void float_enable(void);
uint64_t row_x87(void);
uint64_t row_sse(void);

/* chase.c */
void chase_build(void);
uint64_t chase(uint64_t start, uint64_t hops);
/* Identity tables of `gigabytes` with 4K or 2M pages; returns the root. */
uint64_t tables_build(unsigned large, unsigned gigabytes);

/* world.c: switches between host and guest */
uint64_t row_switch(void);
uint64_t row_nested(uint64_t guest_root, uint64_t nested_root, uint64_t hops);

/* boot.S */
uint64_t exception_loop(uint64_t n);
uint64_t syscall_loop(uint64_t n);
void svm_run(uint64_t vmcb, uint64_t *registers, uint64_t host);

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline void write_cr3(uint64_t root)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static inline uint64_t read_cr3(void)
{
    uint64_t root;

    __asm__ volatile("mov %%cr3, %0" : "=r"(root));
    return root;
}

#endif
