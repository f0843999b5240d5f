/* SPDX-License-Identifier: MIT */
/* Performance counters through the run loop, on both engines. Event numbers: fact sheet 10.3. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define CODE BOARD_CODE
#define CTL(n) (0xC0010000 + (n))
#define CTR(n) (0xC0010004 + (n))
#define USR BIT(16)
#define OS BIT(17)
#define INT BIT(20)
#define EN BIT(22)
#define INV BIT(23)
#define UNITS(mask) ((uint64_t)(mask) << 8)
#define COUNT_MASK(n) ((uint64_t)(n) << 24)
#define GUEST_ONLY BIT(40)
#define HOST_ONLY BIT(41)

static uint64_t counter(struct core *core, unsigned n)
{
    uint64_t value = 0;

    ck_assert(msr_read(core, CTR(n), &value));
    return value;
}

static void start(struct core *core, unsigned n, uint64_t control)
{
    ck_assert(msr_write(core, CTL(n), control | EN));
    ck_assert(msr_write(core, CTR(n), 0));
}

/* 32-bit code: ten times inc eax; dec ecx; jnz, then hlt. */
static struct core *counting_loop(struct board **board, bool reference)
{
    struct core *core;

    *board = board_new("10h-b3", 1, reference);
    core = (*board)->core[0];
    board_put(*board, CODE, 0x40, 0x49, 0x75, 0xFC, 0xF4);
    board_enter_flat(*board, 0, CODE);
    core->gpr[RCX] = 10;
    return core;
}

START_TEST(retired_instructions_and_cycles_are_counted)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = counting_loop(&board, engine);
        uint64_t before = core->cycles;

        start(core, 0, 0x0C0 | OS);
        start(core, 1, 0x076 | OS);
        start(core, 2, 0x0C0 | USR); /* nothing runs at CPL 3 */
        start(core, 3, 0x0C0);       /* neither USR nor OS */
        core_run(core, 100000);
        ck_assert_uint_eq(counter(core, 0), 31);
        ck_assert_uint_eq(counter(core, 1), core->cycles - before - core->svm.halted_cycles);
        ck_assert_uint_lt(counter(core, 1), 1000); /* halted most of the time */
        ck_assert_uint_eq(counter(core, 2), 0);
        ck_assert_uint_eq(counter(core, 3), 0);
        board_free(board);
    }
}
END_TEST

START_TEST(rdpmc_sees_every_instruction_before_it)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* nop x 5; xor ecx,ecx; rdpmc; mov esi,eax; nop; rdpmc; hlt */
        board_put(board, CODE, 0x90, 0x90, 0x90, 0x90, 0x90, 0x31, 0xC9, 0x0F, 0x33, 0x89, 0xC6, 0x90,
                  0x0F, 0x33, 0xF4);
        board_enter_flat(board, 0, CODE);
        start(core, 0, 0x0C0 | OS);
        core_run(core, 10000);
        ck_assert_uint_eq(core->gpr[RSI], 6);
        ck_assert_uint_eq(core->gpr[RAX], 9);
        board_free(board);
    }
}
END_TEST

START_TEST(a_disabled_counter_keeps_its_value_and_48_bits_wrap)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = counting_loop(&board, engine);

        start(core, 0, 0x0C0 | OS);
        ck_assert(msr_write(core, CTR(0), (BIT(48) - 1) | BIT(60)));
        ck_assert_uint_eq(counter(core, 0), BIT(48) - 1);
        core_step(core);
        ck_assert_uint_eq(counter(core, 0), 0);
        core_step(core);
        ck_assert(msr_write(core, CTL(0), 0x0C0 | OS)); /* EN = 0 */
        core_run(core, 10000);
        ck_assert_uint_eq(counter(core, 0), 1);
        board_free(board);
    }
}
END_TEST

/* The loop reads 64 pages of 4 KiB twice: 48 entries of L1 do not hold them, 512 of L2 do. */
START_TEST(tlb_and_walk_events_agree_with_the_models_counters)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* outer: mov esi,20000h; mov edi,64
         * inner: mov eax,[rsi]; add esi,1000h; dec edi; jnz inner; dec ecx; jnz outer; hlt */
        board_put(board, CODE, 0xBE, 0x00, 0x00, 0x02, 0x00, 0xBF, 0x40, 0x00, 0x00, 0x00, 0x8B, 0x06, 0x81, 0xC6, 0x00,
                  0x10, 0x00, 0x00, 0xFF, 0xCF, 0x75, 0xF4, 0xFF, 0xC9, 0x75, 0xE6, 0xF4);
        board_enter_long(board, 0, CODE);
        core->gpr[RCX] = 2;
        start(core, 0, 0x046 | UNITS(1) | OS);
        start(core, 1, 0x045 | UNITS(7) | OS);
        start(core, 2, 0x04D | UNITS(7) | OS);
        start(core, 3, 0x07D | UNITS(4) | OS);
        core_run(core, 1000000);
        ck_assert_uint_eq(counter(core, 0), 64); /* each page once */
        ck_assert_uint_eq(counter(core, 1), 64); /* and again from L2: true LRU has lost them all from L1 */
        ck_assert_uint_eq(counter(core, 2), 0);
        ck_assert_uint_gt(counter(core, 3), 64); /* a reference a walk, more for the first */
        start(core, 0, 0x085 | UNITS(1) | OS);
        start(core, 1, 0x046 | UNITS(2) | OS);
        start(core, 2, 0x0CF | OS);
        start(core, 3, 0x054 | OS);
        mmu_flush_all(core->mmu);
        core->halted = false;
        core->nmi_masked = true;
        core->rip = CODE;
        core->gpr[RCX] = 1;
        core_run(core, core->cycles + 100000);
        ck_assert_uint_eq(counter(core, 0), 1); /* the code's own page */
        ck_assert_uint_eq(counter(core, 1), 0); /* no 2M page */
        ck_assert_uint_eq(counter(core, 2), 0);
        ck_assert_uint_eq(counter(core, 3), 1);
        board_free(board);
    }
}
END_TEST

START_TEST(user_and_supervisor_time_are_told_apart)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        world_enter(board, WORLD_USER, 1);
        board_put(board, CODE, 0x90, 0x90, 0x90, 0x0F, 0x0B, 0xC0, 0x90, 0xEB, 0xFE); /* nop x 3; ud2 */
        start(core, 0, 0x0C0 | USR);
        start(core, 1, 0x0C0 | OS);
        for (unsigned i = 0; i < 3 + 1 + 6; i++) /* the handler: four NOPs, add, iretq; it returns one byte later */
            core_step(core);
        ck_assert_uint_eq(core->cpl, 3);
        ck_assert_uint_eq(counter(core, 0) + counter(core, 1), 9); /* UD2 itself does not retire */
        ck_assert_uint_ge(counter(core, 0), 3);
        ck_assert_uint_ge(counter(core, 1), 5);
        board_free(board);
    }
}
END_TEST

START_TEST(guest_only_and_host_only_split_at_the_world_switch)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        uint32_t words[INTERCEPT_WORDS] = { 0, 0, 0, 1 << (VMEXIT_HLT & 31), 1 };
        struct core *core = board->core[0];

        world_enter(board, WORLD_GUEST, 1);
        spa_write_block(&board->space, WORLD_VMCB, words, sizeof(words));
        spa_write(&board->space, WORLD_VMCB + 0x060, 8, 0);
        spa_write(&board->space, WORLD_VMCB + 0x570, 8, 2);
        board_put(board, CODE, 0x90, 0x90, 0x90, 0xF4); /* nop x 3; hlt exits */
        core->svm.gif = false;
        start(core, 0, 0x0C0 | OS | GUEST_ONLY);
        start(core, 1, 0x0C0 | OS | HOST_ONLY);
        start(core, 2, 0x0C0 | OS | GUEST_ONLY | HOST_ONLY);
        for (unsigned i = 0; i < 2 + 4 + 2; i++) /* mov, vmrun; the guest; inc, stgi */
            core_step(core);
        ck_assert_uint_eq(counter(core, 0) + counter(core, 1), 7);
        ck_assert_uint_ge(counter(core, 0), 3);
        ck_assert_uint_eq(counter(core, 2), 7);
        board_free(board);
    }
}
END_TEST

START_TEST(an_overflow_interrupts_at_the_boundary_where_it_happened)
{
    static const uint64_t selected[] = { 0x0C0, 0x076 };

    for (size_t s = 0; s < G_N_ELEMENTS(selected); s++) {
        uint64_t rip[2], cycles[2];

        EACH_ENGINE {
            struct board *board = board_new("10h-b3", 1, engine);
            struct core *core = board->core[0];

            memset(board->ram + CODE, 0x40, 2000); /* inc eax */
            board_enter_flat(board, 0, CODE);
            core_firmware(core, true);
            core->apic_page.write(core->apic_page.ctx, 0x340, 4, 0x55);
            rflags_write(core, RFLAGS_IF);
            start(core, 0, selected[s] | OS | INT);
            ck_assert(msr_write(core, CTR(0), BIT(48) - 1000));
            core_run(core, 20000);
            ck_assert_int_eq(board_vector(core), 0x55);
            rip[engine] = spa_read(&board->space, core->gpr[RSP], 4);
            cycles[engine] = core->count->interrupts;
            ck_assert_uint_eq(rip[engine], CODE + 1000); /* each costs one cycle */
            board_free(board);
        }
        ck_assert_uint_eq(rip[0], rip[1]);
        ck_assert_uint_eq(cycles[0], 1);
    }
}
END_TEST

START_TEST(count_mask_and_invert_apply_to_cycles)
{
    struct board *board;
    struct core *core = counting_loop(&board, false);

    start(core, 0, 0x076 | OS | COUNT_MASK(1));
    start(core, 1, 0x076 | OS | COUNT_MASK(1) | INV);
    start(core, 2, 0x076 | OS | COUNT_MASK(2));
    start(core, 3, 0x076 | OS | COUNT_MASK(2) | INV);
    core_run(core, 10000);
    ck_assert_uint_gt(counter(core, 0), 30);
    ck_assert_uint_eq(counter(core, 1), 0); /* no cycle without a cycle */
    ck_assert_uint_eq(counter(core, 2), 0);
    ck_assert_uint_eq(counter(core, 3), counter(core, 0));
    board_free(board);
}
END_TEST

START_TEST(what_the_model_cannot_count_is_noted)
{
    static const uint64_t cases[] = {
        0x041 | OS,                  /* data cache misses */
        0x04D | UNITS(1) | OS,       /* L1 hits by size */
        0x0C0 | OS | COUNT_MASK(1),  /* cycles with at least one instruction */
        0x076 | OS | BIT(18),        /* edges */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct board *board;
        struct core *core = counting_loop(&board, false);

        ck_assert_uint_eq(unmodelled_total(board->unmodelled), 0);
        start(core, 0, cases[i]);
        ck_assert_uint_eq(unmodelled_total(board->unmodelled), 1);
        core_run(core, 10000);
        ck_assert_uint_eq(counter(core, 0), 0);
        board_free(board);
    }
}
END_TEST

UNIT_TESTS("performance counters", retired_instructions_and_cycles_are_counted, rdpmc_sees_every_instruction_before_it,
           a_disabled_counter_keeps_its_value_and_48_bits_wrap, tlb_and_walk_events_agree_with_the_models_counters,
           user_and_supervisor_time_are_told_apart, guest_only_and_host_only_split_at_the_world_switch,
           an_overflow_interrupts_at_the_boundary_where_it_happened, count_mask_and_invert_apply_to_cycles,
           what_the_model_cannot_count_is_noted)
