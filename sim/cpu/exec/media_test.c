/* SPDX-License-Identifier: MIT */
/* Placeholders of x87 and media instructions: decoded, checked, reported, refused. */
#include "sim/cpu/exec/exec_setup.h"

/* Some encoding of the row. */
static void make_bytes(uint8_t bytes[15], const struct isa_form *form)
{
    unsigned at = 0, reg = (unsigned)__builtin_ctz(form->regs);

    memset(bytes, 0, 15);
    if (!(form->prefixes & ISA_PREFIX_NONE))
        bytes[at++] = form->prefixes & ISA_PREFIX_66 ? 0x66 : form->prefixes & ISA_PREFIX_F3 ? 0xF3 : 0xF2;
    if (form->map)
        bytes[at++] = 0x0F;
    bytes[at++] = form->first;
    if (form->modrm)
        bytes[at++] = (uint8_t)((form->mods & 1 ? 0x03 : 0xC0) | reg << 3 | __builtin_ctz(form->rms));
}

START_TEST(every_placeholder_respects_ts_and_em_and_reports_itself)
{
    struct setup *s = setup_new();
    unsigned rows = 0;

    for (unsigned number = 0; number < isa_row_count; number++) {
        bool x87 = isa_forms[number].map == 0;
        uint8_t bytes[15];

        if (!(isa_rows[number].attributes & A_UNMODELLED))
            continue;
        make_bytes(bytes, &isa_forms[number]);
        setup_64(s, 3);
        s->core.cr0 |= CR0_TS;
        ck_assert_int_eq(setup_run(s, bytes, 15), OUTCOME_FAULT);
        ck_assert(s->insn.row == &isa_rows[number]);
        ck_assert_uint_eq(s->core.fault.vector, EXC_NM);
        s->core.cr0 = (s->core.cr0 & ~CR0_TS) | CR0_EM;
        ck_assert_int_eq(setup_run(s, bytes, 15), OUTCOME_FAULT);
        ck_assert_uint_eq(s->core.fault.vector, x87 ? EXC_NM : EXC_UD);
        ck_assert_uint_eq(unmodelled_total(s->core.unmodelled), rows);
        s->core.cr0 &= ~CR0_EM;
        ck_assert_int_eq(setup_run(s, bytes, 15), OUTCOME_FAULT);
        ck_assert_uint_eq(s->core.fault.vector, EXC_UD);
        ck_assert_uint_eq(unmodelled_total(s->core.unmodelled), ++rows);
    }
    ck_assert_uint_gt(rows, 5);
    setup_free(s);
}
END_TEST

START_TEST(wait_faults_only_with_both_mp_and_ts)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    assert_retires(s, "\x9B");
    s->core.cr0 |= CR0_TS;
    assert_retires(s, "\x9B");
    s->core.rip = SETUP_RIP;
    s->core.cr0 |= CR0_MP;
    assert_faults(s, "\x9B", EXC_NM);
    setup_free(s);
}
END_TEST

UNIT_TESTS("media", every_placeholder_respects_ts_and_em_and_reports_itself,
           wait_faults_only_with_both_mp_and_ts)
