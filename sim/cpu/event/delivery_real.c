/* SPDX-License-Identifier: MIT */
/* Delivery through the real-mode interrupt vector table: real mode, and redirected INT n of virtual-8086 mode. */
#include "sim/cpu/event/delivery.h"

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/segment.h"

/* Push FLAGS, CS and IP as 16-bit values, then go to the table entry CS:IP (APM2 8.6). */
static enum outcome enter_paragraph(struct core *core, const struct delivery *delivery, uint64_t flags, uint32_t entry)
{
    struct frame frame;
    enum outcome outcome;

    frame_begin(core, &frame, delivery->ext);
    outcome = frame_push(core, &frame, 2, flags);
    if (outcome == OUTCOME_NEXT)
        outcome = frame_push(core, &frame, 2, core->seg[SEG_CS].selector);
    if (outcome == OUTCOME_NEXT)
        outcome = frame_push(core, &frame, 2, delivery->rip);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if ((entry & 0xFFFF) > core->seg[SEG_CS].limit)
        return core_fault_code(core, EXC_GP, delivery->ext);
    frame_commit(core, &frame);
    segment_load_paragraph(core, SEG_CS, (uint16_t)(entry >> 16));
    core->rip = core->next_rip = entry & 0xFFFF;
    return OUTCOME_NEXT;
}

enum outcome delivery_real(struct core *core, const struct delivery *delivery)
{
    unsigned offset = delivery->event->vector * 4u;
    enum outcome outcome;
    uint64_t entry;

    if (offset + 3 > core->idtr.limit)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    outcome = linear_read(core, linear_wrap(core, core->idtr.base + offset), 4, MMU_READ, &entry);
    if (outcome == OUTCOME_NEXT)
        outcome = enter_paragraph(core, delivery, delivery->rflags, (uint32_t)entry);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    rflags_write(core, rflags_read(core) & ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF));
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

/* ---- Virtual-mode extensions (APM2 8.10.1, 12.2.4) ------------------------------------------------------ */

#define TSS_IO_MAP_BASE 0x66
#define REDIRECTION_BYTES 32 /* they end where the I/O permission bitmap begins */

/* Whether the TSS's redirection bitmap sends INT n to the protected-mode IDT. */
static enum outcome redirection_bit(struct core *core, uint8_t vector, bool *to_idt)
{
    const struct segment *tr = &core->seg[SEG_TR];
    uint64_t base, byte;
    enum outcome outcome;

    if (tr->limit < TSS_IO_MAP_BASE + 1 || !tss_is_wide(core))
        return core_fault_code(core, EXC_GP, 0);
    outcome = tss_read(core, TSS_IO_MAP_BASE, 2, 0, &base);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (base < REDIRECTION_BYTES || base - REDIRECTION_BYTES + vector / 8u > tr->limit)
        return core_fault_code(core, EXC_GP, 0);
    outcome = tss_read(core, (unsigned)base - REDIRECTION_BYTES + vector / 8u, 1, 0, &byte);
    *to_idt = bit(byte, vector & 7);
    return outcome;
}

/* Through the virtual-8086 program's own table at linear 0. Below IOPL 3, VIF stands for IF. */
static enum outcome redirect(struct core *core, const struct delivery *delivery)
{
    uint64_t flags = delivery->rflags, entry;
    bool virtual_if = bits(flags, 13, 12) < 3;
    enum outcome outcome;

    if (virtual_if)
        flags = (flags & ~RFLAGS_IF) | RFLAGS_IOPL | (flags & RFLAGS_VIF ? RFLAGS_IF : 0);
    outcome = linear_read(core, delivery->event->vector * 4u, 4, MMU_READ, &entry);
    if (outcome == OUTCOME_NEXT)
        outcome = enter_paragraph(core, delivery, flags, (uint32_t)entry);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    rflags_write(core, rflags_read(core) & ~((virtual_if ? RFLAGS_VIF : RFLAGS_IF) | RFLAGS_TF | RFLAGS_RF));
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

enum outcome delivery_virtual_8086(struct core *core, const struct delivery *delivery, bool *done)
{
    bool to_idt = true;
    enum outcome outcome;

    *done = false;
    if (core->cr4 & CR4_VME) {
        outcome = redirection_bit(core, delivery->event->vector, &to_idt);
        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    if (!to_idt) {
        *done = true;
        return redirect(core, delivery);
    }
    if (bits(delivery->rflags, 13, 12) < 3)
        return core_fault_code(core, EXC_GP, 0);
    return OUTCOME_NEXT;
}
