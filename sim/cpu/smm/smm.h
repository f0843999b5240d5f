/* SPDX-License-Identifier: MIT */
/*
 * System-management mode (APM2 chapter 10, BKDG10 2.4.2): SMI and RSM, the memory that only SMM sees, SMM_CTL.
 *   smm.c       entering and leaving, the MSR
 *   save_map.c  what is written to and read from SMM_BASE + FE00 to FFFF
 *   view.c      ASeg and TSeg: physical memory as this core sees it
 */
#ifndef FAM10H_CPU_SMM_SMM_H
#define FAM10H_CPU_SMM_SMM_H

#include "sim/cpu/core.h"

/* ---- Switching -------------------------------------------------------------------------------------------- */

/* An SMI may be taken now, the interrupt shadow apart: one is pending, GIF is set, SMM is not active. */
static inline bool smm_smi_ready(const struct core *core)
{
    return (core->smi_pending || core->smm.internal) && core->svm.gif && !core->smm.active;
}

/* VMEXIT_SMI with its EXITINFO1 and 2 (APM2 15.13.3). */
struct vmexit smm_exit_info(const struct core *core);

/* Take the pending SMI: guest mode is left, the save map written, execution goes on at SMM_BASE + 8000h. */
void smm_enter(struct core *core);

/* OUTCOME_RSM. OUTCOME_NEXT with rip = next_rip as the save map says; OUTCOME_SHUTDOWN: it holds an illegal state. */
enum outcome smm_leave(struct core *core);

/* ---- Memory ------------------------------------------------------------------------------------------------ */

/* `spa` is not what the machine's map says: the DRAM behind ASeg, or a segment closed to this core. */
bool smm_hides(const struct core *core, spa_t spa);
/* The view of `memory` that becomes core->space. */
void smm_view_init(struct core *core, struct spa_space *memory);

/* ---- Composition ------------------------------------------------------------------------------------------- */

void smm_new(struct core *core, struct spa_space *memory);
void smm_reset(struct core *core, enum core_reset kind);
/* SMM_CTL. */
struct msr_bank smm_msr_bank(struct core *core);

#endif
