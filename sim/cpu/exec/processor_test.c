/* SPDX-License-Identifier: MIT */
/* CPUID, MSRs, counters, HLT, MONITOR and MWAIT: results, faults, and the stage of their intercepts. */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/interp/test_board.h"
#include "sim/cpu/isa/evidence_setup.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

static const uint8_t cpuid[] = { 0x0F, 0xA2 }, rdmsr[] = { 0x0F, 0x32 }, wrmsr[] = { 0x0F, 0x30 },
                     rdtsc[] = { 0x0F, 0x31 }, rdtscp[] = { 0x0F, 0x01, 0xF9 }, rdpmc[] = { 0x0F, 0x33 },
                     hlt[] = { 0xF4 }, monitor[] = { 0x0F, 0x01, 0xC8 }, mwait[] = { 0x0F, 0x01, 0xC9 };

#define RUN(core, bytes) run((core), (bytes), sizeof(bytes))

static enum outcome run(struct core *core, const uint8_t *bytes, size_t size)
{
    struct decode_mode mode = { .code_bits = (uint8_t)core_code_bits(core), .real_style = core_in_real_style(core) };
    struct insn insn;
    enum outcome outcome;

    ck_assert_int_eq(decode(bytes, size, mode, &insn), DECODE_OK);
    outcome = insn.run(core, &insn);
    record_evidence(core, insn.row, outcome);
    return outcome;
}

static void ck_fault(struct core *core, enum outcome outcome, unsigned vector)
{
    ck_assert_int_eq(outcome, OUTCOME_FAULT);
    ck_assert_uint_eq(core->fault.vector, vector);
    if (vector == EXC_GP)
        ck_assert_uint_eq(core->fault.error, 0);
}

static void ck_exit(struct core *core, enum outcome outcome, uint64_t code, uint64_t info1)
{
    ck_assert_int_eq(outcome, OUTCOME_VMEXIT);
    ck_assert_uint_eq(core->exit.code, code);
    ck_assert_uint_eq(core->exit.info1, info1);
}

static void intercept(struct core *core, unsigned code)
{
    core->svm.guest = true;
    memset(core->svm.intercept, 0, sizeof(core->svm.intercept));
    core->svm.intercept[code >> 5] = 1u << (code & 31);
}

static void at_cpl(struct core *core, uint8_t cpl)
{
    core->cpl = cpl;
    core->access = cpl == 3 ? MMU_USER : 0;
}

static struct core *begin(struct board **board)
{
    *board = board_new("10h-b3", 1, false);
    board_enter_long(*board, 0, BOARD_CODE);
    memset((*board)->core[0]->gpr, 0xEE, 4 * sizeof(uint64_t));
    return (*board)->core[0];
}

START_TEST(cpuid_clears_the_upper_halves)
{
    struct board *board;
    struct core *core = begin(&board);

    core->gpr[RAX] = UINT64_C(0xFFFFFFFF80000008); /* EAX alone counts */
    ck_assert_int_eq(RUN(core, cpuid), OUTCOME_NEXT);
    ck_assert_uint_eq(core->gpr[RAX], 0x3030);
    ck_assert_uint_eq(core->gpr[RBX], 0);
    ck_assert_uint_eq(core->gpr[RCX], 0x2000);
    ck_assert_uint_eq(core->gpr[RDX], 0);
    board_free(board);
}
END_TEST

START_TEST(rdmsr_and_wrmsr_move_edx_eax)
{
    struct board *board;
    struct core *core = begin(&board);

    core->gpr[RCX] = UINT64_C(0xFFFFFFFFC0000081); /* STAR; ECX alone counts */
    core->gpr[RAX] = UINT64_C(0xAAAAAAAA11112222);
    core->gpr[RDX] = UINT64_C(0xAAAAAAAA33334444);
    ck_assert_int_eq(RUN(core, wrmsr), OUTCOME_NEXT);
    ck_assert_uint_eq(core->star, UINT64_C(0x3333444411112222));
    ck_assert_int_eq(RUN(core, rdmsr), OUTCOME_NEXT);
    ck_assert_uint_eq(core->gpr[RAX], 0x11112222);
    ck_assert_uint_eq(core->gpr[RDX], 0x33334444);
    board_free(board);
}
END_TEST

START_TEST(msr_faults_come_in_the_manuals_order)
{
    struct board *board;
    struct core *core = begin(&board);

    core->gpr[RCX] = 0x12345; /* no such MSR */
    ck_fault(core, RUN(core, rdmsr), EXC_GP);
    ck_fault(core, RUN(core, wrmsr), EXC_GP);
    intercept(core, VMEXIT_MSR); /* outside the map: intercepted before it is found missing */
    ck_exit(core, RUN(core, rdmsr), VMEXIT_MSR, 0);
    ck_exit(core, RUN(core, wrmsr), VMEXIT_MSR, 1);
    at_cpl(core, 3); /* before the intercept */
    ck_fault(core, RUN(core, rdmsr), EXC_GP);
    ck_fault(core, RUN(core, wrmsr), EXC_GP);
    board_free(board);
}
END_TEST

START_TEST(a_refused_wrmsr_leaves_the_register)
{
    struct board *board;
    struct core *core = begin(&board);

    core->lstar = 7;
    core->gpr[RCX] = 0xC0000082;
    core->gpr[RAX] = 0;
    core->gpr[RDX] = 0x8000; /* not canonical */
    ck_fault(core, RUN(core, wrmsr), EXC_GP);
    ck_assert_uint_eq(core->lstar, 7);
    board_free(board);
}
END_TEST

START_TEST(time_stamp_reads_obey_tsd_then_the_intercept)
{
    struct board *board;
    struct core *core = begin(&board);

    core->cycles = core->cycles + 5;
    core->tsc_offset_host = UINT64_C(0x500000000) - core->cycles;
    core->tsc_aux = 9;
    ck_assert_int_eq(RUN(core, rdtsc), OUTCOME_NEXT);
    ck_assert_uint_eq(core->gpr[RDX], 5);
    ck_assert_uint_eq(core->gpr[RAX], 0);
    ck_assert_int_eq(RUN(core, rdtscp), OUTCOME_NEXT);
    ck_assert_uint_eq(core->gpr[RDX], 5);
    ck_assert_uint_eq(core->gpr[RCX], 9);
    core->cr4 |= CR4_TSD;
    ck_assert_int_eq(RUN(core, rdtsc), OUTCOME_NEXT); /* CPL 0 may */
    intercept(core, VMEXIT_RDTSC);
    ck_exit(core, RUN(core, rdtsc), VMEXIT_RDTSC, 0);
    ck_assert_int_eq(RUN(core, rdtscp), OUTCOME_NEXT); /* a different intercept */
    intercept(core, VMEXIT_RDTSCP);
    ck_exit(core, RUN(core, rdtscp), VMEXIT_RDTSCP, 0);
    at_cpl(core, 3);
    ck_fault(core, RUN(core, rdtscp), EXC_GP);
    intercept(core, VMEXIT_RDTSC);
    ck_fault(core, RUN(core, rdtsc), EXC_GP);
    board_free(board);
}
END_TEST

START_TEST(rdpmc_has_four_counters_and_needs_pce_above_cpl_0)
{
    struct board *board;
    struct core *core = begin(&board);

    for (uint64_t n = 0; n < 4; n++)
        core->msr->perf_ctr[n] = n << 40 | n;
    core->gpr[RCX] = 3;
    ck_assert_int_eq(RUN(core, rdpmc), OUTCOME_NEXT);
    ck_assert_uint_eq(core->gpr[RAX], 3);
    ck_assert_uint_eq(core->gpr[RDX], 0x300);
    at_cpl(core, 3);
    ck_fault(core, RUN(core, rdpmc), EXC_GP);
    core->cr4 |= CR4_PCE;
    ck_assert_int_eq(RUN(core, rdpmc), OUTCOME_NEXT);
    intercept(core, VMEXIT_RDPMC);
    core->gpr[RCX] = 3;
    ck_exit(core, RUN(core, rdpmc), VMEXIT_RDPMC, 0);
    core->gpr[RCX] = 4; /* all its own exceptions come first */
    ck_fault(core, RUN(core, rdpmc), EXC_GP);
    board_free(board);
}
END_TEST

START_TEST(hlt_is_privileged_before_it_is_intercepted)
{
    struct board *board;
    struct core *core = begin(&board);

    ck_assert_int_eq(RUN(core, hlt), OUTCOME_HALT);
    intercept(core, VMEXIT_HLT);
    ck_exit(core, RUN(core, hlt), VMEXIT_HLT, 0);
    at_cpl(core, 3);
    ck_fault(core, RUN(core, hlt), EXC_GP);
    board_free(board);
}
END_TEST

/* rAX at a line, ECX and EDX zero. */
static void monitor_at(struct core *core, uint64_t address)
{
    core->gpr[RAX] = address;
    core->gpr[RCX] = core->gpr[RDX] = 0;
}

START_TEST(monitor_arms_the_line_and_mwait_waits_for_it)
{
    struct board *board;
    struct core *core = begin(&board);
    uint64_t value;

    monitor_at(core, 0x7123);
    ck_assert_int_eq(RUN(core, mwait), OUTCOME_NEXT); /* nothing armed: falls through */
    ck_assert_int_eq(RUN(core, monitor), OUTCOME_NEXT);
    ck_assert_uint_eq(core->monitor_line, 0x7100);
    ck_assert_uint_eq(board->flags[7], DRAM_PAGE_ARMED);
    ck_assert_int_eq(RUN(core, mwait), OUTCOME_MWAIT);
    ck_assert(!core->mwait_breaks);
    core->gpr[RCX] = 1;
    ck_assert_int_eq(RUN(core, mwait), OUTCOME_MWAIT);
    ck_assert(core->mwait_breaks);
    ck_assert_int_eq(memory_read(core, SEG_DS, 0x9000, 8, &value), OUTCOME_NEXT); /* now a native pointer reaches it */
    monitor_at(core, 0x9123);
    ck_assert_int_eq(RUN(core, monitor), OUTCOME_NEXT);
    ck_assert_uint_eq(core->monitor_line, 0x9100);
    monitor_at(core, BOARD_RAM); /* no memory there */
    ck_assert_int_eq(RUN(core, monitor), OUTCOME_NEXT);
    ck_assert_uint_eq(core->monitor_line, NEVER);
    board_free(board);
}
END_TEST

START_TEST(monitor_and_mwait_are_undefined_where_hwcr_says_so)
{
    struct board *board;
    struct core *core = begin(&board);

    monitor_at(core, 0x7000);
    at_cpl(core, 3);
    ck_fault(core, RUN(core, monitor), EXC_UD);
    ck_fault(core, RUN(core, mwait), EXC_UD);
    core->hwcr |= HWCR_MON_MWAIT_USER_EN;
    ck_assert_int_eq(RUN(core, monitor), OUTCOME_NEXT);
    ck_assert_int_eq(RUN(core, mwait), OUTCOME_MWAIT);
    at_cpl(core, 0);
    core->hwcr |= HWCR_MON_MWAIT_DIS;
    ck_fault(core, RUN(core, monitor), EXC_UD);
    ck_fault(core, RUN(core, mwait), EXC_UD);
    board_free(board);
}
END_TEST

START_TEST(monitor_checks_extensions_then_the_address_then_the_intercept)
{
    static const uint8_t ss_monitor[] = { 0x36, 0x0F, 0x01, 0xC8 }, fs_monitor[] = { 0x64, 0x0F, 0x01, 0xC8 };
    struct board *board;
    struct core *core = begin(&board);

    intercept(core, VMEXIT_MONITOR);
    monitor_at(core, 0x7000);
    ck_exit(core, RUN(core, monitor), VMEXIT_MONITOR, 0);
    ck_assert_uint_eq(core->monitor_line, NEVER);
    core->gpr[RCX] = 1;
    ck_fault(core, RUN(core, monitor), EXC_GP);
    monitor_at(core, UINT64_C(0x800000000000)); /* not canonical */
    ck_fault(core, RUN(core, fs_monitor), EXC_GP);
    monitor_at(core, UINT64_C(0x40000000)); /* 1 GiB: not mapped */
    ck_fault(core, RUN(core, monitor), EXC_PF);
    ck_assert_uint_eq(core->fault.address, 0x40000000);
    board_enter_flat(board, 0, BOARD_CODE); /* 32-bit code: SS has a limit */
    core->seg[SEG_SS].limit = 0xFFF;
    monitor_at(core, 0x1000);
    ck_fault(core, RUN(core, ss_monitor), EXC_SS);
    board_free(board);
}
END_TEST

START_TEST(mwait_checks_extensions_then_the_conditional_intercept_then_the_other)
{
    struct board *board;
    struct core *core = begin(&board);

    monitor_at(core, 0x7000);
    core->gpr[RCX] = 2;
    ck_fault(core, RUN(core, mwait), EXC_GP);
    core->gpr[RCX] = 0;
    core->svm.guest = true;
    core->svm.intercept[4] = BIT(VMEXIT_MWAIT - 0x80) | BIT(VMEXIT_MWAIT_CONDITIONAL - 0x80);
    ck_exit(core, RUN(core, mwait), VMEXIT_MWAIT, 0);
    ck_assert_int_eq(RUN(core, monitor), OUTCOME_NEXT);
    ck_exit(core, RUN(core, mwait), VMEXIT_MWAIT_CONDITIONAL, 0);
    board_free(board);
}
END_TEST

UNIT_TESTS("processor", cpuid_clears_the_upper_halves, rdmsr_and_wrmsr_move_edx_eax,
           msr_faults_come_in_the_manuals_order, a_refused_wrmsr_leaves_the_register,
           time_stamp_reads_obey_tsd_then_the_intercept, rdpmc_has_four_counters_and_needs_pce_above_cpl_0,
           hlt_is_privileged_before_it_is_intercepted, monitor_arms_the_line_and_mwait_waits_for_it,
           monitor_and_mwait_are_undefined_where_hwcr_says_so,
           monitor_checks_extensions_then_the_address_then_the_intercept,
           mwait_checks_extensions_then_the_conditional_intercept_then_the_other)
