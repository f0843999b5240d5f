/* SPDX-License-Identifier: MIT */
/*
 * The operand driver's memory side. Guards first: segment, canonical, alignment and translation checks
 * of every byte come before the first byte moves, so that a fault leaves no trace.
 * A failing call returns OUTCOME_FAULT (core->fault filled) or OUTCOME_VMEXIT (VMEXIT_NPF).
 */
#ifndef FAM10H_CPU_EXEC_MEMORY_H
#define FAM10H_CPU_EXEC_MEMORY_H

#include <string.h>

#include "sim/cpu/core.h"

/* One checked memory operand: at most two pieces, because it may cross one page. */
struct mem_ref {
    unsigned size;
    unsigned first;       /* bytes in the first page */
    uint8_t *native[2];   /* NULL: reach it by spa */
    spa_t spa[2];         /* only then, or from linear_locate */
};

/*
 * Logical to linear: limit, type and null-selector checks (#GP, or #SS for SS), canonical form in 64-bit
 * mode. access: MMU_READ or MMU_WRITE (+ MMU_FETCH for CS). APM2 4.5, 4.12, 4.13.
 */
enum outcome segment_linear(struct core *core, unsigned segment, uint64_t offset, unsigned size,
                            unsigned access, gva_t *linear);

/* Translate for `access` (MMU_USER included by the caller) without moving data. */
enum outcome linear_probe(struct core *core, gva_t linear, unsigned size, unsigned access, struct mem_ref *ref);
/* The same for one byte whose system-physical address is wanted. */
enum outcome linear_locate(struct core *core, gva_t linear, unsigned access, spa_t *spa);
/* Move data of a probed reference; cannot fail. */
uint64_t ref_load(struct core *core, const struct mem_ref *ref);                 /* size 1, 2, 4, 8 */
void ref_store(struct core *core, const struct mem_ref *ref, uint64_t value);
void ref_load_bytes(struct core *core, const struct mem_ref *ref, void *data);   /* any size up to 4096 */
void ref_store_bytes(struct core *core, const struct mem_ref *ref, const void *data);

/* Probe and move in one step. `access` carries MMU_USER: core->access for explicit, 0 for implicit. */
enum outcome linear_read(struct core *core, gva_t linear, unsigned size, unsigned access, uint64_t *value);
enum outcome linear_write(struct core *core, gva_t linear, unsigned size, unsigned access, uint64_t value);

/* ---- The same by segment and offset, explicit accesses of the current code ---------------------------- */

/* 1, 2, 4 or 8 bytes. */
static inline uint64_t load_native(const uint8_t *native, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1: return *native;
    case 2: memcpy(&value, native, 2); return value;
    case 4: memcpy(&value, native, 4); return value;
    default: memcpy(&value, native, 8); return value;
    }
}

static inline void store_native(uint8_t *native, unsigned size, uint64_t value)
{
    switch (size) {
    case 1: *native = (uint8_t)value; break;
    case 2: memcpy(native, &value, 2); break;
    case 4: memcpy(native, &value, 4); break;
    default: memcpy(native, &value, 8); break;
    }
}

/*
 * Native address of an access to a power of two of bytes, in the common case of 64-bit mode; NULL: nothing was counted,
 * take the long way. The canonical check is left to the slot's tag. `write` is a constant.
 */
static inline __attribute__((always_inline)) uint8_t *memory_native(struct core *core, unsigned segment,
                                                                    uint64_t offset, unsigned size, bool write)
{
    if (core->mode != MODE_64BIT || (core->efer & EFER_LMSLE) || core->data_breakpoints)
        return NULL;
    if (segment >= SEG_FS)
        offset += core->seg[segment].base;
    return native_aligned(core->mmu, offset, size, write, (core->access & MMU_USER) != 0);
}

enum outcome memory_read_slow(struct core *core, unsigned segment, uint64_t offset, unsigned size, uint64_t *value);
enum outcome memory_write_slow(struct core *core, unsigned segment, uint64_t offset, unsigned size, uint64_t value);

static inline enum outcome memory_read(struct core *core, unsigned segment, uint64_t offset, unsigned size,
                                       uint64_t *value)
{
    const uint8_t *native = memory_native(core, segment, offset, size, false);

    if (__builtin_expect(native == NULL, 0))
        return memory_read_slow(core, segment, offset, size, value);
    *value = load_native(native, size);
    return OUTCOME_NEXT;
}

static inline enum outcome memory_write(struct core *core, unsigned segment, uint64_t offset, unsigned size,
                                        uint64_t value)
{
    uint8_t *native = memory_native(core, segment, offset, size, true);

    if (__builtin_expect(native == NULL, 0))
        return memory_write_slow(core, segment, offset, size, value);
    store_native(native, size, value);
    return OUTCOME_NEXT;
}

/* 16 bytes; `aligned`: #GP unless they are (APM4 1.2 misaligned accesses). */
enum outcome memory_read_wide(struct core *core, unsigned segment, uint64_t offset, bool aligned, void *data);
enum outcome memory_write_wide(struct core *core, unsigned segment, uint64_t offset, bool aligned, const void *data);
/* Check without moving data: guards of an instruction that commits later. access: MMU_READ or MMU_WRITE. */
enum outcome memory_probe(struct core *core, unsigned segment, uint64_t offset, unsigned size, unsigned access,
                          struct mem_ref *ref);
/* The same of any size up to 4096, never #AC: 80-bit numbers, environments, byte masks. */
enum outcome memory_probe_bytes(struct core *core, unsigned segment, uint64_t offset, unsigned size, unsigned align,
                                unsigned access, struct mem_ref *ref);
/* Check for read-modify-write: one DTLB lookup for both halves. Then ref_load, ref_store. */
enum outcome memory_modify(struct core *core, unsigned segment, uint64_t offset, unsigned size, struct mem_ref *ref);

/*
 * Stack of the current code: sizes 2, 4, 8. push commits RSP only when the store succeeded; pop_peek
 * reads without moving RSP (`depth` bytes above the top), stack_adjust moves it.
 */
enum outcome stack_push(struct core *core, unsigned size, uint64_t value);
enum outcome stack_peek(struct core *core, unsigned depth, unsigned size, uint64_t *value);
void stack_adjust(struct core *core, int64_t bytes);
/* The check of a push, `depth` bytes below the top (size included): ref_store and stack_adjust commit it. */
enum outcome stack_probe(struct core *core, unsigned depth, unsigned size, struct mem_ref *ref);
/* rSP moved by `bytes`, cut to the stack's address size: an offset in SS. */
uint64_t stack_offset(const struct core *core, int64_t bytes);

/*
 * What the processor reads or writes for itself, a VMCB or a permission map: OUTCOME_NEXT, or the fault of the
 * instruction that needed it (wrong bits in DRAM, `kind` of access as in bus.h).
 */
enum outcome memory_meet(struct core *core, spa_t spa, unsigned size, enum memory_access kind);
/* The same where no instruction can fault any more (#VMEXIT, SMI, RSM): the #MC comes at the next boundary. */
void memory_meet_late(struct core *core, spa_t spa, unsigned size, enum memory_access kind);

#endif
