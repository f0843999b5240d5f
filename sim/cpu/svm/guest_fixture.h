/* SPDX-License-Identifier: MIT */
/* For unit tests that run guest instructions: tables, a 64-bit and a 32-bit guest, one step at a time. */
#ifndef FAM10H_CPU_SVM_GUEST_FIXTURE_H
#define FAM10H_CPU_SVM_GUEST_FIXTURE_H

#include "sim/cpu/svm/svm_fixture.h"

#define GUEST_CODE 0x1000
#define GUEST_STACK 0x2800
#define GUEST_DATA 0x3000
#define GUEST_GDT 0x6000
#define GUEST_IDT 0x7000
#define GUEST_HANDLERS 0x9000 /* + 16 * vector */
#define GUEST_TSS 0xA000
#define GUEST_TSS2 0xA800

/* Selectors of the GDT below. */
enum { SEL_CODE64 = 0x08, SEL_DATA = 0x10, SEL_TSS64 = 0x18, SEL_LDT64 = 0x28, SEL_CODE32 = 0x38,
       SEL_ABSENT = 0x40, SEL_TSS32 = 0x48, SEL_USER_CODE = 0x53, SEL_USER_DATA = 0x5B };

static inline void put_guest_tables(struct fixture *fix)
{
    static const uint64_t gdt[] = {
        0, UINT64_C(0x00209B0000000000), UINT64_C(0x00CF93000000FFFF), UINT64_C(0x0000890000000067) | GUEST_TSS << 16,
        0, UINT64_C(0x0000820000000FFF), 0, UINT64_C(0x00CF9B000000FFFF), UINT64_C(0x00CF13000000FFFF),
        UINT64_C(0x0000890000000067) | (uint64_t)GUEST_TSS2 << 16, UINT64_C(0x0020FB0000000000),
        UINT64_C(0x00CFF3000000FFFF),
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(gdt); i++)
        put(fix, GUEST_GDT + 8 * i, 8, gdt[i]);
    /* 0-2M by one 2M page, user and writable */
    put(fix, 0x30000, 8, 0x31007);
    put(fix, 0x31000, 8, 0x32007);
    put(fix, 0x32000, 8, 0x00087);
}

static inline void put_gates(struct fixture *fix, bool bits64)
{
    for (unsigned v = 0; v < 0x40; v++) {
        uint64_t gate = UINT64_C(0x8E0000000000) | (GUEST_HANDLERS + 16 * v);

        if (bits64) {
            put(fix, GUEST_IDT + 16 * v, 8, gate | SEL_CODE64 << 16);
            put(fix, GUEST_IDT + 16 * v + 8, 8, 0);
        } else {
            put(fix, GUEST_IDT + 8 * v, 8, gate | SEL_CODE32 << 16);
        }
    }
}

static inline void put_segment(struct fixture *fix, unsigned offset, uint16_t selector, uint16_t attr, uint32_t limit,
                               uint64_t base)
{
    put(fix, VMCB_PA + offset, 2, selector);
    put(fix, VMCB_PA + offset + VMCB_SEG_ATTR, 2, attr);
    put(fix, VMCB_PA + offset + VMCB_SEG_LIMIT, 4, limit);
    put(fix, VMCB_PA + offset + VMCB_SEG_BASE, 8, base);
}

/* A VMCB for a guest of that width at CPL 0, IF set, nothing intercepted. In 32 bits paging is off. */
static inline void put_guest(struct fixture *fix, bool bits64)
{
    fixture_guest(fix);
    put_guest_tables(fix);
    put_gates(fix, bits64);
    put_segment(fix, VMCB_SEGMENT(SEG_CS), bits64 ? SEL_CODE64 : SEL_CODE32, bits64 ? 0x29B : 0xC9B, 0xFFFFFFFF, 0);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        if (i != SEG_CS)
            put_segment(fix, VMCB_SEGMENT(i), SEL_DATA, 0xC93, 0xFFFFFFFF, 0);
    }
    put_segment(fix, VMCB_LDTR, 0, 0x082, 0xFFFF, 0);
    put_segment(fix, VMCB_TR, SEL_TSS64, 0x08B, 0x67, GUEST_TSS);
    put_segment(fix, VMCB_GDTR, 0, 0, 0x7F, GUEST_GDT);
    put_segment(fix, VMCB_IDTR, 0, 0, 0x3FF, GUEST_IDT);
    put(fix, VMCB_PA + VMCB_EFER, 8, bits64 ? 0x1D00 : 0x1000);
    put(fix, VMCB_PA + VMCB_CR0, 8, bits64 ? 0x80000011 : 0x11);
    put(fix, VMCB_PA + VMCB_CR4, 8, bits64 ? 0x20 : 0);
    put(fix, VMCB_PA + VMCB_CR3, 8, 0x30000);
    put(fix, VMCB_PA + VMCB_RFLAGS, 8, RFLAGS_IF | 2);
    put(fix, VMCB_PA + VMCB_RIP, 8, GUEST_CODE);
    put(fix, VMCB_PA + VMCB_RSP, 8, GUEST_STACK);
    put(fix, VMCB_PA + VMCB_RAX, 8, 0);
    put(fix, GUEST_TSS + 4, 8, GUEST_STACK); /* RSP0, ESP0 */
}

static inline void put_intercept(struct fixture *fix, unsigned code)
{
    put(fix, VMCB_PA + code / 32 * 4, 4, field(fix, code / 32 * 4, 4) | 1u << code % 32);
}

/* Into the guest, FS, GS, LDTR and TR included. */
static inline struct core *enter_guest(struct fixture *fix)
{
    struct core *core = fixture_host(fix);
    struct vmcb vmcb = vmcb_at(core, VMCB_PA);

    core->seg[SEG_FS] = vmcb_read_segment(&vmcb, VMCB_SEGMENT(SEG_FS));
    core->seg[SEG_GS] = vmcb_read_segment(&vmcb, VMCB_SEGMENT(SEG_GS));
    core->seg[SEG_LDTR] = vmcb_read_segment(&vmcb, VMCB_LDTR);
    core->seg[SEG_TR] = vmcb_read_segment(&vmcb, VMCB_TR);
    mmu_flush_all(core->mmu);
    block_cache_stored(fix->blocks, GUEST_CODE, 64);
    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    ck_assert(core->svm.guest);
    return core;
}

static inline int guest_vector(const struct core *core)
{
    uint64_t n = (core->rip - GUEST_HANDLERS) / 16;

    return core->rip >= GUEST_HANDLERS && n < 0x40 ? (int)n : -1;
}

#endif
