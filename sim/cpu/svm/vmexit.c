/* SPDX-License-Identifier: MIT */
/* #VMEXIT (APM2 15.6): write the cause, save the guest, restore the host. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/svm/exits.h"
#include "sim/cpu/svm/world.h"

#define DR7_RESET BIT(10)  /* all breakpoints off */
#define DR6_BS BIT(14)

/* ---- Cause -------------------------------------------------------------------------------------------------- */

/*
 * Codes whose exit writes nRIP: instruction, MSR and IOIO intercepts, and the exceptions that INT3, INTO and
 * BOUND raise (APM2 15.7.1). All others write 0.
 */
static const struct {
    uint64_t first, last;
} nrip_codes[] = {
    { VMEXIT_CR0_READ, VMEXIT_DR0_WRITE + 15 },
    { VMEXIT_EXCP0 + EXC_BP, VMEXIT_EXCP0 + EXC_BR },
    { VMEXIT_CR0_SEL_WRITE, VMEXIT_MSR },
    { VMEXIT_VMRUN, VMEXIT_MWAIT_CONDITIONAL },
};

static bool writes_nrip(uint64_t code)
{
    for (size_t i = 0; i < sizeof(nrip_codes) / sizeof(nrip_codes[0]); i++) {
        if (code >= nrip_codes[i].first && code <= nrip_codes[i].last)
            return true;
    }
    return false;
}

void vmexit_write_cause(struct core *core, const struct vmcb *vmcb)
{
    const struct svm_core *svm = &core->svm;
    uint64_t eventinj = vmcb_read(vmcb, VMCB_EVENTINJ, 8);

    vmcb_write(vmcb, VMCB_EXITCODE, 8, core->exit.code);
    vmcb_write(vmcb, VMCB_EXITINFO1, 8, core->exit.info1);
    vmcb_write(vmcb, VMCB_EXITINFO2, 8, core->exit.info2);
    vmcb_write(vmcb, VMCB_EXITINTINFO, 8, svm->delivering_valid ? vmcb_pack_event(&svm->delivering) : 0);
    vmcb_write(vmcb, VMCB_EVENTINJ, 8, bit_put(eventinj, EVENTINJ_V, false));
    if (core->model->nrip)
        vmcb_write(vmcb, VMCB_NRIP, 8, writes_nrip(core->exit.code) ? core->next_rip : 0);
    vmcb_stored(vmcb, 0, 0x100);
}

/* ---- Guest --------------------------------------------------------------------------------------------------- */

static void save_guest(struct core *core, const struct vmcb *vmcb)
{
    const struct svm_core *svm = &core->svm;
    uint64_t v_intr = vmcb_read(vmcb, VMCB_V_INTR, 8);
    uint64_t shadow = vmcb_read(vmcb, VMCB_INTERRUPT_SHADOW, 8);

    v_intr = bits_put(v_intr, V_INTR_TPR, svm->v_tpr);
    vmcb_write(vmcb, VMCB_V_INTR, 8, bit_put(v_intr, V_INTR_IRQ, svm->v_irq));
    vmcb_write(vmcb, VMCB_INTERRUPT_SHADOW, 8, bit_put(shadow, 0, core->interrupt_shadow));
    core->rflags = rflags_read(core);
    for (unsigned i = SEG_ES; i <= SEG_DS; i++)
        vmcb_write_segment(vmcb, VMCB_SEGMENT(i), &core->seg[i]);
    vmcb_write_table(vmcb, VMCB_GDTR, &core->gdtr);
    vmcb_write_table(vmcb, VMCB_IDTR, &core->idtr);
    vmcb_write(vmcb, VMCB_CPL, 1, core->cpl);
    vmcb_save_registers(vmcb, core, vmcb_world, vmcb_world_count);
    vmcb_save_registers(vmcb, core, vmcb_guest_only, vmcb_guest_only_count);
    if (svm->np_enable)
        vmcb_write(vmcb, VMCB_G_PAT, 8, core->pat);
    if (svm->lbr_virtual)
        lbr_save(core, vmcb);
    vmcb_stored(vmcb, 0x400, 0x300);
}

/* ---- Host ---------------------------------------------------------------------------------------------------- */

/* Everything that exists only while a guest runs (APM2 15.6, last steps). */
static void forget_guest(struct svm_core *svm)
{
    memset(svm->intercept, 0, sizeof(svm->intercept));
    svm->guest = false;
    svm->gif = false;
    svm->asid = 0;
    svm->np_enable = false;
    svm->lbr_virtual = false;
    svm->n_cr3 = 0;
    svm->tsc_offset = 0;
    svm->v_irq = false;
    svm->v_intr_masking = false;
    svm->delivering_valid = false;
    svm->inject_valid = false;
}

static enum outcome restore_host(struct core *core)
{
    struct vmcb hsave = vmcb_at(core, core->svm.vm_hsave_pa);
    bool nested = core->svm.np_enable;

    memory_meet_late(core, hsave.pa, VMCB_USED, MEMORY_READ);
    if (core->svm.lbr_virtual)
        lbr_load(core, &hsave);
    forget_guest(&core->svm);
    for (unsigned i = SEG_ES; i <= SEG_DS; i++)
        core->seg[i] = vmcb_read_segment(&hsave, VMCB_SEGMENT(i));
    core->gdtr = vmcb_read_table(&hsave, VMCB_GDTR);
    core->idtr = vmcb_read_table(&hsave, VMCB_IDTR);
    vmcb_load_registers(&hsave, core, vmcb_world, vmcb_world_count);
    core->cr0 |= CR0_PE;
    rflags_write(core, core->rflags & ~RFLAGS_VM);
    if (nested) /* without it the guest's WRMSR reached the host's register */
        core->pat = vmcb_read(&hsave, VMCB_G_PAT, 8);
    core->cpl = 0;
    core->dr7 = DR7_RESET;
    core->interrupt_shadow = false;
    core->shadow_blocks_debug = false;
    core_mode_changed(core, true);
    core_debug_changed(core);
    if (pae_paging(core->cr0, core->cr4, core->efer)) {
        if (!mmu_load_pdptes(core->mmu, core->cr3, core->pdpte))
            return OUTCOME_SHUTDOWN;
        core_mode_changed(core, true);
    }
    return OUTCOME_NEXT;
}

enum outcome vmexit_finish(struct core *core, uint64_t rip, uint64_t rax)
{
    uint64_t code = core->exit.code;
    enum outcome outcome = restore_host(core);

    core->cycles += VMEXIT_CYCLES;
    core->next_rip = core->rip;
    core_attention(core);
    /* The host's single step, suspended since VMRUN, traps now (APM2 15.6). */
    core->pending_dr6 = core->rflags & RFLAGS_TF ? DR6_BS : 0;
    if (core->hooks.vmexit && core->hooks.vmexit(core->hooks.ctx, core, code, rip, rax))
        core->stop_request = true;
    return outcome;
}

enum outcome svm_vmexit(struct core *core)
{
    struct vmcb vmcb = vmcb_at(core, core->svm.vmcb);
    uint64_t rip, rax = core->gpr[RAX];

    memory_meet_late(core, core->svm.vmcb, VMCB_USED, MEMORY_WRITE);
    vmexit_write_cause(core, &vmcb);
    if (core->exit.rip_next)
        core->rip = core->next_rip;
    rip = core->rip;
    save_guest(core, &vmcb);
    exits_left(core, core->svm.np_enable ? core->svm.n_cr3 : 0, core->exit.code, rip);
    return vmexit_finish(core, rip, rax);
}
