/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/io.h"

#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/cpu/model/msr.h"

/* ---- Guards ----------------------------------------------------------------------------------------- */

#define TSS_IOPB 0x66 /* 16-bit offset of the I/O-permission bitmap (APM2 12.2.4) */

/* 32- and 64-bit TSS, available (9) or busy (B); a 16-bit TSS has no bitmap. */
static bool tss_has_bitmap(const struct segment *tr)
{
    return (bits(tr->attr, ATTR_TYPE) & ~UINT64_C(2)) == 9 && tr->limit >= TSS_IOPB + 1;
}

/* Two bytes of the bitmap are always read and must lie inside the TSS; a set bit forbids. */
static enum outcome check_bitmap(struct core *core, uint16_t port, unsigned size)
{
    const struct segment *tr = &core->seg[SEG_TR];
    enum outcome outcome;
    uint64_t start, map;

    if (!tss_has_bitmap(tr))
        return core_fault_code(core, EXC_GP, 0);
    outcome = linear_read(core, tr->base + TSS_IOPB, 2, MMU_READ, &start);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    start += port / 8;
    if (start + 1 > tr->limit)
        return core_fault_code(core, EXC_GP, 0);
    outcome = linear_read(core, tr->base + start, 2, MMU_READ, &map);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    return map >> port % 8 & bits_mask(size - 1, 0) ? core_fault_code(core, EXC_GP, 0) : OUTCOME_NEXT;
}

#define SMI_IO_VALID BIT(1)
#define SMI_IO_TF BIT(11)

/* What an SMI at the boundary behind this access reports, and what I/O restart goes back to (fact sheet 2.8). */
static void remember_for_smi(struct core *core, uint64_t info)
{
    struct smm_core *smm = &core->smm;

    smm->io_info = (uint32_t)(info | SMI_IO_VALID | ((core->rflags & RFLAGS_TF) ? SMI_IO_TF : 0));
    smm->io_rip = core->rip;
    smm->io_rcx = core->gpr[RCX];
    smm->io_rsi = core->gpr[RSI];
    smm->io_rdi = core->gpr[RDI];
}

enum outcome io_check(struct core *core, const struct insn *insn, uint16_t port, unsigned size, bool in,
                      bool string)
{
    bool by_iopl = core->mode != MODE_VIRTUAL_8086 && core->cpl <= bits(core->rflags, 13, 12);
    bool intercepted;

    if (core->mode != MODE_REAL && !by_iopl) {
        enum outcome outcome = check_bitmap(core, port, size);

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    intercepted = svm_io_intercepted(core, port, size);
    if (core_met_error(core))
        return core_fault(core, EXC_MC);
    if (!intercepted) {
        remember_for_smi(core, svm_ioio_info(port, size, insn->address_size, in, string, insn->rep != 0));
        return OUTCOME_NEXT;
    }
    return core_vmexit(core, VMEXIT_IOIO, svm_ioio_info(port, size, insn->address_size, in, string, insn->rep != 0),
                       core->next_rip);
}

/* ---- Access ----------------------------------------------------------------------------------------- */

/* R/W = 10 with CR4.DE: I/O breakpoints, traps like data breakpoints (APM2 13.1.1.4). */
static void collect_io_breakpoints(struct core *core, uint16_t port, unsigned size)
{
    static const uint8_t bytes[4] = { 1, 2, 8, 4 };

    for (unsigned n = 0; n < 4; n++) {
        unsigned length = bytes[bits(core->dr7, 19 + 4 * n, 18 + 4 * n)];
        uint64_t start = core->dr[n] & ~(uint64_t)(length - 1);

        if (bits(core->dr7, 2 * n + 1, 2 * n) && bits(core->dr7, 17 + 4 * n, 16 + 4 * n) == 2 &&
            port < start + length && start < (uint64_t)port + size)
            core->pending_dr6 |= BIT(n);
    }
}

/* SMI_ON_IO_TRAP, MSRC001_0050 to 0053, and its control, 0054. */
#define IO_TRAP_READ 63
#define IO_TRAP_WRITE 62
#define IO_TRAP_CONFIG 61
#define IO_TRAP_MASK 55, 32 /* a 1: this bit of the address counts */
#define IO_TRAP_ADDRESS 23, 0
#define CONFIG_ADDRESS 0xCF8
#define CONFIG_DATA 0xCFC

/* A configuration trap compares what CF8h selects, when its data port is used. */
static bool config_address(struct core *core, uint16_t port, uint64_t *address)
{
    uint32_t selected;

    if (port < CONFIG_DATA || port > CONFIG_DATA + 3)
        return false;
    selected = core->pio->read(core->pio->ctx, CONFIG_ADDRESS, 4);
    *address = (selected & bits_mask(23, 2)) | (port & 3);
    return bit(selected, 31);
}

static bool io_trap_matches(struct core *core, uint64_t trap, uint16_t port, bool in)
{
    uint64_t address = port;

    if (!bit(trap, in ? IO_TRAP_READ : IO_TRAP_WRITE))
        return false;
    if (bit(trap, IO_TRAP_CONFIG) && !config_address(core, port, &address))
        return false;
    return ((address ^ bits(trap, IO_TRAP_ADDRESS)) & bits(trap, IO_TRAP_MASK)) == 0;
}

/* Each enabled trap that matches is a bit of the local SMI status (fact sheet 2.8, FEC4). */
static void check_io_traps(struct core *core, uint16_t port, bool in)
{
    for (unsigned n = 0; n < 4; n++) {
        if (!bit(core->msr->io_trap_control, 2 * n + 1) || !io_trap_matches(core, core->msr->io_trap[n], port, in))
            continue;
        core->smm.internal = true;
        core->smm.status |= (uint32_t)BIT(n);
    }
}

static void begin_access(struct core *core, uint16_t port, unsigned size, bool in)
{
    core->smm.io_valid = true;
    if (core->smm.io_traps && !core->smm.active && core->svm.gif) /* else it is lost (APM2 15.17) */
        check_io_traps(core, port, in);
    if (core->data_breakpoints && (core->cr4 & CR4_DE))
        collect_io_breakpoints(core, port, size);
    core_touch_devices(core);
}

uint32_t io_read(struct core *core, uint16_t port, unsigned size)
{
    begin_access(core, port, size, true);
    return core->pio->read(core->pio->ctx, port, size);
}

void io_write(struct core *core, uint16_t port, unsigned size, uint32_t value)
{
    begin_access(core, port, size, false);
    core->pio->write(core->pio->ctx, port, size, value);
}

/* ---- IN, OUT ------------------------------------------------------------------------------------------ */

enum outcome exec_in(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t port;

    operand_read(core, insn, 1, &port);
    outcome = io_check(core, insn, (uint16_t)port, size, true, false);
    if (outcome == OUTCOME_NEXT)
        gpr_write(core, RAX, size, false, io_read(core, (uint16_t)port, size));
    return outcome;
}

enum outcome exec_out(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[1].size;
    enum outcome outcome;
    uint64_t port, value;

    operand_read(core, insn, 0, &port);
    operand_read(core, insn, 1, &value);
    outcome = io_check(core, insn, (uint16_t)port, size, false, false);
    if (outcome == OUTCOME_NEXT)
        io_write(core, (uint16_t)port, size, (uint32_t)value);
    return outcome;
}
