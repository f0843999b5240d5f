/* SPDX-License-Identifier: MIT */
/*
 * The decoder against capstone: same length, mnemonic and operands, for encodings made from every row and for
 * random bytes. Known differences are lines of capstone.list, each with its reason; one that no longer
 * happens fails the test too.
 *
 *     row   NAME "ENCODING" WHAT  reason     WHAT: length, name, operands, invalid (capstone rejects it)
 *     name  OURS THEIRS           reason
 *     extra THEIRS                reason     capstone decodes it, Family 10h does not
 *     group NAME                  reason     the same for a whole group of capstone's
 *
 *     case  NAME                  reason     a situation that is no property of a row; the conditions are below
 */
#include <capstone/capstone.h>
#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/fake_core.h"
#include "sim/cpu/decode/name.h"
#include "sim/cpu/isa/capstone_operands_test.h"
#include "sim/unit_test.h"

struct exception {
    char **word;   /* the line, by shell quoting */
    bool used;
};

static GPtrArray *exceptions;
static csh handle[3]; /* 16, 32, 64 */
static const uint8_t bits_of[3] = { 16, 32, 64 };
static unsigned failures;
static GHashTable *complaints;
static GString *ours_text, *theirs_text;
static unsigned failures_printed, failures_before;

/* ---- The list ------------------------------------------------------------------------------------------ */

static void read_exceptions(void)
{
    const char *top = g_getenv("top_srcdir");
    char *file = g_build_filename(top ? top : ".", "sim/cpu/isa/capstone.list", NULL), *text;
    char **lines;

    ck_assert_msg(g_file_get_contents(file, &text, NULL, NULL), "cannot read %s", file);
    lines = g_strsplit(text, "\n", -1);
    exceptions = g_ptr_array_new();
    for (char **line = lines; *line != NULL; line++) {
        struct exception *exception;
        char **word;

        if (**line == '\0' || **line == '#')
            continue;
        ck_assert_msg(g_shell_parse_argv(*line, NULL, &word, NULL), "capstone.list: %s", *line);
        ck_assert_msg(g_strv_length(word) >= 3, "capstone.list: a reason is missing: %s", *line);
        exception = g_new0(struct exception, 1);
        exception->word = word;
        g_ptr_array_add(exceptions, exception);
    }
    g_strfreev(lines);
    g_free(text);
    g_free(file);
}

static bool excepted(const char *kind, const char *a, const char *b, const char *c)
{
    for (guint i = 0; i < exceptions->len; i++) {
        struct exception *e = g_ptr_array_index(exceptions, i);

        if (strcmp(e->word[0], kind) == 0 && strcmp(e->word[1], a) == 0 && (!b || strcmp(e->word[2], b) == 0) &&
            (!c || strcmp(e->word[3], c) == 0)) {
            e->used = true;
            return true;
        }
    }
    return false;
}

/* ---- Comparison --------------------------------------------------------------------------------------- */

static void complain(const char *what, const uint8_t *bytes, unsigned mode, const struct insn *insn,
                     const cs_insn *theirs)
{
    GString *line = g_string_new(NULL);
    char *key = g_strdup_printf("%s|%s|%s|%s", what, insn ? insn->row->name : "", insn ? insn->row->encoding : "",
                                theirs ? theirs->mnemonic : "");

    failures++;
    if (!g_hash_table_add(complaints, key)) /* one line of each kind is enough */
        return;
    failures_printed++;
    for (unsigned i = 0; i < 15; i++)
        g_string_append_printf(line, "%02X ", bytes[i]);
    fprintf(stderr, "# %s: %u-bit %s ours %s \"%s\" length %u, capstone %s %s length %u\n", what, bits_of[mode],
            line->str, insn ? insn->row->name : "invalid", insn ? insn->row->encoding : "", insn ? insn->length : 0,
            theirs ? theirs->mnemonic : "invalid", theirs ? theirs->op_str : "", theirs ? theirs->size : 0);
    g_string_free(line, TRUE);
}

/* capstone prints prefixes in front of the mnemonic. */
static const char *bare(const cs_insn *theirs)
{
    const char *space = strrchr(theirs->mnemonic, ' ');

    return space ? space + 1 : theirs->mnemonic;
}

/* Of the second opcode map, and minding CR0.TS. */
static bool is_media(const struct isa_row *row)
{
    return isa_forms[row - isa_rows].map != 0 && strstr(row->faults, "NM") != NULL;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xF0 || byte == 0xF2 || byte == 0xF3 || (byte & 0xE7) == 0x26 ||
           (byte & 0xFE) == 0x64;
}

/* The first byte behind prefixes and REX. */
static uint8_t first_opcode(const uint8_t *bytes, unsigned mode)
{
    unsigned at = 0;

    while (at < 14 && (is_prefix(bytes[at]) || (mode == 2 && (bytes[at] & 0xF0) == 0x40)))
        at++;
    return bytes[at];
}

/* 66, F2 or F3 in front of another prefix. */
static bool prefixes_pile_up(const uint8_t *bytes, unsigned mode)
{
    for (unsigned at = 0; at < 13 && (is_prefix(bytes[at]) || (mode == 2 && (bytes[at] & 0xF0) == 0x40)); at++)
        if ((bytes[at] == 0x66 || bytes[at] == 0xF2 || bytes[at] == 0xF3) &&
            (is_prefix(bytes[at + 1]) || (mode == 2 && (bytes[at + 1] & 0xF0) == 0x40 && is_prefix(bytes[at + 2]))))
            return true;
    return false;
}

static bool phantom_66(unsigned mode, const struct insn *insn)
{
    return mode == 2 && insn->operand_size == 8 && insn->address_size == 4;
}

#define AT 0x1000 /* where the bytes are said to stand */

/* Only where mnemonic (or its other spelling) and length agree: else a line has given the reason already. */
static void compare_operands(const uint8_t *bytes, unsigned mode, const struct insn *insn, const cs_insn *theirs)
{
    const struct isa_row *row = insn->row;

    operands_ours(ours_text, insn, bits_of[mode], AT);
    operands_capstone(theirs_text, handle[mode], theirs, insn, bits_of[mode]);
    if (strcmp(ours_text->str, theirs_text->str) == 0 || excepted("row", row->name, row->encoding, "operands"))
        return;
    complain("row operands", bytes, mode, insn, theirs);
    if (failures_before != failures_printed)
        fprintf(stderr, "#     ours %s, capstone %s\n", ours_text->str, theirs_text->str);
    failures_before = failures_printed;
}

static void compare_valid(const uint8_t *bytes, unsigned mode, const struct insn *insn, const cs_insn *theirs)
{
    const struct isa_row *row = insn->row;
    char name[32];

    if (theirs != NULL && theirs->size == insn->length && prefixes_pile_up(bytes, mode) &&
        excepted("case", "prefixes-pile-up", NULL, NULL))
        return;
    if (is_media(row) && mode == 0 && (theirs == NULL || theirs->size == insn->length) &&
        excepted("case", "media-in-16-bit-code", NULL, NULL))
        return;
    if (is_media(row) && phantom_66(mode, insn) && (theirs == NULL || theirs->size == insn->length) &&
        excepted("case", "media-with-67-and-rexw", NULL, NULL))
        return;
    if (theirs == NULL) {
        if (!excepted("row", row->name, row->encoding, "invalid"))
            complain("row invalid", bytes, mode, insn, NULL);
        return;
    }
    isa_mnemonic(insn, name, sizeof(name));
    if (row->attributes & A_UNMODELLED) /* stands for many mnemonics */
        g_strlcpy(name, bare(theirs), sizeof(name));
    if (theirs->size != insn->length && !excepted("row", row->name, row->encoding, "length"))
        complain("row length", bytes, mode, insn, theirs);
    if (strcmp(bare(theirs), name) != 0 && !excepted("name", name, bare(theirs), NULL)) {
        if (!excepted("row", row->name, row->encoding, "name"))
            complain("row name", bytes, mode, insn, theirs);
    } else if (theirs->size == insn->length) {
        compare_operands(bytes, mode, insn, theirs);
    }
}

/* Some row of this opcode is a media instruction. */
static bool media_opcode(const struct insn *insn, const cs_insn *theirs)
{
    const uint16_t *candidate = &isa_candidates[isa_first_candidate[1][insn->opcode]];

    if (theirs->detail->x86.opcode[0] != 0x0F)
        return false;
    for (; *candidate != ISA_NO_ROW; candidate++)
        if (is_media(&isa_rows[*candidate]))
            return true;
    return false;
}

static void compare_invalid(const uint8_t *bytes, unsigned mode, const struct insn *insn, const cs_insn *theirs)
{
    uint8_t first = first_opcode(bytes, mode);

    if (insn->lock && excepted("case", "lock", NULL, NULL))
        return;
    if (media_opcode(insn, theirs) && excepted("case", "media-prefix", NULL, NULL))
        return;
    if ((first == 0xC4 || first == 0xC5 || first == 0x62) && excepted("case", "vex", NULL, NULL))
        return;
    for (unsigned i = 0; i < theirs->detail->groups_count; i++) {
        const char *group = cs_group_name(handle[mode], theirs->detail->groups[i]);

        if (group != NULL && excepted("group", group, NULL, NULL))
            return;
    }
    if (!excepted("extra", bare(theirs), NULL, NULL))
        complain("extra", bytes, mode, NULL, theirs);
}

static void compare(const uint8_t *bytes, unsigned mode)
{
    struct decode_mode decode_mode = { bits_of[mode], false };
    struct insn insn;
    enum decode_result result = decode(bytes, 15, decode_mode, &insn);
    cs_insn *theirs = NULL;
    size_t count = cs_disasm(handle[mode], bytes, 15, AT, 1, &theirs);

    if (result == DECODE_OK)
        compare_valid(bytes, mode, &insn, count ? theirs : NULL);
    else if (result == DECODE_INVALID && count)
        compare_invalid(bytes, mode, &insn, theirs);
    if (count)
        cs_free(theirs, count);
}

/* ---- Encodings ----------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void randomize(uint8_t bytes[15])
{
    for (unsigned i = 0; i < 15; i++)
        bytes[i] = (uint8_t)(next_random() >> 24);
}

static unsigned put_prefixes(uint8_t *bytes, const struct isa_form *form, unsigned variant, bool long_mode)
{
    unsigned at = 0;

    if (variant & 1)
        bytes[at++] = 0x67;
    if (variant & 2)
        bytes[at++] = 0x66;
    if (form->prefixes == ISA_PREFIX_66 && !(variant & 2))
        bytes[at++] = 0x66;
    if (form->prefixes == ISA_PREFIX_F3)
        bytes[at++] = 0xF3;
    if (form->prefixes == ISA_PREFIX_F2)
        bytes[at++] = 0xF2;
    if (long_mode && (variant & 4))
        bytes[at++] = (uint8_t)(0x40 | (variant >> 3 & 15));
    return at;
}

/* Every opcode of the row, every ModRM byte that it accepts, a set of prefixes, random bytes behind. */
static void compare_row(unsigned number, unsigned mode)
{
    const struct isa_form *form = &isa_forms[number];
    unsigned variants = mode == 2 ? 128 : 4;

    for (unsigned opcode = form->first; opcode <= form->last; opcode++) {
        for (unsigned modrm = 0; modrm < (form->modrm ? 256u : 1u); modrm++) {
            for (unsigned variant = 0; variant < variants;
                 variant += form->modrm ? 1 + (unsigned)next_random() % 9 : 1) {
                uint8_t bytes[15];
                struct insn insn;
                unsigned at;

                randomize(bytes);
                at = put_prefixes(bytes, form, variant, mode == 2);
                if (form->map)
                    bytes[at++] = 0x0F;
                bytes[at++] = form->map == 2 ? 0x0F : (uint8_t)opcode;
                if (form->modrm)
                    bytes[at] = (uint8_t)modrm;
                if (form->map == 2) /* without displacement the suffix follows */
                    bytes[at + 1] = (uint8_t)opcode;
                /* Bytes that this row does not accept belong to the random test. */
                if (decode(bytes, 15, (struct decode_mode){ bits_of[mode], false }, &insn) == DECODE_OK &&
                    insn.row == &isa_rows[number])
                    compare(bytes, mode);
            }
        }
    }
}

static void begin(void)
{
    static const cs_mode modes[3] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    ours_text = g_string_new(NULL);
    theirs_text = g_string_new(NULL);
    complaints = g_hash_table_new(g_str_hash, g_str_equal);
    read_exceptions();
    for (unsigned mode = 0; mode < 3; mode++) {
        ck_assert_int_eq(cs_open(CS_ARCH_X86, modes[mode], &handle[mode]), CS_ERR_OK);
        cs_option(handle[mode], CS_OPT_DETAIL, CS_OPT_ON);
    }
}

START_TEST(capstone_agrees_on_length_and_mnemonic_or_the_list_says_why)
{
    const char *more = g_getenv("FAM10H_CAPSTONE_CASES"); /* ./test: 10 million */
    unsigned cases = more ? (unsigned)strtoul(more, NULL, 10) : 1000000;

    begin();
    for (unsigned number = 0; number < isa_row_count; number++) {
        random_state = 88172645463325252u + number; /* a new row does not change the others' bytes */
        for (unsigned mode = 0; mode < 3; mode++)
            compare_row(number, mode);
    }
    random_state = 88172645463325252u;
    for (unsigned i = 0; i < cases; i++) {
        uint8_t bytes[15];

        randomize(bytes);
        if (i & 1) /* the second map is where the gaps are */
            bytes[0] = 0x0F;
        compare(bytes, i % 3);
    }
    for (guint i = 0; i < exceptions->len; i++) {
        const struct exception *e = g_ptr_array_index(exceptions, i);

        if (!e->used)
            fprintf(stderr, "# capstone.list: no longer happens: %s %s %s\n", e->word[0], e->word[1], e->word[2]);
        failures += !e->used;
    }
    ck_assert_uint_eq(failures, 0);
}
END_TEST

UNIT_TESTS("capstone", capstone_agrees_on_length_and_mnemonic_or_the_list_says_why)
