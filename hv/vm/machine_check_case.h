/* SPDX-License-Identifier: MIT */
/*
 * An uncorrected error that impacts a DomU while domain 0 has a trap handler: the vCPU is held until domain 0
 * answers (it
 * notifies, it operates) or its deadline passes. The rows of hv/mca/decide.h say how each of these ends.
 */
#ifndef HV_VM_MACHINE_CHECK_CASE_H
#define HV_VM_MACHINE_CHECK_CASE_H

#include "hv/mca/decide.h"
#include "hv/vm/guest.h"

/* deadline_ms: mce_dom0_deadline_ms. */
void machine_check_case_init(uint32_t deadline_ms);
/* The error's record, its victim, what the victim is. `final`: its vCPU may go on in its handler alone. */
void machine_check_case_begin(const struct mca_error *error, struct vcpu *vcpu, enum mca_domu domu, uint64_t frame,
                              const char *step);
/* Domain 0 notified this vCPU of the record: MCA_OK, MCA_NOTDELIVERED or MCA_CANNOTHANDLE. */
void machine_check_case_notified(uint32_t record, const struct vcpu *vcpu, uint32_t result);
/* The core that reported the record, as long as its case is open; else the vCPU's. */
unsigned machine_check_case_core(uint32_t record, const struct vcpu *vcpu);
/*
 * Domain 0 operated on this domain; `frame`: and on this frame alone (~0: on all of it). `ended`: the domain does
 * not go on.
 * Says step II.
 */
void machine_check_operation(const char *operation, struct guest *guest, uint64_t frame, int64_t result, bool ended);
/* Domain 0 took a core out of use: an answer to what that core reported. */
void machine_check_operation_on_core(const char *operation, unsigned core);
/* hv ends a domain for a machine check. */
void machine_check_kill(uint32_t record, const char *step, struct guest *guest, const char *row, const char *why);
#define MACHINE_CHECK_ALL_FRAMES ~0ull
#define MACHINE_CHECK_NO_FRAME ~0ull

#endif
