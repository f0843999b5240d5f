/* SPDX-License-Identifier: MIT */
/* A vCPU's instruction and registers for hv/emulate, and its memory with the guest's own rights and faults. */
#ifndef HV_VM_EMULATION_H
#define HV_VM_EMULATION_H

#include "hv/emulate/execute.h"
#include "hv/vm/guest.h"

/* What stands at CS:RIP, and the registers it works on. False: no instruction that hv knows. */
bool emulation_fetch(struct vcpu *vcpu, struct emulate_insn *insn, struct emulate_registers *registers);
/* The instruction was carried out. */
void emulation_commit(struct vcpu *vcpu, const struct emulate_registers *registers);

/* The vCPU's paging registers for guest_walk; PDPTEs are read from memory, as nested paging does. */
void emulation_paging(struct vcpu *vcpu, struct guest_paging *paging);

/* The #PF that an access of emulation_read or _write raised. */
struct emulation_fault {
    uint64_t linear;
    uint32_t code;
};
/* Where the guest's own tables lead an access: WALK_W and WALK_U as in an error code. EMULATE_CANNOT as below. */
enum emulate_status emulation_translate(struct vcpu *vcpu, uint64_t linear, unsigned access, uint64_t *gpa,
                                        struct emulation_fault *fault);
/*
 * Up to 8 bytes of linear memory at the vCPU's CPL. EMULATE_CANNOT: across a page's end, or no memory there. Not with
 * guest->shadow_lock held.
 */
enum emulate_status emulation_read(struct vcpu *vcpu, uint64_t linear, void *data, unsigned size,
                                   struct emulation_fault *fault);
enum emulate_status emulation_write(struct vcpu *vcpu, uint64_t linear, const void *data, unsigned size,
                                    struct emulation_fault *fault);

#endif
