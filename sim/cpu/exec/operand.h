/* SPDX-License-Identifier: MIT */
/* The one operand driver: reads, writes and modifies whatever an operand is, and faults. */
#ifndef FAM10H_CPU_EXEC_OPERAND_H
#define FAM10H_CPU_EXEC_OPERAND_H

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/memory.h"

/* General registers by operand size; a 4-byte write clears the upper half (APM1 3.1.2). */
uint64_t gpr_read(const struct core *core, unsigned reg, unsigned size, bool high_byte);
void gpr_write(struct core *core, unsigned reg, unsigned size, bool high_byte, uint64_t value);

/* Offset of the memory operand inside its segment, cut to the address size. */
uint64_t operand_offset(const struct core *core, const struct insn *insn);

enum outcome operand_read(struct core *core, const struct insn *insn, unsigned n, uint64_t *value);
enum outcome operand_write(struct core *core, const struct insn *insn, unsigned n, uint64_t value);

/* Read-modify-write: begin checks for write and reads; commit cannot fail. */
struct operand_ref {
    bool memory;
    struct mem_ref ref;
};
enum outcome operand_modify(struct core *core, const struct insn *insn, unsigned n, struct operand_ref *ref,
                            uint64_t *value);
void operand_commit(struct core *core, const struct insn *insn, unsigned n, const struct operand_ref *ref,
                    uint64_t value);

#endif
