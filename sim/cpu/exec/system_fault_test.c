/* SPDX-License-Identifier: MIT */
/*
 * The memory faults of system instructions, row by row: each fault that a row declares is raised once, and
 * leaves registers and segments as they were. The faults of their values are in the tests named after them.
 */
#include "sim/cpu/event/event_setup.h"

#define GOOD 0x7000
#define ABSENT 0x60000

/* ---- Memory operands ------------------------------------------------------------------------------------- */

enum content {
    ANYTHING,
    SELECTOR,    /* at offset 0: a data segment of the current level */
    LDT_SELECTOR,
    TSS_SELECTOR,
    FAR_DATA,    /* offset, then a data selector */
    FAR_CODE,    /* offset, then a code selector */
    TABLE        /* limit and base of the GDT that is in use */
};

struct memory_row {
    const char *opcode;
    uint8_t size, reg;
    enum content content;
    bool is64, cpl0;
};

static const struct memory_row memory_rows[] = {
    { "\x8C", 1, SEG_DS, ANYTHING, true, false },       /* MOV m, DS */
    { "\x8E", 1, SEG_ES, SELECTOR, true, false },
    { "\x8E", 1, SEG_SS, SELECTOR, true, false },
    { "\x8E", 1, SEG_FS, SELECTOR, true, false },
    { "\xC4", 1, 1, FAR_DATA, false, false },           /* LES */
    { "\xC5", 1, 1, FAR_DATA, false, false },           /* LDS */
    { "\x0F\xB2", 2, 1, FAR_DATA, true, false },        /* LSS */
    { "\x0F\xB4", 2, 1, FAR_DATA, true, false },        /* LFS */
    { "\x0F\xB5", 2, 1, FAR_DATA, true, false },        /* LGS */
    { "\xFF", 1, 3, FAR_CODE, true, false },            /* CALL far */
    { "\xFF", 1, 5, FAR_CODE, true, false },            /* JMP far */
    { "\x0F\x01", 2, 4, ANYTHING, true, false },        /* SMSW */
    { "\x0F\x01", 2, 6, ANYTHING, true, true },         /* LMSW */
    { "\x0F\x00", 2, 0, ANYTHING, true, false },        /* SLDT */
    { "\x0F\x00", 2, 1, ANYTHING, true, false },        /* STR */
    { "\x0F\x00", 2, 2, LDT_SELECTOR, true, true },     /* LLDT */
    { "\x0F\x00", 2, 3, TSS_SELECTOR, true, true },     /* LTR */
    { "\x0F\x00", 2, 4, SELECTOR, true, false },        /* VERR */
    { "\x0F\x00", 2, 5, SELECTOR, true, false },        /* VERW */
    { "\x0F\x01", 2, 0, ANYTHING, true, false },        /* SGDT */
    { "\x0F\x01", 2, 1, ANYTHING, true, false },        /* SIDT */
    { "\x0F\x01", 2, 2, TABLE, true, true },            /* LGDT */
    { "\x0F\x01", 2, 3, TABLE, true, true },            /* LIDT */
    { "\x0F\x02", 2, 1, SELECTOR, true, false },        /* LAR */
    { "\x0F\x03", 2, 1, SELECTOR, true, false },        /* LSL */
    { "\x63", 1, 1, SELECTOR, false, false },           /* ARPL */
};
#define MEMORY_ROWS (sizeof(memory_rows) / sizeof(memory_rows[0]))

static void fill(struct setup *s, uint64_t at, enum content content, unsigned cpl, bool is64)
{
    uint16_t data = cpl ? DATA32_3 | 3 : DATA32_0, code = cpl ? CODE32_3 | 3 : CODE32_0;

    if (is64 && content == FAR_CODE)
        code = cpl ? CODE64_3 | 3 : CODE64_0;
    poke(s, at, 2, content == LDT_SELECTOR ? LOCAL : content == TSS_SELECTOR ? TASK_B : data);
    if (content == FAR_DATA || content == FAR_CODE) {
        poke(s, at, 4, 0x9000);
        poke(s, at + 4, 2, content == FAR_DATA ? data : code);
    } else if (content == TABLE) {
        poke(s, at, 2, GDT_BYTES - 1);
        poke(s, at + 2, 8, GDT);
    }
}

static struct setup *setup_row(const struct memory_row *row, unsigned cpl)
{
    struct setup *s = row->is64 ? setup_64(cpl) : setup_compatibility(cpl);

    poke(s, GDT + TASK_B + 8, 8, 0); /* the upper half of a 16-byte descriptor */
    poke(s, GDT + LOCAL + 8, 8, 0);
    set_page(s, ABSENT, 0);
    return s;
}

/* The row with the operand [rBX], or [rBP] for the stack segment. */
static enum outcome run_row(struct setup *s, const struct memory_row *row, uint64_t address, bool stack)
{
    uint8_t code[4] = { 0 };
    unsigned size = row->size;

    memcpy(code, row->opcode, size);
    code[size++] = (uint8_t)((stack ? 0x45 : 0x03) | row->reg << 3);
    if (stack)
        code[size++] = 0;
    s->core->gpr[RBX] = s->core->gpr[RBP] = address;
    return setup_run(s, code, size);
}

static void assert_untouched(struct setup *s, const struct core *before)
{
    ck_assert_mem_eq(s->core->gpr, before->gpr, sizeof(before->gpr));
    ck_assert_mem_eq(s->core->seg, before->seg, sizeof(before->seg));
    ck_assert_mem_eq(&s->core->gdtr, &before->gdtr, sizeof(before->gdtr));
    assert_hex(s->core->rip, before->rip);
    assert_hex(rflags_read(s->core), before->rflags);
}

static void expect(const struct memory_row *row, unsigned cpl, uint8_t vector, uint64_t address, bool stack)
{
    struct setup *s = setup_row(row, cpl);
    struct core before;
    enum outcome outcome;

    if (address < RAM_BYTES && address != ABSENT)
        fill(s, address, row->content, cpl, row->is64);
    if (vector == EXC_AC) {
        s->core->cr0 |= CR0_AM;
        rflags_write(s->core, RFLAGS_AC | 2);
        core_mode_changed(s->core, true);
    }
    if (!row->is64 && (vector == EXC_GP || vector == EXC_SS))
        s->core->seg[stack ? SEG_SS : SEG_DS].limit = GOOD - 1;
    rflags_read(s->core);
    s->core->gpr[RBX] = s->core->gpr[RBP] = address;
    before = *s->core;
    outcome = run_row(s, row, address, stack);
    if (vector == 0) {
        ck_assert_int_eq(outcome, OUTCOME_NEXT);
    } else {
        ck_assert_int_eq(outcome, OUTCOME_FAULT);
        ck_assert_uint_eq(s->core->fault.vector, vector);
        if (vector == EXC_PF)
            assert_hex(s->core->fault.address, ABSENT);
        else
            ck_assert_uint_eq(s->core->fault.error, 0);
        assert_untouched(s, &before);
    }
    setup_free(s);
}

START_TEST(memory_operands_raise_what_the_rows_declare)
{
    const uint64_t hole = UINT64_C(0x0000800000000000); /* not canonical */

    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const struct memory_row *row = &memory_rows[i];
        unsigned cpl = row->cpl0 ? 0 : 3;

        expect(row, cpl, 0, GOOD, false);
        expect(row, cpl, EXC_PF, ABSENT, false);
        expect(row, cpl, EXC_GP, row->is64 ? hole : GOOD, false);
        expect(row, cpl, EXC_SS, row->is64 ? hole : GOOD, true);
        if (!row->cpl0)
            expect(row, cpl, EXC_AC, GOOD + 1, false);
    }
}
END_TEST

START_TEST(a_descriptor_on_an_absent_page_is_a_page_fault)
{
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const struct memory_row *row = &memory_rows[i];
        struct setup *s;

        if (row->content == ANYTHING || row->content == TABLE || row->opcode[0] == 0x63)
            continue;
        s = setup_row(row, row->cpl0 ? 0 : 3);
        fill(s, GOOD, row->content, row->cpl0 ? 0 : 3, row->is64);
        s->core->gdtr.base = ABSENT;
        ck_assert_int_eq(run_row(s, row, GOOD, false), OUTCOME_FAULT);
        ck_assert_uint_eq(s->core->fault.vector, EXC_PF);
        ck_assert_uint_eq(s->core->fault.error, 0); /* a supervisor read, whatever the CPL */
        setup_free(s);
    }
}
END_TEST

START_TEST(segments_that_are_not_present_are_np)
{
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        const struct memory_row *row = &memory_rows[i];
        bool far_pointer = row->content == FAR_DATA || row->content == FAR_CODE;
        struct setup *s;

        if (!far_pointer && (row->content != SELECTOR || row->opcode[0] != '\x8E'))
            continue;
        s = setup_row(row, 0);
        poke(s, GDT + FREE, 8, row->content == FAR_CODE ? 0x00AF1B000000FFFF : 0x00CF13000000FFFF);
        fill(s, GOOD, row->content, 0, row->is64);
        poke(s, GOOD + (far_pointer ? 4 : 0), 2, FREE);
        assert_fault(s, run_row(s, row, GOOD, false),
                     (row->reg == SEG_SS && !far_pointer) || row->opcode[1] == '\xB2' ? EXC_SS : EXC_NP, FREE);
        setup_free(s);
    }
}
END_TEST

/* ---- The stack --------------------------------------------------------------------------------------------- */

struct stack_row {
    const char *code;
    uint8_t size;
    bool is64, pops;
    bool stack_segment; /* POP SS */
};

static const struct stack_row stack_rows[] = {
    { "\x06", 1, false, false, false },     { "\x0E", 1, false, false, false },
    { "\x16", 1, false, false, false },     { "\x1E", 1, false, false, false },
    { "\x0F\xA0", 2, true, false, false },  { "\x0F\xA8", 2, true, false, false },
    { "\x07", 1, false, true, false },      { "\x17", 1, false, true, true },
    { "\x1F", 1, false, true, false },      { "\x0F\xA1", 2, true, true, false },
    { "\x0F\xA9", 2, true, true, false },
};

/* Far calls and returns, which find a good code selector on the stack. */
static const struct stack_row far_rows[] = {
    { "\x9A\x00\x90\x00\x00\x1B\x00", 7, false, false, false },
    { "\xCA\x08\x00", 3, false, true, false },
    { "\xCB", 1, false, true, false },
    { "\xCF", 1, false, true, false },
};

static void expect_stack(const struct stack_row *row, uint8_t vector, uint16_t selector)
{
    struct setup *s = row->is64 ? setup_64(3) : setup_compatibility(3);
    struct core *core = s->core, before;
    unsigned width = row->is64 ? 8 : 4;
    enum outcome outcome;

    poke(s, GDT + FREE, 8, row->code[0] == '\xCA' || row->code[0] == '\xCB' || row->code[0] == '\xCF'
                               ? 0x00CF7B000000FFFF : 0x00CF73000000FFFF); /* DPL 3, not present */
    set_page(s, ABSENT, 0);
    core->gpr[RSP] = vector == EXC_PF ? ABSENT + (row->pops ? 0 : width) : vector == EXC_AC ? STACK - 3 : STACK;
    if (vector == EXC_SS && row->is64)
        core->gpr[RSP] = UINT64_C(0x0000800000000000) + (row->pops ? 0 : width);
    else if (vector == EXC_SS)
        core->seg[SEG_SS].limit = 0x1000;
    if (vector == EXC_AC) {
        core->cr0 |= CR0_AM;
        rflags_write(core, RFLAGS_AC | 2);
        core_mode_changed(core, true);
    }
    poke(s, STACK, 4, row->size > 1 && !row->is64 ? 0x9000 : selector);
    if (row->code[0] == '\xCB' || row->code[0] == '\xCF')
        poke(s, STACK, 4, 0x9000);
    if (row->code[0] >= '\xCA' && row->code[0] <= '\xCF')
        poke(s, STACK + 4, 4, selector);
    before = *core;
    outcome = setup_transfer(s, row->code, row->size);
    ck_assert_int_eq(outcome, vector ? OUTCOME_FAULT : OUTCOME_NEXT);
    if (vector) {
        ck_assert_uint_eq(core->fault.vector, vector);
        ck_assert_mem_eq(core->gpr, before.gpr, sizeof(before.gpr));
        ck_assert_mem_eq(core->seg, before.seg, sizeof(before.seg));
    }
    setup_free(s);
}

START_TEST(pushes_and_pops_of_segments_raise_what_the_rows_declare)
{
    for (size_t i = 0; i < sizeof(stack_rows) / sizeof(stack_rows[0]); i++) {
        const struct stack_row *row = &stack_rows[i];

        expect_stack(row, 0, DATA32_3 | 3);
        expect_stack(row, EXC_SS, DATA32_3 | 3);
        expect_stack(row, EXC_PF, DATA32_3 | 3);
        expect_stack(row, EXC_AC, DATA32_3 | 3);
        if (row->pops) {
            expect_stack(row, EXC_GP, 0xC3);
            expect_stack(row, row->stack_segment ? EXC_SS : EXC_NP, FREE | 3);
        }
    }
}
END_TEST

START_TEST(far_calls_and_returns_raise_what_the_rows_declare)
{
    for (size_t i = 0; i < sizeof(far_rows) / sizeof(far_rows[0]); i++) {
        const struct stack_row *row = &far_rows[i];

        expect_stack(row, 0, CODE32_3 | 3);
        expect_stack(row, EXC_SS, CODE32_3 | 3);
        expect_stack(row, EXC_PF, CODE32_3 | 3);
        expect_stack(row, EXC_AC, CODE32_3 | 3);
        if (row->pops) {
            expect_stack(row, EXC_GP, 0xC3);
            expect_stack(row, EXC_NP, FREE | 3);
        }
    }
}
END_TEST

/* ---- Software interrupts ------------------------------------------------------------------------------------ */

/* What is wrong with the way to the handler, in long mode with IST stacks. */
static void expect_delivery(const char *code, unsigned size, unsigned number, uint8_t vector)
{
    struct setup *s = setup_compatibility(0);
    bool ts = vector == EXC_TS, stack = vector == EXC_SS || vector == EXC_PF;

    set_fault_gates(s);
    set_page(s, ABSENT, 0);
    poke(s, TSS + 0x2C, 8, vector == EXC_SS ? UINT64_C(0x0000800000000000) : ABSENT + 0x1000); /* IST 2 */
    set_gate_ist(s, number, CODE64_0, vector == EXC_NP ? 0x0E : vector == EXC_GP ? 0x8C : 0x8E,
                 ts ? 7 : stack ? 2 : 1);
    if (ts)
        s->core->seg[SEG_TR].limit = 0x53; /* IST7 is at 054 */
    rflags_write(s->core, RFLAGS_OF | 2);
    assert_handler(s, setup_resolve(s, code, size), vector ? vector : number);
    setup_free(s);
}

START_TEST(software_interrupts_raise_what_their_delivery_runs_into)
{
    static const struct {
        const char *code;
        uint8_t size, number;
    } rows[] = { { "\xCC", 1, EXC_BP }, { "\xCD\x40", 2, 0x40 }, { "\xCE", 1, EXC_OF }, { "\xF1", 1, EXC_DB } };
    static const uint8_t vectors[] = { 0, EXC_GP, EXC_NP, EXC_TS, EXC_SS, EXC_PF };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t n = 0; n < sizeof(vectors); n++)
            expect_delivery(rows[i].code, rows[i].size, rows[i].number, vectors[n]);
}
END_TEST

/* ---- What is left -------------------------------------------------------------------------------------------- */

START_TEST(a_direct_far_jump_reads_its_descriptor)
{
    struct setup *s = setup_compatibility(0);

    s->core->gdtr.base = ABSENT;
    set_page(s, ABSENT, 0);
    assert_fault(s, RUN(s, "\xEA\x00\x90\x00\x00\x08\x00"), EXC_PF, 0);
    assert_hex(s->core->fault.address, ABSENT + 8);
    setup_free(s);
}
END_TEST

START_TEST(a_far_jump_through_memory_reaches_tasks_too)
{
    struct setup *s = setup_protected(0);

    poke(s, GOOD + 4, 2, TASK_B);
    s->core->gpr[RAX] = GOOD;
    poke(s, TSS_B + 0x20, 4, 0x9000);
    poke(s, TSS_B + 0x4C, 2, CODE32_0);
    poke(s, TSS_B + 0x50, 2, FREE);
    poke(s, GDT + FREE, 8, 0x00CF13000000FFFF);
    assert_fault(s, TRANSFER(s, "\xFF\x28"), EXC_SS, FREE); /* the new task's stack is not present */
    setup_free(s);
    s = setup_protected(0);
    poke(s, GOOD + 4, 2, TASK_B);
    s->core->gpr[RAX] = GOOD;
    poke(s, GDT + TASK_B, 2, 0x66); /* too short */
    assert_fault(s, TRANSFER(s, "\xFF\x28"), EXC_TS, TASK_B);
    setup_free(s);
}
END_TEST

START_TEST(general_detect_covers_writes)
{
    struct setup *s = setup_64(0);

    s->core->dr7 |= BIT(13);
    assert_fault(s, RUN(s, "\x0F\x23\xC0"), EXC_DB, 0);
    assert_hex(s->core->fault.address, BIT(13));
    setup_free(s);
}
END_TEST

UNIT_TESTS("system_fault", memory_operands_raise_what_the_rows_declare,
           a_descriptor_on_an_absent_page_is_a_page_fault,
           segments_that_are_not_present_are_np,
           pushes_and_pops_of_segments_raise_what_the_rows_declare,
           far_calls_and_returns_raise_what_the_rows_declare,
           software_interrupts_raise_what_their_delivery_runs_into,
           a_direct_far_jump_reads_its_descriptor,
           a_far_jump_through_memory_reaches_tasks_too,
           general_detect_covers_writes)
