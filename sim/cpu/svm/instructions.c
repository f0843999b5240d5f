/* SPDX-License-Identifier: MIT */
/* Semantics of the SVM instructions (APM2 15.5, 15.17, 15.27; rows: isa/svm.def). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/memory.h"
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
    outcome = memory_meet(core, vmcb, VMCB_USED, MEMORY_READ);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_meet(core, core->svm.vm_hsave_pa, VMCB_USED, MEMORY_WRITE);
    return outcome == OUTCOME_NEXT ? OUTCOME_VMRUN : outcome;
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
#define VMLOAD_FIRST VMCB_SEGMENT(SEG_FS)
#define VMLOAD_BYTES (VMCB_CR2 - VMLOAD_FIRST)
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

    if (outcome == OUTCOME_NEXT)
        outcome = memory_meet(core, address + VMLOAD_FIRST, VMLOAD_BYTES, MEMORY_READ);
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

    if (outcome == OUTCOME_NEXT)
        outcome = memory_meet(core, address + VMLOAD_FIRST, VMLOAD_BYTES, MEMORY_WRITE);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    vmcb = vmcb_at(core, address);
    for (unsigned i = 0; i < VMLOAD_SEGMENTS; i++)
        vmcb_write_segment(&vmcb, vmload_segments[i].offset, &core->seg[vmload_segments[i].segment]);
    vmcb_save_registers(&vmcb, core, vmcb_vmload, vmcb_vmload_count);
    vmcb_stored(&vmcb, VMLOAD_FIRST, VMLOAD_BYTES);
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

/* skinit.c */
enum outcome exec_skinit(struct core *core, const struct insn *insn)
{
    enum outcome outcome = guard_plain(core, VMEXIT_SKINIT, core->model->skinit);

    (void)insn;
    if (outcome == OUTCOME_NEXT)
        skinit_begin(core);
    return outcome;
}
