/* SPDX-License-Identifier: MIT */
/*
 * Machine check, hv's side (doc/mca.md): what hv/mca decides is carried out here. A #MC, in hv or in a guest, is
 * collected at once and without locks; the rest is done in the core's loop, before any guest is entered there again.
 */
#ifndef HV_VM_MACHINE_CHECK_H
#define HV_VM_MACHINE_CHECK_H

#include "hv/core/percore.h"
#include "hv/mca/ring_v1.h"
#include "hv/mca/ring_v2.h"
#include "hv/vm/exits.h"

/* From hv's options, before any core takes #MC. False: mce=off. */
bool machine_check_init(const char *options);
/* On each core, before its loop. */
void machine_check_core_begin(void);
/* VMEXIT_EXCP_MC: the processor took a #MC while the guest ran. */
enum exit_result vmexit_machine_check(struct vcpu *vcpu);
/* In the core's loop, if percore.machine_check_due. */
void machine_check_run(struct percore *core);
/* The guest's handler of vector 18 has ended: the vCPU may go where it might before. */
void machine_check_iret(struct vcpu *vcpu);

/* ---- Records ---------------------------------------------------------------------------------------------- */

/* Both rings; all but taking and committing under machine_check_lock(). */
extern struct mca_ring_v1 machine_check_ring;
extern struct mca_ring_v2 machine_check_entries;
void machine_check_lock(void);
void machine_check_unlock(void);
/* Records lost in the ring that the control domain reads (it has called by this version last). */
uint32_t machine_check_lost(void);
void machine_check_note_version(unsigned version);

#endif
