/* SPDX-License-Identifier: MIT */
/* Loading the state of the incoming task, in its own context. */
#include "sim/cpu/event/task.h"

#include "sim/cpu/exec/far.h"
#include "sim/cpu/exec/flags.h"

/* Flags that a TSS image sets; bit 1 is the register's own. */
#define TASK_RFLAGS32 (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | \
                       RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

/* CR3 of a 32-bit TSS counts with paging on; a new value flushes like MOV CR3 (fact sheet 3.13). */
static enum outcome load_cr3(struct core *core, const struct task_image *image)
{
    uint64_t pdpte[4];

    if (!(core->cr0 & CR0_PG) || image->cr3 == core->cr3)
        return OUTCOME_NEXT;
    if ((core->cr4 & CR4_PAE) && !core->svm.np_enable) {
        if (!mmu_load_pdptes(core->mmu, image->cr3, pdpte))
            return core_fault_code(core, EXC_GP, 0);
        for (unsigned i = 0; i < 4; i++)
            core->pdpte[i] = pdpte[i];
    }
    core->cr3 = image->cr3;
    core_mode_changed(core, true);
    mmu_flush_cr3(core->mmu);
    return OUTCOME_NEXT;
}

static enum outcome load_code(struct core *core, uint16_t selector)
{
    unsigned rpl = (unsigned)bits(selector, SELECTOR_RPL), dpl;
    struct descriptor descriptor;
    enum outcome outcome;

    if (selector_is_null(selector))
        return core_fault_code(core, EXC_TS, selector_error(selector, 0));
    outcome = descriptor_read(core, selector, EXC_TS, 0, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    dpl = attr_dpl(descriptor.attr);
    if (!attr_is_code(descriptor.attr) || (attr_is_conforming(descriptor.attr) ? dpl > rpl : dpl != rpl))
        return core_fault_code(core, EXC_TS, selector_error(selector, 0));
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_NP, selector_error(selector, 0));
    outcome = descriptor_mark_accessed(core, &descriptor);
    if (outcome == OUTCOME_NEXT)
        core->seg[SEG_CS] = descriptor_segment(&descriptor);
    return outcome;
}

static enum outcome load_protected_segments(struct core *core, const struct task_image *image)
{
    static const uint8_t data[] = { SEG_DS, SEG_ES, SEG_FS, SEG_GS };
    enum outcome outcome = load_code(core, image->selector[SEG_CS]);

    core_mode_changed(core, false);
    if (outcome == OUTCOME_NEXT)
        outcome = segment_check_stack(core, image->selector[SEG_SS], core->cpl, EXC_TS, 0, &core->seg[SEG_SS]);
    core_mode_changed(core, false);
    for (unsigned i = 0; i < sizeof(data) && outcome == OUTCOME_NEXT; i++)
        outcome = segment_check_data(core, image->selector[data[i]], core->cpl, EXC_TS, 0, &core->seg[data[i]]);
    if (outcome == OUTCOME_NEXT)
        outcome = far_check_target(core, &core->seg[SEG_CS], image->rip);
    return outcome;
}

static void load_registers(struct core *core, const struct task_image *image, bool wide)
{
    rflags_write(core, image->rflags & (wide ? TASK_RFLAGS32 : TASK_RFLAGS32 & 0xFFFF));
    for (unsigned i = 0; i < 8; i++)
        core->gpr[i] = image->gpr[i]; /* assumed: a 16-bit TSS clears the upper halves */
    core->rip = core->next_rip = image->rip;
    /* Until they have been checked the segments are null, but the selectors are there to be saved. */
    for (unsigned i = 0; i < 6; i++)
        segment_make_null(&core->seg[i], image->selector[i]);
    segment_make_null(&core->seg[SEG_LDTR], image->ldt);
}

enum outcome task_enter(struct core *core, const struct task_image *image, bool wide)
{
    bool virtual_8086 = wide && (image->rflags & RFLAGS_VM);
    enum outcome outcome;

    load_registers(core, image, wide);
    core->cpl = virtual_8086 ? 3 : (uint8_t)bits(image->selector[SEG_CS], SELECTOR_RPL);
    core_mode_changed(core, false);
    outcome = wide ? load_cr3(core, image) : OUTCOME_NEXT;
    if (outcome == OUTCOME_NEXT)
        outcome = segment_check_ldt(core, image->ldt, EXC_TS, 0, &core->seg[SEG_LDTR]);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!virtual_8086)
        return load_protected_segments(core, image);
    for (unsigned i = 0; i < 6; i++)
        segment_load_paragraph(core, i, image->selector[i]);
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}
