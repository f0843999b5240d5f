/* SPDX-License-Identifier: MIT */
/*
 * Quick forms against the semantics of their rows: random 64-bit instructions run both ways from one state. A quick
 * instruction must leave the same registers, flags, memory and number of lookups, or refuse and leave no trace at all;
 * and every quick form there is must have been run to its end.
 */
#include "sim/cpu/exec/quick.h"

#include "sim/cpu/exec/alu.h"
#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/exec/quick_form.h"
#include "sim/cpu/exec/shift.h"

#define CASES 600000

static struct setup *s;
static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545F4914F6CDD1D;
}

static unsigned below(unsigned bound)
{
    return (unsigned)(next_random() >> 33) % bound;
}

/* Small, of any width, or canonical at the edge. */
static uint64_t interesting(void)
{
    static const uint64_t edges[] = { 0, 1, 0x7F, 0x80, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFFFFFFFFF,
                                      0x8000000000000000, 0xFFFFFFFFFFFFFFFF };

    switch (below(4)) {
    case 0: return edges[below(G_N_ELEMENTS(edges))];
    case 1: return next_random();
    default: return next_random() >> (16 + below(48));
    }
}

/* ---- State --------------------------------------------------------------------------------------------- */

/* Where operands may lie: inside a page, across two, up to one that is not present, read-only, of a device. */
static const struct {
    uint64_t address;
    unsigned bytes;
} windows[] = {
    { 0x10040, 64 }, { 0x10040, 64 }, { 0x10040, 64 }, { 0x10FE0, 64 }, { 0x11FE0, 64 }, { 0x13000, 64 },
    { 0x15000, 64 },
};
#define WINDOWS G_N_ELEMENTS(windows)

struct state {
    uint64_t gpr[GPR_COUNT], rip, rflags;
    struct lazy_flags lazy;
    uint64_t accesses, device, device_writes;
    uint8_t memory[WINDOWS][64];
};

static struct native_map *map(void)
{
    return (struct native_map *)s->core.mmu;
}

static void take(struct state *state)
{
    memset(state, 0, sizeof(*state)); /* padding too: states are compared as bytes */
    memcpy(state->gpr, s->core.gpr, sizeof(state->gpr));
    state->rip = s->core.rip;
    state->rflags = s->core.rflags;
    memcpy(&state->lazy, &s->core.lazy, sizeof(state->lazy));
    state->accesses = map()->accesses;
    state->device = s->device;
    state->device_writes = s->device_writes;
    for (unsigned i = 0; i < WINDOWS; i++)
        memcpy(state->memory[i], s->ram + windows[i].address, windows[i].bytes);
}

static void put_back(const struct state *state)
{
    memcpy(s->core.gpr, state->gpr, sizeof(state->gpr));
    s->core.rip = state->rip;
    s->core.rflags = state->rflags;
    memcpy(&s->core.lazy, &state->lazy, sizeof(state->lazy));
    s->device = state->device;
    s->device_writes = (unsigned)state->device_writes;
    for (unsigned i = 0; i < WINDOWS; i++)
        memcpy(s->ram + windows[i].address, state->memory[i], windows[i].bytes);
}

/* ---- Cases --------------------------------------------------------------------------------------------- */

static uint64_t random_place(void)
{
    unsigned window = below(WINDOWS);

    if (below(40) == 0)
        return interesting() | BIT(40); /* not mapped, or not canonical */
    return windows[window].address + (below(windows[window].bytes - 8) & (below(3) ? ~7u : ~0u));
}

/* The flags of some operation, and what is known about them: the truth, or nothing. */
static struct quick_flags random_flags(void)
{
    unsigned size = 1u << below(4);
    uint64_t a = zero_extend(interesting(), size), b = zero_extend(below(4) ? interesting() : a, size);

    s->core.rflags = 2 | (next_random() & RFLAGS_ARITH);
    s->core.lazy = (struct lazy_flags){ .kind = LAZY_NONE };
    switch (below(8)) {
    case 0: return (struct quick_flags){ LAZY_NONE, 0 };
    case 1: alu_add(&s->core, size, a, b); break;
    case 2: alu_inc(&s->core, size, a, 0); break;
    case 3: shift_left(&s->core, size, a, 1 + below(7)); return (struct quick_flags){ LAZY_NONE, 0 };
    case 4: alu_and(&s->core, size, a, b); break;
    case 5: alu_xor(&s->core, size, a, b); break;
    default: alu_sub(&s->core, size, a, b); break;
    }
    if (below(8) == 0)
        return (struct quick_flags){ LAZY_NONE, 0 };
    return (struct quick_flags){ s->core.lazy.kind, s->core.lazy.size };
}

/* Prefixes, an opcode of either map, a ModRM byte and whatever follows. false: no instruction. */
static bool random_instruction(void)
{
    static const uint8_t prefixes[] = { 0x66, 0x67, 0x64, 0x65, 0xF0, 0xF3, 0x66, 0x66 };
    uint8_t bytes[15];
    unsigned at = 0;

    if (below(3) == 0)
        bytes[at++] = prefixes[below(sizeof(prefixes))];
    if (below(2) == 0)
        bytes[at++] = (uint8_t)(0x40 | below(16));
    if (below(3) == 0)
        bytes[at++] = 0x0F;
    while (at < sizeof(bytes))
        bytes[at++] = (uint8_t)next_random();
    return setup_decode(s, bytes, sizeof(bytes)) == DECODE_OK;
}

/* Registers at random, and those of an address so that it falls where memory is. */
static void random_registers(struct insn *insn)
{
    struct core *core = &s->core;
    uint64_t missed;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        core->gpr[n] = interesting();
    core->rip = SETUP_RIP;
    core->next_rip = SETUP_RIP + insn->length;
    core->seg[SEG_FS].base = below(2) * 0x1000;
    core->seg[SEG_GS].base = 0x800;
    core->gpr[RSP] = random_place();
    core->gpr[RBP] = random_place();
    if (insn->index != NO_REGISTER)
        core->gpr[insn->index] = below(0x100);
    missed = random_place() - operand_offset(core, insn) -
             (insn->segment >= SEG_FS ? core->seg[insn->segment].base : 0);
    if (insn->base != NO_REGISTER && insn->base != insn->index)
        core->gpr[insn->base] += missed;
    else
        insn->displacement = (int64_t)((uint64_t)insn->displacement + missed);
    for (unsigned at = 0; at < 64; at += 8) {
        setup_poke(s, windows[0].address + at, 8, interesting());
        setup_poke(s, windows[3].address + at, 8, next_random());
    }
}

/* ---- Both ways ----------------------------------------------------------------------------------------- */

struct coverage {
    GHashTable *done, *chosen; /* quick functions that ran to their end; that were picked at all */
    unsigned refused;
};

static const struct quick_op *stop_here(QUICK_PARAMETERS)
{
    (void)core, (void)map, (void)slots;
    return op;
}

/* The semantics from the state as it is, and what they add to the lookups; then back, but for the MMU's fills. */
static enum outcome run_semantics(const struct insn *insn, const struct state *before, struct state *after)
{
    enum outcome outcome = insn->run(&s->core, insn);

    s->core.rip = s->core.next_rip;
    rflags_read(&s->core);
    take(after);
    after->accesses -= before->accesses;
    put_back(before);
    s->core.next_rip = before->rip + insn->length;
    return outcome;
}

static void compare_case(struct coverage *coverage, quick_fn *none)
{
    struct quick_op ops[2] = { { .run = NULL }, { .run = stop_here } };
    struct insn *insn = &s->insn;
    struct quick_flags flags = random_flags(), known;
    struct state before, reference, after;
    const struct quick_op *stop;
    enum outcome outcome;

    random_registers(insn);
    known = flags;
    quick_choose(&ops[0], insn, insn->length, &known);
    if (ops[0].run == none)
        return;
    g_hash_table_add(coverage->chosen, (gpointer)ops[0].run);
    take(&before);
    outcome = run_semantics(insn, &before, &reference);
    take(&before); /* lookups of the semantics' run included */
    stop = ops[0].run(&ops[0], &s->core, map(), map()->slot[1]);
    if (stop == &ops[0]) {
        take(&after);
        ck_assert_msg(memcmp(&after, &before, sizeof(after)) == 0, "%s refused, with a trace", insn->row->name);
        coverage->refused++;
        return;
    }
    if (!(insn->row->attributes & A_BRANCH))
        s->core.rip += insn->length;
    if (known.kind != LAZY_NONE)
        ck_assert_msg(known.kind == s->core.lazy.kind && known.size == s->core.lazy.size, "%s: flags", insn->row->name);
    rflags_read(&s->core);
    take(&after);
    after.accesses -= before.accesses;
    ck_assert_msg(outcome == OUTCOME_NEXT && memcmp(&after, &reference, sizeof(after)) == 0, "%s %s differs",
                  insn->row->name, insn->row->encoding);
    g_hash_table_add(coverage->done, (gpointer)ops[0].run);
}

static void expect_family(const char *list, const struct quick_family *first, GHashTable *done)
{
    for (const struct quick_family *family = first; family->run; family++)
        for (unsigned form = 0; form < FORM_COUNT; form++)
            for (unsigned size = 0; size < 4; size++) {
                quick_fn *run = family->form[form][size];

                ck_assert_msg(!run || g_hash_table_contains(done, (gpointer)run), "%s[%u]: form %u, size %u never ran",
                              list, (unsigned)(family - first), form, 1u << size);
            }
}

START_TEST(quick_forms_do_what_the_semantics_do_or_nothing)
{
    struct coverage coverage = { g_hash_table_new(NULL, NULL), g_hash_table_new(NULL, NULL), 0 };
    struct quick_flags flags = { LAZY_NONE, 0 };
    struct quick_op op = { .run = NULL };

    s = setup_new();
    setup_64(s, 3);
    seed = 20240607;
    ck_assert_int_eq(setup_decode(s, "\xF4", 1), DECODE_OK); /* hlt has no quick form */
    quick_choose(&op, &s->insn, 1, &flags);
    for (unsigned n = 0; n < CASES; n++)
        if (random_instruction())
            compare_case(&coverage, op.run);
    expect_family("quick_alu", quick_alu, coverage.done);
    expect_family("quick_moves", quick_moves, coverage.done);
    expect_family("quick_shifts", quick_shifts, coverage.done);
    /* Jcc: four sizes after comparisons, tests, other results, and unknown flags; SETcc: the first two and unknown;
     * CMOVcc of two sizes. Sixteen conditions each. */
    ck_assert_uint_ge(g_hash_table_size(coverage.done), 16 * (4 * 3 + 1) + 16 * (4 * 2 + 1) + 16 * 2);
    ck_assert_uint_eq(g_hash_table_size(coverage.done), g_hash_table_size(coverage.chosen));
    ck_assert_uint_gt(coverage.refused, 1000);
    g_hash_table_destroy(coverage.done);
    g_hash_table_destroy(coverage.chosen);
    setup_free(s);
}
END_TEST

UNIT_TESTS("quick", quick_forms_do_what_the_semantics_do_or_nothing)
