/* SPDX-License-Identifier: MIT */
/*
 * The fast engine. It does what execute_one does, instruction by instruction, with the same counts; what
 * it saves is decoding, and a call per instruction for the ITLB's recency (mmu_fetch_again).
 */
#include "sim/cpu/interp/interp.h"

static const struct before plain; /* nothing special: boundary_is_careful said so */

/* Instruction fetches from the current page that the MMU has not been told of. */
struct fetches {
    struct mmu *mmu;
    uint64_t count;
};

static void fetches_tell(struct fetches *fetches)
{
    if (fetches->count) {
        mmu_fetch_again(fetches->mmu, fetches->count);
        fetches->count = 0;
    }
}

/* Run one instruction of a block. true: go on in the block. One test is enough on the common path. */
static inline bool run_insn(struct core *core, const struct insn *insn, struct fetches *fetches)
{
    enum outcome outcome;

    for (;;) {
        core->next_rip = rip_advance(core, insn->length);
        outcome = insn->run(core, insn);
        core->cycles += insn->cost;
        if (outcome == OUTCOME_NEXT) {
            core->rip = core->next_rip;
            core->instructions++;
            return core->cycles < core->horizon;
        }
        if (outcome != OUTCOME_REPEAT)
            break;
        if (core->cycles >= core->horizon)
            return false;
        fetches->count++; /* each step of a REP instruction is fetched anew, see fetch.c */
    }
    fetches_tell(fetches);
    execute_conclude(core, insn, outcome, &plain);
    return false;
}

/* The whole block; `fetches` counts the instructions behind the first. true: at its end, nothing to look at. */
static bool run_block(struct core *core, const struct block *block, struct fetches *fetches)
{
    unsigned last = block->count - 1u;

    for (unsigned i = 0; i < last; i++) {
        if (!run_insn(core, &block->insn[i], fetches))
            return false;
        fetches->count++;
    }
    if (!block->plain_end)
        fetches_tell(fetches); /* it may flush or switch the TLB */
    return run_insn(core, &block->insn[last], fetches) && block->plain_end;
}

/* Blocks of legacy modes must end inside the code segment; in 64-bit mode a page is canonical or not. */
static bool block_inside_segment(const struct core *core, const struct block *block)
{
    return core->mode == MODE_64BIT || core->rip + block->bytes - 1 <= core->seg[SEG_CS].limit;
}

/* The block after `block` at `spa` in the same page, by the direct chain. */
static struct block *successor(struct core *core, struct block *block, spa_t spa, struct decode_mode mode)
{
    uint16_t at = (uint16_t)(spa & PAGE_MASK);
    unsigned way = spa != block->spa + block->bytes;
    struct block *next = block->next[way];

    if (next && block->next_at[way] == at && next->valid)
        return next;
    next = block_find(core->blocks, spa, mode);
    if (next && block->valid) {
        block->next[way] = next;
        block->next_at[way] = at;
    }
    return next;
}

/* Blocks of one page, one after the other. true: on to another page; false: back to the boundary. */
static bool run_page(struct core *core, gva_t linear, spa_t spa, struct block *block)
{
    struct fetches fetches = { core->mmu, 0 };
    struct decode_mode mode = core_decode_mode(core);
    gva_t page = linear & ~PAGE_MASK;
    bool plain_end;

    while ((plain_end = run_block(core, block, &fetches))) {
        linear = core_linear_rip(core);
        if ((linear & ~PAGE_MASK) != page)
            break;
        spa = (spa & ~PAGE_MASK) | (linear & PAGE_MASK);
        block = successor(core, block, spa, mode);
        if (!block || !block_inside_segment(core, block))
            break;
        fetches.count++;
    }
    fetches_tell(&fetches);
    return plain_end;
}

/* One instruction that no block holds; the lookup of its first byte came to `outcome`. */
static bool run_loose(struct core *core, spa_t spa, enum outcome outcome)
{
    struct insn insn;

    if (outcome == OUTCOME_NEXT)
        outcome = fetch_insn_at(core, spa, &insn);
    execute_fetched(core, &insn, outcome);
    return false;
}

void fast_run(struct core *core)
{
    bool more = true;

    while (more) {
        gva_t linear;
        spa_t spa = 0;
        struct block *block = NULL;
        enum outcome outcome = fetch_linear(core, &linear);

        if (outcome == OUTCOME_NEXT && !native_fetch(core->mmu, linear, core->access, &spa))
            outcome = fetch_translate(core, linear, &spa);
        if (outcome == OUTCOME_NEXT)
            block = block_find(core->blocks, spa, core_decode_mode(core));
        if (block && block_inside_segment(core, block))
            more = run_page(core, linear, spa, block);
        else
            more = run_loose(core, spa, outcome);
    }
}
