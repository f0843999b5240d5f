/* SPDX-License-Identifier: MIT */
/*
 * A guest whose string says type=pv. Its map (guest->npt) is one to one: what it calls a machine address is what
 * guest_read, guest_write and a "gPA" mean, and only its own frames are there.
 */
#ifndef HV_VM_PV_GUEST_H
#define HV_VM_PV_GUEST_H

#include "hv/pv/pv.h"
#include "hv/vm/exits.h"
#include "hv/vm/hypercall.h"

/* Memory, image, first page tables, start information (pv_build.c). NULL, or one line: what is wrong. */
const char *pv_guest_build(struct guest *guest, const struct multiboot_module *module);
/* The same without image and frames, for a guest that comes from elsewhere. */
const char *pv_guest_build_empty(struct guest *guest);
/* Its frames and vCPUs; the rest of the guest is the caller's. */
void pv_guest_end(struct guest *guest);
/* Up to count frames for these numbers of the guest's own, cleared if anybody had them; how many there were. */
uint64_t pv_guest_add_frames(struct guest *guest, uint64_t first_pfn, uint64_t count, uint64_t *frames);
/* One frame back to hv; false: it is in use, or not the guest's. */
bool pv_guest_drop_frame(struct guest *guest, uint64_t frame);

/* Into the guest until its next trap, and what that asks for (pv_exits.c). Called with IF=0, returns with IF=1. */
enum exit_result pv_guest_run(struct vcpu *vcpu);
enum exit_result pv_crash(struct vcpu *vcpu, const char *what);
/* A trap that the guest's instruction has raised, as far as it can see. */
enum exit_result pv_trap(struct vcpu *vcpu, unsigned vector, bool has_code, uint64_t code);
/* A privileged instruction at RIP (pv_privileged.c); false: it is none that hv carries out. */
bool pv_emulate(struct vcpu *vcpu, enum exit_result *result);
/* CPUID with the prefix that asks hv for it: UD2, "xen". */
bool pv_forced_cpuid(struct vcpu *vcpu);

/* Its counts, a line for each kind (pv_report.c). */
void pv_report(const struct vcpu *vcpu);

/* SYSCALL of the kernel (pv_calls.c), INT 82h of a 32-bit one (pv32_calls.c). */
enum exit_result pv_hypercall(struct vcpu *vcpu);
enum exit_result pv32_hypercall(struct vcpu *vcpu);
/* A call of pv_calls.c by number, arguments in their places. */
int64_t pv_dispatch(struct hypercall *call, uint64_t number);
int64_t pv_mmu_update(struct hypercall *call);
int64_t pv_update_va_mapping(struct hypercall *call);
int64_t pv_mmuext_op(struct hypercall *call);
/* One command; the caller holds the guest's lock. */
int64_t pv_mmuext_one(struct pv_vcpu *pv, const struct pv_mmuext *op);
int64_t pv_memory_op(struct hypercall *call);
/* vcpu_op's initialise. */
int64_t pv_initialise(struct hypercall *call, struct vcpu *target);
/* hv will write these bytes of the guest's whenever it likes: the page stays writable memory for good. */
bool pv_hold_writable(struct vcpu *vcpu, uint64_t address);
/* What a guest may have in its breakpoints and in DR7. */
bool pv_debug_is_good(const uint64_t breakpoints[4], uint64_t dr7);
/* get/set_debugreg and MOV DR. */
int64_t pv_set_debug(struct pv_vcpu *vcpu, unsigned number, uint64_t value);
uint64_t pv_get_debug(const struct pv_vcpu *vcpu, unsigned number);
/* set_segment_base and WRMSR. */
int64_t pv_set_segment_base(struct pv_vcpu *vcpu, unsigned which, uint64_t base);

#endif
