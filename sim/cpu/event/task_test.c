/* SPDX-License-Identifier: MIT */
/* Hardware task switches by JMP, CALL, IRET and task gates, in 16 and 32 bits (APM2 12.2, 12.3). */
#include "sim/cpu/event/event_setup.h"
#include "sim/cpu/exec/debug.h"

#define TARGET 0x9000
#define STACK_B 0x1C000

/* Offsets of the 32-bit TSS (APM2 12.2.4). */
#define LINK 0x00
#define T_CR3 0x1C
#define T_EIP 0x20
#define T_EFLAGS 0x24
#define T_EAX 0x28
#define T_ESP 0x38
#define T_ES 0x48
#define T_CS 0x4C
#define T_SS 0x50
#define T_DS 0x54
#define T_FS 0x58
#define T_GS 0x5C
#define T_LDT 0x60
#define T_TRAP 0x64

/* Task B: 32 bits, ring 0, a stack of its own, EAX = B0 ... EDI = B7. */
static void fill_task_b(struct setup *s)
{
    poke(s, TSS_B + T_EIP, 4, TARGET);
    poke(s, TSS_B + T_EFLAGS, 4, 0x202);
    for (unsigned i = 0; i < 8; i++)
        poke(s, TSS_B + T_EAX + 4 * i, 4, 0xB0 + i);
    poke(s, TSS_B + T_ESP, 4, STACK_B);
    for (unsigned i = 0; i < 6; i++)
        poke(s, TSS_B + T_ES + 4 * i, 2, DATA32_0);
    poke(s, TSS_B + T_CS, 2, CODE32_0);
    poke(s, TSS_B + T_LDT, 2, LOCAL);
}

static struct setup *setup_tasks(unsigned cpl)
{
    struct setup *s = setup_protected(cpl);

    fill_task_b(s);
    for (unsigned i = 0; i < 8; i++)
        if (i != RSP)
            s->core->gpr[i] = 0xA0 + i;
    return s;
}

#define JMP_B "\xEA\x00\x00\x00\x00\x70\x00"  /* JMP 0070:0 */
#define CALL_B "\x9A\x00\x00\x00\x00\x70\x00"

static void assert_in_task_b(struct setup *s)
{
    struct core *core = s->core;

    assert_hex(core->rip, TARGET);
    assert_hex(core->seg[SEG_TR].selector, TASK_B);
    assert_hex(core->seg[SEG_TR].base, TSS_B);
    assert_hex(core->seg[SEG_TR].attr, 0x08B); /* busy */
    assert_hex(core->gpr[RAX], 0xB0);
    assert_hex(core->gpr[RDI], 0xB7);
    assert_hex(core->gpr[RSP], STACK_B);
    assert_hex(core->seg[SEG_LDTR].base, LDT);
    ck_assert(core->cr0 & CR0_TS);
}

/* ---- The three ways -------------------------------------------------------------------------------------- */

START_TEST(jmp_saves_the_old_task_and_swaps_the_busy_bits)
{
    struct setup *s = setup_tasks(0);

    poke(s, TSS + T_CR3, 4, 0x12345);
    poke(s, TSS_B + LINK, 2, 0x5555);
    s->core->dr7 = 0x400 | DR7_LOCAL | 0xAA;
    ck_assert_int_eq(RESOLVE(s, JMP_B), OUTCOME_NEXT);
    assert_in_task_b(s);
    assert_hex(peek(s, TSS + T_EIP, 4), CODE + 7);
    assert_hex(peek(s, TSS + T_EFLAGS, 4), 0x202);
    assert_hex(peek(s, TSS + T_EAX, 4), 0xA0);
    assert_hex(peek(s, TSS + T_ESP, 4), STACK);
    assert_hex(peek(s, TSS + T_CS, 4), CODE32_0);
    assert_hex(peek(s, TSS + T_GS, 4), DATA32_0);
    assert_hex(peek(s, TSS + T_CR3, 4), 0x12345);        /* a static field */
    assert_hex(peek(s, GDT + TASK + 5, 1), 0x89);        /* the old task is available again */
    assert_hex(peek(s, GDT + TASK_B + 5, 1), 0x8B);
    assert_hex(peek(s, TSS_B + LINK, 2), 0x5555);        /* no nesting */
    assert_hex(rflags_read(s->core), 0x202);
    assert_hex(s->core->dr7, 0x4AA); /* L0-L3 and LE are the old task's */
    setup_free(s);
}
END_TEST

START_TEST(call_links_back_and_iret_returns)
{
    struct setup *s = setup_tasks(0);

    ck_assert_int_eq(RESOLVE(s, CALL_B), OUTCOME_NEXT);
    assert_in_task_b(s);
    assert_hex(peek(s, TSS_B + LINK, 2), TASK);
    assert_hex(peek(s, GDT + TASK + 5, 1), 0x8B); /* still busy: nested */
    assert_hex(rflags_read(s->core), RFLAGS_NT | 0x202);
    s->core->gpr[RAX] = 0xBEEF;
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->rip, CODE + 7);
    assert_hex(s->core->gpr[RAX], 0xA0);
    assert_hex(s->core->seg[SEG_TR].selector, TASK);
    assert_hex(peek(s, GDT + TASK + 5, 1), 0x8B);
    assert_hex(peek(s, GDT + TASK_B + 5, 1), 0x89);
    assert_hex(peek(s, TSS_B + T_EAX, 4), 0xBEEF);
    assert_hex(peek(s, TSS_B + T_EIP, 4), TARGET + 1);
    assert_hex(peek(s, TSS_B + T_EFLAGS, 4), 0x202); /* NT is cleared in the image of the task that ends */
    assert_hex(rflags_read(s->core), 0x202);
    setup_free(s);
}
END_TEST

START_TEST(a_task_gate_of_the_gdt_is_as_good_as_the_tss)
{
    struct setup *s = setup_tasks(3);

    poke(s, GDT + FREE, 8, gate_of(TASK_B, 0, 0xE5, 0)); /* DPL 3 before a TSS of DPL 0 */
    ck_assert_int_eq(RESOLVE(s, "\x9A\x00\x00\x00\x00\x90\x00"), OUTCOME_NEXT);
    assert_in_task_b(s);
    assert_hex(s->core->cpl, 0);
    assert_hex(peek(s, TSS + T_CS, 2), CODE32_3 | 3);
    setup_free(s);
}
END_TEST

START_TEST(an_exception_through_a_task_gate_pushes_its_error_code_in_the_new_task)
{
    struct setup *s = setup_tasks(3);

    poke(s, IDT + EXC_GP * 8, 8, gate_of(TASK_B, 0, 0x85, 0));
    ck_assert_int_eq(deliver_error(s, EXC_GP, 0x1234), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    assert_hex(s->core->gpr[RSP], STACK_B - 4);
    assert_hex(peek(s, STACK_B - 4, 4), 0x1234);
    assert_hex(peek(s, TSS + T_EIP, 4), CODE);
    assert_hex(peek(s, TSS + T_EFLAGS, 4), RFLAGS_RF | 0x202); /* a fault */
    assert_hex(peek(s, TSS_B + LINK, 2), TASK);
    setup_free(s);
}
END_TEST

START_TEST(int_n_through_a_task_gate_returns_behind_the_int)
{
    struct setup *s = setup_tasks(0);

    poke(s, IDT + 0x40 * 8, 8, gate_of(TASK_B, 0, 0x85, 0));
    ck_assert_int_eq(RESOLVE(s, "\xCD\x40"), OUTCOME_NEXT);
    assert_in_task_b(s);
    assert_hex(peek(s, TSS + T_EIP, 4), CODE + 2);
    assert_hex(peek(s, TSS + T_EFLAGS, 4), 0x202);
    setup_free(s);
}
END_TEST

START_TEST(a_16_bit_task_takes_and_gives_16_bits)
{
    struct setup *s = setup_tasks(0);

    memset(s->ram + TSS_B, 0, 0x68);
    poke(s, GDT + TASK_B, 8, entry_of(TSS_B, 0x2B, 0x081));
    poke(s, TSS_B + 0x0E, 2, TARGET);
    poke(s, TSS_B + 0x10, 2, 0x202);
    for (unsigned i = 0; i < 8; i++)
        poke(s, TSS_B + 0x12 + 2 * i, 2, 0xB0 + i);
    poke(s, TSS_B + 0x1A, 2, 0x7000);
    poke(s, TSS_B + 0x22, 2, DATA16_0);
    poke(s, TSS_B + 0x24, 2, CODE16_0);
    poke(s, TSS_B + 0x26, 2, DATA16_0);
    poke(s, TSS_B + 0x28, 2, DATA16_0);
    poke(s, TSS_B + 0x2A, 2, LOCAL);
    ck_assert_int_eq(RESOLVE(s, CALL_B), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    assert_hex(s->core->gpr[RDI], 0xB7);
    assert_hex(s->core->gpr[RSP], 0x7000);
    assert_hex(s->core->seg[SEG_TR].attr, 0x083);
    assert_hex(s->core->seg[SEG_FS].selector, 0); /* not in a 16-bit TSS */
    assert_hex(peek(s, TSS + T_EIP, 4), CODE + 7);
    s->core->gpr[RAX] = 0x12345678;
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->rip, CODE + 7);
    assert_hex(peek(s, TSS_B + 0x12, 4), 0xB15678); /* AX alone was saved */
    assert_hex(peek(s, TSS_B + 0x2A, 2), LOCAL);
    setup_free(s);
}
END_TEST

START_TEST(the_t_bit_leaves_a_debug_trap_behind)
{
    struct setup *s = setup_tasks(0);

    poke(s, TSS_B + T_TRAP, 2, 1);
    ck_assert_int_eq(RESOLVE(s, JMP_B), OUTCOME_NEXT);
    assert_hex(s->core->pending_dr6, DR6_BT);
    setup_free(s);
}
END_TEST

START_TEST(a_task_may_run_in_virtual_8086_mode)
{
    struct setup *s = setup_tasks(0);

    poke(s, TSS_B + T_EFLAGS, 4, RFLAGS_VM | RFLAGS_IOPL | 0x202);
    poke(s, TSS_B + T_CS, 2, 0x1234);
    poke(s, TSS_B + T_SS, 2, 0x2000);
    ck_assert_int_eq(RESOLVE(s, JMP_B), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_VIRTUAL_8086);
    assert_hex(s->core->cpl, 3);
    assert_hex(s->core->seg[SEG_CS].base, 0x12340);
    assert_hex(s->core->seg[SEG_SS].base, 0x20000);
    setup_free(s);
}
END_TEST

/* ---- Faults in the old task -------------------------------------------------------------------------------- */

/* Descriptor of task B, what points to it, the fault (APM2 8.4.4, 12.3). */
static const struct {
    const char *code;
    uint64_t descriptor;
    uint8_t vector;
    uint32_t error;
} bad_tasks[] = {
    { "\xEA\0\0\0\0\x70\0", 0x00008B0040000067, EXC_GP, TASK_B },  /* busy */
    { "\x9A\0\0\0\0\x70\0", 0x0000830040000067, EXC_GP, TASK_B },
    { "\xEA\0\0\0\0\x70\0", 0x0000090040000067, EXC_NP, TASK_B },
    { "\xEA\0\0\0\0\x70\0", 0x0000890040000066, EXC_TS, TASK_B },  /* 104 bytes are needed */
    { "\xEA\0\0\0\0\x70\0", 0x000081004000002A, EXC_TS, TASK_B },  /* 44 */
    { "\xEA\0\0\0\0\x90\0", 0, EXC_GP, FREE2 },                    /* the gates at FREE and FREE2: below */
    { "\xEA\0\0\0\0\xA0\0", 0, EXC_GP, LOCAL | 4 },
    { "\xEA\0\0\0\0\xB0\0", 0, EXC_NP, FREE3 },
};

START_TEST(a_tss_that_is_not_fit_is_refused_in_the_old_task)
{
    for (size_t i = 0; i < sizeof(bad_tasks) / sizeof(bad_tasks[0]); i++) {
        struct setup *s = setup_tasks(0);

        if (bad_tasks[i].descriptor)
            poke(s, GDT + TASK_B, 8, bad_tasks[i].descriptor);
        poke(s, GDT + FREE, 8, gate_of(FREE2, 0, 0x85, 0));      /* to another gate */
        poke(s, GDT + FREE2, 8, gate_of(LOCAL | 4, 0, 0x85, 0)); /* into the LDT */
        poke(s, GDT + FREE3, 8, gate_of(TASK_B, 0, 0x05, 0));    /* gate not present */
        assert_fault(s, setup_transfer(s, bad_tasks[i].code, 7), bad_tasks[i].vector, bad_tasks[i].error);
        assert_hex(s->core->rip, CODE);
        assert_hex(s->core->seg[SEG_TR].selector, TASK);
        assert_hex(peek(s, GDT + TASK + 5, 1), 0x8B);
        assert_hex(peek(s, TSS + T_EIP, 4), 0);
        setup_free(s);
    }
}
END_TEST

START_TEST(the_outgoing_tss_must_hold_the_state)
{
    struct setup *s = setup_tasks(0);

    s->core->seg[SEG_TR].limit = 0x5E; /* GS ends at 05F */
    assert_fault(s, TRANSFER(s, JMP_B), EXC_TS, TASK);
    setup_free(s);
}
END_TEST

START_TEST(privilege_to_reach_a_tss_is_checked)
{
    struct setup *s = setup_tasks(3);

    assert_fault(s, RUN(s, JMP_B), EXC_GP, TASK_B); /* DPL 0, CPL 3 */
    setup_free(s);
    s = setup_tasks(0);
    assert_fault(s, RUN(s, "\xEA\0\0\0\0\x73\0"), EXC_GP, TASK_B); /* DPL 0, RPL 3 */
    setup_free(s);
    s = setup_compatibility(0);
    assert_fault(s, RUN(s, JMP_B), EXC_GP, TASK_B); /* no task switches in long mode */
    setup_free(s);
}
END_TEST

START_TEST(iret_wants_a_busy_tss_and_calls_its_faults_ts)
{
    static const struct {
        uint16_t link;
        uint32_t error;
    } cases[] = { { TASK_B, TASK_B }, { 0, 0 }, { LOCAL | 4, LOCAL | 4 }, { 0xC0, 0xC0 }, { DATA32_0, DATA32_0 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_tasks(0);

        rflags_write(s->core, RFLAGS_NT | 2);
        poke(s, TSS + LINK, 2, cases[i].link);
        assert_fault(s, TRANSFER(s, "\xCF"), EXC_TS, cases[i].error);
        setup_free(s);
    }
}
END_TEST

/* ---- Faults in the new task ---------------------------------------------------------------------------------- */

/* A field of task B's TSS, the descriptor at FREE, and the fault, whose rIP is the new task's. */
static const struct {
    unsigned field;
    uint16_t selector;
    uint64_t descriptor;
    uint8_t vector;
    uint32_t error;
} bad_states[] = {
    { T_LDT, LOCAL | 4, 0, EXC_TS, LOCAL | 4 },
    { T_LDT, DATA32_0, 0, EXC_TS, DATA32_0 },
    { T_LDT, FREE, 0x0000020060000FFF, EXC_TS, FREE }, /* not present */
    { T_CS, 0, 0, EXC_TS, 0 },
    { T_CS, DATA32_0, 0, EXC_TS, DATA32_0 },
    { T_CS, CODE32_3, 0, EXC_TS, CODE32_3 },           /* DPL 3, RPL 0 */
    { T_CS, FREE, 0x00CF1B000000FFFF, EXC_NP, FREE },
    { T_SS, 0, 0, EXC_TS, 0 },
    { T_SS, DATA32_0 | 3, 0, EXC_TS, DATA32_0 },
    { T_SS, CODE32_0, 0, EXC_TS, CODE32_0 },
    { T_SS, FREE, 0x00CF13000000FFFF, EXC_SS, FREE },
    { T_DS, 0xC0, 0, EXC_TS, 0xC0 },
    { T_ES, DATA32_0 | 3, 0, EXC_TS, DATA32_0 },       /* RPL 3 > DPL 0 */
    { T_FS, FREE, 0x00CF99000000FFFF, EXC_TS, FREE },  /* execute only */
    { T_GS, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
};

START_TEST(a_bad_segment_faults_in_the_new_task)
{
    for (size_t i = 0; i < sizeof(bad_states) / sizeof(bad_states[0]); i++) {
        struct setup *s = setup_tasks(0);

        poke(s, GDT + FREE, 8, bad_states[i].descriptor);
        poke(s, TSS_B + bad_states[i].field, 2, bad_states[i].selector);
        assert_fault(s, TRANSFER(s, JMP_B), bad_states[i].vector, bad_states[i].error);
        assert_hex(s->core->rip, TARGET);
        assert_hex(s->core->gpr[RAX], 0xB0);
        assert_hex(s->core->seg[SEG_TR].selector, TASK_B);
        assert_hex(peek(s, TSS + T_EIP, 4), CODE + 7);
        setup_free(s);
    }
}
END_TEST

START_TEST(an_eip_beyond_the_new_code_segment_is_gp_there)
{
    struct setup *s = setup_tasks(0);

    poke(s, GDT + FREE, 8, entry_of(0, TARGET - 1, 0x49B));
    poke(s, TSS_B + T_CS, 2, FREE);
    assert_fault(s, TRANSFER(s, JMP_B), EXC_GP, 0);
    assert_hex(s->core->seg[SEG_CS].selector, FREE);
    setup_free(s);
}
END_TEST

START_TEST(a_fault_of_the_new_task_is_delivered_from_the_new_task)
{
    struct setup *s = setup_tasks(0);

    set_fault_gates(s);
    poke(s, TSS_B + T_GS, 2, 0xC0);
    assert_handler_error(s, RESOLVE(s, JMP_B), EXC_TS, 0xC0);
    assert_hex(peek(s, STACK_B - 12, 4), TARGET);
    setup_free(s);
}
END_TEST

/* ---- Paging --------------------------------------------------------------------------------------------------- */

#define DIRECTORY_A 0x300000
#define DIRECTORY_B 0x301000

/* 32-bit paging with 4M pages: in A linear 400000h is physical 0, in B it is absent. */
static struct setup *setup_paged_tasks(void)
{
    struct setup *s = setup_tasks(0);

    poke(s, DIRECTORY_A, 4, 0xE7); /* present, writable, user, accessed, dirty, 4M */
    poke(s, DIRECTORY_A + 4, 4, 0xE7);
    poke(s, DIRECTORY_B, 4, 0xE7);
    s->core->cr4 |= CR4_PSE;
    s->core->cr0 |= CR0_PG;
    s->core->cr3 = DIRECTORY_A;
    core_mode_changed(s->core, true);
    poke(s, TSS_B + T_CR3, 4, DIRECTORY_B);
    return s;
}

START_TEST(a_32_bit_task_brings_its_own_cr3_and_flushes)
{
    struct setup *s = setup_paged_tasks();
    uint64_t value;

    poke(s, 0x7000, 4, 0x1234);
    ck_assert_int_eq(linear_read(s->core, 0x407000, 4, MMU_READ, &value), OUTCOME_NEXT);
    ck_assert_int_eq(RESOLVE(s, CALL_B), OUTCOME_NEXT);
    assert_in_task_b(s);
    assert_hex(s->core->cr3, DIRECTORY_B);
    assert_fault(s, linear_read(s->core, 0x407000, 4, MMU_READ, &value), EXC_PF, 0);
    poke(s, TSS + T_CR3, 4, DIRECTORY_A);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->cr3, DIRECTORY_A);
    setup_free(s);
}
END_TEST

START_TEST(a_page_fault_on_a_tss_is_the_old_tasks)
{
    struct setup *s = setup_paged_tasks();

    poke(s, GDT + TASK_B, 8, entry_of(0x800000 + TSS_B, 0x67, 0x089)); /* linear 800000h is absent */
    assert_fault(s, TRANSFER(s, JMP_B), EXC_PF, 0);
    assert_hex(s->core->fault.address, 0x800000 + TSS_B);
    assert_hex(s->core->rip, CODE);
    assert_hex(peek(s, GDT + TASK + 5, 1), 0x8B);
    assert_hex(peek(s, TSS + T_EIP, 4), 0);
    setup_free(s);
}
END_TEST

/* ---- SVM ---------------------------------------------------------------------------------------------------- */

START_TEST(the_task_switch_intercept_tells_how_and_why)
{
    struct setup *s = setup_tasks(0);

    become_guest(s);
    intercept(s, VMEXIT_TASK_SWITCH);
    assert_exit(s, RESOLVE(s, JMP_B), 0x7D, TASK_B, BIT(38));
    assert_exit(s, RESOLVE(s, CALL_B), 0x7D, TASK_B, 0);
    ck_assert(!s->core->svm.delivering_valid);
    assert_hex(s->core->rip, CODE);
    assert_hex(peek(s, GDT + TASK_B + 5, 1), 0x89); /* nothing happened yet */
    poke(s, IDT + EXC_GP * 8, 8, gate_of(TASK_B, 0, 0x85, 0));
    assert_exit(s, deliver_error(s, EXC_GP, 0x18), 0x7D, TASK_B, BIT(44) | BIT(48) | 0x18);
    ck_assert(s->core->svm.delivering_valid && s->core->svm.delivering.vector == EXC_GP);
    s->core->svm.delivering_valid = false;
    rflags_write(s->core, RFLAGS_NT | 2);
    poke(s, TSS + LINK, 2, TASK_B);
    poke(s, GDT + TASK_B + 5, 1, 0x8B);
    assert_exit(s, RESOLVE(s, "\xCF"), 0x7D, TASK_B, BIT(36));
    setup_free(s);
}
END_TEST

START_TEST(a_tss_that_is_not_fit_faults_before_the_intercept)
{
    struct setup *s = setup_tasks(0);

    become_guest(s);
    intercept(s, VMEXIT_TASK_SWITCH);
    poke(s, GDT + TASK_B + 5, 1, 0x8B);
    ck_assert_int_eq(RUN(s, JMP_B), OUTCOME_FAULT);
    setup_free(s);
}
END_TEST

UNIT_TESTS("task", jmp_saves_the_old_task_and_swaps_the_busy_bits,
           call_links_back_and_iret_returns,
           a_task_gate_of_the_gdt_is_as_good_as_the_tss,
           an_exception_through_a_task_gate_pushes_its_error_code_in_the_new_task,
           int_n_through_a_task_gate_returns_behind_the_int,
           a_16_bit_task_takes_and_gives_16_bits,
           the_t_bit_leaves_a_debug_trap_behind,
           a_task_may_run_in_virtual_8086_mode,
           a_tss_that_is_not_fit_is_refused_in_the_old_task,
           the_outgoing_tss_must_hold_the_state,
           privilege_to_reach_a_tss_is_checked,
           iret_wants_a_busy_tss_and_calls_its_faults_ts,
           a_bad_segment_faults_in_the_new_task,
           an_eip_beyond_the_new_code_segment_is_gp_there,
           a_fault_of_the_new_task_is_delivered_from_the_new_task,
           a_32_bit_task_brings_its_own_cr3_and_flushes,
           a_page_fault_on_a_tss_is_the_old_tasks,
           the_task_switch_intercept_tells_how_and_why,
           a_tss_that_is_not_fit_faults_before_the_intercept)
