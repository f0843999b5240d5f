/* SPDX-License-Identifier: MIT */
/* Control, debug and table registers, fast system calls, INVLPG (APM2 3.1, 6.1, 13.1; APM3); fact sheet 3.11. */
#include "sim/cpu/event/event_setup.h"
#include "sim/cpu/exec/debug.h"

#define MOV_CR(n) ((const uint8_t[]){ 0x0F, 0x22, (uint8_t)(0xC0 | (n) << 3) })  /* MOV CRn, rAX */
#define MOV_FROM_CR(n) ((const uint8_t[]){ 0x0F, 0x20, (uint8_t)(0xC0 | (n) << 3) })
#define MOV_DR(n) ((const uint8_t[]){ 0x0F, 0x23, (uint8_t)(0xC0 | (n) << 3) })
#define MOV_FROM_DR(n) ((const uint8_t[]){ 0x0F, 0x21, (uint8_t)(0xC0 | (n) << 3) })

static enum outcome mov_cr(struct setup *s, unsigned n, uint64_t value)
{
    s->core->gpr[RAX] = value;
    return setup_run(s, MOV_CR(n), 3);
}

static enum outcome mov_dr(struct setup *s, unsigned n, uint64_t value)
{
    s->core->gpr[RAX] = value;
    return setup_run(s, MOV_DR(n), 3);
}

/* ---- Control registers ------------------------------------------------------------------------------------- */

/* From 64-bit mode at CPL 0; true: accepted. */
static const struct {
    unsigned reg;
    uint64_t value;
    bool legal;
} values[] = {
    { 0, 0x80010001, true },
    { 0, UINT64_C(0x180010001), false },           /* bits 63:32 */
    { 0, 0x80010000, false },                      /* PG without PE */
    { 0, 0xA0010001, false },                      /* NW without CD */
    { 0, 0xE0010001, true },
    { 0, 0x00010001, false },                      /* 64-bit code cannot leave long mode */
    { 2, UINT64_MAX, true },
    { 3, UINT64_C(0x0000FFFFFFFFF018), true },
    { 3, UINT64_C(0x0001000000000000), false },    /* 48 physical bits */
    { 4, 0x7FF, true },
    { 4, 0x800, false },                           /* bits 63:11 (fact sheet 4.1) */
    { 4, UINT64_C(0x100000020), false },
    { 4, 0, false },                               /* PAE cannot be cleared in long mode */
    { 8, 0xF, true },
    { 8, 0x10, false },
};

START_TEST(control_register_values_are_checked)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct setup *s = setup_64(0);
        enum outcome outcome;

        s->core->gpr[RAX] = values[i].value;
        outcome = values[i].reg == 8 ? RUN(s, "\x44\x0F\x22\xC0") : setup_run(s, MOV_CR(values[i].reg), 3);
        if (values[i].legal)
            ck_assert_int_eq(outcome, OUTCOME_NEXT);
        else
            assert_fault(s, outcome, EXC_GP, 0);
        setup_free(s);
    }
}
END_TEST

START_TEST(control_registers_that_do_not_exist_are_ud_even_at_cpl_3)
{
    static const uint8_t absent[] = { 1, 5, 6, 7 };
    struct setup *s = setup_64(3);

    for (unsigned i = 0; i < sizeof(absent); i++) {
        assert_fault(s, setup_run(s, MOV_CR(absent[i]), 3), EXC_UD, 0);
        assert_fault(s, setup_run(s, MOV_FROM_CR(absent[i]), 3), EXC_UD, 0);
    }
    assert_fault(s, RUN(s, "\x44\x0F\x22\xC8"), EXC_UD, 0); /* CR9 */
    assert_fault(s, mov_cr(s, 0, 0x80010001), EXC_GP, 0);
    assert_fault(s, setup_run(s, MOV_FROM_CR(0), 3), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(reads_give_back_what_was_written)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(mov_cr(s, 2, UINT64_C(0x123456789)), OUTCOME_NEXT);
    ck_assert_int_eq(setup_run(s, MOV_FROM_CR(2), 3), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RAX], UINT64_C(0x123456789));
    ck_assert_int_eq(mov_cr(s, 0, 0x80010001 | BIT(6) | BIT(15)), OUTCOME_NEXT);
    assert_hex(s->core->cr0, 0x80010011); /* reserved bits read 0, ET reads 1 */
    s->core->gpr[RAX] = 9;
    ck_assert_int_eq(RUN(s, "\x44\x0F\x22\xC0"), OUTCOME_NEXT);
    assert_hex(s->core->tpr, 0x90); /* CR8 is TPR[7:4] */
    s->core->gpr[RAX] = 0;
    ck_assert_int_eq(RUN(s, "\xF0\x0F\x20\xC0"), OUTCOME_NEXT); /* LOCK MOV RAX, CR0 = CR8 */
    assert_hex(s->core->gpr[RAX], 9);
    setup_free(s);
}
END_TEST

START_TEST(enabling_paging_with_lme_enters_long_mode_and_back)
{
    struct setup *s = setup_protected(0);

    setup_page_tables(s);
    s->core->efer = EFER_LME;
    s->core->cr3 = TABLES;
    assert_fault(s, mov_cr(s, 0, 0x80000001), EXC_GP, 0); /* PAE is needed */
    s->core->cr4 = CR4_PAE;
    ck_assert_int_eq(mov_cr(s, 0, 0x80000001), OUTCOME_NEXT);
    ck_assert(s->core->efer & EFER_LMA);
    ck_assert_int_eq(s->core->mode, MODE_COMPATIBILITY);
    ck_assert_int_eq(mov_cr(s, 0, 1), OUTCOME_NEXT);
    ck_assert(!(s->core->efer & EFER_LMA));
    ck_assert_int_eq(s->core->mode, MODE_PROTECTED);
    s->core->seg[SEG_CS].attr |= BIT(ATTR_L);
    assert_fault(s, mov_cr(s, 0, 0x80000001), EXC_GP, 0); /* CS.L = 1 */
    setup_free(s);
}
END_TEST

START_TEST(legacy_pae_loads_and_checks_the_pdptes)
{
    struct setup *s = setup_protected(0);
    struct core *core = s->core;

    for (unsigned i = 0; i < 4; i++)
        poke(s, 0x5000 + 8 * i, 8, 0x5001 + 0x1000 * i);
    core->cr4 = CR4_PAE;
    core->cr3 = 0x5000;
    poke(s, 0x5008, 8, 0x6001 | BIT(1)); /* bits 2:1 are reserved (APM2 5.2.3) */
    assert_fault(s, mov_cr(s, 0, 0x80000001), EXC_GP, 0);
    assert_hex(core->cr0 & CR0_PG, 0);
    poke(s, 0x5008, 8, 0x6001);
    ck_assert_int_eq(mov_cr(s, 0, 0x80000001), OUTCOME_NEXT);
    assert_hex(core->pdpte[3], 0x8001);
    poke(s, 0x7000 + 8, 8, 0xFFFF000000000001); /* a second table, its second entry bad */
    assert_fault(s, mov_cr(s, 3, 0x7000), EXC_GP, 0);
    assert_hex(core->cr3, 0x5000);
    assert_hex(core->pdpte[1], 0x6001);
    become_guest(s);
    core->svm.np_enable = true; /* read by each walk instead (APM2 15.25.10) */
    ck_assert_int_eq(mov_cr(s, 3, 0x7000), OUTCOME_NEXT);
    assert_hex(core->pdpte[1], 0x6001);
    setup_free(s);
}
END_TEST

START_TEST(lmsw_sets_four_bits_and_never_clears_pe)
{
    struct setup *s = setup_protected(0);

    s->core->cr0 |= CR0_TS | CR0_EM;
    s->core->gpr[RAX] = 0xFFF2; /* MP; not PE, EM, TS */
    ck_assert_int_eq(RUN(s, "\x0F\x01\xF0"), OUTCOME_NEXT);
    assert_hex(s->core->cr0, CR0_PE | CR0_MP | CR0_ET);
    ck_assert_int_eq(RUN(s, "\x0F\x01\xE1"), OUTCOME_NEXT); /* SMSW ECX */
    assert_hex(s->core->gpr[RCX], CR0_PE | CR0_MP | CR0_ET);
    s->core->cr0 |= CR0_TS;
    ck_assert_int_eq(RUN(s, "\x0F\x06"), OUTCOME_NEXT);
    assert_hex(s->core->cr0, CR0_PE | CR0_MP | CR0_ET);
    setup_free(s);
    s = setup_64(3);
    assert_fault(s, RUN(s, "\x0F\x01\xF0"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\x0F\x06"), EXC_GP, 0);
    ck_assert_int_eq(RUN(s, "\x48\x0F\x01\xE1"), OUTCOME_NEXT); /* SMSW is for everybody */
    assert_hex(s->core->gpr[RCX], s->core->cr0);
    setup_free(s);
}
END_TEST

/* ---- Debug registers --------------------------------------------------------------------------------------- */

START_TEST(debug_registers_keep_their_fixed_bits)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(mov_dr(s, 0, UINT64_C(0x8000000000001234)), OUTCOME_NEXT);
    assert_hex(s->core->dr[0], UINT64_C(0x8000000000001234));
    ck_assert_int_eq(mov_dr(s, 6, 0xFFFFFFFF), OUTCOME_NEXT);
    assert_hex(s->core->dr6, 0xFFFFEFFF); /* bit 12 is 0; 31:16 and 11:4 are 1 (APM2 13.1.1.3) */
    ck_assert_int_eq(mov_dr(s, 6, 0), OUTCOME_NEXT);
    assert_hex(s->core->dr6, 0xFFFF0FF0);
    ck_assert_int_eq(mov_dr(s, 7, 0xFFFFDFFF), OUTCOME_NEXT); /* all but GD */
    assert_hex(s->core->dr7, 0xFFFF07FF);
    ck_assert_int_eq(setup_run(s, MOV_FROM_DR(7), 3), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RAX], 0xFFFF07FF);
    assert_fault(s, mov_dr(s, 6, UINT64_C(0x100000000)), EXC_GP, 0);
    assert_fault(s, mov_dr(s, 7, UINT64_C(0x100000000)), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(dr4_and_dr5_are_aliases_unless_de)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(mov_dr(s, 4, 0x4000), OUTCOME_NEXT);
    assert_hex(s->core->dr6, 0xFFFF4FF0);
    s->core->cr4 |= CR4_DE;
    assert_fault(s, mov_dr(s, 4, 0), EXC_UD, 0);
    assert_fault(s, setup_run(s, MOV_FROM_DR(5), 3), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x44\x0F\x23\xC0"), EXC_UD, 0); /* DR8 */
    setup_free(s);
    s = setup_64(3);
    assert_fault(s, setup_run(s, MOV_FROM_DR(7), 3), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(general_detect_raises_db_and_tells_dr6)
{
    struct setup *s = setup_64(0);

    set_fault_gates(s);
    s->core->dr7 |= DR7_GD;
    assert_handler(s, event_resolve(s->core, setup_run(s, MOV_FROM_DR(0), 3)), EXC_DB);
    assert_hex(s->core->dr6, 0xFFFF2FF0);
    assert_hex(peek(s, STACK_IST - 40, 8), CODE); /* a fault */
    ck_assert_int_eq(setup_run(s, MOV_FROM_DR(0), 3), OUTCOME_NEXT);
    setup_free(s);
}
END_TEST

/* ---- Descriptor tables ----------------------------------------------------------------------------------------- */

START_TEST(table_registers_load_and_store_by_mode)
{
    struct setup *s = setup_64(0);

    s->core->gpr[RBX] = 0x7000;
    poke(s, 0x7000, 2, 0x1234);
    poke(s, 0x7002, 8, UINT64_C(0xFFFF800012345678));
    ck_assert_int_eq(RUN(s, "\x0F\x01\x1B"), OUTCOME_NEXT); /* LIDT [RBX] */
    assert_hex(s->core->idtr.limit, 0x1234);
    assert_hex(s->core->idtr.base, UINT64_C(0xFFFF800012345678));
    s->core->gpr[RBX] = 0x7100;
    ck_assert_int_eq(RUN(s, "\x0F\x01\x0B"), OUTCOME_NEXT); /* SIDT [RBX] */
    assert_hex(peek(s, 0x7102, 8), UINT64_C(0xFFFF800012345678));
    poke(s, 0x7102, 8, UINT64_C(0x0000800000000000));
    assert_fault(s, RUN(s, "\x0F\x01\x13"), EXC_GP, 0); /* LGDT, not canonical */
    assert_hex(s->core->gdtr.base, GDT);
    setup_free(s);

    s = setup_protected(0);
    s->core->gpr[RBX] = 0x7000;
    poke(s, 0x7000, 2, 0x1234);
    poke(s, 0x7002, 4, 0x89ABCDEF);
    ck_assert_int_eq(RUN(s, "\x0F\x01\x1B"), OUTCOME_NEXT);
    assert_hex(s->core->idtr.base, 0x89ABCDEF);
    ck_assert_int_eq(RUN(s, "\x66\x0F\x01\x1B"), OUTCOME_NEXT);
    assert_hex(s->core->idtr.base, 0xABCDEF); /* 24 bits with a 16-bit operand */
    setup_free(s);
    s = setup_64(3);
    s->core->gpr[RBX] = 0x7000;
    assert_fault(s, RUN(s, "\x0F\x01\x1B"), EXC_GP, 0);
    ck_assert_int_eq(RUN(s, "\x0F\x01\x03"), OUTCOME_NEXT); /* SGDT is for everybody */
    setup_free(s);
}
END_TEST

/* LLDT AX and LTR AX: what the selector names at FREE (16 bytes), and the fault. */
static const struct {
    bool is64, ltr;
    uint16_t selector;
    uint64_t low, high;
    uint8_t vector;
    uint32_t error;
} table_loads[] = {
    { true, false, 0, 0, 0, 0, 0 },
    { true, false, FREE, 0x0000820060000FFF, 0x1234, 0, 0 },
    { true, false, FREE | 4, 0x0000820060000FFF, 0, EXC_GP, FREE | 4 },
    { true, false, 0xC0, 0, 0, EXC_GP, 0xC0 },
    { true, false, FREE, 0x0000890060000FFF, 0, EXC_GP, FREE },
    { true, false, FREE, 0x0000020060000FFF, 0, EXC_NP, FREE },
    { true, false, FREE, 0x0000820060000FFF, 0x0000010000000000, EXC_GP, FREE },
    { true, false, FREE, 0x0000820060000FFF, 0x00008000, EXC_GP, FREE },
    { true, true, 0, 0, 0, EXC_GP, 0 },
    { true, true, FREE, 0x0000890030000067, 0, 0, 0 },
    { true, true, FREE, 0x00008B0030000067, 0, EXC_GP, FREE },  /* busy */
    { true, true, FREE, 0x0000810030000067, 0, EXC_GP, FREE },  /* 16-bit, in long mode */
    { false, true, FREE, 0x0000810030000067, 0, 0, 0 },
    { true, true, FREE | 4, 0x0000890030000067, 0, EXC_GP, FREE | 4 },
    { true, true, FREE, 0x0000090030000067, 0, EXC_NP, FREE },
    { true, true, FREE, 0x0000890030000067, 0x0000010000000000, EXC_GP, FREE },
};

START_TEST(lldt_and_ltr_check_the_descriptor)
{
    for (size_t i = 0; i < sizeof(table_loads) / sizeof(table_loads[0]); i++) {
        struct setup *s = table_loads[i].is64 ? setup_64(0) : setup_protected(0);
        enum outcome outcome;

        poke(s, GDT + FREE, 8, table_loads[i].low);
        poke(s, GDT + FREE + 8, 8, table_loads[i].high);
        s->core->gpr[RAX] = table_loads[i].selector;
        outcome = table_loads[i].ltr ? RUN(s, "\x0F\x00\xD8") : RUN(s, "\x0F\x00\xD0");
        if (table_loads[i].vector) {
            assert_fault(s, outcome, table_loads[i].vector, table_loads[i].error);
        } else {
            ck_assert_int_eq(outcome, OUTCOME_NEXT);
            assert_hex(s->core->seg[table_loads[i].ltr ? SEG_TR : SEG_LDTR].selector, table_loads[i].selector);
        }
        if (table_loads[i].ltr && !table_loads[i].vector)
            assert_hex(peek(s, GDT + FREE + 5, 1) & 2, 2); /* busy now */
        setup_free(s);
    }
}
END_TEST

START_TEST(lldt_takes_a_64_bit_base_and_a_null_ldtr_has_no_entries)
{
    struct setup *s = setup_64(0);

    poke(s, GDT + FREE, 8, 0x0000820060000FFF);
    poke(s, GDT + FREE + 8, 8, 0xFFFF8123);
    s->core->gpr[RAX] = FREE;
    ck_assert_int_eq(RUN(s, "\x0F\x00\xD0"), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_LDTR].base, UINT64_C(0xFFFF812300006000));
    ck_assert_int_eq(RUN(s, "\x0F\x00\xC1"), OUTCOME_NEXT); /* SLDT ECX */
    assert_hex(s->core->gpr[RCX], FREE);
    ck_assert_int_eq(RUN(s, "\x0F\x00\xC9"), OUTCOME_NEXT); /* STR ECX */
    assert_hex(s->core->gpr[RCX], TASK);
    s->core->gpr[RAX] = 0;
    ck_assert_int_eq(RUN(s, "\x0F\x00\xD0"), OUTCOME_NEXT);
    s->core->gpr[RAX] = 0x0C;
    assert_fault(s, RUN(s, "\x8E\xD8"), EXC_GP, 0x0C);
    setup_free(s);
    s = setup_real();
    assert_fault(s, RUN(s, "\x0F\x00\xC1"), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x0F\x00\xD8"), EXC_UD, 0);
    setup_free(s);
}
END_TEST

/* ---- System calls -------------------------------------------------------------------------------------------- */

START_TEST(syscall_and_sysret_in_64_bit_mode)
{
    struct setup *s = setup_64(3);
    struct core *core = s->core;

    core->star = UINT64_C(0x0020000800000000); /* SYSRET base 20h, SYSCALL base 08h */
    core->lstar = UINT64_C(0xFFFF800000001000);
    core->sfmask = RFLAGS_IF | RFLAGS_TF;
    rflags_write(core, RFLAGS_IF | RFLAGS_TF | RFLAGS_CF | RFLAGS_RF | 2);
    ck_assert_int_eq(RUN(s, "\x0F\x05"), OUTCOME_NEXT);
    assert_hex(core->gpr[RCX], CODE + 2);
    assert_hex(core->gpr[R11], RFLAGS_IF | RFLAGS_TF | RFLAGS_CF | 2);
    assert_hex(core->rip, UINT64_C(0xFFFF800000001000));
    assert_hex(rflags_read(core), RFLAGS_CF | 2);
    assert_hex(core->seg[SEG_CS].selector, 0x08);
    assert_hex(core->seg[SEG_SS].selector, 0x10);
    assert_hex(core->cpl, 0);
    ck_assert_int_eq(core->mode, MODE_64BIT);
    core->seg[SEG_SS].attr = 0x123;
    ck_assert_int_eq(RUN(s, "\x48\x0F\x07"), OUTCOME_NEXT);
    assert_hex(core->rip, CODE + 2);
    assert_hex(core->seg[SEG_CS].selector, 0x33);
    assert_hex(core->seg[SEG_SS].selector, 0x2B);
    assert_hex(core->seg[SEG_SS].attr, 0x123); /* left alone on AMD processors */
    assert_hex(core->cpl, 3);
    assert_hex(rflags_read(core), RFLAGS_IF | RFLAGS_TF | RFLAGS_CF | 2);
    setup_free(s);
}
END_TEST

START_TEST(syscall_from_compatibility_mode_goes_to_cstar_and_sysretd_back)
{
    struct setup *s = setup_compatibility(3);
    struct core *core = s->core;

    core->star = UINT64_C(0x0023000800000000);
    core->cstar = 0x123000;
    ck_assert_int_eq(RUN(s, "\x0F\x05"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x123000);
    ck_assert_int_eq(core->mode, MODE_64BIT);
    core->gpr[RCX] = UINT64_C(0xFFFFFFFF00009000);
    ck_assert_int_eq(RUN(s, "\x0F\x07"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x9000);
    assert_hex(core->seg[SEG_CS].selector, 0x23);
    ck_assert_int_eq(core->mode, MODE_COMPATIBILITY);
    setup_free(s);
}
END_TEST

START_TEST(legacy_syscall_uses_star_and_clears_if)
{
    struct setup *s = setup_protected(3);
    struct core *core = s->core;

    core->efer = EFER_SCE;
    core->star = UINT64_C(0x0018000812345678);
    core->sfmask = UINT32_MAX; /* of no effect in legacy mode */
    rflags_write(core, RFLAGS_IF | RFLAGS_CF | 2);
    ck_assert_int_eq(RUN(s, "\x0F\x05"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x12345678);
    assert_hex(core->gpr[RCX], CODE + 2);
    assert_hex(rflags_read(core), RFLAGS_CF | 2);
    ck_assert_int_eq(RUN(s, "\x0F\x07"), OUTCOME_NEXT);
    assert_hex(core->rip, CODE + 2);
    assert_hex(rflags_read(core), RFLAGS_IF | RFLAGS_CF | 2);
    assert_hex(core->cpl, 3);
    setup_free(s);
}
END_TEST

START_TEST(system_call_faults)
{
    struct setup *s = setup_64(3);

    assert_fault(s, RUN(s, "\x0F\x07"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\x0F\x01\xF8"), EXC_GP, 0); /* SWAPGS */
    s->core->efer &= ~EFER_SCE;
    assert_fault(s, RUN(s, "\x0F\x05"), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x0F\x07"), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x0F\x34"), EXC_UD, 0); /* SYSENTER and SYSEXIT: not in long mode (AMD) */
    assert_fault(s, RUN(s, "\x0F\x35"), EXC_UD, 0);
    setup_free(s);
    s = setup_protected(3);
    assert_fault(s, RUN(s, "\x0F\x34"), EXC_GP, 0); /* SYSENTER_CS is null */
    s->core->sysenter_cs = 8;
    assert_fault(s, RUN(s, "\x0F\x35"), EXC_GP, 0); /* CPL 3 */
    setup_free(s);
    s = setup_real();
    s->core->sysenter_cs = 8;
    assert_fault(s, RUN(s, "\x0F\x34"), EXC_GP, 0);
    s->core->efer = EFER_SCE;
    assert_fault(s, RUN(s, "\x0F\x07"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\x0F\x01\xF8"), EXC_UD, 0);
    setup_free(s);
}
END_TEST

START_TEST(sysenter_and_sysexit_in_legacy_mode)
{
    struct setup *s = setup_protected(3);
    struct core *core = s->core;

    core->sysenter_cs = 0x08;
    core->sysenter_eip = 0x9000;
    core->sysenter_esp = 0x18000;
    ck_assert_int_eq(RUN(s, "\x0F\x34"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x9000);
    assert_hex(core->gpr[RSP], 0x18000);
    assert_hex(core->cpl, 0);
    assert_hex(core->seg[SEG_SS].selector, 0x10);
    assert_hex(rflags_read(core), 2);
    core->gpr[RCX] = 0x1E000;
    core->gpr[RDX] = 0x8800;
    ck_assert_int_eq(RUN(s, "\x0F\x35"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x8800);
    assert_hex(core->gpr[RSP], 0x1E000);
    assert_hex(core->seg[SEG_CS].selector, 0x1B);
    assert_hex(core->seg[SEG_SS].selector, 0x23);
    assert_hex(core->cpl, 3);
    setup_free(s);
}
END_TEST

START_TEST(swapgs_exchanges_the_bases)
{
    struct setup *s = setup_64(0);

    s->core->seg[SEG_GS].base = 0x1111;
    s->core->kernel_gs_base = UINT64_C(0xFFFF800000000000);
    ck_assert_int_eq(RUN(s, "\x0F\x01\xF8"), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_GS].base, UINT64_C(0xFFFF800000000000));
    assert_hex(s->core->kernel_gs_base, 0x1111);
    setup_free(s);
}
END_TEST

/* ---- TLB ------------------------------------------------------------------------------------------------------- */

START_TEST(invlpg_forgets_one_translation)
{
    struct setup *s = setup_64(0);
    uint64_t value;

    poke(s, 0x10000, 8, 0x1111);
    poke(s, 0x20000, 8, 0x2222);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    poke(s, TABLES + 0x3000 + 8 * 0x10, 8, 0x20067); /* behind the TLB's back */
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    assert_hex(value, 0x1111);
    s->core->gpr[RAX] = 0x10010;
    ck_assert_int_eq(RUN(s, "\x0F\x01\x38"), OUTCOME_NEXT);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    assert_hex(value, 0x2222);
    s->core->gpr[RAX] = UINT64_C(0x0000800000000000);
    ck_assert_int_eq(RUN(s, "\x0F\x01\x38"), OUTCOME_NEXT); /* not canonical: nothing happens */
    setup_free(s);
    s = setup_64(3);
    assert_fault(s, RUN(s, "\x0F\x01\x38"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\x0F\x08"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\x0F\x09"), EXC_GP, 0);
    setup_free(s);
}
END_TEST

/* A page's entry changes behind the TLB's back; does the access after `bytes` still see the old frame? */
static bool survives(const char *bytes, unsigned size, uint64_t rax, bool global)
{
    struct setup *s = setup_64(0);
    uint64_t value = 0;

    s->core->cr4 |= CR4_PGE;
    core_mode_changed(s->core, true);
    set_page(s, 0x10000, global ? 0x167 : 0x67);
    poke(s, 0x10000, 8, 0x1111);
    poke(s, 0x20000, 8, 0x2222);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    poke(s, TABLES + 0x3000 + 8 * 0x10, 8, 0x20167);
    s->core->gpr[RAX] = rax;
    ck_assert_int_eq(setup_run(s, bytes, size), OUTCOME_NEXT);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    setup_free(s);
    return value == 0x1111;
}

START_TEST(control_register_writes_flush_what_the_manual_says)
{
    ck_assert(survives("\x90", 1, 0, false));
    ck_assert(!survives("\x0F\x22\xD8", 3, TABLES, false));        /* MOV CR3 */
    ck_assert(survives("\x0F\x22\xD8", 3, TABLES, true));          /* global pages stay (APM2 5.5.2) */
    ck_assert(!survives("\x0F\x22\xE0", 3, CR4_PAE, true));        /* PGE changes: they go too */
    ck_assert(survives("\x0F\x22\xE0", 3, CR4_PAE | CR4_PGE | CR4_DE, false));
    ck_assert(!survives("\x0F\x22\xE0", 3, CR4_PAE | CR4_PGE | CR4_PSE, true));
    ck_assert(survives("\x0F\x22\xC0", 3, 0x80000011, false));     /* CR0.WP changes: nothing goes */
}
END_TEST

START_TEST(turning_paging_off_and_on_flushes)
{
    struct setup *s = setup_compatibility(0);
    uint64_t value;

    poke(s, 0x10000, 8, 0x1111);
    poke(s, 0x20000, 8, 0x2222);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    poke(s, TABLES + 0x3000 + 8 * 0x10, 8, 0x20067);
    ck_assert_int_eq(mov_cr(s, 0, 1), OUTCOME_NEXT);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    assert_hex(value, 0x1111); /* physical now */
    ck_assert_int_eq(mov_cr(s, 0, 0x80000001), OUTCOME_NEXT);
    ck_assert_int_eq(linear_read(s->core, 0x10000, 8, MMU_READ, &value), OUTCOME_NEXT);
    assert_hex(value, 0x2222);
    setup_free(s);
}
END_TEST

UNIT_TESTS("system", control_register_values_are_checked,
           control_registers_that_do_not_exist_are_ud_even_at_cpl_3,
           reads_give_back_what_was_written,
           enabling_paging_with_lme_enters_long_mode_and_back,
           legacy_pae_loads_and_checks_the_pdptes,
           lmsw_sets_four_bits_and_never_clears_pe,
           debug_registers_keep_their_fixed_bits,
           dr4_and_dr5_are_aliases_unless_de,
           general_detect_raises_db_and_tells_dr6,
           table_registers_load_and_store_by_mode,
           lldt_and_ltr_check_the_descriptor,
           lldt_takes_a_64_bit_base_and_a_null_ldtr_has_no_entries,
           syscall_and_sysret_in_64_bit_mode,
           syscall_from_compatibility_mode_goes_to_cstar_and_sysretd_back,
           legacy_syscall_uses_star_and_clears_if,
           system_call_faults,
           sysenter_and_sysexit_in_legacy_mode,
           swapgs_exchanges_the_bases,
           invlpg_forgets_one_translation,
           control_register_writes_flush_what_the_manual_says,
           turning_paging_off_and_on_flushes)
