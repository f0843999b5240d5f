/* SPDX-License-Identifier: MIT */
/* When the intercepts of system instructions are tested: before and after which faults (fact sheet 3.11). */
#include "sim/cpu/event/event_setup.h"

#define ABSENT 0x60000 /* a page that is not there; rBX points to it */

/*
 * Instructions whose semantics test the intercept, in 64-bit mode. The memory operand [rBX] lies on an
 * absent page and rAX is 0, so that whatever would read or write it faults: the intercept must win.
 */
static const struct {
    const char *bytes;
    unsigned size, code;
    bool cpl0; /* #GP(0) at CPL 3 comes before the intercept; else CPL 3 exits too */
} exits[] = {
    { "\x0F\x20\xC0", 3, 0x000, true },      /* MOV RAX, CR0 */
    { "\x0F\x20\xD0", 3, 0x002, true },
    { "\x0F\x20\xD8", 3, 0x003, true },
    { "\x0F\x20\xE0", 3, 0x004, true },
    { "\x44\x0F\x20\xC0", 4, 0x008, true },  /* MOV RAX, CR8 */
    { "\xF0\x0F\x20\xC0", 4, 0x008, true },  /* LOCK MOV RAX, CR0 */
    { "\x0F\x22\xD0", 3, 0x012, true },      /* MOV CR2, RAX */
    { "\x0F\x22\xD8", 3, 0x013, true },
    { "\x44\x0F\x22\xC0", 4, 0x018, true },
    { "\xF0\x0F\x22\xC0", 4, 0x018, true },
    { "\x0F\x21\xC0", 3, 0x020, true },      /* MOV RAX, DR0 */
    { "\x0F\x21\xF0", 3, 0x026, true },
    { "\x0F\x21\xE0", 3, 0x024, true },      /* by its own number: DR4 */
    { "\x0F\x23\xC8", 3, 0x031, true },
    { "\x0F\x23\xF8", 3, 0x037, true },
    { "\x0F\x06", 2, 0x010, true },          /* CLTS */
    { "\x0F\x01\x33", 3, 0x010, true },      /* LMSW [RBX] */
    { "\x0F\x01\x23", 3, 0x000, false },     /* SMSW [RBX] */
    { "\x0F\x01\x0B", 3, 0x066, false },     /* SIDT */
    { "\x0F\x01\x03", 3, 0x067, false },     /* SGDT */
    { "\x0F\x00\x03", 3, 0x068, false },     /* SLDT */
    { "\x0F\x00\x0B", 3, 0x069, false },     /* STR */
    { "\x0F\x01\x1B", 3, 0x06A, true },      /* LIDT */
    { "\x0F\x01\x13", 3, 0x06B, true },      /* LGDT */
    { "\x0F\x00\x13", 3, 0x06C, true },      /* LLDT */
    { "\x0F\x00\x1B", 3, 0x06D, true },      /* LTR */
    { "\x0F\x01\x3B", 3, 0x079, true },      /* INVLPG */
    { "\x0F\x08", 2, 0x076, true },          /* INVD */
    { "\x0F\x09", 2, 0x089, true },          /* WBINVD */
};

static struct setup *setup_guest(unsigned cpl)
{
    struct setup *s = setup_64(cpl);

    become_guest(s);
    s->core->gpr[RBX] = ABSENT;
    set_page(s, ABSENT, 0);
    return s;
}

START_TEST(each_intercept_is_taken_before_memory_is_touched)
{
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct setup *s = setup_guest(0);
        struct core before;

        intercept(s, exits[i].code);
        before = *s->core;
        assert_exit(s, setup_run(s, exits[i].bytes, exits[i].size), exits[i].code, 0, 0);
        assert_hex(s->core->rip, CODE);
        ck_assert_mem_eq(s->core->gpr, before.gpr, sizeof(before.gpr));
        assert_hex(s->core->cr0, before.cr0);
        assert_hex(s->core->cr3, before.cr3);
        setup_free(s);
    }
}
END_TEST

START_TEST(an_intercept_that_is_not_set_is_not_taken)
{
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct setup *s = setup_guest(0);

        memset(s->core->svm.intercept, 0xFF, sizeof(s->core->svm.intercept));
        s->core->svm.intercept[exits[i].code >> 5] &= ~(1u << (exits[i].code & 31));
        if (exits[i].code == VMEXIT_CR0_WRITE) /* the selective one would do instead */
            s->core->svm.intercept[VMEXIT_CR0_SEL_WRITE >> 5] &= ~(1u << (VMEXIT_CR0_SEL_WRITE & 31));
        ck_assert_int_ne(setup_run(s, exits[i].bytes, exits[i].size), OUTCOME_VMEXIT);
        setup_free(s);
    }
}
END_TEST

START_TEST(the_privilege_check_comes_first)
{
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct setup *s = setup_guest(3);

        intercept(s, exits[i].code);
        if (exits[i].cpl0)
            assert_fault(s, setup_run(s, exits[i].bytes, exits[i].size), EXC_GP, 0);
        else
            assert_exit(s, setup_run(s, exits[i].bytes, exits[i].size), exits[i].code, 0, 0);
        setup_free(s);
    }
}
END_TEST

START_TEST(illegal_values_fault_before_the_intercept)
{
    static const struct {
        const char *bytes;
        unsigned size;
        uint64_t rax;
        uint8_t vector;
    } cases[] = {
        { "\x0F\x22\xC0", 3, 0x80000000, EXC_GP },              /* CR0.PG without PE */
        { "\x0F\x22\xD8", 3, UINT64_C(1) << 48, EXC_GP },       /* CR3 beyond 48 bits */
        { "\x0F\x22\xE0", 3, 0x1020, EXC_GP },                  /* CR4, a reserved bit */
        { "\x44\x0F\x22\xC0", 4, 16, EXC_GP },                  /* CR8 above 15 */
        { "\x0F\x23\xF8", 3, UINT64_C(1) << 32, EXC_GP },       /* DR7[63:32] */
        { "\x0F\x22\xC8", 3, 0, EXC_UD },                       /* CR1 */
        { "\x44\x0F\x23\xC0", 4, 0, EXC_UD },                   /* DR8 */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_guest(0);

        s->core->svm.intercept[0] = s->core->svm.intercept[1] = ~0u;
        s->core->gpr[RAX] = cases[i].rax;
        ck_assert_int_eq(setup_run(s, cases[i].bytes, cases[i].size), OUTCOME_FAULT);
        ck_assert_uint_eq(s->core->fault.vector, cases[i].vector);
        setup_free(s);
    }
}
END_TEST

START_TEST(general_detect_comes_before_the_intercept)
{
    struct setup *s = setup_guest(0);

    s->core->svm.intercept[1] = ~0u;
    s->core->dr7 |= BIT(13);
    assert_fault(s, RUN(s, "\x0F\x21\xC0"), EXC_DB, 0);
    setup_free(s);
}
END_TEST

/* MOV CR0 alone is selective by value: any bit but TS and MP (APM2 15.8.1). */
START_TEST(the_selective_cr0_intercept_looks_at_the_change)
{
    static const struct {
        uint64_t flip;
        bool full, exits;
        uint64_t code;
    } cases[] = {
        { 0, false, false, 0 },          { CR0_TS, false, false, 0 },
        { CR0_MP, false, false, 0 },     { CR0_TS | CR0_MP, false, false, 0 },
        { CR0_WP, false, true, 0x065 },  { CR0_EM, false, true, 0x065 },
        { CR0_TS | CR0_AM, false, true, 0x065 },
        { CR0_TS, true, true, 0x010 },   { CR0_WP, true, true, 0x010 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_guest(0);

        intercept(s, VMEXIT_CR0_SEL_WRITE);
        if (cases[i].full)
            intercept(s, VMEXIT_CR0_WRITE);
        s->core->gpr[RAX] = s->core->cr0 ^ cases[i].flip;
        if (cases[i].exits)
            assert_exit(s, RUN(s, "\x0F\x22\xC0"), cases[i].code, 0, 0);
        else
            ck_assert_int_eq(RUN(s, "\x0F\x22\xC0"), OUTCOME_NEXT);
        setup_free(s);
    }
}
END_TEST

START_TEST(lmsw_is_always_selective_and_clts_never)
{
    struct setup *s = setup_guest(0);

    intercept(s, VMEXIT_CR0_SEL_WRITE);
    s->core->gpr[RAX] = s->core->cr0;
    assert_exit(s, RUN(s, "\x0F\x01\xF0"), 0x065, 0, 0); /* LMSW AX, no change */
    ck_assert_int_eq(RUN(s, "\x0F\x06"), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

START_TEST(mov_cr3_exits_before_the_pdptes_are_looked_at)
{
    struct setup *s = setup_protected(0);

    become_guest(s);
    s->core->cr0 |= CR0_PG;
    s->core->cr4 = CR4_PAE;
    poke(s, 0x7000, 8, UINT64_MAX);
    s->core->gpr[RAX] = 0x7000;
    intercept(s, VMEXIT_CR0_WRITE + 3);
    assert_exit(s, RUN(s, "\x0F\x22\xD8"), 0x013, 0, 0);
    s->core->svm.intercept[0] = 0;
    assert_fault(s, RUN(s, "\x0F\x22\xD8"), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(cr8_goes_to_tpr_and_v_tpr_as_masking_says)
{
    struct setup *s = setup_guest(0);
    struct core *core = s->core;

    core->tpr = 0x5A;
    core->svm.v_tpr = 3;
    ck_assert_int_eq(RUN(s, "\x44\x0F\x20\xC0"), OUTCOME_NEXT);
    assert_hex(core->gpr[RAX], 5); /* V_INTR_MASKING = 0: the real TPR */
    core->gpr[RAX] = 9;
    ck_assert_int_eq(RUN(s, "\x44\x0F\x22\xC0"), OUTCOME_NEXT);
    assert_hex(core->tpr, 0x90); /* both, and TPR[3:0] is cleared */
    assert_hex(core->svm.v_tpr, 9);
    core->svm.v_intr_masking = true;
    core->gpr[RAX] = 2;
    ck_assert_int_eq(RUN(s, "\x44\x0F\x22\xC0"), OUTCOME_NEXT);
    assert_hex(core->tpr, 0x90);
    assert_hex(core->svm.v_tpr, 2);
    ck_assert_int_eq(RUN(s, "\x44\x0F\x20\xC1"), OUTCOME_NEXT);
    assert_hex(core->gpr[RCX], 2);
    setup_free(s);
}
END_TEST

/* The interpreter tests these before the semantics run; the table tells it which. */
START_TEST(the_table_names_what_exits_before_all_exceptions)
{
    static const struct {
        const char *bytes;
        unsigned size, code;
    } early[] = {
        { "\x9C", 1, VMEXIT_PUSHF }, { "\x9D", 1, VMEXIT_POPF }, { "\xCF", 1, VMEXIT_IRET },
        { "\xCD\x80", 2, VMEXIT_SWINT }, { "\xF1", 1, VMEXIT_ICEBP },
    };
    struct decode_mode mode = { .code_bits = 32 };
    struct insn insn;

    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        ck_assert_int_eq(decode((const uint8_t *)early[i].bytes, early[i].size, mode, &insn), DECODE_OK);
        ck_assert_int_eq(insn.row->intercept.stage, ISA_STAGE_PRE);
        assert_hex(insn.row->intercept.code, early[i].code);
    }
}
END_TEST

UNIT_TESTS("system_intercept", each_intercept_is_taken_before_memory_is_touched,
           an_intercept_that_is_not_set_is_not_taken,
           the_privilege_check_comes_first,
           illegal_values_fault_before_the_intercept,
           general_detect_comes_before_the_intercept,
           the_selective_cr0_intercept_looks_at_the_change,
           lmsw_is_always_selective_and_clts_never,
           mov_cr3_exits_before_the_pdptes_are_looked_at,
           cr8_goes_to_tpr_and_v_tpr_as_masking_says,
           the_table_names_what_exits_before_all_exceptions)
