/* SPDX-License-Identifier: MIT */
#include "sim/cpu/event/machine_check.h"

#include "sim/cpu/apic/apic.h"

/* MSRC001_0022. Both at once is undefined: here the SMI. */
#define REDIRECT_VECTOR 7, 0
#define REDIRECT_TO_VECTOR BIT(8)
#define REDIRECT_TO_SMI BIT(9)

bool machine_check_begin(struct core *core)
{
    core->mc_pending = false;
    /* assumed: of a guest too, before the #MC intercept (fact sheet 3.11); VMEXIT_SHUTDOWN may then be intercepted. */
    if (!(core->cr4 & CR4_MCE)) {
        core->mca.raised = 0;
        core->mca.count.shutdowns++;
        return false;
    }
    return mca_core_begin(&core->mca);
}

void core_machine_check(struct core *core, unsigned raise)
{
    const struct apic_message interrupt = {
        .type = core->mca.redirection & REDIRECT_TO_SMI ? APIC_SMI : APIC_FIXED,
        .vector = (uint8_t)bits(core->mca.redirection, REDIRECT_VECTOR), .assert_ = true, .source_core = 0xff,
    };

    if (!raise)
        return;
    core_attention(core);
    if (core->mca.redirection & (REDIRECT_TO_VECTOR | REDIRECT_TO_SMI)) {
        core->mca.count.redirected++;
        core_apic_deliver(core, &interrupt);
        return;
    }
    core->mca.raised |= (uint8_t)(raise | MCA_RAISE_PENDING);
    core->mc_pending = true;
}

enum mca_fate core_error(struct core *core, const struct mca_error *error)
{
    enum mca_fate fate;

    core_machine_check(core, mca_core_error(&core->mca, error, &fate));
    return fate;
}

struct mca_core *core_mca(struct core *core)
{
    return &core->mca;
}
