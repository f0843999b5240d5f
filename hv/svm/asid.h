/* SPDX-License-Identifier: MIT */
/*
 * Address-space identifiers by generations: each core hands out 1..max in turn; when they run out, a new
 * generation begins and the VMRUN that takes number 1 flushes the whole TLB, so that every number of the
 * generation is clean at its first use. Pure.
 */
#ifndef HV_SVM_ASID_H
#define HV_SVM_ASID_H

#include <stdbool.h>
#include <stdint.h>

#define TLB_CONTROL_NOTHING 0
#define TLB_CONTROL_FLUSH_ALL 1

struct asid_core {
    bool enabled;
    uint32_t next, max;
    uint64_t generation;
    uint64_t assignments, flushes;
};

struct asid_vcpu {
    uint64_t generation; /* in which asid was assigned; ASID_NONE: never */
    uint32_t asid;
    const struct asid_core *core;
};

struct asid_choice {
    uint32_t asid;
    uint8_t tlb_control;
};

#define ASID_NONE UINT64_MAX

/*
 * Whether this processor keeps ASIDs apart, by its signature (CPUID 1 EAX): Family 10h does, and of Family 0Fh revision
 * G (model 68h, stepping 1) and later ones; before them erratum 170 does not let a VMRUN change the ASID without a
 * flush.
 */
bool asid_usable(uint32_t signature);
/* count: CPUID 8000_000A EBX, number 0 being the host's. */
void asid_core_init(struct asid_core *core, uint32_t count, bool enabled);
/* The vCPU's translations must not be used again: creation, guest paging-mode change, nested entry changed ... */
static inline void asid_drop(struct asid_vcpu *vcpu)
{
    vcpu->generation = ASID_NONE;
}
/* All vCPUs of the core lose theirs. */
void asid_core_bump(struct asid_core *core);
/* Before each VMRUN of vcpu on core. */
struct asid_choice asid_choose(struct asid_core *core, struct asid_vcpu *vcpu);

#endif
