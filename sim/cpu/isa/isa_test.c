/* SPDX-License-Identifier: MIT */
/* The table about itself: no byte sequence has two rows, and every column says something readable. */
#include <stdio.h>
#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/fake_core.h"
#include "sim/cpu/isa/evidence.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/unit_test.h"

/* Rows of an opcode that accept this ModRM byte, prefix class, REX bits and mode. */
static unsigned accepting(unsigned map, unsigned opcode, unsigned modrm, unsigned prefix, unsigned rex, unsigned mode)
{
    const uint16_t *candidate = &isa_candidates[isa_first_candidate[map][opcode]];
    unsigned count = 0;

    for (; *candidate != ISA_NO_ROW; candidate++) {
        const struct isa_form *form = &isa_forms[*candidate];
        bool memory = modrm < 0xC0;

        ck_assert(form->map == map && form->first <= opcode && opcode <= form->last);
        if (!(form->modes & mode) || !(form->prefixes & prefix))
            continue;
        if (!(form->rexw >> (rex >> 1) & 1) || !(form->rexb >> (rex & 1) & 1))
            continue;
        if (form->modrm && (!(form->regs >> (modrm >> 3 & 7) & 1) || !(form->mods & (memory ? 1 : 2)) ||
                            (!memory && !(form->rms >> (modrm & 7) & 1))))
            continue;
        count++;
    }
    return count;
}

START_TEST(no_two_rows_share_an_encoding)
{
    for (unsigned map = 0; map < 2; map++)
        for (unsigned opcode = 0; opcode < 256; opcode++)
            for (unsigned modrm = 0; modrm < 256; modrm++)
                for (unsigned prefix = ISA_PREFIX_NONE; prefix <= ISA_PREFIX_F2; prefix <<= 1)
                    for (unsigned mode = ISA_IN_REAL_STYLE; mode <= ISA_IN_64BIT; mode <<= 1)
                        for (unsigned rex = 0; rex < (mode == ISA_IN_64BIT ? 4u : 1u); rex++)
                            ck_assert_msg(accepting(map, opcode, modrm, prefix, rex, mode) <= 1,
                                          "map %u opcode %02X modrm %02X prefix %u mode %u", map, opcode, modrm,
                                          prefix, mode);
}
END_TEST

START_TEST(every_row_has_semantics_flags_and_known_faults)
{
    static const char *const faults[] = { "DE", "DB", "BP", "OF", "BR", "UD", "NM", "DF", "TS", "NP",
                                          "SS", "GP", "PF", "MF", "AC", "MC", "XF", "SX" };

    for (unsigned n = 0; n < isa_row_count; n++) {
        const struct isa_row *row = &isa_rows[n];
        char **words = g_strsplit(row->faults, " ", -1);

        ck_assert_ptr_nonnull(row->run);
        ck_assert_msg(strspn(row->flags, "M01-kzsm") == 6, "%s \"%s\": flags %s", row->name, row->encoding, row->flags);
        ck_assert(row->flags[6] == '\0' || row->flags[6] == ' ');
        ck_assert_uint_gt(isa_cost_cycles((enum isa_cost)row->cost), 0);
        for (char **word = words; *word != NULL && row->faults[0] != '\0'; word++) {
            bool known = false;

            for (size_t i = 0; i < G_N_ELEMENTS(faults); i++)
                known |= strcmp(*word, faults[i]) == 0;
            ck_assert_msg(known, "%s \"%s\": fault \"%s\"", row->name, row->encoding, *word);
        }
        g_strfreev(words);
        for (unsigned m = 0; m < n; m++)
            ck_assert_msg(strcmp(row->encoding, isa_rows[m].encoding) || strcmp(row->name, isa_rows[m].name),
                          "%s \"%s\" twice: evidence could not tell them apart", row->name, row->encoding);
    }
}
END_TEST

/* Some complete encoding of the row, zeros behind. */
static void make_bytes(uint8_t bytes[15], const struct isa_form *form)
{
    unsigned at = 0;

    memset(bytes, 0, 15);
    if (!(form->prefixes & ISA_PREFIX_NONE))
        bytes[at++] = form->prefixes & ISA_PREFIX_66 ? 0x66 : form->prefixes & ISA_PREFIX_F3 ? 0xF3 : 0xF2;
    if (!(form->rexw & 1))
        bytes[at++] = 0x48;
    if (!(form->rexb & 1))
        bytes[at++] = 0x41;
    if (form->map)
        bytes[at++] = 0x0F;
    if (form->map == 2) { /* 3DNow!: ModRM, and after it the suffix */
        bytes[at++] = 0x0F;
        bytes[at++] = 0xC0;
    }
    bytes[at++] = form->first;
    if (form->modrm && form->map != 2) /* the longest: SIB and disp32 */
        bytes[at++] = (uint8_t)((form->mods & 1 ? 0x84 : 0xC0 | __builtin_ctz(form->rms)) |
                                __builtin_ctz(form->regs) << 3);
}

START_TEST(every_row_is_reached_and_too_few_bytes_ask_for_more)
{
    for (unsigned n = 0; n < isa_row_count; n++) {
        struct decode_mode mode = { (isa_rows[n].modes & ISA_IN_64BIT) ? 64 : 32, false };
        uint8_t bytes[15];
        struct insn insn;

        make_bytes(bytes, &isa_forms[n]);
        ck_assert_msg(decode(bytes, 15, mode, &insn) == DECODE_OK && insn.row == &isa_rows[n], "%s \"%s\"",
                      isa_rows[n].name, isa_rows[n].encoding);
        for (unsigned size = 0; size < insn.length; size++) {
            struct insn part;

            ck_assert_msg(decode(bytes, size, mode, &part) == DECODE_TRUNCATED, "%s \"%s\": %u of %u bytes",
                          isa_rows[n].name, isa_rows[n].encoding, size, insn.length);
        }
    }
}
END_TEST

START_TEST(rows_of_one_mode_are_invalid_in_the_others)
{
    static const struct decode_mode modes[3] = { { 16, true }, { 32, false }, { 64, false } };
    static const unsigned bits_of[3] = { ISA_IN_REAL_STYLE, ISA_IN_PROTECTED, ISA_IN_64BIT };

    for (unsigned n = 0; n < isa_row_count; n++) {
        if (!(isa_forms[n].rexb & 1) || !(isa_forms[n].rexw & 1))
            continue; /* a REX prefix means something else elsewhere */
        for (unsigned m = 0; m < 3; m++) {
            uint8_t bytes[15];
            struct insn insn;
            enum decode_result result;

            make_bytes(bytes, &isa_forms[n]);
            result = decode(bytes, 15, modes[m], &insn);
            if (isa_rows[n].modes & bits_of[m])
                ck_assert(result == DECODE_OK && insn.row == &isa_rows[n]);
            else
                ck_assert_msg(insn.row != &isa_rows[n], "%s in mode %u", isa_rows[n].name, m);
        }
    }
}
END_TEST

START_TEST(lock_is_accepted_by_lockable_rows_with_a_memory_destination_only)
{
    for (unsigned n = 0; n < isa_row_count; n++) {
        struct decode_mode mode = { (isa_rows[n].modes & ISA_IN_64BIT) ? 64 : 32, false };
        uint8_t bytes[15], locked[16] = { 0xF0 };
        struct insn insn;
        bool allowed;

        make_bytes(bytes, &isa_forms[n]);
        memcpy(locked + 1, bytes, 15);
        allowed = (isa_rows[n].attributes & A_LOCK) && decode(bytes, 15, mode, &insn) == DECODE_OK &&
                  insn.op[0].kind == OPERAND_MEMORY;
        if (isa_rows[n].attributes & A_LOCK_CR8)
            allowed = true; /* the first encoding names CR0 */
        ck_assert_msg((decode(locked, 16, mode, &insn) == DECODE_OK) == allowed, "lock %s \"%s\"", isa_rows[n].name,
                      isa_rows[n].encoding);
    }
}
END_TEST

START_TEST(coverage_names_what_no_evidence_shows)
{
    GString *before = g_string_new(NULL), *after = g_string_new(NULL);
    char *directory = g_dir_make_tmp("isa-evidence-XXXXXX", NULL);
    struct isa_evidence *evidence = isa_evidence_new(directory, "one");
    struct core core = { .fault.vector = EXC_PF };
    struct insn insn = { .row = &isa_rows[0] }; /* add Eb, Gb: retires, #SS #GP #PF */
    unsigned all = isa_coverage(before, directory, NULL);
    char *file = g_build_filename(directory, "one.evidence", NULL);

    ck_assert_uint_gt(all, isa_row_count);
    ck_assert_ptr_nonnull(strstr(before->str, "no test of #PF"));
    isa_evidence_record(evidence, &core, insn.row, OUTCOME_FAULT);
    isa_evidence_record(evidence, &core, insn.row, OUTCOME_FAULT);
    isa_evidence_record(evidence, &core, insn.row, OUTCOME_NEXT);
    ck_assert_uint_eq(isa_coverage(after, directory, NULL), all - 2);
    ck_assert_int_eq(remove(file), 0);
    ck_assert_int_eq(remove(directory), 0);
    ck_assert_uint_eq(isa_coverage(after, directory, NULL), isa_row_count);
    isa_evidence_free(evidence);
    g_free(file);
    g_free(directory);
    g_string_free(before, TRUE);
    g_string_free(after, TRUE);
}
END_TEST

UNIT_TESTS("isa", no_two_rows_share_an_encoding, every_row_has_semantics_flags_and_known_faults,
           every_row_is_reached_and_too_few_bytes_ask_for_more, rows_of_one_mode_are_invalid_in_the_others,
           lock_is_accepted_by_lockable_rows_with_a_memory_destination_only, coverage_names_what_no_evidence_shows)
