/* SPDX-License-Identifier: MIT */
/* Semantics of the SVM instructions (APM2 15.5, 15.17, 15.27; rows: isa/svm.def). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/cpu/svm/world.h"

/* ---- Guards -------------------------------------------------------------------------------------------- */

/* #UD without EFER.SVME (real and virtual-8086 mode: the row), then #GP(0) outside CPL 0. */
static enum outcome privileged(struct core *core, bool enabled)
{
    if (!enabled)
        return core_fault(core, EXC_UD);
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    return OUTCOME_NEXT;
}

static bool svme(const struct core *core)
{
    return (core->efer & EFER_SVME) != 0;
}

/* rAX by the address size, as the SVM instructions read it. */
static uint64_t rax_address(const struct core *core, const struct insn *insn)
{
    return zero_extend(core->gpr[RAX], insn->address_size);
}

/*
 * VMRUN, VMLOAD and VMSAVE: every exception of their own comes before the intercept (fact sheet 3.11),
 * that of a VMCB address that is not a page's or is too high included.
 */
static enum outcome guard_vmcb(struct core *core, const struct insn *insn, unsigned code, spa_t *vmcb)
{
    enum outcome outcome = privileged(core, svme(core));

    *vmcb = rax_address(core, insn);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if ((*vmcb & PAGE_MASK) || *vmcb >= SPA_LIMIT)
        return core_fault_code(core, EXC_GP, 0);
    return intercepts(core, code) ? core_vmexit(core, code, 0, 0) : OUTCOME_NEXT;
}

static enum outcome guard_plain(struct core *core, unsigned code, bool enabled)
{
    enum outcome outcome = privileged(core, enabled);

    if (outcome == OUTCOME_NEXT && intercepts(core, code))
        return core_vmexit(core, code, 0, 0);
    return outcome;
}

/* ---- World switch and its companions -------------------------------------------------------------------- */

enum outcome exec_vmrun(struct core *core, const struct insn *insn)
{
    spa_t vmcb;
    enum outcome outcome = guard_vmcb(core, insn, VMEXIT_VMRUN, &vmcb);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->pending.address = vmcb;
    return OUTCOME_VMRUN;
}

/* Of use only where it is intercepted, at any CPL and in any mode; that test comes before everything. */
enum outcome exec_vmmcall(struct core *core, const struct insn *insn)
{
    (void)insn;
    return core_fault(core, EXC_UD);
}

/* FS, GS, TR and LDTR with their hidden parts (APM2 15.5.2). */
static const struct {
    uint8_t segment;
    uint16_t offset;
} vmload_segments[] = {
    { SEG_FS, VMCB_SEGMENT(SEG_FS) },
    { SEG_GS, VMCB_SEGMENT(SEG_GS) },
    { SEG_LDTR, VMCB_LDTR },
    { SEG_TR, VMCB_TR },
};
#define VMLOAD_SEGMENTS (sizeof(vmload_segments) / sizeof(vmload_segments[0]))

/* What the registers hold: SYSENTER_CS 15:0, ESP, EIP and SFMASK 31:0 (BKDG10 MSR0000_0174, C000_0084). */
static void trim_vmload_registers(struct core *core)
{
    core->sfmask &= bits_mask(31, 0);
    core->sysenter_cs &= bits_mask(31, 0);
    core->sysenter_esp &= bits_mask(31, 0);
    core->sysenter_eip &= bits_mask(31, 0);
    core->lstar = (uint64_t)((int64_t)(core->lstar << 16) >> 16);
    core->cstar = (uint64_t)((int64_t)(core->cstar << 16) >> 16);
    core->kernel_gs_base = (uint64_t)((int64_t)(core->kernel_gs_base << 16) >> 16);
}

enum outcome exec_vmload(struct core *core, const struct insn *insn)
{
    spa_t address;
    struct vmcb vmcb;
    enum outcome outcome = guard_vmcb(core, insn, VMEXIT_VMLOAD, &address);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vmcb = vmcb_at(core, address);
    for (unsigned i = 0; i < VMLOAD_SEGMENTS; i++)
        core->seg[vmload_segments[i].segment] = vmcb_read_segment(&vmcb, vmload_segments[i].offset);
    vmcb_load_registers(&vmcb, core, vmcb_vmload, vmcb_vmload_count);
    trim_vmload_registers(core);
    return OUTCOME_NEXT;
}

enum outcome exec_vmsave(struct core *core, const struct insn *insn)
{
    spa_t address;
    struct vmcb vmcb;
    enum outcome outcome = guard_vmcb(core, insn, VMEXIT_VMSAVE, &address);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vmcb = vmcb_at(core, address);
    for (unsigned i = 0; i < VMLOAD_SEGMENTS; i++)
        vmcb_write_segment(&vmcb, vmload_segments[i].offset, &core->seg[vmload_segments[i].segment]);
    vmcb_save_registers(&vmcb, core, vmcb_vmload, vmcb_vmload_count);
    vmcb_stored(&vmcb, VMCB_SEGMENT(SEG_FS), VMCB_CR2 - VMCB_SEGMENT(SEG_FS));
    return OUTCOME_NEXT;
}

/* ---- GIF, INVLPGA ---------------------------------------------------------------------------------------- */

enum outcome exec_stgi(struct core *core, const struct insn *insn)
{
    enum outcome outcome = guard_plain(core, VMEXIT_STGI, svme(core) || core->model->skinit);

    (void)insn;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->svm.gif = true;
    core_attention(core);
    return OUTCOME_NEXT;
}

enum outcome exec_clgi(struct core *core, const struct insn *insn)
{
    enum outcome outcome = guard_plain(core, VMEXIT_CLGI, svme(core));

    (void)insn;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->svm.gif = false;
    return OUTCOME_NEXT;
}

/* ECX names the ASID. One that no translation can carry (no source says more) has nothing to drop. */
enum outcome exec_invlpga(struct core *core, const struct insn *insn)
{
    enum outcome outcome = guard_plain(core, VMEXIT_INVLPGA, svme(core));
    uint32_t asid = (uint32_t)core->gpr[RCX];

    if (outcome == OUTCOME_NEXT && asid < core->model->asids)
        mmu_invlpga(core->mmu, rax_address(core, insn), (uint16_t)asid);
    return outcome;
}

/* ---- SKINIT (APM2 15.27, from revision C on) --------------------------------------------------------------- */

#define SLB_BYTES 0x10000
#define VM_CR_AFTER_SKINIT bits_mask(2, 0) /* DPD, R_INIT, DIS_A20M */

/* Flat descriptors with the selectors that SKINIT gives, accessed. */
static const struct segment skinit_cs = { 0x0008, 0xC9B, 0xFFFFFFFF, 0 };
static const struct segment skinit_ss = { 0x0010, 0xC93, 0xFFFFFFFF, 0 };
static const struct segment real_mode_data = { 0, 0x093, 0xFFFF, 0 };
static const struct segment reset_ldtr = { 0, 0x082, 0xFFFF, 0 };
static const struct segment reset_tr = { 0, 0x083, 0xFFFF, 0 };

static void skinit_segments(struct core *core)
{
    core->seg[SEG_CS] = skinit_cs;
    core->seg[SEG_SS] = skinit_ss;
    core->seg[SEG_ES] = core->seg[SEG_DS] = core->seg[SEG_FS] = core->seg[SEG_GS] = real_mode_data;
    core->seg[SEG_LDTR] = reset_ldtr;
    core->seg[SEG_TR] = reset_tr;
    core->gdtr = core->idtr = (struct table_register){ 0, 0xFFFF };
    core->cpl = 0;
}

static void skinit_registers(struct core *core, uint64_t slb)
{
    memset(core->gpr, 0, sizeof(core->gpr));
    core->gpr[RAX] = slb;
    core->gpr[RDX] = core->model->signature;
    core->gpr[RSP] = (slb + SLB_BYTES) & bits_mask(31, 0);
    rflags_write(core, 0);
    core->cr0 = (core->cr0 & (CR0_CD | CR0_NW)) | CR0_ET | CR0_PE;
    core->cr2 = core->cr3 = core->cr4 = core->efer = 0;
    memset(core->dr, 0, sizeof(core->dr));
    core->dr6 = UINT64_C(0xFFFF0FF0);
    core->dr7 = BIT(10);
    core->pending_dr6 = 0;
    core->interrupt_shadow = core->shadow_blocks_debug = false;
}

enum outcome exec_skinit(struct core *core, const struct insn *insn)
{
    uint64_t slb = core->gpr[RAX] & bits_mask(31, 16);
    enum outcome outcome = guard_plain(core, VMEXIT_SKINIT, core->model->skinit);

    (void)insn;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    /* deviation: no SLDEV protection, no handshake with other cores, no measurement by a TPM. */
    unmodelled_note(core->unmodelled, "SKINIT: SLDEV, other cores' handshake and TPM");
    skinit_registers(core, slb);
    skinit_segments(core);
    core->svm.vm_cr |= VM_CR_AFTER_SKINIT;
    core->svm.gif = false;
    core->next_rip = slb + spa_read(core->space, slb, 2);
    core_mode_changed(core, true);
    core_debug_changed(core);
    mmu_flush_all(core->mmu);
    return OUTCOME_NEXT;
}
