/* SPDX-License-Identifier: MIT */
/*
 * The fast engine. It does what execute_one does, instruction by instruction, with the same counts; what
 * it saves is decoding, and a call per instruction for the ITLB's recency (mmu_fetch_again).
 */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/smm/smm.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static const struct before plain; /* nothing special: boundary_is_careful said so */

/* A stay in one page of code. */
struct stay {
    gva_t page;        /* linear */
    spa_t spa;         /* the same page, system-physical */
    uint64_t rip_mask; /* 64 or 32 bits */
    uint64_t cs_base;  /* 0 in 64-bit mode */
    uint64_t fetches;  /* from this page that the MMU has not been told of */
    unsigned mode_key;
    bool quick;        /* quick instructions may be run: what exec/quick.h wants is so */
    struct native_map *map;
    struct native_slot *slots;
    struct block *left; /* the last block of a page that has been left for another; NULL: none */
};

static void tell_fetches(struct core *core, struct stay *stay)
{
    if (stay->fetches) {
        mmu_fetch_again(core->mmu, stay->fetches);
        stay->fetches = 0;
    }
}

static inline enum outcome run_once(struct core *core, const struct insn *insn, uint64_t next_rip)
{
    enum outcome outcome;

    core->next_rip = next_rip;
    outcome = insn->run(core, insn);
    core->cycles += insn->cost;
    return outcome;
}

/* Off the common path: further steps of a REP instruction, or a fault, an exit ... true: retired, go on. */
static __attribute__((noinline)) bool run_odd(struct core *core, const struct insn *insn, struct stay *stay,
                                              enum outcome outcome)
{
    while (outcome == OUTCOME_REPEAT && core->cycles < core->horizon) {
        stay->fetches++; /* each step is fetched anew, see fetch.c */
        outcome = run_once(core, insn, (core->rip + insn->length) & stay->rip_mask);
    }
    if (outcome == OUTCOME_NEXT)
        return true;
    core->repeating = outcome == OUTCOME_REPEAT && insn->rep;
    if (outcome != OUTCOME_REPEAT) {
        tell_fetches(core, stay);
        execute_conclude(core, insn, outcome, &plain);
    }
    return false;
}

/* `count` instructions were fetched and retired; the first's fetch was counted before, and one more has been made. */
static inline void count_run(struct core *core, struct stay *stay, size_t count)
{
    core->instructions += count;
    stay->fetches += count;
}

/*
 * The whole block; its first fetch is counted already. true: at its end, and the next block of the page
 * may follow without a look at the boundary. What is added up per instruction elsewhere is added up here when
 * the block is left, and rIP comes from memory only after its last instruction: only that one may branch.
 */
static inline bool run_block(struct core *core, const struct block *block, struct stay *stay)
{
    const struct insn *insn = block->insn, *from = insn, *last = insn + block->count - 1;
    uint64_t next_rip = core->rip, rip_mask = stay->rip_mask;
    enum outcome outcome;

    for (; insn < last; insn++) {
        next_rip = (next_rip + insn->length) & rip_mask;
        outcome = run_once(core, insn, next_rip);
        if (UNLIKELY(outcome != OUTCOME_NEXT)) {
            count_run(core, stay, (size_t)(insn - from));
            from = insn;
            if (!run_odd(core, insn, stay, outcome))
                return false;
        }
        core->rip = next_rip;
        if (UNLIKELY(core->cycles >= core->horizon)) {
            count_run(core, stay, (size_t)(insn - from));
            core->instructions++;
            return false;
        }
    }
    count_run(core, stay, (size_t)(insn - from));
    if (UNLIKELY(!block->plain_end))
        tell_fetches(core, stay); /* it may flush or switch the TLB */
    outcome = run_once(core, insn, (next_rip + insn->length) & rip_mask);
    if (UNLIKELY(outcome != OUTCOME_NEXT) && !run_odd(core, insn, stay, outcome))
        return false;
    core->rip = core->next_rip;
    core->instructions++;
    return block->plain_end && LIKELY(core->cycles < core->horizon);
}

/* ---- Quick instructions -------------------------------------------------------------------------------- */

/* Instructions from..to-1 of the block have retired in quick form, and `to` is fetched if there is one. */
static inline void count_quick(struct core *core, struct stay *stay, const struct block *block, unsigned from,
                               unsigned to)
{
    bool whole = to == block->count;

    core->cycles += (whole ? block->cost : block->quick[to].before) - block->quick[from].before;
    core->instructions += to - from;
    stay->fetches += to - from - whole;
}

/* Nothing between here and the block's end can reach the horizon, and what the quick forms know of flags is so. */
static inline bool may_be_quick(const struct core *core, const struct block *block, unsigned from)
{
    return core->cycles + (block->cost - block->quick[from].before) < core->horizon && core->lazy.kind != LAZY_NONE;
}

/* The last instruction, where rIP is, of a block that its quick forms have left. The result is run_block's. */
static bool run_last(struct core *core, const struct block *block, struct stay *stay)
{
    const struct insn *insn = &block->insn[block->count - 1];
    enum outcome outcome;

    if (UNLIKELY(!block->plain_end))
        tell_fetches(core, stay); /* it may flush or switch the TLB */
    outcome = run_once(core, insn, core->rip + insn->length);
    if (UNLIKELY(outcome != OUTCOME_NEXT) && !run_odd(core, insn, stay, outcome))
        return false;
    core->rip = core->next_rip;
    core->instructions++;
    return block->plain_end && core->cycles < core->horizon;
}

/*
 * Instructions of a block by their semantics, from `at`, where rIP is, up to the last one or to one that may be quick.
 * Returns its number, or the block's count when the block has been left.
 */
static inline unsigned run_semantics(struct core *core, const struct block *block, struct stay *stay, unsigned at)
{
    const struct quick_op *ops = block->quick;
    uint64_t next_rip = core->rip;
    unsigned from = at, last = block->count - 1u;

    while (at < last) {
        const struct insn *insn = &block->insn[at];
        enum outcome outcome;

        next_rip += insn->length;
        outcome = run_once(core, insn, next_rip);
        if (UNLIKELY(outcome != OUTCOME_NEXT)) {
            count_run(core, stay, at - from);
            from = at;
            if (!run_odd(core, insn, stay, outcome))
                return block->count;
        }
        core->rip = next_rip;
        at++;
        if (UNLIKELY(core->cycles >= core->horizon)) {
            count_run(core, stay, at - from);
            stay->fetches--; /* there was none of the next one */
            return block->count;
        }
        if (ops[at].has_form && may_be_quick(core, block, at))
            break;
    }
    count_run(core, stay, at - from);
    return at;
}

/*
 * The rest of a block whose instruction `at` is not quick this time: rIP and the counts are brought up to date, its
 * semantics run, and so on with the next, quick again or not. The result is run_block's.
 */
static __attribute__((noinline)) bool run_mixed(struct core *core, const struct block *block, struct stay *stay,
                                                unsigned at)
{
    const struct quick_op *ops = block->quick;
    uint64_t start = core->rip;
    unsigned from = 0;

    for (;;) {
        count_quick(core, stay, block, from, at);
        if (at == block->count)
            return block->plain_end;
        core->rip = start + ops[at].end - block->insn[at].length;
        from = run_semantics(core, block, stay, at);
        if (from == block->count)
            return false;
        if (from + 1u == block->count && (from == at || !ops[from].has_form || !may_be_quick(core, block, from)))
            return run_last(core, block, stay);
        core->rip = start;
        at = (unsigned)(ops[from].run(&ops[from], core, stay->map, stay->slots) - ops);
    }
}

/* Blocks of legacy modes must end inside the code segment; in 64-bit mode a page is canonical or not. */
static inline bool block_inside_segment(const struct core *core, const struct block *block)
{
    return LIKELY(core->mode == MODE_64BIT) || core->rip + block->bytes - 1 <= core->seg[SEG_CS].limit;
}

/* The block after `block`, of the same page: as remembered, else looked up and remembered. */
static inline struct block *successor(struct core *core, struct block *block, struct stay *stay, uint64_t key)
{
    unsigned way = key != block->end_key;
    struct block *next = block->next[way];

    if (LIKELY(next && next->key == key))
        return next;
    next = block_find(core->blocks, stay->spa | (key & PAGE_MASK), core_decode_mode(core));
    block->next[way] = next; /* a hint: harmless should `block` be another one by now */
    return next;
}

/* Blocks of one page, one after the other. true: on to another page; false: back to the boundary. */
static bool run_page(struct core *core, struct stay *stay, struct block *block)
{
    bool more;

    while ((more = run_block(core, block, stay))) {
        gva_t linear = (core->rip + stay->cs_base) & stay->rip_mask;

        if ((linear & ~PAGE_MASK) != stay->page)
            break;
        block = successor(core, block, stay, block_key(stay->spa | (linear & PAGE_MASK), stay->mode_key));
        if (!block || !block_inside_segment(core, block))
            break;
        stay->fetches++;
    }
    tell_fetches(core, stay);
    return more;
}

/* Most cycles of blocks in quick form before core and stay are told: so many fit into half a word. */
#define TALLY_CYCLES UINT32_C(0x7FFFFFFF)

/* What blocks in quick form have done, as their weights add it up, goes to core and stay; `room` is left to do. */
static inline uint64_t tell_tally(struct core *core, struct stay *stay, uint64_t tally, uint32_t *room)
{
    uint64_t left;

    core->cycles += (uint32_t)tally;
    core->instructions += tally >> 32;
    stay->fetches += tally >> 32; /* as many fetches as instructions, the next block's first included */
    left = core->cycles < core->horizon ? core->horizon - core->cycles : 0;
    *room = left < TALLY_CYCLES ? (uint32_t)left : TALLY_CYCLES;
    return 0;
}

/* A block that is not, or not all, run in quick form: from the instruction `stop` on. The result is run_block's. */
static __attribute__((noinline)) bool run_not_quick(struct core *core, struct stay *stay, const struct block *block,
                                                    const struct quick_op *stop)
{
    bool more;

    more = stop ? run_mixed(core, block, stay, (unsigned)(stop - block->quick)) : run_block(core, block, stay);
    stay->fetches++; /* as if there were a next block; taken back by run_page_quick */
    return more;
}

/* run_page where quick forms may run. */
static bool run_page_quick(struct core *core, struct stay *stay, struct block *block)
{
    uint64_t page_key = block_key(stay->spa, stay->mode_key), to_key = page_key - stay->page, tally = 0;
    struct native_map *map = stay->map;
    struct native_slot *slots = stay->slots;
    bool more = true;
    uint32_t room;

    tally = tell_tally(core, stay, 0, &room);
    for (;;) {
        uint64_t then = tally + block->weight, key;
        const struct quick_op *stop = NULL;

        if (LIKELY(block->is_quick && (uint32_t)then < room))
            stop = block->quick->run(block->quick, core, map, slots);
        if (LIKELY(stop && stop == block->quick_end)) {
            tally = then;
        } else {
            tell_tally(core, stay, tally, &room);
            more = run_not_quick(core, stay, block, stop);
            tally = tell_tally(core, stay, 0, &room);
            if (!more)
                break;
        }
        key = core->rip + to_key;
        if ((key ^ page_key) >= PAGE_BYTES) {
            stay->left = block;
            break;
        }
        block = successor(core, block, stay, key);
        if (!block)
            break;
    }
    stay->fetches--; /* there was no next block */
    tell_tally(core, stay, tally, &room);
    tell_fetches(core, stay);
    return more;
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

static inline void stay_begin(struct stay *stay, const struct core *core, gva_t linear, spa_t spa)
{
    bool wide = core->mode == MODE_64BIT;

    stay->page = linear & ~PAGE_MASK;
    stay->spa = spa & ~PAGE_MASK;
    stay->rip_mask = wide ? UINT64_MAX : UINT32_MAX;
    stay->cs_base = wide ? 0 : core->seg[SEG_CS].base;
    stay->fetches = 0;
    stay->left = NULL;
    stay->mode_key = block_mode_key(core_decode_mode(core));
    stay->quick = wide && !(core->efer & EFER_LMSLE) && !core->data_breakpoints;
    stay->map = (struct native_map *)core->mmu;
    stay->slots = stay->map->slot[(core->access & MMU_USER) != 0];
}

/* As block_find; `left`, the block that led here, remembers the answer in place of an elsewhere in its own page. */
static inline struct block *find_from(struct core *core, struct block *left, spa_t spa)
{
    struct decode_mode mode = core_decode_mode(core);
    struct block *block = left ? left->next[1] : NULL;

    if (block && block_is(block, spa, block_mode_key(mode)))
        return block;
    block = block_find(core->blocks, spa, mode);
    if (left)
        left->next[1] = block;
    return block;
}

/* The block at rIP after one ITLB lookup, and where that is; else NULL and what the lookup came to. */
static inline struct block *enter_block(struct core *core, struct block *left, gva_t *linear, spa_t *spa,
                                        enum outcome *outcome)
{
    struct block *block;

    *outcome = fetch_linear(core, linear);
    if (*outcome == OUTCOME_NEXT && !native_fetch(core->mmu, *linear, core->access, spa))
        *outcome = fetch_translate(core, *linear, spa);
    if (*outcome != OUTCOME_NEXT || (core->smm.windows && smm_hides(core, *spa)))
        return NULL;
    block = find_from(core, left, *spa);
    return block && block_inside_segment(core, block) ? block : NULL;
}

void fast_step(struct core *core)
{
    gva_t linear;
    spa_t spa = 0;
    enum outcome outcome;
    struct block *block = enter_block(core, NULL, &linear, &spa, &outcome);

    if (block)
        execute_fetched(core, &block->insn[0], outcome);
    else
        run_loose(core, spa, outcome);
}

void fast_run(struct core *core)
{
    struct stay stay = { .left = NULL };
    bool more = true;

    while (more) {
        gva_t linear;
        spa_t spa = 0;
        enum outcome outcome;
        struct block *block = enter_block(core, stay.left, &linear, &spa, &outcome);

        if (block) {
            stay_begin(&stay, core, linear, spa);
            more = stay.quick ? run_page_quick(core, &stay, block) : run_page(core, &stay, block);
        } else {
            more = run_loose(core, spa, outcome);
        }
    }
}
