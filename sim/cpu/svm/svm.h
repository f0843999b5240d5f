/* SPDX-License-Identifier: MIT */
/* Secure Virtual Machine (APM2 chapter 15) as interp and the core's composition see it. */
#ifndef FAM10H_CPU_SVM_SVM_H
#define FAM10H_CPU_SVM_SVM_H

#include "sim/cpu/core.h"

struct state;
struct counter_set;

/* ---- World switches ------------------------------------------------------------------------------------ */

/*
 * OUTCOME_VMRUN: enter the guest whose VMCB is at core->pending.address. core->next_rip is the
 * instruction after VMRUN. On return rip and next_rip are where execution goes on: in the guest
 * (svm.inject_valid tells of an event to deliver first), or in the host after VMEXIT_INVALID.
 * OUTCOME_NEXT or OUTCOME_SHUTDOWN. The instruction's own TF trap is not due: the guest's TF counts
 * from its first instruction, the host's is raised by svm_vmexit.
 */
enum outcome svm_vmrun(struct core *core);

/*
 * OUTCOME_VMEXIT: leave the guest as core->exit says. rip is the guest instruction (or the next one
 * between instructions), next_rip the one after it. svm.delivering, if valid, becomes EXITINTINFO.
 * OUTCOME_NEXT with rip = next_rip in the host, or OUTCOME_SHUTDOWN.
 */
enum outcome svm_vmexit(struct core *core);

/* ---- SMM ------------------------------------------------------------------------------------------------ */

/* What the SMM save map keeps of a guest that an SMI interrupts (offsets FED8 to FF40). */
struct svm_suspended {
    uint64_t state;  /* 2:0: 0 host, 2 guest, 6 guest with nested paging; 3: the host's RFLAGS.IF, where saved */
    uint64_t vmcb, v_intr, pat;
    uint64_t host_efer, host_cr4, host_cr3, host_cr0;
};
#define SVM_STATE_GUEST 1
#define SVM_STATE_NESTED 2
#define SVM_STATE_HOST_IF 3

/* Leave guest mode without a #VMEXIT: intercepts, TSC offset, ASID and virtual interrupts are off. */
void svm_suspend(struct core *core, struct svm_suspended *suspended);
/* Go on in the guest; its controls are read from the VMCB again. */
void svm_resume(struct core *core, const struct svm_suspended *suspended);

/* ---- Gates --------------------------------------------------------------------------------------------- */

/* A physical maskable interrupt may be taken or intercepted now (APM2 15.21.1): GIF, IF or host IF, shadow. */
bool svm_physical_interrupts_enabled(const struct core *core);
/* The virtual interrupt may be taken or exits by VMEXIT_VINTR (APM2 15.21.4): strictly above V_TPR. */
bool svm_virtual_interrupt_ready(const struct core *core);
/* Take it: clears V_IRQ, gives V_INTR_VECTOR. After the intercept check, before the IDT is read. */
uint8_t svm_virtual_interrupt_take(struct core *core);

/* A SIPI: the core that another one's SKINIT found in INIT starts with GIF = 0 (skinit.c). */
void skinit_startup(struct core *core);

/* ---- Composition --------------------------------------------------------------------------------------- */

/* Allocates the counters and, if core->exits is NULL, an exit table of the core's own. */
void svm_new(struct core *core);
void svm_free(struct core *core);
void svm_reset(struct core *core, enum core_reset kind);
void svm_describe(struct core *core, struct state *state, struct counter_set *counters, const char *path);
/* VM_CR, VM_HSAVE_PA, SVM_KEY. Setting EFER.SVME is the EFER row's: refuse it while svm_disabled. */
struct msr_bank svm_msr_bank(struct core *core);
static inline bool svm_disabled(const struct core *core)
{
    return bit(core->svm.vm_cr, 4); /* SVMDIS */
}

#endif
