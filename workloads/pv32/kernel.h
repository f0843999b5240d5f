/* SPDX-License-Identifier: MIT */
/* The 32-bit paravirtual kernel: hypercalls, traps, page tables. */
#ifndef WORKLOADS_PV32_KERNEL_H
#define WORKLOADS_PV32_KERNEL_H

#include "hv/abi/guest_calls.h"
#include "hv/abi/pv.h"
#include "hv/abi/pv32.h"
#include "hv/abi/xen.h"
#include "workloads/lib/guest.h"

#define PAGE 4096u
#define VIRT_BASE 0xC0000000u
#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_PS 0x80ull
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define VECTOR_EVENT 256
#define NO_TRAP 0xFFFu

extern char hypercall_page[];
extern struct pv32_start_info *start;
extern struct shared_info_32 *shared;

static inline int32_t call(unsigned number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
    int32_t result;

    __asm__ volatile("call *%[entry]" : "=a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d), "+D"(e)
                     : [entry] "0"(hypercall_page + 32 * number) : "memory");
    return result;
}

/* What the last trap was that TRY, or to_user, has caught; NO_TRAP: none. */
struct seen {
    uint32_t vector, code, cr2, eip, cs, eflags;
};
extern volatile struct seen seen;
extern volatile uint32_t trap_resume, events_seen, failsafes, user_entry, user_stack;
#define TRY(instruction, ...) \
    do { \
        seen.vector = NO_TRAP; \
        __asm__ volatile("movl $1f, trap_resume; " instruction "; 1: movl $0, trap_resume" __VA_ARGS__); \
    } while (0)

uint32_t to_user(uint32_t what);
uint64_t frame_of(const void *page);
/* Machine address of the L1 entry of a linear address that the first tables map. */
uint64_t entry_of(const void *page);
void *new_page(void);
int32_t write_entry(uint64_t address, uint64_t value);
int32_t map(const void *page, uint64_t entry);
int32_t extended(uint32_t command, uint32_t arg1, uint32_t arg2);

void pv_main(void);

#endif
