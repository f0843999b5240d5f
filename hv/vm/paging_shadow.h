/* SPDX-License-Identifier: MIT */
/* Shadow paging of a guest's vCPU: what its exits ask for. */
#ifndef HV_VM_PAGING_SHADOW_H
#define HV_VM_PAGING_SHADOW_H

#include "hv/vm/exits.h"

/* VMEXIT_EXCP_PF. */
enum exit_result vmexit_page_fault(struct vcpu *vcpu);
/*
 * The guest wrote control registers: these are its paging registers from now on. `load_pdptes`: this write loads them,
 * if they matter. False: the guest gets #GP, nothing has changed.
 */
bool paging_shadow_load(struct vcpu *vcpu, const struct svm_paging *to, bool load_pdptes);
/* Whether a shadow table of the guest lies at spa. Takes no lock. */
bool paging_shadow_holds(const struct guest *guest, uint64_t spa);
/*
 * Another frame for that table, which is not read; no processor uses the old one when this returns. False: no
 * memory.
 */
bool paging_shadow_rebuild(struct guest *guest, uint64_t spa);
/* It wrote its PAT MSR. False: #GP. */
bool paging_shadow_set_pat(struct vcpu *vcpu, uint64_t value);

#endif
