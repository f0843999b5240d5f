/* SPDX-License-Identifier: MIT */
/* Shared by the two world switches, svm alone includes it. */
#ifndef FAM10H_CPU_SVM_WORLD_H
#define FAM10H_CPU_SVM_WORLD_H

#include "sim/cpu/svm/svm.h"
#include "sim/cpu/svm/vmcb.h"

/* assumed: a round trip on Barcelona is 1000-1400 clocks (fact sheet 1.5); half of 1200 each way. */
#define VMRUN_CYCLES 600
#define VMEXIT_CYCLES 600

/* What VMRUN read from the VMCB, before anything is committed. */
struct vmrun_input {
    uint32_t intercept[INTERCEPT_WORDS];
    spa_t iopm, msrpm;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint64_t v_intr, interrupt_shadow;
    bool np_enable, lbr_enable;
    uint64_t eventinj, nrip, n_cr3;
    uint64_t cr0, cr2, cr3, cr4, efer, dr6, dr7, g_pat, rip;
    uint16_t cs_attr;
};

void vmrun_read(const struct vmcb *vmcb, struct vmrun_input *in);

/* One condition that makes the state illegal (APM2 15.5.1): EXITCODE -1. */
struct vmrun_check {
    const char *name;
    bool (*illegal)(const struct core *host, const struct vmrun_input *in);
};
extern const struct vmrun_check vmrun_checks[];
extern const size_t vmrun_check_count;

/* The first condition that holds, or NULL. */
const struct vmrun_check *vmrun_first_illegal(const struct core *host, const struct vmrun_input *in);

/* Legacy PAE paging: the four PDPTEs are registers. */
static inline bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

/* Every byte of a PAT value is one of 0, 1, 4, 5, 6, 7 (APM2 7.8.1). */
bool pat_is_legal(uint64_t pat);

/* DebugCtl and the recording registers, into and from a save area (lbr.c). */
void lbr_save(const struct core *core, const struct vmcb *vmcb);
void lbr_load(struct core *core, const struct vmcb *vmcb);

/* SKINIT past its guards (skinit.c). */
void skinit_begin(struct core *core);

/* EXITCODE, EXITINFO1/2, EXITINTINFO, EVENTINJ.V, nRIP. */
void vmexit_write_cause(struct core *core, const struct vmcb *vmcb);
/* Back to the host of VM_HSAVE_PA; the guest has been saved, or was never loaded. Asks the exit hook. */
enum outcome vmexit_finish(struct core *core, uint64_t rip, uint64_t rax);

#endif
