/* SPDX-License-Identifier: MIT */
/*
 * The common instructions of 64-bit code once more, compiled for the form of their operands: the same operators as
 * the row's semantics, but kinds and sizes of the operands are constants, and one instruction ends by jumping into the
 * next. The fast engine runs them; whatever they do not do is done by the row's semantics.
 *
 * A quick instruction either does all of its work or none: it returns its own place before it has changed anything
 * when the native slot misses, a target is not canonical, or it has no quick form at all. It never faults, never asks
 * the MMU, a device or a clock, never reaches a watched page. Therefore rIP, cycles, retired instructions and fetches
 * need not be true while it runs: `core->rip` stays at the block's first instruction until the block is left.
 *
 * Promised by whoever runs one: 64-bit mode, EFER.LMSLE clear, no data breakpoint.
 */
#ifndef FAM10H_CPU_EXEC_QUICK_H
#define FAM10H_CPU_EXEC_QUICK_H

#include "sim/cpu/decode/insn.h"

struct quick_op;

/* What stays the same for a stay in a page of code: the native slots of the current privilege level. */
struct quick_memory {
    struct native_map *map;
    struct native_slot *slots;
};

/* Where the run stopped: behind the block's last instruction, or at the one that is not quick this time. */
typedef const struct quick_op *quick_fn(const struct quick_op *op, struct core *core, struct native_map *map,
                                        struct native_slot *slots);

struct quick_op {
    quick_fn *run;
    uint64_t immediate;   /* of a relative branch: from the block's first byte to its target */
    int32_t displacement;
    uint16_t base, index; /* where in struct core the registers of the address are; `zero` if there is none */
    uint8_t factor;       /* of the index: a multiplication is cheaper than a shift by a variable count */
    uint8_t reg, source;  /* general registers: op[0], op[1] */
    bool has_form;        /* false: `run` refuses always */
    uint16_t end;         /* bytes from the block's first to behind this instruction */
    uint16_t before;      /* cycles of the instructions before this one, memory stalls excluded */
};

/* What a block's flags are known to come from at some place in it: for conditions without a look at lazy.kind. */
struct quick_flags {
    uint8_t kind; /* enum lazy_kind; LAZY_NONE: unknown */
    uint8_t size;
};

/* Fill `op` for an instruction that ends `end` bytes behind the block's start; `flags` go on to the next one. */
void quick_choose(struct quick_op *op, const struct insn *insn, unsigned end, struct quick_flags *flags);
/* Behind the last instruction: adds the block's length to rIP when it did not end in a branch. */
void quick_finish(struct quick_op *op, unsigned bytes);

#endif
