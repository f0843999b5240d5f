/* SPDX-License-Identifier: MIT */
/* Last-branch recording and its virtualization through the run loop, on both engines. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define CODE BOARD_CODE
#define DBG_CTL 0x1D9
#define BR_FROM 0x1DB
#define BR_TO 0x1DC
#define LASTEXC_FROM 0x1DD
#define LASTEXC_TO 0x1DE

static uint64_t msr(struct core *core, uint32_t number)
{
    uint64_t value = 0;

    ck_assert(msr_read(core, number, &value));
    return value;
}

static void ck_branch(struct core *core, uint64_t from, uint64_t to)
{
    ck_assert_uint_eq(msr(core, BR_FROM), from);
    ck_assert_uint_eq(msr(core, BR_TO), to);
}

START_TEST(taken_branches_are_recorded_and_others_are_not)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* jmp +2; nop; nop; call +0Bh; hlt; at +13h: cmp eax,eax; jne; ret */
        board_put(board, CODE, 0xEB, 0x02, 0x90, 0x90, 0xE8, 0x0A, 0x00, 0x00, 0x00, 0xF4);
        board_put(board, CODE + 0x13, 0x39, 0xC0, 0x75, 0x10, 0xC3);
        board_enter_flat(board, 0, CODE);
        core_step(core);
        ck_branch(core, 0, 0); /* not enabled */
        board_enter_flat(board, 0, CODE);
        ck_assert(msr_write(core, DBG_CTL, DEBUG_CTL_LBR));
        core_step(core);
        ck_branch(core, CODE, CODE + 4);
        core_step(core);
        ck_branch(core, CODE + 4, CODE + 0x13);
        core_step(core);
        core_step(core); /* jne, not taken */
        ck_branch(core, CODE + 4, CODE + 0x13);
        core_run(core, core->cycles + 100);
        ck_branch(core, CODE + 0x17, CODE + 9); /* ret */
        ck_assert_uint_eq(msr(core, LASTEXC_TO), 0);
        board_free(board);
    }
}
END_TEST

START_TEST(an_exception_keeps_the_branch_before_it)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xEB, 0x02, 0x90, 0x90, 0x0F, 0x0B); /* jmp; ud2 */
        board_enter_flat(board, 0, CODE);
        ck_assert(msr_write(core, DBG_CTL, DEBUG_CTL_LBR));
        core_run(core, 3000);
        ck_assert_int_eq(board_vector(core), EXC_UD);
        ck_branch(core, CODE + 4, BOARD_HANDLERS + 16 * EXC_UD);
        ck_assert_uint_eq(msr(core, LASTEXC_FROM), CODE);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), CODE + 4);
        board_free(board);
    }
}
END_TEST

START_TEST(an_interrupt_and_int_n_are_recorded_too)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xCD, 0x50); /* int 50h */
        board_enter_flat(board, 0, CODE);
        ck_assert(msr_write(core, DBG_CTL, DEBUG_CTL_LBR));
        core_step(core);
        ck_branch(core, CODE, BOARD_HANDLERS + 16 * 0x50);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), 0);
        core->nmi_pending = true;
        core_step(core);
        ck_branch(core, BOARD_HANDLERS + 16 * 0x50, BOARD_HANDLERS + 16 * 2);
        ck_assert_uint_eq(msr(core, LASTEXC_FROM), CODE);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), BOARD_HANDLERS + 16 * 0x50);
        board_free(board);
    }
}
END_TEST

START_TEST(a_debug_exception_stops_recording_with_the_branch_before_it)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xEB, 0x02, 0x90, 0x90, 0x90); /* jmp; nop */
        board_enter_flat(board, 0, CODE);
        ck_assert(msr_write(core, DBG_CTL, DEBUG_CTL_LBR | DEBUG_CTL_BTF));
        rflags_write(core, RFLAGS_TF);
        core_run(core, 3000);
        ck_assert_int_eq(board_vector(core), EXC_DB);
        ck_branch(core, CODE, CODE + 4);
        ck_assert_uint_eq(msr(core, LASTEXC_FROM), CODE);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), CODE + 4);
        ck_assert_uint_eq(msr(core, DBG_CTL), 0);
        board_free(board);
    }
}
END_TEST

/* ---- Guests ----------------------------------------------------------------------------------------------- */

static struct board *begin(const char *model, bool reference, bool virtualized)
{
    struct board *board = board_new(model, 1, reference);
    uint32_t words[INTERCEPT_WORDS] = { 0, 0, 0, 1 << (VMEXIT_HLT & 31), 1 };
    struct core *core = board->core[0];

    world_enter(board, WORLD_GUEST, 1);
    spa_write_block(&board->space, WORLD_VMCB, words, sizeof(words));
    spa_write(&board->space, WORLD_VMCB + 0x060, 8, 0);
    spa_write(&board->space, WORLD_VMCB + 0x0B8, 8, virtualized);
    spa_write(&board->space, WORLD_VMCB + 0x570, 8, 2);
    spa_write(&board->space, WORLD_VMCB + 0x670, 8, DEBUG_CTL_LBR | DEBUG_CTL_BTF);
    for (unsigned i = 1; i < 5; i++)
        spa_write(&board->space, WORLD_VMCB + 0x670 + 8 * i, 8, 0x1000 * i);
    board_put(board, BOARD_CODE, 0xEB, 0x02, 0x90, 0x90, 0xF4); /* jmp; hlt */
    core->svm.gif = false;
    core->msr->debug_ctl = 0;
    core->msr->br_from = 0xAAAA;
    core->msr->br_to = 0xBBBB;
    core->msr->last_exc_from = 0xCCCC;
    core->msr->last_exc_to = 0xDDDD;
    core_step(core); /* mov */
    core_step(core); /* vmrun */
    ck_assert(core->svm.guest);
    return board;
}

START_TEST(with_virtualization_the_guest_has_its_own_registers)
{
    EACH_ENGINE {
        struct board *board = begin("10h-b3", engine, true);
        struct core *core = board->core[0];

        ck_assert_uint_eq(core->msr->debug_ctl, DEBUG_CTL_LBR | DEBUG_CTL_BTF);
        ck_branch(core, 0x1000, 0x2000);
        ck_assert_uint_eq(msr(core, LASTEXC_FROM), 0x3000);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), 0x4000);
        core_step(core);
        ck_branch(core, BOARD_CODE, BOARD_CODE + 4);
        core_step(core); /* hlt exits */
        ck_assert(!core->svm.guest);
        ck_assert_uint_eq(spa_read(&board->space, WORLD_VMCB + 0x670, 8), DEBUG_CTL_LBR | DEBUG_CTL_BTF);
        ck_assert_uint_eq(spa_read(&board->space, WORLD_VMCB + 0x678, 8), BOARD_CODE);
        ck_assert_uint_eq(spa_read(&board->space, WORLD_VMCB + 0x680, 8), BOARD_CODE + 4);
        ck_assert_uint_eq(core->msr->debug_ctl, 0);
        ck_branch(core, 0xAAAA, 0xBBBB);
        ck_assert_uint_eq(msr(core, LASTEXC_FROM), 0xCCCC);
        ck_assert_uint_eq(msr(core, LASTEXC_TO), 0xDDDD);
        board_free(board);
    }
}
END_TEST

START_TEST(without_it_the_registers_are_shared)
{
    EACH_ENGINE {
        struct board *board = begin("10h-b3", engine, false);
        struct core *core = board->core[0];

        ck_assert_uint_eq(core->msr->debug_ctl, 0);
        ck_branch(core, 0xAAAA, 0xBBBB);
        ck_assert(msr_write(core, DBG_CTL, DEBUG_CTL_LBR));
        core_step(core);
        core_step(core);
        ck_assert(!core->svm.guest);
        ck_assert_uint_eq(core->msr->debug_ctl, DEBUG_CTL_LBR);
        ck_branch(core, BOARD_CODE, BOARD_CODE + 4);
        ck_assert_uint_eq(spa_read(&board->space, WORLD_VMCB + 0x678, 8), 0x1000); /* not written */
        board_free(board);
    }
}
END_TEST

UNIT_TESTS("last-branch recording", taken_branches_are_recorded_and_others_are_not,
           an_exception_keeps_the_branch_before_it, an_interrupt_and_int_n_are_recorded_too,
           a_debug_exception_stops_recording_with_the_branch_before_it,
           with_virtualization_the_guest_has_its_own_registers, without_it_the_registers_are_shared)
