/* SPDX-License-Identifier: MIT */
/* The small kernel under the paravirtual guest programs: console, traps, page tables, events. */
#ifndef WORKLOADS_PV64_KERNEL_H
#define WORKLOADS_PV64_KERNEL_H

#include "hv/abi/guest_calls.h"
#include "hv/abi/pv.h"
#include "hv/abi/xen.h"
#include "workloads/lib/guest.h"
#include "workloads/pv64/layout.h"

#define PAGE 4096ull
#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define RW (PTE_P | PTE_W | PTE_U)
#define RO (PTE_P | PTE_U)

extern char hypercall_page[];
extern struct pv_start_info *start;
extern struct shared_info_64 *shared;

static inline int64_t call5(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    int64_t result;

    __asm__ volatile("call *%[entry]" : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : [entry] "b"(hypercall_page + 32 * number) : "memory");
    return result;
}

#define CALL(number, ...) CALL_PICK(__VA_ARGS__, CALL_5, CALL_4, CALL_3, CALL_2, CALL_1)(number, __VA_ARGS__)
#define CALL_PICK(a, b, c, d, e, name, ...) name
#define CALL_1(n, a) call5(n, (uint64_t)(a), 0, 0, 0, 0)
#define CALL_2(n, a, b) call5(n, (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define CALL_3(n, a, b, c) call5(n, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define CALL_4(n, a, b, c, d) call5(n, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)
#define CALL_5(n, a, b, c, d, e) call5(n, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))

/* The program; by itself it ends with guest_exit(0). */
void pv_main(void);
/* A second vCPU's, if the program starts one. */
void pv_second(unsigned id);

/* ---- Traps ----------------------------------------------------------------------------------------------- */

#define VECTOR_EVENT 256
#define VECTOR_SYSCALL 257
#define NO_TRAP 0xFFF

/* What the last trap was that TRY has caught; NO_TRAP: none. */
struct seen {
    uint64_t vector, code, cr2, rip, cs, rflags, user;
};
extern volatile struct seen seen;
/* A #PF at the first address goes on at the second, on any vCPU, and is counted. */
extern volatile uint64_t fixup_from, fixup_to, fixup_count;
extern volatile uint64_t trap_resume;

/* One instruction that may trap; then `seen` says what came of it. */
#define TRY(instruction, ...) \
    do { \
        seen.vector = NO_TRAP; \
        __asm__ volatile("movq $1f, trap_resume; " instruction "; 1: movq $0, trap_resume" __VA_ARGS__); \
    } while (0)

/* What the event upcall and a system call do, if not NULL. */
extern void (*volatile on_event)(void);
extern uint64_t (*volatile on_syscall)(uint64_t number, uint64_t a, uint64_t b);
extern volatile uint64_t events_seen, nmis_seen;
extern void (*volatile on_nmi)(void);
extern void (*volatile on_machine_check)(void); /* NULL: trap 18 is one that nobody expects */

/* What pv_user_tables makes. */
#define USER_TEXT 0x10000000ull
#define USER_STACK 0x10002000ull /* end of the second page */
/* Tables for user mode (MMUEXT_NEW_USER_BASEPTR takes their frame): a page of code, a copy, and the stack, no more. */
uint64_t pv_user_tables(const char *code, size_t bytes, void *stack);
/* From here into user mode; returns what the user code gives with system call 101. */
uint64_t pv_to_user(uint64_t rip, uint64_t rsp, uint64_t argument);

/* Vector table, callbacks: for the calling vCPU. */
extern const struct pv_trap_info *pv_traps(void);
uint64_t pv_stub(unsigned vector);
void pv_failsafe(void);

/* ---- Memory ---------------------------------------------------------------------------------------------- */

/* Machine frame of a page of the kernel's. */
uint64_t frame_of(const void *page);
/* Machine address of the L1 entry of a linear address that the first tables map. */
uint64_t entry_of(const void *page);
/* A page nobody uses, writable, zeroed. */
void *new_page(void);
int64_t write_entry(uint64_t address, uint64_t value);
int64_t map(const void *page, uint64_t entry);
int64_t extended(uint32_t command, uint64_t arg1, uint64_t arg2);

#endif
