/* SPDX-License-Identifier: MIT */
/* VMRUN (APM2 15.5.1): save the host, check the guest, then load it. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/svm/exits.h"
#include "sim/cpu/svm/world.h"

/* What the registers hold; other bits of the VMCB's fields that the checks let pass are dropped. */
#define CR0_IMPLEMENTED                                                                                     \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define EFER_IMPLEMENTED (EFER_SCE | EFER_LME | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSE)
#define DR6_ONES UINT64_C(0xFFFF0FF0) /* APM2 13.1.1 */
#define DR6_WRITABLE UINT64_C(0xE00F)
#define DR7_ONES BIT(10)
#define DR7_ZEROS (BIT(11) | BIT(12) | BIT(14) | BIT(15))

/* ---- Host ------------------------------------------------------------------------------------------------ */

/* Into VM_HSAVE_PA's page, in the VMCB's own layout (the processor's choice, APM2 15.30.4). */
static void save_host(struct core *core)
{
    struct vmcb hsave = vmcb_at(core, core->svm.vm_hsave_pa);

    core->rip = core->next_rip; /* of the instruction after VMRUN */
    core->rflags = rflags_read(core);
    for (unsigned i = SEG_ES; i <= SEG_DS; i++)
        vmcb_write_segment(&hsave, VMCB_SEGMENT(i), &core->seg[i]);
    vmcb_write_table(&hsave, VMCB_GDTR, &core->gdtr);
    vmcb_write_table(&hsave, VMCB_IDTR, &core->idtr);
    vmcb_save_registers(&hsave, core, vmcb_world, vmcb_world_count);
    vmcb_write(&hsave, VMCB_G_PAT, 8, core->pat);
    lbr_save(core, &hsave);
    vmcb_stored(&hsave, 0x400, 0x300);
}

/* ---- Guest ------------------------------------------------------------------------------------------------ */

void vmrun_read(const struct vmcb *vmcb, struct vmrun_input *in)
{
    for (unsigned i = 0; i < INTERCEPT_WORDS; i++)
        in->intercept[i] = (uint32_t)vmcb_read(vmcb, VMCB_INTERCEPTS + 4 * i, 4);
    in->iopm = vmcb_read(vmcb, VMCB_IOPM_BASE_PA, 8) & ~PAGE_MASK;
    in->msrpm = vmcb_read(vmcb, VMCB_MSRPM_BASE_PA, 8) & ~PAGE_MASK;
    in->tsc_offset = vmcb_read(vmcb, VMCB_TSC_OFFSET, 8);
    in->asid = (uint32_t)vmcb_read(vmcb, VMCB_GUEST_ASID, 4);
    in->tlb_control = (uint8_t)vmcb_read(vmcb, VMCB_TLB_CONTROL, 1);
    in->v_intr = vmcb_read(vmcb, VMCB_V_INTR, 8);
    in->interrupt_shadow = vmcb_read(vmcb, VMCB_INTERRUPT_SHADOW, 8);
    in->np_enable = bit(vmcb_read(vmcb, VMCB_NP_ENABLE, 8), 0);
    in->lbr_enable = bit(vmcb_read(vmcb, VMCB_LBR_ENABLE, 8), 0);
    in->eventinj = vmcb_read(vmcb, VMCB_EVENTINJ, 8);
    in->nrip = vmcb_read(vmcb, VMCB_NRIP, 8);
    in->n_cr3 = vmcb_read(vmcb, VMCB_N_CR3, 8);
    in->cs_attr = vmcb_read_segment(vmcb, VMCB_SEGMENT(SEG_CS)).attr;
    in->efer = vmcb_read(vmcb, VMCB_EFER, 8);
    in->cr0 = vmcb_read(vmcb, VMCB_CR0, 8);
    in->cr2 = vmcb_read(vmcb, VMCB_CR2, 8);
    in->cr3 = vmcb_read(vmcb, VMCB_CR3, 8);
    in->cr4 = vmcb_read(vmcb, VMCB_CR4, 8);
    in->dr6 = vmcb_read(vmcb, VMCB_DR6, 8);
    in->dr7 = vmcb_read(vmcb, VMCB_DR7, 8);
    in->rip = vmcb_read(vmcb, VMCB_RIP, 8);
    in->g_pat = vmcb_read(vmcb, VMCB_G_PAT, 8);
}

static void load_controls(struct core *core, const struct vmrun_input *in)
{
    struct svm_core *svm = &core->svm;

    memcpy(svm->intercept, in->intercept, sizeof(svm->intercept));
    svm->iopm = in->iopm;
    svm->msrpm = in->msrpm;
    svm->tsc_offset = in->tsc_offset;
    svm->asid = (uint16_t)in->asid;
    svm->np_enable = in->np_enable;
    svm->lbr_virtual = in->lbr_enable && core->model->lbr_virtual;
    svm->n_cr3 = in->n_cr3;
    svm->v_tpr = (uint8_t)bits(in->v_intr, V_INTR_TPR);
    svm->v_irq = bit(in->v_intr, V_INTR_IRQ);
    svm->v_intr_prio = (uint8_t)bits(in->v_intr, V_INTR_PRIO);
    svm->v_ign_tpr = bit(in->v_intr, V_INTR_IGN_TPR);
    svm->v_intr_masking = bit(in->v_intr, V_INTR_MASKING);
    svm->v_intr_vector = (uint8_t)bits(in->v_intr, V_INTR_VECTOR);
    core->interrupt_shadow = bit(in->interrupt_shadow, 0);
    core->shadow_blocks_debug = false;
    svm->inject_valid = bit(in->eventinj, EVENTINJ_V);
    if (svm->inject_valid)
        svm->inject = vmcb_unpack_event(in->eventinj, in->cr2);
}

/* What the host's state decides while the guest runs. */
static void remember_host(struct core *core)
{
    struct svm_core *svm = &core->svm;

    svm->host_cr0 = core->cr0;
    svm->host_cr4 = core->cr4;
    svm->host_efer = core->efer;
    svm->host_pat = core->pat;
    svm->host_if = (core->rflags & RFLAGS_IF) != 0;
}

static void load_guest(struct core *core, const struct vmcb *vmcb, const struct vmrun_input *in)
{
    for (unsigned i = SEG_ES; i <= SEG_DS; i++)
        core->seg[i] = vmcb_read_segment(vmcb, VMCB_SEGMENT(i));
    core->gdtr = vmcb_read_table(vmcb, VMCB_GDTR);
    core->idtr = vmcb_read_table(vmcb, VMCB_IDTR);
    vmcb_load_registers(vmcb, core, vmcb_world, vmcb_world_count);
    vmcb_load_registers(vmcb, core, vmcb_guest_only, vmcb_guest_only_count);
    core->cr0 = (in->cr0 & CR0_IMPLEMENTED) | CR0_ET;
    core->dr6 = (in->dr6 & DR6_WRITABLE) | DR6_ONES;
    core->dr7 = (in->dr7 & ~DR7_ZEROS) | DR7_ONES;
    /* EFER.LMA follows LME and PG whatever the field says (fact sheet 3.5). */
    core->efer = in->efer & EFER_IMPLEMENTED;
    core->efer = bit_put(core->efer, 10, (in->efer & EFER_LME) && (in->cr0 & CR0_PG));
    rflags_write(core, core->rflags);
    if (in->np_enable)
        core->pat = in->g_pat;
    else if (pae_paging(core->cr0, core->cr4, core->efer))
        mmu_load_pdptes(core->mmu, core->cr3, core->pdpte); /* checked before: cannot fail */
    core->cpl = vmcb_read(vmcb, VMCB_CPL, 1) & 3;
    if (!(core->cr0 & CR0_PE))
        core->cpl = 0;
    else if (core->rflags & RFLAGS_VM)
        core->cpl = 3;
}

static void flush_as_asked(struct core *core, uint8_t tlb_control)
{
    if (tlb_control > TLB_CONTROL_FLUSH_ALL) /* 3 and 7 came with FlushByAsid, after Family 10h */
        unmodelled_note(core->unmodelled, "VMRUN with TLB_CONTROL %u", tlb_control);
    if (tlb_control & TLB_CONTROL_FLUSH_ALL) {
        mmu_flush_all(core->mmu);
        core->svm.count->flushes++;
    }
}

/* ---- VMRUN -------------------------------------------------------------------------------------------------- */

/* VMEXIT_INVALID: the host goes on after VMRUN; the save area is left alone. */
static enum outcome refuse(struct core *core, const struct vmcb *vmcb, const struct vmrun_input *in)
{
    core->exit = (struct vmexit){ .code = VMEXIT_INVALID };
    exits_left(core, in->np_enable ? in->n_cr3 : 0, VMEXIT_INVALID, in->rip);
    vmexit_write_cause(core, vmcb);
    return vmexit_finish(core, in->rip, vmcb_read(vmcb, VMCB_RAX, 8));
}

enum outcome svm_vmrun(struct core *core)
{
    struct vmcb vmcb = vmcb_at(core, core->pending.address);
    struct vmrun_input in;

    core->svm.vmcb = core->pending.address;
    core->svm.count->vmruns++;
    exits_entered(core);
    core->svm.entry_cycle = core->cycles;
    core->cycles += VMRUN_CYCLES;
    save_host(core);
    vmrun_read(&vmcb, &in);
    in.np_enable = in.np_enable && core->model->nested_paging;
    if (vmrun_first_illegal(core, &in))
        return refuse(core, &vmcb, &in);
    remember_host(core);
    load_controls(core, &in);
    load_guest(core, &vmcb, &in);
    if (core->svm.lbr_virtual)
        lbr_load(core, &vmcb);
    flush_as_asked(core, in.tlb_control);
    core->svm.guest = true;
    core->svm.delivering_valid = false;
    core->svm.gif = true;
    core->pending_dr6 = 0;
    core->next_rip = core->svm.inject_valid && core->model->nrip ? in.nrip : core->rip;
    core_mode_changed(core, true);
    core_debug_changed(core);
    core_attention(core);
    return OUTCOME_NEXT;
}
