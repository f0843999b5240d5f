/* SPDX-License-Identifier: MIT */
/*
 * vectors.list: what Family 10h does where the native processor's manual says something else, and for forms that
 * it lacks. Each vector runs on the model, and everything that a case shows must come out as written.
 *
 *     differs NAME reason                          NAME: a condition of vendor.c, whose instances are not made
 *     lacks NAME reason                            forms that not every native processor has
 *     vector BITS "BYTES" IN... = OUT... CITATION  of the last `differs` or `lacks`
 *
 * IN and OUT: REGISTER=VALUE, xmmN= and stN= (FXSAVE's slots) in hexadecimal, most significant digit first;
 * [ADDRESS]=BYTES in memory's order. OUT: also VECTOR:ERROR of an exception, and cr2. VALUE and ADDRESS are
 * hexadecimal, or one of code, end (of the instruction), data, ro, unmapped, and perhaps +HEX. What OUT does not
 * name stays as it was, but rip, which goes to the end, and RF, which a fault's image has set.
 * A backslash at a line's end joins the next one.
 */
#include <glib.h>

#include "tests/silicon/silicon.h"

#define VECTOR_CODE (CODE_FIRST + 0x200)
#define VECTOR_DATA (DATA_FIRST + 0x1000)
#define FX_XMM_AT 160
#define FX_ST_AT 32

struct reading {
    struct model *model;
    GString *complaints;
    unsigned seen;          /* conditions with a vector: a bit each */
    bool *row;              /* rows with a vector */
    unsigned failed, vectors;
    const char *name;       /* of the block */
    int condition;          /* its number, or -1 */
};

/* ---- Words ---------------------------------------------------------------------------------------------------- */

static bool read_value(const struct silicon_case *c, const char *text, uint64_t *value)
{
    const struct {
        const char *name;
        uint64_t value;
    } names[] = {
        { "code", VECTOR_CODE }, { "end", VECTOR_CODE + c->size }, { "data", VECTOR_DATA }, { "ro", DATA_READ_ONLY },
        { "unmapped", UNMAPPED },
    };
    uint64_t base = 0;
    char *end;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(text, names[i].name)) {
            base = names[i].value;
            text += strlen(names[i].name);
            if (*text == '\0') {
                *value = base;
                return true;
            }
            if (*text++ != '+')
                return false;
            break;
        }
    *value = base + g_ascii_strtoull(text, &end, 16);
    return *text && *end == '\0';
}

/* Bytes in memory's order; blanks may separate them. */
static int read_bytes(const char *text, uint8_t *bytes, unsigned room)
{
    unsigned count = 0;

    for (; *text; text += *text == ' ' ? 1 : 2) {
        if (*text == ' ')
            continue;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]) || count == room)
            return -1;
        bytes[count++] = (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
    }
    return (int)count;
}

/* As a number is written: the first digits are the last byte. */
static bool read_number(const char *text, uint8_t *to, unsigned size)
{
    uint8_t bytes[16];

    if (read_bytes(text, bytes, size) != (int)size)
        return false;
    for (unsigned i = 0; i < size; i++)
        to[i] = bytes[size - 1 - i];
    return true;
}

static bool put_fx(struct registers *registers, const char *name, const char *value)
{
    static const struct {
        const char *name;
        unsigned at, size;
    } words[] = { { "fcw", 0, 2 }, { "fsw", 2, 2 }, { "ftw", 4, 1 }, { "mxcsr", 24, 4 } };
    char *end;

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (!strcmp(name, words[i].name))
            return read_number(value, registers->fx + words[i].at, words[i].size);
    if (g_str_has_prefix(name, "xmm"))
        return read_number(value, registers->fx + FX_XMM_AT + 16 * (strtoul(name + 3, &end, 10) & 15), 16) && !*end;
    return g_str_has_prefix(name, "st") &&
           read_number(value, registers->fx + FX_ST_AT + 16 * (strtoul(name + 2, &end, 10) & 7), 10) && !*end;
}

static bool put_register(const struct silicon_case *c, struct registers *registers, const char *name,
                         const char *text)
{
    static const char *const gprs[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                 "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
    static const char *const segments[6] = { "es", "cs", "ss", "ds", "fs", "gs" };
    uint64_t value;

    if (put_fx(registers, name, text))
        return true;
    if (!read_value(c, text, &value))
        return false;
    for (unsigned n = 0; n < GPR_COUNT; n++)
        if (!strcmp(name, gprs[n])) {
            registers->gpr[n] = value;
            return true;
        }
    for (unsigned n = 0; n < 6; n++)
        if (!strcmp(name, segments[n])) {
            registers->seg[n] = (uint16_t)value;
            return true;
        }
    if (!strcmp(name, "rip"))
        registers->rip = value;
    else if (!strcmp(name, "rflags"))
        registers->rflags = value;
    else
        return false;
    return true;
}

static bool put_memory(const struct silicon_case *c, uint8_t *window, char *word, char *equals)
{
    uint8_t bytes[128];
    int size = read_bytes(equals + 1, bytes, sizeof(bytes));
    uint64_t address;

    if (equals[-1] != ']' || size <= 0)
        return false;
    equals[-1] = '\0';
    if (!read_value(c, word + 1, &address))
        return false;
    for (unsigned i = 0; i < WINDOWS; window += windows[i].size, i++)
        if (address >= windows[i].address && address + (unsigned)size <= windows[i].address + windows[i].size) {
            memcpy(window + (address - windows[i].address), bytes, (unsigned)size);
            return true;
        }
    return false;
}

/* GP:0 and the like. */
static bool put_exception(const struct silicon_case *c, struct silicon_result *result, const char *word)
{
    static const struct {
        const char *name;
        uint8_t vector;
    } names[] = { { "UD:", EXC_UD }, { "SS:", EXC_SS }, { "GP:", EXC_GP }, { "PF:", EXC_PF }, { "AC:", EXC_AC },
                  { "MF:", EXC_MF }, { "XF:", EXC_XF } };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(word, names[i].name)) {
            result->vector = names[i].vector;
            result->error = (uint32_t)g_ascii_strtoull(word + 3, NULL, 16);
            result->out.rip = c->in.rip;
            result->out.rflags |= RFLAGS_RF;
            return true;
        }
    return false;
}

static bool put_word(const struct silicon_case *c, struct registers *registers, uint8_t *window,
                     struct silicon_result *result, char *word)
{
    char *equals = strchr(word, '=');

    if (!equals)
        return result && put_exception(c, result, word);
    if (*word == '[')
        return put_memory(c, window, word, equals);
    *equals = '\0';
    if (result && !strcmp(word, "cr2"))
        return read_value(c, equals + 1, &result->cr2);
    return put_register(c, registers, word, equals + 1);
}

/* ---- One vector ------------------------------------------------------------------------------------------------ */

static bool begin_case(struct silicon_case *c, char *const *word)
{
    struct insn insn;
    int size;

    memset(c, 0, sizeof(*c));
    c->bits = (uint8_t)atoi(word[1]);
    size = read_bytes(word[2], c->code, 15);
    if ((c->bits != 32 && c->bits != 64) || size <= 0 ||
        decode(c->code, (size_t)size, (struct decode_mode){ c->bits, false }, &insn) != DECODE_OK ||
        insn.length != size)
        return false;
    c->size = c->at[1] = (uint16_t)size;
    c->count = 1;
    c->row[0] = (uint16_t)(insn.row - isa_rows);
    c->media = uses_media(insn.row);
    c->in.rip = VECTOR_CODE;
    c->in.rflags = 2 | RFLAGS_IF;
    c->in.gpr[RSP] = VECTOR_DATA + 0x100;
    c->in.seg[SEG_CS] = c->bits == 64 ? SELECTOR_CODE64 : SELECTOR_CODE32;
    c->in.seg[SEG_ES] = c->in.seg[SEG_SS] = c->in.seg[SEG_DS] = SELECTOR_DATA;
    memcpy(c->in.fx, "\x7F\x03", 2);
    memcpy(c->in.fx + 24, "\x80\x1F", 2);
    return true;
}

static const char *first_difference(const struct silicon_case *c, const struct silicon_result *got,
                                    const struct silicon_result *want)
{
    if (got->died || got->vector != want->vector || got->error != want->error)
        return "exception";
    if (want->vector == EXC_PF && got->cr2 != want->cr2)
        return "cr2";
    if (got->out.rip != want->out.rip)
        return "rip";
    if (memcmp(got->out.gpr, want->out.gpr, sizeof(got->out.gpr)) != 0)
        return "registers";
    if (memcmp(got->out.seg, want->out.seg, sizeof(got->out.seg)) != 0)
        return "segments";
    if ((got->out.rflags ^ want->out.rflags) & ~undefined_flags(&isa_rows[c->row[0]]))
        return "rflags";
    if (memcmp(got->window, want->window, WINDOW_BYTES) != 0)
        return "memory";
    return c->media && fp_differs(got->out.fx, want->out.fx) ? "fp" : NULL;
}

static bool vector_run(struct reading *reading, char **word)
{
    static struct silicon_case c;
    static struct silicon_result want, got;
    unsigned count = g_strv_length(word), at = 3;
    const char *field;

    if (count < 5 || !begin_case(&c, word))
        return false;
    for (; at < count && strcmp(word[at], "="); at++)
        if (!put_word(&c, &c.in, c.window, NULL, word[at]))
            return false;
    if (at + 1 >= count)
        return false; /* no result, or no citation */
    memset(&want, 0, sizeof(want));
    want.out = c.in;
    want.out.rip = c.in.rip + c.size;
    want.vector = RETIRED;
    memcpy(want.window, c.window, WINDOW_BYTES);
    for (at++; at + 1 < count; at++)
        if (!put_word(&c, &want.out, want.window, &want, word[at]))
            return false;
    model_run(reading->model, &c, &got);
    field = first_difference(&c, &got, &want);
    if (field) {
        g_string_append_printf(reading->complaints, "# vector of %s, %s (second column: wanted)\n", reading->name,
                               word[count - 1]);
        describe_case(reading->complaints, &c, &got, &want, field);
        reading->failed++;
    }
    reading->vectors++;
    reading->row[c.row[0]] = true;
    if (reading->condition >= 0)
        reading->seen |= 1u << reading->condition;
    return true;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static bool block_begin(struct reading *reading, char **word)
{
    bool differs = !strcmp(word[0], "differs");

    if (g_strv_length(word) < 3)
        return false;
    reading->name = g_intern_string(word[1]);
    reading->condition = -1;
    for (unsigned i = 0; differs && vendor_condition(i); i++)
        if (!strcmp(word[1], vendor_condition(i)))
            reading->condition = (int)i;
    return !differs || reading->condition >= 0;
}

static bool line_run(struct reading *reading, const char *line)
{
    g_auto(GStrv) word = NULL;

    if (!g_shell_parse_argv(line, NULL, &word, NULL))
        return false;
    if (!strcmp(word[0], "vector"))
        return reading->name && vector_run(reading, word);
    return (!strcmp(word[0], "differs") || !strcmp(word[0], "lacks")) && block_begin(reading, word);
}

/* Conditions, and rows that only AMD's processors have: each needs a vector. */
static void check_complete(struct reading *reading, const char *file)
{
    for (unsigned i = 0; vendor_condition(i); i++)
        if (!(reading->seen >> i & 1)) {
            g_string_append_printf(reading->complaints, "# %s: no vector of %s\n", file, vendor_condition(i));
            reading->failed++;
        }
    for (unsigned i = 0; i < isa_row_count; i++) {
        bool amd = isa_rows[i].feature == ISA_FEATURE_3DNOW || isa_rows[i].feature == ISA_FEATURE_SSE4A;

        if (amd && !reading->row[i]) {
            g_string_append_printf(reading->complaints, "# %s: no vector of %s \"%s\"\n", file, isa_rows[i].name,
                                   isa_rows[i].encoding);
            reading->failed++;
        }
    }
}

unsigned vectors_run(struct model *model, const char *file, GString *complaints, unsigned *vectors)
{
    struct reading reading = { .model = model, .complaints = complaints, .condition = -1 };
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        g_string_append_printf(complaints, "# cannot read %s\n", file);
        return 1;
    }
    reading.row = g_new0(bool, isa_row_count);
    for (char *end = text; (end = strstr(end, "\\\n")) != NULL; end += 2)
        memset(end, ' ', 2);
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++)
        if (*lines[i] && *lines[i] != '#' && !line_run(&reading, lines[i])) {
            g_string_append_printf(complaints, "# %s: neither differs, lacks nor vector as vectors.c says: %s\n", file,
                                   lines[i]);
            reading.failed++;
        }
    check_complete(&reading, file);
    g_free(reading.row);
    *vectors = reading.vectors;
    return reading.failed;
}
