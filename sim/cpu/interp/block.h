/* SPDX-License-Identifier: MIT */
/*
 * Decoded blocks: straight runs of instructions inside one page, found by system-physical address and
 * decode mode, shared by the machine's cores. They hold all of the self-modifying-code logic:
 * - A page with blocks carries DRAM_PAGE_CODE, so that every store to it, by a core, a walker or a
 *   device, reaches block_cache_stored, which invalidates the blocks that overlap the stored bytes.
 * - An invalidated block is never run again; the one that is running is left at the next boundary,
 *   because its core is given attention. Its memory may become another block of the same size class,
 *   but only while nothing runs; whoever kept a pointer to it looks at its key before use.
 * An instruction that crosses a page is in no block. Where executed instructions are noted (coverage), a block is
 * made only when all of it has been executed one by one, so that running blocks costs nothing for it.
 */
#ifndef FAM10H_CPU_INTERP_BLOCK_H
#define FAM10H_CPU_INTERP_BLOCK_H

#include <stddef.h>

#include "sim/cpu/exec/quick.h"

#define BLOCK_INSNS 32 /* most instructions of a block */
#define BLOCK_DEAD UINT64_MAX

#define BLOCK_ALIGNMENT 64 /* a native cache line */

/* The first line is all that a block in quick form needs besides its operations, which follow the second. */
struct block {
    uint64_t key;         /* block_key, or BLOCK_DEAD */
    uint64_t end_key;     /* likewise of the byte behind it */
    uint64_t weight;      /* `cost`, and `count` in the upper half: both are added up at once */
    struct quick_op *quick_end; /* the one behind the last */
    struct block *next[2];/* likely successors inside the page: [0] fall through, [1] elsewhere */
    struct block *hash_next;
    uint16_t bytes;       /* all inside one page */
    uint8_t mode;         /* block_mode_key */
    uint8_t count;        /* instructions */
    uint8_t size_class;
    bool plain_end;       /* ends in a branch, or only for want of room: mode, TLBs and gates are as before */
    bool is_quick;        /* 64-bit code, and more of it has a quick form than not */
    struct insn *insn;
    struct block *page_next;
    spa_t spa;            /* of the first byte */
    uint16_t cost;        /* 64-bit code: cycles of all its instructions, memory stalls excluded */
    struct quick_op quick[]; /* 64-bit code: one for each instruction, and one behind the last */
};

_Static_assert(offsetof(struct block, insn) == BLOCK_ALIGNMENT, "what a quick block needs is one line");
_Static_assert(offsetof(struct block, quick) % sizeof(struct quick_op) == 0, "no operation lies across two lines");

/* 16-, 32-, 64-bit code and the real style, packed. */
static inline unsigned block_mode_key(struct decode_mode mode)
{
    return mode.code_bits >> 4 | (unsigned)mode.real_style << 3;
}

/* What names a block: address and mode in one word. An address has at most 48 bits. */
static inline uint64_t block_key(spa_t spa, unsigned mode_key)
{
    return spa | (uint64_t)mode_key << 56;
}

static inline bool block_is(const struct block *block, spa_t spa, unsigned mode_key)
{
    return block->key == block_key(spa, mode_key);
}

/* The block that starts at `spa`, decoded now if need be. NULL: what stands there cannot be in a block. */
struct block *block_find(struct block_cache *cache, spa_t spa, struct decode_mode mode);
/* Forget everything: reset, restore. Not while a block runs. */
void block_cache_clear(struct block_cache *cache);
/* An instruction of `length` bytes was fetched one by one and begins to execute: for block_cache_note_executed. */
void block_cache_fetched(struct block_cache *cache, spa_t spa, unsigned length);
/* The core that runs blocks now (NULL: none): given attention when a block is invalidated. */
void block_cache_run(struct block_cache *cache, struct core *core);

/*
 * Decode one instruction and arrange that its first step tests the row's early intercept. What the decoder
 * calls invalid comes back as an instruction without a row that raises #UD.
 */
enum decode_result insn_prepare(const uint8_t *bytes, size_t size, struct decode_mode mode, uint32_t absent,
                                struct insn *insn);
/* A bit for each enum isa_feature that the machine's processors do not have: its rows are #UD. */
void block_cache_set_absent(struct block_cache *cache, uint32_t absent);

#endif
