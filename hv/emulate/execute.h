/* SPDX-License-Identifier: MIT */
/*
 * Carry out a decoded instruction on a guest's registers; memory is reached through the caller, by linear address. One
 * step of a REP instruction. Pure.
 *
 * deviation: segment limits and types are not checked again: the processor checked them before it reported the fault
 * that brought us here (for MOVS, of one of the two operands).
 */
#ifndef HV_EMULATE_EXECUTE_H
#define HV_EMULATE_EXECUTE_H

#include "hv/emulate/decode.h"

struct emulate_registers {
    uint64_t gpr[16]; /* by number */
    uint64_t rip, rflags;
    uint64_t base[EMULATE_SEGMENTS];
};

enum emulate_status {
    EMULATE_DONE,
    EMULATE_FAULT,     /* the access raises an exception, which the callback has noted: nothing was changed */
    EMULATE_CANNOT     /* not an access the callback can make: nothing was changed */
};

/* size: 1, 2, 4, 8 or 16 bytes. */
struct emulate_memory {
    void *ctx;
    /* `written`: the same instruction will write there, so that the right to write is wanted now. */
    enum emulate_status (*read)(void *ctx, uint64_t linear, void *data, unsigned size, bool written);
    enum emulate_status (*write)(void *ctx, uint64_t linear, const void *data, unsigned size);
};

/*
 * Control registers, INVLPG and far transfers are not carried out here (EMULATE_CANNOT): their operands are for the
 * caller. RIP and registers are changed after the last access that can fail.
 */
enum emulate_status emulate_execute(const struct emulate_insn *insn, struct emulate_registers *registers,
                                    const struct emulate_memory *memory);
/* The linear address of the operand in memory; for MOVS and STOS `destination` chooses ES:[rDI]. */
uint64_t emulate_address(const struct emulate_insn *insn, const struct emulate_registers *registers, bool destination);
uint64_t emulate_register(const struct emulate_registers *registers, const struct emulate_operand *op);
void emulate_set_register(struct emulate_registers *registers, const struct emulate_operand *op, uint64_t value);

#endif
