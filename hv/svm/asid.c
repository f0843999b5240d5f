/* SPDX-License-Identifier: MIT */
#include "hv/svm/asid.h"

#define FAMILY_0FH 0x0Fu
#define REVISION_G_MODEL 0x68u

bool asid_usable(uint32_t signature)
{
    unsigned family = (signature >> 8 & 15) + (signature >> 20 & 0xFF);
    unsigned model = (signature >> 4 & 15) | (signature >> 12 & 0xF0), stepping = signature & 15;

    return family > FAMILY_0FH || (family == FAMILY_0FH && model >= REVISION_G_MODEL && stepping >= 1);
}

void asid_core_init(struct asid_core *core, uint32_t count, bool enabled)
{
    *core = (struct asid_core){ .enabled = enabled && count > 1, .next = 1, .max = count - 1 };
}

void asid_core_bump(struct asid_core *core)
{
    /* Near the counter's end no comparison of generations can be trusted: flush at every VMRUN from then on. */
    if (core->generation >= ASID_NONE - 2)
        core->enabled = false;
    else
        core->generation++;
    core->next = 1;
}

struct asid_choice asid_choose(struct asid_core *core, struct asid_vcpu *vcpu)
{
    struct asid_choice choice = { 1, TLB_CONTROL_FLUSH_ALL };

    if (core->enabled && vcpu->core == core && vcpu->generation == core->generation)
        return (struct asid_choice){ vcpu->asid, TLB_CONTROL_NOTHING };
    if (core->enabled && core->next > core->max)
        asid_core_bump(core);
    if (!core->enabled) {
        core->flushes++;
        return choice;
    }
    vcpu->core = core;
    vcpu->generation = core->generation;
    vcpu->asid = core->next++;
    core->assignments++;
    choice.asid = vcpu->asid;
    if (choice.asid != 1)
        choice.tlb_control = TLB_CONTROL_NOTHING;
    else
        core->flushes++;
    return choice;
}
