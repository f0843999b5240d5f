/* SPDX-License-Identifier: MIT */
/* The text format of Linux mce-inject, by the examples and the SPEC file that come with it. */
#include "sim/mce/mce.h"
#include "sim/unit_test.h"

#include <string.h>

static GArray *parsed(const char *text)
{
    GError *error = NULL;
    GArray *records = mca_text_parse(text, strlen(text), &error);

    ck_assert_msg(records != NULL, "%s", error ? error->message : "");
    return records;
}

static const struct mca_text_record *record_of(const GArray *records, guint i)
{
    ck_assert_uint_lt(i, records->len);
    return &g_array_index(records, struct mca_text_record, i);
}

START_TEST(records_are_read_field_by_field)
{
    GArray *records = parsed("# comment\nCPU 1 BANK 4\nSTATUS UNCORRECTED 0x080813 ADDR 0x1234\nMCGSTATUS MCIP RIPV\n"
                             "cpu 0 2 status corrected misc 017 TSC 1 TIME 2 PROCESSOR 2:0x100f23\n"
                             "RIP 0x10:<0xffffffff81000000> {main} nobroadcast in_irq");
    const struct mca_text_record *first = record_of(records, 0), *second = record_of(records, 1);

    ck_assert_uint_eq(records->len, 2);
    ck_assert_uint_eq(first->core, 1);
    ck_assert_uint_eq(first->error.bank, 4);
    ck_assert_uint_eq(first->error.status, MCA_VAL | MCA_UC | MCA_EN | MCA_ADDRV | 0x080813);
    ck_assert_uint_eq(first->error.addr, 0x1234);
    ck_assert_uint_eq(first->error.raise, MCA_RAISE_PENDING | MCA_RAISE_IMPRECISE); /* RIPV, not EIPV */
    ck_assert_uint_eq(second->core, 0);
    ck_assert_uint_eq(second->error.bank, 2);
    ck_assert_uint_eq(second->error.status, MCA_VAL | MCA_EN | MCA_MISCV);
    ck_assert_uint_eq(second->error.misc, 15);
    ck_assert_uint_eq(second->error.raise, 0);
    g_array_unref(records);
}
END_TEST

START_TEST(a_kernels_panic_line_is_a_record)
{
    GArray *records = parsed("CPU 3: Machine Check Exception: 4 Bank 4: 0xb200000000070f0f\nTSC 0x1234 ADDR 0x10");
    const struct mca_text_record *record = record_of(records, 0);

    ck_assert_uint_eq(record->core, 3);
    ck_assert_uint_eq(record->error.bank, 4);
    ck_assert_uint_eq(record->error.status, UINT64_C(0xb200000000070f0f) | MCA_ADDRV);
    ck_assert_uint_eq(record->error.raise, MCA_RAISE_PENDING | MCA_RAISE_IMPRECISE | MCA_RAISE_EVENT_LOST);
    g_array_unref(records);
}
END_TEST

START_TEST(what_is_no_such_file_gets_one_line)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        { "", "line 1: no record; MCE or CPU n starts one" },
        { "CPU 0\nBANK 6\n", "line 2: no bank '6'; 0 to 5 are right on Family 10h" },
        { "CPU 0 BANK 4 HOLD", "line 1: cannot do 'HOLD'; records are injected at once, in the order of the file" },
        { "BANK 4", "line 1: found 'BANK'; a record starts with MCE or CPU" },
        { "CPU 0 ADDR", "line 1: the file ends; a number is right here" },
        { "CPU 0 ADDR 12x", "line 1: not a number: '12x'; 0x1f, 037 and 31 are" },
        { "CPU 0\nFOO 3", "line 2: found 'FOO'; a record starts with MCE or CPU" },
        { "CPU 0 ;", "line 1: unexpected character ';'; keywords and numbers of mce-inject are right" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;

        ck_assert_ptr_null(mca_text_parse(cases[i].text, strlen(cases[i].text), &error));
        ck_assert_str_eq(error->message, cases[i].line);
        g_clear_error(&error);
    }
}
END_TEST

UNIT_TESTS("mce_text", records_are_read_field_by_field, a_kernels_panic_line_is_a_record,
           what_is_no_such_file_gets_one_line)
