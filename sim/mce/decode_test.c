/* SPDX-License-Identifier: MIT */
/* Words and syndromes against fact sheet 5.3 to 5.5 and 5.8. */
#include "sim/mce/mce.h"
#include "sim/unit_test.h"

#include <string.h>

static void says(unsigned bank, uint64_t status, uint64_t addr, const char *words)
{
    g_autoptr(GString) out = g_string_new(NULL);

    mca_decode(out, bank, status, addr);
    ck_assert_str_eq(out->str, words);
}

START_TEST(a_status_is_told_in_the_manuals_words)
{
    /* Erratum 383's signature (fact sheet 5.5). */
    says(0, UINT64_C(0xB600000000010015), 0xFFF000,
         "MC0 DC: uncorrected TLB multimatch, processor context corrupt, address FFF000; TLB, data, L1");
    /* 9400_4000_0008_0000h | syndrome E821 (bit 0 of D0) | 0813h (fact sheet 5.5, DRAM ECC). */
    says(4, UINT64_C(0x9400400000080813) | ecc_status(0xE821), 0x12340,
         "MC4 NB: corrected DRAM ECC error, address 12340, syndrome E821 (symbol D0, bits 1); "
         "bus, source, read, memory, L3 or generic");
    says(5, MCA_VAL | MCA_UC | MCA_EN | MCA_ADDRV | MCA_PCC | MCA_OVER | 0x0F0F, 0x401000,
         "MC5 FR: uncorrected CPU watchdog timer expired, overflow, processor context corrupt, address 401000; "
         "bus, generic, generic, generic, L3 or generic, timeout");
    says(3, MCA_VAL | MCA_UC | MCA_ADDRV | 0x0833, 0x42, "MC3 LS: uncorrected system data read error of a load (not "
         "enabled), address 42; bus, source, data read, memory, L3 or generic");
    says(1, 0, 0, "MC1 IC: no error");
}
END_TEST

/* Each row of signatures.def names an error that words.def knows; a name stands once. */
START_TEST(every_named_error_has_words_and_its_own_name)
{
    const struct mca_signature *row;

    for (unsigned i = 0; (row = mca_signature_at(i)) != NULL; i++) {
        ck_assert_msg(strcmp(mca_error_words(row->bank, row->status), "unknown error") != 0, "%s", row->name);
        ck_assert_ptr_eq(mca_signature_find(row->name), row);
        ck_assert_msg(((row->status & MCA_ADDRV) != 0) == (row->address != NULL), "%s", row->name);
        ck_assert_msg(bit(mca_bank_rows[row->bank].ctl, row->ctl), "%s", row->name);
        ck_assert_msg(!(row->status & MCA_CECC) || !(row->status & (MCA_UC | MCA_UECC)), "%s", row->name);
    }
    ck_assert_ptr_null(mca_signature_find("DRAM"));
}
END_TEST

/* BKDG10 table 79 says so: corrects any error inside a symbol, detects any in two. */
START_TEST(one_symbol_is_found_and_two_are_not_mistaken_for_one)
{
    for (unsigned symbol = 0; symbol < 36; symbol++) {
        for (unsigned wrong = 1; wrong < 16; wrong++) {
            struct ecc_mask mask = { { 0, 0 }, 0 };
            unsigned found;

            if (symbol < 32)
                mask.data[symbol / 16] = (uint64_t)wrong << 4 * (symbol % 16);
            else
                mask.check = (uint16_t)(wrong << 4 * (symbol - 32));
            ck_assert_int_eq(ecc_symbol(ecc_syndrome(&mask), &found), (int)symbol);
            ck_assert_uint_eq(found, wrong);
            for (unsigned second = symbol + 1; second < 36; second++) {
                struct ecc_mask two = mask;

                if (second < 32)
                    two.data[second / 16] |= (uint64_t)wrong << 4 * (second % 16);
                else
                    two.check |= (uint16_t)(wrong << 4 * (second - 32));
                ck_assert_int_eq(ecc_symbol(ecc_syndrome(&two), &found), -1);
            }
        }
    }
}
END_TEST

START_TEST(syndromes_are_the_tables)
{
    const struct ecc_mask d0_bit0 = { { 1, 0 }, 0 }, d31_bit3 = { { 0, BIT(63) }, 0 }, c3_bits = { { 0, 0 }, 0x3000 };
    unsigned wrong;

    ck_assert_uint_eq(ecc_syndrome(&d0_bit0), 0xE821);
    ck_assert_uint_eq(ecc_syndrome(&d31_bit3), 0x2E58);
    ck_assert_uint_eq(ecc_syndrome(&c3_bits), 0x7621 ^ 0x9B32);
    ck_assert_int_eq(ecc_symbol(0, &wrong), -1);
    ck_assert_uint_eq(ecc_status(0xE821), UINT64_C(0x21) << 47 | UINT64_C(0xE8) << 24);
}
END_TEST

UNIT_TESTS("decode", a_status_is_told_in_the_manuals_words, every_named_error_has_words_and_its_own_name,
           one_symbol_is_found_and_two_are_not_mistaken_for_one, syndromes_are_the_tables)
