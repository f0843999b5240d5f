/* SPDX-License-Identifier: MIT */
/* Boundaries: limits, order of events, shadow, single step, breakpoints, waits. On both engines. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_board.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define CODE BOARD_CODE

START_TEST(a_core_runs_to_the_first_boundary_at_or_past_its_limit)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x40, 0x40, 0x40, 0xEB, 0xFB); /* inc eax x 3; jmp back */
        board_enter_flat(board, 0, CODE);
        ck_assert_int_eq(core_run(core, 1000), CORE_STOP_LIMIT);
        ck_assert_uint_ge(core->cycles, 1000);
        ck_assert_uint_lt(core->cycles, 1000 + 10); /* no instruction here costs ten cycles */
        ck_assert_uint_eq(core->gpr[RAX], core->instructions - core->instructions / 4);
        board_free(board);
    }
}
END_TEST

START_TEST(halting_with_interrupts_off_waits_and_time_jumps_to_the_limit)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xF4);
        board_enter_flat(board, 0, CODE);
        ck_assert_int_eq(core_run(core, 5000), CORE_STOP_WAITING);
        ck_assert_uint_eq(core->cycles, 5000);
        ck_assert(core->halted);
        ck_assert_uint_eq(core->rip, CODE + 1);
        board_free(board);
    }
}
END_TEST

START_TEST(an_undefined_opcode_reaches_its_handler_with_rip_at_the_instruction)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x90, 0x0F, 0x0B);
        board_enter_flat(board, 0, CODE);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_UD);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 1);
        board_free(board);
    }
}
END_TEST

START_TEST(sti_holds_interrupts_off_for_one_instruction)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x40, 0xFB, 0x40, 0x40); /* inc eax; sti; inc eax; inc eax */
        board_enter_flat(board, 0, CODE);
        core_pins(core).extint(core_pins(core).ctx, true);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), 0x30);
        ck_assert_uint_eq(core->gpr[RAX], 2);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 3);
        board_free(board);
    }
}
END_TEST

START_TEST(nmi_comes_before_a_maskable_interrupt)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x90);
        board_enter_flat(board, 0, CODE);
        rflags_write(core, RFLAGS_IF);
        core->nmi_pending = true;
        core_pins(core).extint(core_pins(core).ctx, true);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_NMI); /* the NMI's gate clears IF: INTR stays pending */
        ck_assert(core->nmi_masked);
        board_free(board);
    }
}
END_TEST

START_TEST(clear_gif_holds_nmi_and_intr)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x40, 0xF4);
        board_enter_flat(board, 0, CODE);
        rflags_write(core, RFLAGS_IF);
        core->svm.gif = false;
        core->nmi_pending = true;
        core_pins(core).extint(core_pins(core).ctx, true);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), -1);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        core->svm.gif = true;
        core_run(core, 10000);
        ck_assert_int_eq(board_vector(core), EXC_NMI);
        board_free(board);
    }
}
END_TEST

START_TEST(trap_flag_traps_after_the_next_instruction)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* push 100h; popfd; inc eax; inc eax: POPF itself is not trapped, the first INC is */
        board_put(board, CODE, 0x68, 0, 1, 0, 0, 0x9D, 0x40, 0x40);
        board_enter_flat(board, 0, CODE);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_DB);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 7);
        ck_assert_uint_eq(core->dr6 & BIT(14), BIT(14)); /* BS */
        ck_assert_uint_eq(core->rflags & RFLAGS_TF, 0);
        board_free(board);
    }
}
END_TEST

START_TEST(with_btf_only_a_taken_branch_traps)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x40, 0x40, 0xEB, 0x01, 0x90, 0x40); /* inc; inc; jmp +1; nop; inc */
        board_enter_flat(board, 0, CODE);
        rflags_write(core, RFLAGS_TF);
        ck_assert(msr_write(core, 0x1D9, DEBUG_CTL_BTF));
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_DB);
        ck_assert_uint_eq(core->gpr[RAX], 2);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 5);
        ck_assert_uint_eq(core->msr->debug_ctl, 0); /* cleared by the exception */
        board_free(board);
    }
}
END_TEST

START_TEST(an_instruction_breakpoint_faults_before_the_instruction_and_rf_suppresses_it)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x40, 0x40, 0xF4);
        board_enter_flat(board, 0, CODE);
        core->dr[2] = CODE + 1;
        core->dr7 = 0x400 | BIT(4); /* L2, R/W2 = LEN2 = 0 */
        core_debug_changed(core);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_DB);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 1);
        ck_assert_uint_eq(core->dr6 & 0xF, BIT(2));
        board_enter_flat(board, 0, CODE + 1);
        core->dr[2] = CODE + 1;
        core->dr7 = 0x400 | BIT(4);
        core_debug_changed(core);
        rflags_write(core, RFLAGS_RF);
        core_run(core, 20000);
        ck_assert_int_eq(board_vector(core), -1);
        ck_assert_uint_eq(core->rip, CODE + 3);
        ck_assert_uint_eq(core->rflags & RFLAGS_RF, 0); /* used up */
        board_free(board);
    }
}
END_TEST

START_TEST(mov_ss_holds_a_debug_trap_off_until_after_the_next_instruction)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* mov ss,[7000h] with a data breakpoint on 7000h; inc eax; inc eax */
        board_put(board, CODE, 0x8E, 0x15, 0x00, 0x70, 0x00, 0x00, 0x40, 0x40);
        spa_write(&board->space, 0x7000, 2, BOARD_DATA_SELECTOR);
        board_enter_flat(board, 0, CODE);
        core->dr[0] = 0x7000;
        core->dr7 = 0x400 | BIT(0) | UINT64_C(7) << 16; /* L0, read or write, two bytes */
        core_debug_changed(core);
        core_run(core, 5000);
        ck_assert_int_eq(board_vector(core), EXC_DB);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 7);
        ck_assert_uint_eq(core->dr6 & 0xF, BIT(0));
        board_free(board);
    }
}
END_TEST

struct asked {
    gva_t at;
    unsigned times;
};

static bool stop_there(void *ctx, struct core *core, uint64_t linear)
{
    struct asked *asked = ctx;

    (void)core;
    asked->times++;
    return linear == asked->at;
}

START_TEST(a_breakpoint_hook_stops_once_before_its_instruction)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];
        struct asked asked = { CODE + 1, 0 };

        board_put(board, CODE, 0x40, 0x40, 0x40, 0xF4);
        board_enter_flat(board, 0, CODE);
        *core_hooks(core) = (struct core_hooks){ .ctx = &asked, .breakpoint = stop_there, .breakpoints = true };
        ck_assert_int_eq(core_run(core, 5000), CORE_STOP_HOOK);
        ck_assert_uint_eq(core->rip, CODE + 1);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        ck_assert_int_eq(core_run(core, 5000), CORE_STOP_WAITING);
        ck_assert_uint_eq(core->gpr[RAX], 3);
        ck_assert_uint_eq(asked.times, 4);
        board_free(board);
    }
}
END_TEST

START_TEST(an_instruction_at_a_page_end_costs_two_itlb_lookups_and_its_second_page_may_fault)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];
        struct native_map *map = (struct native_map *)core->mmu;
        uint64_t before;

        board_put(board, 0x10FFC, 0xB8, 0x78, 0x56, 0x34, 0x12, 0xF4); /* mov eax,12345678h over the page end */
        board_enter_long(board, 0, 0x10FFC);
        before = map->fetches;
        core_run(core, 5000);
        ck_assert_uint_eq(core->gpr[RAX], 0x12345678);
        ck_assert_uint_eq(map->fetches - before, 3); /* two for MOV, one for HLT */

        board_enter_long(board, 0, 0x10FFC);
        spa_write(&board->space, BOARD_PML4 + 0x3000 + 8 * 0x11, 8, 0); /* the second page: not present */
        mmu_flush_all(core->mmu);
        core->idtr.limit = 0;
        ck_assert_int_eq(core_run(core, 20000), CORE_STOP_SHUTDOWN); /* no IDT: #PF, #DF, shutdown */
        ck_assert_uint_eq(core->cr2, 0x11000);
        board_free(board);
    }
}
END_TEST

START_TEST(init_resets_and_sipi_starts_a_waiting_core)
{
    struct board *board = board_new("10h-b3", 2, false);
    struct core *core = board->core[1];

    ck_assert_int_eq(core_run(core, 100), CORE_STOP_WAITING);
    core_startup(core, 0x10);
    ck_assert_uint_eq(core->seg[SEG_CS].selector, 0x1000);
    ck_assert_uint_eq(core->seg[SEG_CS].base, CODE);
    board_put(board, CODE, 0x40, 0xF4); /* 16-bit: inc ax */
    ck_assert_int_eq(core_run(core, 1000), CORE_STOP_WAITING);
    ck_assert_uint_eq(core->gpr[RAX], 1);
    core->init_pending = true;
    ck_assert_int_eq(core_run(core, 2000), CORE_STOP_WAITING);
    ck_assert(core->waiting_for_sipi);
    ck_assert_uint_eq(core->rip, 0xFFF0);
    ck_assert_uint_eq(core->gpr[RDX], 0x00100F23);
    board_free(board);
}
END_TEST

START_TEST(init_of_a_core_that_waits_for_sipi_is_used_up)
{
    for (int ran = 0; ran < 2; ran++) { /* whether the core ran between INIT and SIPI */
        struct board *board = board_new("10h-b3", 2, false);
        struct core *core = board->core[1];

        board_put(board, CODE, 0x40, 0xF4);
        core->init_pending = true;
        if (ran)
            ck_assert_int_eq(core_run(core, 100), CORE_STOP_WAITING);
        core_startup(core, 0x10);
        ck_assert(!core->init_pending);
        ck_assert_int_eq(core_run(core, 1000), CORE_STOP_WAITING);
        ck_assert(core->halted);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        board_free(board);
    }
}
END_TEST

START_TEST(init_with_r_init_becomes_an_sx_exception)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    board_put(board, CODE, 0x90);
    board_enter_flat(board, 0, CODE);
    core->svm.vm_cr = VM_CR_R_INIT;
    core->init_pending = true;
    core_run(core, 5000);
    ck_assert_int_eq(board_vector(core), EXC_SX);
    ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), 1); /* error code */
    ck_assert(!core->init_pending);
    board_free(board);
}
END_TEST

START_TEST(a_store_to_the_armed_line_ends_mwait)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-b3", 2, engine);
        struct core *core = board->core[0];

        /* mov eax,7000h; xor ecx,ecx; xor edx,edx; monitor; mwait; inc ebx; hlt */
        board_put(board, CODE, 0xB8, 0, 0x70, 0, 0, 0x31, 0xC9, 0x31, 0xD2, 0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9, 0x43,
                  0xF4);
        board_enter_flat(board, 0, CODE);
        ck_assert_int_eq(core_run(core, 5000), CORE_STOP_WAITING);
        ck_assert(core->mwaiting);
        spa_write(&board->space, 0x7040, 4, 1); /* the next line: no */
        ck_assert_int_eq(core_run(core, 6000), CORE_STOP_WAITING);
        ck_assert_uint_eq(core->gpr[RBX], 0);
        spa_write(&board->space, 0x703F, 1, 1);
        core_run(core, 7000);
        ck_assert_uint_eq(core->gpr[RBX], 1);
        board_free(board);
    }
}
END_TEST

START_TEST(time_stamp_counts_cycles_from_reset)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    board_put(board, CODE, 0x90, 0x90, 0x0F, 0x31, 0xF4);
    board_enter_flat(board, 0, CODE);
    core_run(core, 5000);
    ck_assert_uint_eq(core->gpr[RAX], 2); /* two NOPs of one cycle */
    ck_assert_uint_eq(core->gpr[RDX], 0);
    board_free(board);
}
END_TEST

/* APM2 3.1.6: "or when a string instruction is interrupted". Steps of two cycles each. */
START_TEST(an_interrupted_string_instruction_saves_rf)
{
    static const struct {
        unsigned cycles; /* before the NMI */
        uint64_t rip;
        bool rf;
    } cases[] = { { 20, CODE + 1, true }, { 199, CODE + 1, true }, { 201, CODE + 3, false }, { 1, CODE + 1, false } };

    EACH_ENGINE {
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct board *board = board_new("10h-b3", 1, engine);
            struct core *core = board->core[0];

            board_put(board, CODE, 0x90, 0xF3, 0xAA, 0x90, 0x90, 0x90); /* nop; rep stosb; nop x 3 */
            board_enter_flat(board, 0, CODE);
            core->gpr[RCX] = 100;
            core->gpr[RDI] = 0x40000;
            core_run(core, cases[i].cycles);
            core->nmi_pending = true;
            core_attention(core);
            core_run(core, 5000);
            ck_assert_int_eq(board_vector(core), EXC_NMI);
            ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), cases[i].rip);
            ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP] + 8, 4) >> 16 & 1, cases[i].rf);
            board_free(board);
        }
    }
}
END_TEST

UNIT_TESTS("run", a_core_runs_to_the_first_boundary_at_or_past_its_limit,
           halting_with_interrupts_off_waits_and_time_jumps_to_the_limit,
           an_undefined_opcode_reaches_its_handler_with_rip_at_the_instruction,
           sti_holds_interrupts_off_for_one_instruction, nmi_comes_before_a_maskable_interrupt,
           clear_gif_holds_nmi_and_intr, trap_flag_traps_after_the_next_instruction,
           with_btf_only_a_taken_branch_traps,
           an_instruction_breakpoint_faults_before_the_instruction_and_rf_suppresses_it,
           mov_ss_holds_a_debug_trap_off_until_after_the_next_instruction,
           a_breakpoint_hook_stops_once_before_its_instruction,
           an_instruction_at_a_page_end_costs_two_itlb_lookups_and_its_second_page_may_fault,
           init_resets_and_sipi_starts_a_waiting_core,
           init_of_a_core_that_waits_for_sipi_is_used_up, init_with_r_init_becomes_an_sx_exception,
           a_store_to_the_armed_line_ends_mwait, time_stamp_counts_cycles_from_reset,
           an_interrupted_string_instruction_saves_rf)
