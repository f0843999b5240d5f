/* SPDX-License-Identifier: MIT */
/* Inside exec/quick*.c: how a quick instruction reaches its operands, goes on, and is found. */
#ifndef FAM10H_CPU_EXEC_QUICK_FORM_H
#define FAM10H_CPU_EXEC_QUICK_FORM_H

#include "sim/cpu/exec/alu.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/exec/quick.h"

#define QUICK_INLINE static inline __attribute__((always_inline))
#define QUICK_PARAMETERS \
    const struct quick_op *op, struct core *core, struct native_map *map, struct native_slot *slots
#define QUICK_MISS(x) __builtin_expect(!(x), 0)

/* On to the next instruction: a jump, because nothing is left to do here. */
#define QUICK_NEXT return op[1].run(op + 1, core, map, slots)

/* ---- Operands ------------------------------------------------------------------------------------------ */

/* Address sizes below 64 bits have no quick form. */
QUICK_INLINE gva_t quick_address(const struct core *core, const struct quick_op *op)
{
    const char *file = (const char *)core;
    uint64_t base = *(const uint64_t *)(const void *)(file + op->base);
    uint64_t index = *(const uint64_t *)(const void *)(file + op->index);

    return base + index * op->factor + (uint64_t)(int64_t)op->displacement;
}

/* NULL: nothing was counted. */
QUICK_INLINE uint8_t *quick_native(struct native_map *map, struct native_slot *slots, gva_t address, unsigned size,
                                   bool write)
{
    struct native_slot *slot = &slots[native_index(address)];

    return native_slot_aligned(map, slot, address, size, write);
}

/* ---- Tables -------------------------------------------------------------------------------------------- */

/* Destination, then source: register, memory, immediate. FORM_R and FORM_M have one operand. */
enum quick_form { FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI, FORM_R = FORM_RR, FORM_M = FORM_RM, FORM_COUNT = 5 };

/* By log2 of the operand size. */
struct quick_family {
    exec_fn *run; /* the row's semantics */
    uint8_t wide; /* 0, or: of this size is op[0] alone, and op[1]'s size selects */
    uint8_t flags;/* enum lazy_kind that the operation leaves */
    quick_fn *form[FORM_COUNT][4];
};

#define QUICK_SIZES(name) { name##_1, name##_2, name##_4, name##_8 }

extern const struct quick_family quick_alu[], quick_moves[], quick_shifts[]; /* `run` NULL ends each */
/* Instructions that fit into no family; NULL: no quick form. */
quick_fn *quick_branch(const struct insn *insn);
quick_fn *quick_conditional(const struct insn *insn, const struct quick_flags *flags, enum quick_form form);
quick_fn *quick_single(const struct insn *insn);

#endif
