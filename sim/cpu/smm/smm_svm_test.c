/* SPDX-License-Identifier: MIT */
/* SMI in a guest: intercepted with EXITINFO, or guest mode left and restored; GIF. On both engines. */
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define SMM_BASE 0x38000 /* not in the worlds' stack */
#define HANDLER (SMM_BASE + 0x8000)

static uint64_t vmcb(struct board *board, unsigned offset)
{
    return spa_read(&board->space, WORLD_VMCB + offset, 8);
}

static uint64_t map(struct board *board, unsigned offset, unsigned size)
{
    return spa_read(&board->space, SMM_BASE + offset, size);
}

/* In the guest, before its first instruction: out 80h,al in a row. `intercept` besides VMRUN; 0: none. */
static struct board *begin(const char *model, bool reference, unsigned intercept, bool nested)
{
    struct board *board = board_new(model, 1, reference);
    uint32_t words[INTERCEPT_WORDS] = { 0, 0, 0, 0, 1 };
    struct core *core = board->core[0];

    world_enter(board, WORLD_GUEST, 1);
    if (intercept)
        words[intercept >> 5] |= 1u << (intercept & 31);
    spa_write_block(&board->space, WORLD_VMCB, words, sizeof(words));
    spa_write(&board->space, WORLD_VMCB + 0x058, 4, 5);
    spa_write(&board->space, WORLD_VMCB + 0x050, 8, 1000);
    spa_write(&board->space, WORLD_VMCB + 0x060, 8, BIT(24) | 3);
    spa_write(&board->space, WORLD_VMCB + 0x090, 8, nested);
    spa_write(&board->space, WORLD_VMCB + 0x570, 8, 2);
    board_put(board, BOARD_CODE, 0xE6, 0x80, 0xE6, 0x80, 0xE6, 0x80, 0xE6, 0x80);
    board_put(board, HANDLER, 0x0F, 0xAA);
    core->msr->smm_base = SMM_BASE;
    rflags_write(core, 0);
    core_step(core);
    core->svm.gif = false;
    core_step(core);
    ck_assert(core->svm.guest);
    return board;
}

static void trap_port_80(struct core *core)
{
    core->msr->io_trap[0] = BIT(62) | UINT64_C(0xFFFF) << 32 | 0x80;
    ck_assert(msr_write(core, 0xC0010054, BIT(15) | BIT(1)));
}

START_TEST(an_intercepted_external_smi_exits_and_stays_pending)
{
    EACH_ENGINE {
        struct board *board = begin("10h-b3", engine, VMEXIT_SMI, false);
        struct core *core = board->core[0];

        core->smi_pending = true;
        core_step(core);
        ck_assert(!core->svm.guest && !core->smm.active);
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_SMI);
        ck_assert_uint_eq(vmcb(board, 0x078), 1);
        ck_assert_uint_eq(vmcb(board, 0x080), 0);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE);
        ck_assert(core->smi_pending);
        core_step(core); /* GIF = 0: held */
        ck_assert(!core->smm.active);
        core->svm.gif = true;
        core_step(core);
        ck_assert(core->smm.active);
        ck_assert_uint_eq(map(board, 0xFED8, 8), 0); /* of the host */
        board_free(board);
    }
}
END_TEST

START_TEST(an_intercepted_internal_smi_tells_of_its_io_and_is_gone)
{
    EACH_ENGINE {
        struct board *board = begin("10h-b3", engine, VMEXIT_SMI, false);
        struct core *core = board->core[0];

        trap_port_80(core);
        core_step(core); /* out */
        core_step(core);
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_SMI);
        /* source internal; VALID 33, OUT, SZ8 36, A64 41, port 63:48 */
        ck_assert_uint_eq(vmcb(board, 0x078), UINT64_C(0x0080) << 48 | BIT(41) | BIT(36) | BIT(33));
        ck_assert_uint_eq(vmcb(board, 0x080), BOARD_CODE);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE + 2);
        core->svm.gif = true;
        core_step(core);
        ck_assert(!core->smm.active);
        board_free(board);
    }
}
END_TEST

START_TEST(under_gif_0_an_internal_smi_is_lost_and_an_external_one_waits)
{
    EACH_ENGINE {
        struct board *board = begin("10h-b3", engine, 0, false);
        struct core *core = board->core[0];

        trap_port_80(core);
        core->svm.gif = false;
        core_step(core); /* out */
        core->svm.gif = true;
        core->msr->io_trap_control = 0;
        ck_assert(msr_write(core, 0xC0010054, 0));
        core_step(core);
        ck_assert(!core->smm.active);
        ck_assert_uint_eq(core->rip, BOARD_CODE + 4);
        core->svm.gif = false;
        core->smi_pending = true;
        core_step(core);
        ck_assert(!core->smm.active);
        core->svm.gif = true;
        core_step(core);
        ck_assert(core->smm.active);
        board_free(board);
    }
}
END_TEST

static void leaves_and_returns(const char *model, bool reference, bool nested, bool locked)
{
    struct board *board = begin(model, reference, locked ? VMEXIT_SMI : VMEXIT_HLT, nested);
    struct core *core = board->core[0];
    struct svm_core before;
    uint64_t pat = core->pat = nested ? UINT64_C(0x0606060606060606) : core->pat;

    if (locked)
        core->hwcr |= HWCR_SMM_LOCK; /* then the intercept is ignored */
    before = core->svm;
    core->smi_pending = true;
    core_step(core);
    ck_assert(core->smm.active);
    ck_assert(!core->svm.guest && core->svm.gif);
    ck_assert_uint_eq(core->svm.intercept[4], 0);
    ck_assert_uint_eq(map(board, 0xFED8, 8) & 7, nested ? 6 : 2);
    ck_assert_uint_eq(map(board, 0xFEE0, 8), WORLD_VMCB);
    ck_assert_uint_eq(map(board, 0xFEE8, 8), BIT(24) | 3);
    ck_assert_uint_eq(map(board, 0xFF78, 8), BOARD_CODE);
    if (nested) {
        ck_assert_uint_eq(map(board, 0xFF20, 8), pat);
        ck_assert_uint_eq(core->pat, before.host_pat);
        ck_assert_uint_eq(map(board, 0xFF28, 8), before.host_efer);
        ck_assert_uint_eq(map(board, 0xFF30, 8), before.host_cr4);
        ck_assert_uint_eq(map(board, 0xFF38, 8), BOARD_PML4);
        ck_assert_uint_eq(map(board, 0xFF40, 8), before.host_cr0);
    }
    core_step(core); /* RSM */
    ck_assert(!core->smm.active);
    ck_assert_mem_eq(core->svm.intercept, before.intercept, sizeof(before.intercept));
    ck_assert(core->svm.guest && core->svm.gif);
    ck_assert_uint_eq(core->svm.asid, 5);
    ck_assert_uint_eq(core->svm.np_enable, nested);
    ck_assert_uint_eq(core->svm.n_cr3, before.n_cr3);
    ck_assert_uint_eq(core->svm.tsc_offset, 1000);
    ck_assert_uint_eq(core->svm.v_tpr, 3);
    ck_assert(core->svm.v_intr_masking);
    ck_assert_uint_eq(core->svm.host_if, before.host_if);
    ck_assert_uint_eq(core->pat, pat);
    ck_assert_int_eq(core->mode, MODE_64BIT);
    core_step(core);
    ck_assert_uint_eq(core->rip, BOARD_CODE + 2); /* the guest goes on */
    ck_assert_uint_eq(board->outs, 1);
    board_free(board);
}

START_TEST(guest_mode_is_left_by_an_smi_and_restored_by_rsm)
{
    EACH_ENGINE {
        leaves_and_returns("10h-b3", engine, false, false);
        leaves_and_returns("10h-b3", engine, true, false);
        leaves_and_returns("10h-d0", engine, true, false);
        leaves_and_returns("10h-b3", engine, true, true);
    }
}
END_TEST

START_TEST(later_revisions_save_the_hosts_interrupt_flag)
{
    struct board *board = begin("10h-d0", false, 0, false);
    struct core *core = board->core[0];

    core->svm.host_if = true;
    core->smi_pending = true;
    core_step(core);
    ck_assert_uint_eq(map(board, 0xFED8, 8), 0xA);
    core->svm.host_if = false; /* whatever SMM left there */
    core_step(core);
    ck_assert(core->svm.host_if);
    board_free(board);
}
END_TEST

UNIT_TESTS("smm in guests", an_intercepted_external_smi_exits_and_stays_pending,
           an_intercepted_internal_smi_tells_of_its_io_and_is_gone,
           under_gif_0_an_internal_smi_is_lost_and_an_external_one_waits,
           guest_mode_is_left_by_an_smi_and_restored_by_rsm, later_revisions_save_the_hosts_interrupt_flag)
