/* SPDX-License-Identifier: MIT */
/*
 * The fast engine against the reference: the same random programs, events at the same cycles, compared
 * after every slice in registers, clocks and lookups, and at the end in the state hash, every counter and
 * every byte of RAM. Three planted faults show that the comparison notices what it is for.
 */
#include "sim/cpu/interp/test_worlds.h"
#include "sim/unit_test.h"

/* ---- Programs ------------------------------------------------------------------------------------------ */

static void random_bytes(struct board *board, uint64_t seed)
{
    for (unsigned i = 0; i < PROGRAM_BYTES; i += 8)
        spa_write(&board->space, BOARD_CODE + i, 8, next_random(&seed));
}

/* Pieces that mean something: loops, stores into code and data, string moves, calls, system instructions. */
struct piece {
    uint8_t size;
    uint8_t bytes[10];
    uint8_t random; /* index of a byte to be filled at random, 0: none */
};

static const struct piece pieces[] = {
    { 2, { 0x01, 0xC0 }, 1 },                         /* add r,r */
    { 2, { 0x31, 0xC0 }, 1 },                         /* xor r,r */
    { 3, { 0x83, 0xC0, 0x05 }, 2 },                   /* add eax,imm8 */
    { 5, { 0xB9, 0x07, 0x00, 0x00, 0x00 }, 0 },       /* mov ecx,7 */
    { 2, { 0xE2, 0xF0 }, 0 },                         /* loop back */
    { 2, { 0x75, 0x02 }, 0 },                         /* jnz forward */
    { 2, { 0x72, 0xE6 }, 0 },                         /* jc back */
    { 2, { 0xEB, 0x03 }, 0 },                         /* jmp forward */
    { 2, { 0x89, 0x06 }, 1 },                         /* mov [..],r */
    { 2, { 0x8B, 0x06 }, 1 },                         /* mov r,[..] */
    { 2, { 0x88, 0x07 }, 0 },                         /* mov [rdi],al */
    { 3, { 0xC6, 0x06, 0x40 }, 2 },                   /* mov byte [rsi],imm8 */
    { 2, { 0xF3, 0xA4 }, 0 },                         /* rep movsb */
    { 2, { 0xF3, 0xAA }, 0 },                         /* rep stosb */
    { 1, { 0x50 }, 0 }, { 1, { 0x58 }, 0 },           /* push, pop */
    { 5, { 0xE8, 0x04, 0x00, 0x00, 0x00 }, 1 },       /* call a little further */
    { 1, { 0xC3 }, 0 },                               /* ret */
    { 1, { 0x9C }, 0 }, { 1, { 0x9D }, 0 },           /* pushf, popf */
    { 1, { 0xFB }, 0 }, { 1, { 0xFA }, 0 },           /* sti, cli */
    { 2, { 0x0F, 0xA2 }, 0 },                         /* cpuid */
    { 2, { 0x0F, 0x31 }, 0 },                         /* rdtsc */
    { 2, { 0xCD, 0x80 }, 0 },                         /* int 80h */
    { 3, { 0x0F, 0x01, 0x3F }, 0 },                   /* invlpg [rdi] */
    { 3, { 0x0F, 0x20, 0xD8 }, 0 },                   /* mov rax,cr3 */
    { 3, { 0x0F, 0x22, 0xD8 }, 0 },                   /* mov cr3,rax: often nonsense, sometimes not */
    { 2, { 0xE6, 0x80 }, 0 },                         /* out 80h,al */
    { 1, { 0xF4 }, 0 },                               /* hlt */
    { 2, { 0x8E, 0xD0 }, 0 },                         /* mov ss,ax */
    { 2, { 0xF7, 0xF1 }, 0 },                         /* div ecx */
    { 3, { 0x0F, 0x23, 0xC0 }, 0 },                   /* mov dr0,rax */
    { 3, { 0x0F, 0x23, 0xF8 }, 0 },                   /* mov dr7,rax */
};

static void random_pieces(struct board *board, uint64_t seed)
{
    spa_t at = BOARD_CODE;

    while (at < BOARD_CODE + PROGRAM_BYTES) {
        const struct piece *piece = &pieces[below(&seed, G_N_ELEMENTS(pieces))];
        uint8_t bytes[10];

        memcpy(bytes, piece->bytes, sizeof(bytes));
        if (piece->random)
            bytes[piece->random] = (uint8_t)next_random(&seed);
        spa_write_block(&board->space, at, bytes, piece->size);
        at += piece->size;
    }
}

/*
 * Loops that stay hot while they change: ROOMS pieces of code over two pages that jump to one another
 * EBP times, add immediates, and store new immediates into each other, themselves included.
 */
#define ROOMS 12
#define ROOM_BYTES 64
#define ROOM_IMMEDIATE 2 /* offset of the first instruction's immediate */

static spa_t room_at(unsigned room)
{
    return BOARD_CODE + 0x1000 - ROOMS / 2 * ROOM_BYTES + room * ROOM_BYTES;
}

static spa_t put_jump(struct board *board, spa_t at, spa_t target)
{
    spa_write(&board->space, at, 1, 0xE9);
    spa_write(&board->space, at + 1, 4, target - (at + 5));
    return at + 5;
}

static spa_t put_room_body(struct board *board, spa_t at, uint64_t *seed)
{
    switch (below(seed, 5)) {
    case 0: /* mov byte [immediate of a room],imm8 */
    case 1:
        board_put(board, at, 0xC6, 0x04, 0x25, 0, 0, 0, 0, (uint8_t)next_random(seed));
        spa_write(&board->space, at + 3, 4, room_at(below(seed, ROOMS)) + ROOM_IMMEDIATE);
        return at + 8;
    case 2: /* invlpg of one of the two pages */
        board_put(board, at, 0x0F, 0x01, 0x3C, 0x25, 0, 0, 0, 0);
        spa_write(&board->space, at + 4, 4, BOARD_CODE + 0x1000 * below(seed, 2));
        return at + 8;
    case 3: /* mov [data],eax */
        board_put(board, at, 0x89, 0x04, 0x25, 0, 0, 0, 0);
        spa_write(&board->space, at + 3, 4, WORLD_DATA + below(seed, 0x2000));
        return at + 7;
    default: /* rol eax,3 */
        board_put(board, at, 0xC1, 0xC0, 0x03);
        return at + 3;
    }
}

static void hot_rooms(struct board *board, uint64_t seed)
{
    put_jump(board, BOARD_CODE, room_at(0));
    for (unsigned room = 0; room < ROOMS; room++) {
        spa_t at = room_at(room);

        board_put(board, at, 0x83, 0xC0, (uint8_t)next_random(&seed)); /* add eax,imm8 */
        at += 3;
        for (unsigned i = below(&seed, 4); i > 0; i--)
            at = put_room_body(board, at, &seed);
        board_put(board, at, 0xFF, 0xCD, 0x7A, 7, 0x7B, 0); /* dec ebp; jp over the first jump; jnp to it */
        at = put_jump(board, at + 6, room_at(below(&seed, ROOMS)));
        put_jump(board, at, room_at(below(&seed, ROOMS)));
    }
}

/* Loads from more pages than the L1 data TLB has entries, some of them often: recency decides the misses. */
static void many_pages(struct board *board, uint64_t seed)
{
    spa_t at = BOARD_CODE;

    for (unsigned i = 0; i < 300; i++, at += 7) {
        unsigned page = below(&seed, 3) ? below(&seed, 30) : below(&seed, 100);

        board_put(board, at, 0x8B, 0x04, 0x25, 0, 0, 0, 0); /* mov eax,[page] */
        spa_write(&board->space, at + 3, 4, WORLD_DATA + PAGE_BYTES * page);
    }
    put_jump(board, at, BOARD_CODE);
}

/*
 * Loops of what has a quick form, with loads and stores now and then that have none for want of a native slot (another
 * page, misaligned, a store into code) and instructions without such a form between. Slices end anywhere in them.
 */
static spa_t put_quick(struct board *board, spa_t at, uint64_t *seed)
{
    static const uint8_t operations[] = { 0x00, 0x01, 0x02, 0x03, 0x29, 0x2B, 0x31, 0x33, 0x38, 0x39, 0x3B, 0x84, 0x85,
                                          0x11, 0x19, 0x88, 0x89, 0x8A, 0x8B };
    uint8_t operation = operations[below(seed, G_N_ELEMENTS(operations))], reg = (uint8_t)(below(seed, 4) << 3);

    switch (below(seed, 8)) {
    case 0: /* OP r,r or r,r by 64 bits */
        board_put(board, at, 0x48, operation, (uint8_t)(0xC0 | reg | below(seed, 4)));
        return at + 3;
    case 1: /* OP with [rsi+disp8] or [rdi+disp8] */
        board_put(board, at, operation, (uint8_t)(0x46 | reg | below(seed, 2)), (uint8_t)next_random(seed));
        return at + 3;
    case 2: /* OP with [rsi+rbx*4]: anywhere, since RBX computes */
        board_put(board, at, 0x83, 0xE3, 0x7F, operation, (uint8_t)(0x04 | reg), 0x9E); /* and ebx,7Fh first */
        return at + 6;
    case 3: /* shift r,imm8 */
        board_put(board, at, 0xC1, (uint8_t)(0xE0 | below(seed, 4)), (uint8_t)next_random(seed));
        return at + 3;
    case 4: /* setcc al; cmovcc eax,ebx */
        board_put(board, at, 0x0F, (uint8_t)(0x90 | below(seed, 16)), 0xC0, 0x0F, (uint8_t)(0x40 | below(seed, 16)),
                  0xC3);
        return at + 6;
    case 5: /* jcc over a short instruction */
        board_put(board, at, (uint8_t)(0x70 | below(seed, 16)), 2, 0xFF, 0xC0); /* inc eax */
        return at + 4;
    case 6: /* push rax; pop rdx; lahf, without a quick form */
        board_put(board, at, 0x50, 0x5A, 0x9F);
        return at + 3;
    default: /* call over a jump back to the return */
        board_put(board, at, 0xE8, 2, 0, 0, 0, 0xEB, 1, 0xC3); /* call +2; jmp +1; ret */
        return at + 8;
    }
}

static void quick_loops(struct board *board, uint64_t seed)
{
    spa_t at = BOARD_CODE;

    while (at < BOARD_CODE + PROGRAM_BYTES - 64) {
        spa_t top = at;

        board_put(board, at, 0xBD, (uint8_t)(1 + below(&seed, 40)), 0, 0, 0); /* mov ebp,n */
        board_put(board, at + 5, 0xBE, 0, 0, 4, 0, 0xBF, (uint8_t)below(&seed, 16), 0xFF, 4, 0); /* esi, edi: data */
        if (below(&seed, 4) == 0)
            spa_write(&board->space, at + 11, 4, BOARD_CODE + below(&seed, PROGRAM_BYTES)); /* edi: the code itself */
        top = at += 15;
        for (unsigned i = 2 + below(&seed, 8); i > 0; i--)
            at = put_quick(board, at, &seed);
        board_put(board, at, 0xFF, 0xCD, 0x75, (uint8_t)(top - (at + 4))); /* dec ebp; jnz top */
        at += 4;
    }
    put_jump(board, at, BOARD_CODE);
}

/* ---- Comparison ---------------------------------------------------------------------------------------- */

static void print_counter(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    (void)row;
    g_string_append_printf(ctx, "%s = %llu\n", name, (unsigned long long)value);
}

/* What differs between the reference a and the fast engine b after a slice; NULL: nothing. */
static const char *core_difference(struct core *a, struct core *b)
{
    const struct native_map *am = (const struct native_map *)a->mmu, *bm = (const struct native_map *)b->mmu;

    for (const char *const *name = core_register_names(); *name; name++) {
        uint64_t x = 0, y = 0;

        core_register(a, *name, &x);
        core_register(b, *name, &y);
        if (x != y)
            return *name;
    }
    if (a->instructions != b->instructions)
        return "instructions";
    if (am->fetches != bm->fetches)
        return "ITLB lookups";
    if (am->accesses != bm->accesses)
        return "DTLB lookups";
    return a->cycles == b->cycles ? NULL : "cycles";
}

static const char *board_difference(struct board *a, struct board *b)
{
    g_autofree char *ah = state_hash(a->state), *bh = state_hash(b->state);
    GString *ac = g_string_new(NULL), *bc = g_string_new(NULL);
    bool counters;

    counters_each(a->counters, print_counter, ac);
    counters_each(b->counters, print_counter, bc);
    counters = strcmp(ac->str, bc->str) == 0;
    g_string_free(ac, TRUE);
    g_string_free(bc, TRUE);
    if (memcmp(a->ram, b->ram, BOARD_RAM) != 0)
        return "RAM";
    return !counters ? "counters" : strcmp(ah, bh) != 0 ? "state hash" : NULL;
}

/* ---- Planted faults ------------------------------------------------------------------------------------ */

/* The shortcuts' invariants broken from outside, in the fast board only: each must be noticed. */
enum plant { PLANT_NOTHING, PLANT_STALE_BLOCK, PLANT_MISSED_STAMP, PLANT_MISSED_INVLPG };

static void stored_without_blocks(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address, (void)size;
}

/* Put native slots that were dropped since the last slice back. */
static void revive_slots(struct native_map *map, const struct native_map *old)
{
    for (unsigned user = 0; user < 2; user++)
        for (unsigned i = 0; i < NATIVE_SLOTS; i++)
            if (map->slot[user][i].tag_read == NATIVE_NONE && old->slot[user][i].tag_read != NATIVE_NONE)
                map->slot[user][i] = old->slot[user][i];
}

static void plant_fault(struct board *board, enum plant plant, const struct native_map *old)
{
    struct native_map *map = (struct native_map *)core_mmu(board->core[0]);

    if (plant == PLANT_STALE_BLOCK)
        board->space.stored = stored_without_blocks;
    if (plant == PLANT_MISSED_INVLPG)
        revive_slots(map, old);
    for (unsigned i = 0; plant == PLANT_MISSED_STAMP && i < 2 * NATIVE_SLOTS; i++)
        map->slot[i / NATIVE_SLOTS][i % NATIVE_SLOTS].stamp = 0;
}

/* What comes from outside between two slices, the same on both boards. */
static void disturb(struct board *board, uint64_t seed)
{
    struct core *core = board->core[0];

    switch (seed % 7) {
    case 0: core->nmi_pending = true; break;
    case 1: core_pins(core).extint(core_pins(core).ctx, true); break;
    case 2: core_pins(core).extint(core_pins(core).ctx, false); break;
    case 3: /* a device stores into the program */
        spa_write(&board->space, BOARD_CODE + (seed >> 8) % (PROGRAM_BYTES - 4), 4, seed >> 24);
        break;
    default: break;
    }
    core_attention(core);
}

typedef void program_fn(struct board *board, uint64_t seed);

struct comparison {
    const char *difference; /* NULL: none */
    uint64_t instructions;
};

static void run_slices(struct board *const board[2], uint64_t seed, enum plant plant, struct comparison *result)
{
    struct native_map *old = g_new(struct native_map, 1);
    uint64_t events = seed * 77 + 1;

    for (unsigned slice = 1; slice <= 60 && !result->difference; slice++) {
        uint64_t event = next_random(&events), limit = board[0]->core[0]->cycles + 1 + event % 1500;
        enum core_stop a = core_run(board[0]->core[0], limit), b;

        *old = *(const struct native_map *)core_mmu(board[1]->core[0]);
        b = core_run(board[1]->core[0], limit);
        result->difference = a == b ? core_difference(board[0]->core[0], board[1]->core[0]) : "stops";
        if (a == CORE_STOP_SHUTDOWN)
            break;
        for (int i = 0; i < 2; i++)
            disturb(board[i], event >> 16);
        plant_fault(board[1], plant, old);
    }
    g_free(old);
}

static struct comparison compare_run(uint64_t seed, enum world world, program_fn *program, enum plant plant)
{
    struct comparison result = { NULL, 0 };
    struct board *board[2];

    for (int i = 0; i < 2; i++) {
        board[i] = board_new(seed & 4 ? "10h-c2" : "10h-b3", 1, i == 0);
        program(board[i], seed);
        world_enter(board[i], world, seed * 1234567 + 1);
    }
    run_slices(board, seed, plant, &result);
    if (!result.difference)
        result.difference = board_difference(board[0], board[1]);
    result.instructions = board[0]->core[0]->instructions;
    for (int i = 0; i < 2; i++)
        board_free(board[i]);
    return result;
}

/* make check's share; FAM10H_SEEDS=N runs more. */
static void compare_runs(uint64_t first, enum world world, program_fn *program)
{
    const char *more = g_getenv("FAM10H_SEEDS");
    uint64_t seeds = more ? g_ascii_strtoull(more, NULL, 10) : 25, instructions = 0;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct comparison result = compare_run(first + seed, world, program, PLANT_NOTHING);

        ck_assert_msg(!result.difference, "seed %llu: %s", (unsigned long long)(first + seed), result.difference);
        instructions += result.instructions;
    }
    ck_assert_uint_gt(instructions, 500 * seeds); /* the programs did not just die */
}

/* How many of ten seeds show the planted fault. */
static unsigned noticed(enum world world, program_fn *program, enum plant plant)
{
    unsigned count = 0;

    for (uint64_t seed = 1; seed <= 10; seed++)
        count += compare_run(seed, world, program, plant).difference != NULL;
    return count;
}

START_TEST(a_stale_block_is_noticed)
{
    ck_assert_uint_eq(noticed(WORLD_LONG, hot_rooms, PLANT_NOTHING), 0);
    ck_assert_uint_gt(noticed(WORLD_LONG, hot_rooms, PLANT_STALE_BLOCK), 5);
}
END_TEST

START_TEST(a_missed_recency_stamp_is_noticed)
{
    ck_assert_uint_eq(noticed(WORLD_LONG, many_pages, PLANT_NOTHING), 0);
    ck_assert_uint_gt(noticed(WORLD_LONG, many_pages, PLANT_MISSED_STAMP), 5);
}
END_TEST

START_TEST(a_missed_invalidation_is_noticed)
{
    ck_assert_uint_gt(noticed(WORLD_LONG, many_pages, PLANT_MISSED_INVLPG), 5);
}
END_TEST

/* One test for each world and kind of program; first: seeds differ between them. */
#define AGREE(name, first, world, program)                                           \
    START_TEST(name)                                                                 \
    {                                                                                \
        compare_runs(first, world, program);                                         \
    }                                                                                \
    END_TEST

AGREE(engines_agree_on_random_bytes_in_real_mode, 10000000, WORLD_REAL, random_bytes)
AGREE(engines_agree_on_random_bytes_in_32_bit_code, 20000000, WORLD_FLAT, random_bytes)
AGREE(engines_agree_on_random_bytes_in_64_bit_code, 30000000, WORLD_LONG, random_bytes)
AGREE(engines_agree_on_random_bytes_at_cpl_3, 40000000, WORLD_USER, random_bytes)
AGREE(engines_agree_on_random_bytes_in_a_guest, 50000000, WORLD_GUEST, random_bytes)
AGREE(engines_agree_on_random_programs_in_real_mode, 60000000, WORLD_REAL, random_pieces)
AGREE(engines_agree_on_random_programs_in_32_bit_code, 70000000, WORLD_FLAT, random_pieces)
AGREE(engines_agree_on_random_programs_in_64_bit_code, 80000000, WORLD_LONG, random_pieces)
AGREE(engines_agree_on_random_programs_at_cpl_3, 90000000, WORLD_USER, random_pieces)
AGREE(engines_agree_on_random_programs_in_a_guest, 11000000, WORLD_GUEST, random_pieces)
AGREE(engines_agree_on_more_pages_than_the_tlb_holds, 15000000, WORLD_LONG, many_pages)
AGREE(engines_agree_on_loops_of_quick_forms, 16000000, WORLD_LONG, quick_loops)
AGREE(engines_agree_on_loops_of_quick_forms_at_cpl_3, 17000000, WORLD_USER, quick_loops)
AGREE(engines_agree_on_loops_of_quick_forms_in_a_guest, 18000000, WORLD_GUEST, quick_loops)
AGREE(engines_agree_on_hot_loops_that_modify_one_another_in_32_bit_code, 12000000, WORLD_FLAT, hot_rooms)
AGREE(engines_agree_on_hot_loops_that_modify_one_another_in_64_bit_code, 13000000, WORLD_LONG, hot_rooms)
AGREE(engines_agree_on_hot_loops_that_modify_one_another_in_a_guest, 14000000, WORLD_GUEST, hot_rooms)

UNIT_TESTS("engines", engines_agree_on_random_bytes_in_real_mode, engines_agree_on_random_bytes_in_32_bit_code,
           engines_agree_on_random_bytes_in_64_bit_code, engines_agree_on_random_bytes_at_cpl_3,
           engines_agree_on_random_bytes_in_a_guest, engines_agree_on_random_programs_in_real_mode,
           engines_agree_on_random_programs_in_32_bit_code, engines_agree_on_random_programs_in_64_bit_code,
           engines_agree_on_random_programs_at_cpl_3, engines_agree_on_random_programs_in_a_guest,
           engines_agree_on_hot_loops_that_modify_one_another_in_32_bit_code,
           engines_agree_on_hot_loops_that_modify_one_another_in_64_bit_code,
           engines_agree_on_hot_loops_that_modify_one_another_in_a_guest,
           engines_agree_on_loops_of_quick_forms, engines_agree_on_loops_of_quick_forms_at_cpl_3,
           engines_agree_on_loops_of_quick_forms_in_a_guest,
           engines_agree_on_more_pages_than_the_tlb_holds, a_stale_block_is_noticed,
           a_missed_recency_stamp_is_noticed, a_missed_invalidation_is_noticed)
