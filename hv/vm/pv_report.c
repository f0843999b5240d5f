/* SPDX-License-Identifier: MIT */
/* What hv has counted of a paravirtual vCPU: there is no #VMEXIT in its life. */
#include "hv/vm/pv_guest.h"

void pv_report(const struct vcpu *vcpu)
{
    const struct pv_counts *c = &vcpu->pv->counts;
    const char *guest = vcpu->guest->spec.name;

    console_print("pv guest=%s vcpu=%u entries=%lu interrupts=%lu system_calls=%lu int_n=%lu upcalls=%lu failsafes=%lu "
                  "emulated=%lu", guest, vcpu->id, (unsigned long)c->entries, (unsigned long)c->interrupts,
                  (unsigned long)c->system_calls, (unsigned long)c->int_n, (unsigned long)c->upcalls,
                  (unsigned long)c->failsafes, (unsigned long)c->emulated);
    for (unsigned i = 0; i < 32; i++)
        if (c->traps[i] || c->bounced[i] || c->refused[i])
            console_print("pv_trap guest=%s vcpu=%u vector=%u count=%lu bounced=%lu refused=%lu", guest, vcpu->id, i,
                          (unsigned long)c->traps[i], (unsigned long)c->bounced[i], (unsigned long)c->refused[i]);
    for (unsigned i = 0; i < HYPERCALL_COUNT; i++)
        if (c->hypercalls[i])
            console_print("pv_hypercall guest=%s vcpu=%u number=%u count=%lu", guest, vcpu->id, i,
                          (unsigned long)c->hypercalls[i]);
}
