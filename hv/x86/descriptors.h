/* SPDX-License-Identifier: MIT */
/* GDT, TSS and IDT of a core. */
#ifndef HV_X86_DESCRIPTORS_H
#define HV_X86_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/* What the stubs of traps.S leave on the stack. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct tss {
    uint32_t reserved_0;
    uint64_t rsp[3];
    uint64_t reserved_1;
    uint64_t ist[7];
    uint64_t reserved_2;
    uint16_t reserved_3, iopb;
} __attribute__((packed));

struct descriptor_tables {
    uint64_t gdt[6];
    struct tss tss;
};

/* Once: the IDT that all cores share. */
void descriptors_init(void);
/*
 * On each core: its own GDT and TSS (fault_stack for #DF and NMI, machine_check_stack for #MC, debug_stack for a
 * guest's
 * #DB), the shared IDT.
 */
void descriptors_load(struct descriptor_tables *tables, uint64_t fault_stack, uint64_t debug_stack,
                      uint64_t machine_check_stack);
/* The IDT whose gates work under a paravirtual guest's tables, or hv's own. GIF=0. */
void descriptors_use_pv(bool pv);
/* hv's own GDT, IDT and selectors again, after a paravirtual guest's. GIF=0. */
void descriptors_reload(struct descriptor_tables *tables);

/* pv_entry.S, for hv/pv alone. */
struct pv_vcpu;
void pv_enter(struct pv_vcpu *vcpu, uint64_t cr3);
void pv_back(void);
extern char pv_syscall64[], pv_syscall32[];

#endif
