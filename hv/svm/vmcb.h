/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block (APM2 appendix B). Fields are in the manual's order; offsets that the
 * manual names are asserted below. Only hv/svm writes a VMCB: others use svm.h.
 */
#ifndef HV_SVM_VMCB_H
#define HV_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* Word at 00Ch. */
#define INTERCEPT_INTR (1u << 0)
#define INTERCEPT_NMI (1u << 1)
#define INTERCEPT_INIT (1u << 3)
#define INTERCEPT_VINTR (1u << 4)
#define INTERCEPT_CPUID (1u << 18)
#define INTERCEPT_IRET (1u << 20)
#define INTERCEPT_INVD (1u << 22)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_INVLPG (1u << 25)
#define INTERCEPT_INVLPGA (1u << 26)
#define INTERCEPT_IOIO_PROT (1u << 27)
#define INTERCEPT_MSR_PROT (1u << 28)
#define INTERCEPT_TASK_SWITCH (1u << 29)
#define INTERCEPT_SHUTDOWN (1u << 31)

/* Word at 010h. */
#define INTERCEPT_VMRUN (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD (1u << 2)
#define INTERCEPT_VMSAVE (1u << 3)
#define INTERCEPT_STGI (1u << 4)
#define INTERCEPT_CLGI (1u << 5)
#define INTERCEPT_SKINIT (1u << 6)
#define INTERCEPT_MONITOR (1u << 10)
#define INTERCEPT_MWAIT (1u << 11)

#define VMEXIT_CR0_READ 0x000
#define VMEXIT_CR3_READ 0x003
#define VMEXIT_CR4_READ 0x004
#define VMEXIT_CR8_READ 0x008
#define VMEXIT_CR0_WRITE 0x010
#define VMEXIT_CR3_WRITE 0x013
#define VMEXIT_CR4_WRITE 0x014
#define VMEXIT_CR8_WRITE 0x018
#define VMEXIT_EXCEPTION 0x040
#define VMEXIT_EXCP_PF 0x04E
#define VMEXIT_EXCP_MC 0x052
#define VMEXIT_INTR 0x060
#define VMEXIT_NMI 0x061
#define VMEXIT_INIT 0x063
#define VMEXIT_VINTR 0x064
#define VMEXIT_CPUID 0x072
#define VMEXIT_IRET 0x074
#define VMEXIT_INVD 0x076
#define VMEXIT_HLT 0x078
#define VMEXIT_INVLPG 0x079
#define VMEXIT_INVLPGA 0x07A
#define VMEXIT_IOIO 0x07B
#define VMEXIT_MSR 0x07C
#define VMEXIT_TASK_SWITCH 0x07D
#define VMEXIT_SHUTDOWN 0x07F
#define VMEXIT_VMRUN 0x080
#define VMEXIT_VMMCALL 0x081
#define VMEXIT_VMLOAD 0x082
#define VMEXIT_VMSAVE 0x083
#define VMEXIT_STGI 0x084
#define VMEXIT_CLGI 0x085
#define VMEXIT_SKINIT 0x086
#define VMEXIT_MONITOR 0x08A
#define VMEXIT_MWAIT 0x08B
#define VMEXIT_NPF 0x400
#define VMEXIT_INVALID UINT64_MAX

/* EXITINFO1 of VMEXIT_IOIO. */
#define IOIO_TYPE_IN (1u << 0)
#define IOIO_STR (1u << 2)
#define IOIO_REP (1u << 3)
#define IOIO_SZ8 (1u << 4)
#define IOIO_SZ16 (1u << 5)
#define IOIO_SZ32 (1u << 6)
#define IOIO_A16 (1u << 7)
#define IOIO_A32 (1u << 8)
/* EXITINFO1 of VMEXIT_NPF. */
#define NPF_P (1ull << 0)
#define NPF_W (1ull << 1)
#define NPF_FETCH (1ull << 4)
#define NPF_FINAL (1ull << 32)
#define NPF_GUEST_TABLE (1ull << 33)

#define EVENT_TYPE_INTR 0u
#define EVENT_TYPE_NMI 2u
#define EVENT_TYPE_EXCEPTION 3u
#define EVENT_EV (1ull << 11)
#define EVENT_V (1ull << 31)

/* Quadword at 060h. */
#define V_TPR 0xFFull
#define V_IRQ (1ull << 8)
#define V_INTR_PRIO_SHIFT 16
#define V_INTR_PRIO (0xFull << V_INTR_PRIO_SHIFT)
#define V_IGN_TPR (1ull << 20)
#define V_INTR_MASKING (1ull << 24)
#define INTERRUPT_SHADOW (1ull << 0) /* quadword at 068h */

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

/* Attributes: descriptor bits 47:40 and 55:52. */
#define SEGMENT_L 0x200
#define SEGMENT_D 0x400
#define SEGMENT_CODE32 0xC9B
#define SEGMENT_DATA32 0xC93
#define SEGMENT_CODE64 0xA9B
#define SEGMENT_CODE16 0x09B
#define SEGMENT_DATA16 0x093
#define SEGMENT_LDT 0x082
#define SEGMENT_TSS32 0x08B

struct vmcb {
    /* control area */
    uint16_t intercept_cr_read, intercept_cr_write; /* 000 002 */
    uint16_t intercept_dr_read, intercept_dr_write; /* 004 006 */
    uint32_t intercept_exceptions;                  /* 008 */
    uint32_t intercept_1, intercept_2;              /* 00C 010 */
    uint8_t reserved_014[0x40 - 0x14];
    uint64_t iopm_base_pa, msrpm_base_pa;           /* 040 048 */
    uint64_t tsc_offset;                            /* 050 */
    uint32_t asid;                                  /* 058 */
    uint8_t tlb_control;                            /* 05C */
    uint8_t reserved_05d[3];
    uint64_t v_intr;                                /* 060 */
    uint64_t interrupt_shadow;                      /* 068 */
    uint64_t exitcode, exitinfo1, exitinfo2;        /* 070 078 080 */
    uint64_t exitintinfo;                           /* 088 */
    uint64_t np_enable;                             /* 090 */
    uint8_t reserved_098[0xA8 - 0x98];
    uint64_t eventinj;                              /* 0A8 */
    uint64_t n_cr3;                                 /* 0B0 */
    uint64_t lbr_virtualization_enable;             /* 0B8 */
    uint64_t clean_bits;                            /* 0C0: not on Family 10h */
    uint64_t nrip;                                  /* 0C8: revision C and later */
    uint8_t reserved_0d0[0x400 - 0xD0];
    /* state-save area */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 400 .. 490 */
    uint8_t reserved_4a0[0x4CB - 0x4A0];
    uint8_t cpl;                                    /* 4CB */
    uint8_t reserved_4cc[4];
    uint64_t efer;                                  /* 4D0 */
    uint8_t reserved_4d8[0x548 - 0x4D8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;  /* 548 .. 578 */
    uint8_t reserved_580[0x5D8 - 0x580];
    uint64_t rsp;                                   /* 5D8 */
    uint8_t reserved_5e0[0x5F8 - 0x5E0];
    uint64_t rax;                                   /* 5F8 */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base; /* 600 .. 620 */
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;    /* 628 .. 638 */
    uint64_t cr2;                                   /* 640 */
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t g_pat;                                 /* 668 */
    uint64_t dbgctl, br_from, br_to, last_excp_from, last_excp_to; /* 670 .. 690 */
    uint8_t reserved_698[0x1000 - 0x698];
};

#define VMCB_OFFSET(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), #field)
VMCB_OFFSET(iopm_base_pa, 0x040);
VMCB_OFFSET(asid, 0x058);
VMCB_OFFSET(v_intr, 0x060);
VMCB_OFFSET(exitcode, 0x070);
VMCB_OFFSET(np_enable, 0x090);
VMCB_OFFSET(eventinj, 0x0A8);
VMCB_OFFSET(nrip, 0x0C8);
VMCB_OFFSET(es, 0x400);
VMCB_OFFSET(tr, 0x490);
VMCB_OFFSET(cpl, 0x4CB);
VMCB_OFFSET(efer, 0x4D0);
VMCB_OFFSET(cr4, 0x548);
VMCB_OFFSET(rip, 0x578);
VMCB_OFFSET(rsp, 0x5D8);
VMCB_OFFSET(rax, 0x5F8);
VMCB_OFFSET(cr2, 0x640);
VMCB_OFFSET(g_pat, 0x668);
_Static_assert(sizeof(struct vmcb) == 0x1000, "a VMCB is one page");
#undef VMCB_OFFSET

#endif
