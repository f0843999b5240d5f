/* SPDX-License-Identifier: MIT */
/*
 * Runs while the simulator is built: reads the rows, checks that no two accept the same bytes, and writes
 * decode_tables.c (`gen_decode FILE`). The decoder never looks at the rows' strings.
 * `gen_decode --opcodes FILE` writes a header for hv, which knows instructions by their opcode bytes;
 * `gen_decode --forms FILE` the forms that hv's emulator decodes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/isa/isa.h"

struct source {
    const char *name, *encoding, *operands, *run;
    unsigned modes, attributes;
    struct isa_form form;
};

static struct source sources[] = {
#define ROW(name_, encoding_, operands_, modes_, feature, attributes_, intercept, flags, faults, cost, run_) \
    { .name = name_, .encoding = encoding_, .operands = operands_, .run = #run_, .modes = ISA_MODES_##modes_, \
      .attributes = attributes_ },
#include "sim/cpu/isa/rows.def"
#undef ROW
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static void fail(const struct source *source, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void fail(const struct source *source, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "gen_decode: row \"%s\" \"%s\" \"%s\": ", source->name, source->encoding, source->operands);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* ---- Encoding ------------------------------------------------------------------------------------ */

/* One prefix token, 0 if it is none. */
static uint8_t prefix_of(const char *token, size_t length)
{
    static const struct {
        const char *token;
        uint8_t prefixes;
    } tokens[] = {
        { "66", ISA_PREFIX_66 },
        { "F2", ISA_PREFIX_F2 },
        { "F3", ISA_PREFIX_F3 },
        { "NP", ISA_PREFIX_NONE },
        { "!F3", ISA_PREFIX_NONE | ISA_PREFIX_66 | ISA_PREFIX_F2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(tokens); i++)
        if (strlen(tokens[i].token) == length && strncmp(token, tokens[i].token, length) == 0)
            return tokens[i].prefixes;
    return 0;
}

static bool parse_prefix(struct isa_form *form, const char *token)
{
    uint8_t prefixes = 0;

    for (;;) {
        size_t length = strcspn(token, "|");
        uint8_t one = prefix_of(token, length);

        if (one == 0)
            return false;
        prefixes |= one;
        if (token[length] == '\0')
            break;
        token += length + 1;
    }
    form->prefixes = prefixes;
    return true;
}

static uint8_t value_range(const struct source *source, const char *token)
{
    char *end;
    unsigned long low = strtoul(token, &end, 10), high = low;

    if (*end == '-')
        high = strtoul(end + 1, &end, 10);
    if (*end != '\0' || low > high || high > 7)
        fail(source, "bad range %s", token);
    return (uint8_t)bits_mask((unsigned)high, (unsigned)low);
}

static void parse_opcode(struct source *source, const char *token)
{
    struct isa_form *form = &source->form;
    char *end;
    unsigned long first = strtoul(token, &end, 16), last = first;

    if (*end == '-')
        last = strtoul(end + 1, &end, 16);
    if (*end != '\0' || first > last || last > 0xFF)
        fail(source, "bad opcode %s", token);
    form->first = (uint8_t)first;
    form->last = (uint8_t)last;
}

static void parse_constraint(struct source *source, const char *token)
{
    struct isa_form *form = &source->form;
    char *end;

    if (token[0] == '/') {
        form->modrm = true;
        form->regs = value_range(source, token + 1);
    } else if (strcmp(token, "mem") == 0 || strcmp(token, "reg") == 0) {
        form->modrm = true;
        form->mods = token[0] == 'm' ? 1 : 2;
    } else if (strncmp(token, "rexw=", 5) == 0) {
        form->rexw = value_range(source, token + 5);
    } else if (strncmp(token, "rexb=", 5) == 0) {
        form->rexb = value_range(source, token + 5);
    } else {
        unsigned long modrm = strtoul(token, &end, 16);

        if (*end != '\0' || modrm < 0xC0 || modrm > 0xFF)
            fail(source, "bad token %s", token);
        form->modrm = true;
        form->mods = 2;
        form->regs = (uint8_t)BIT(modrm >> 3 & 7);
        form->rms = (uint8_t)BIT(modrm & 7);
    }
}

static void parse_encoding(struct source *source)
{
    struct isa_form *form = &source->form;
    char **tokens = g_strsplit(source->encoding, " ", -1);
    char **token = tokens;

    *form = (struct isa_form){ .prefixes = 15, .mods = 3, .regs = 0xFF, .rms = 0xFF, .rexw = 3, .rexb = 3,
                               .modes = (uint8_t)source->modes };
    if (*token != NULL && parse_prefix(form, *token))
        token++;
    if (*token != NULL && strcmp(*token, "0F") == 0 && token[1] != NULL) {
        form->map = 1;
        token++;
    } else if (*token != NULL && strcmp(*token, "0F0F") == 0) {
        form->map = 2;
        token++;
    }
    if (*token == NULL)
        fail(source, "no opcode");
    parse_opcode(source, *token++);
    for (; *token != NULL; token++)
        parse_constraint(source, *token);
    g_strfreev(tokens);
}

/* ---- Operands ------------------------------------------------------------------------------------ */

static const struct {
    const char *code;
    struct isa_operand operand;
} fixed_operands[] = {
    { "AL", { ISA_METHOD_GPR, ISA_SIZE_B, RAX } },     { "CL", { ISA_METHOD_GPR, ISA_SIZE_B, RCX } },
    { "AX", { ISA_METHOD_GPR, ISA_SIZE_W, RAX } },     { "DX", { ISA_METHOD_GPR, ISA_SIZE_W, RDX } },
    { "eAX", { ISA_METHOD_GPR, ISA_SIZE_Z, RAX } },    { "rAX", { ISA_METHOD_GPR, ISA_SIZE_V, RAX } },
    { "ES", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_ES } }, { "CS", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_CS } },
    { "SS", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_SS } }, { "DS", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_DS } },
    { "FS", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_FS } }, { "GS", { ISA_METHOD_SEGMENT, ISA_SIZE_W, SEG_GS } },
    { "1", { ISA_METHOD_ONE, ISA_SIZE_B, 0 } },        { "Mw/Rv", { ISA_METHOD_E, ISA_SIZE_WV, 0 } },
    { "ST(0)", { ISA_METHOD_ST0, ISA_SIZE_T, 0 } },   { "ST(i)", { ISA_METHOD_STI, ISA_SIZE_T, 0 } },
};

static const struct {
    char letter;
    uint8_t method;
} methods[] = {
    { 'E', ISA_METHOD_E }, { 'G', ISA_METHOD_G }, { 'M', ISA_METHOD_M }, { 'R', ISA_METHOD_R },
    { 'S', ISA_METHOD_S }, { 'C', ISA_METHOD_C }, { 'D', ISA_METHOD_D }, { 'Z', ISA_METHOD_Z },
    { 'I', ISA_METHOD_I }, { 'J', ISA_METHOD_J }, { 'A', ISA_METHOD_A }, { 'O', ISA_METHOD_O },
    { 'X', ISA_METHOD_X }, { 'Y', ISA_METHOD_Y }, { 'P', ISA_METHOD_P }, { 'Q', ISA_METHOD_Q },
    { 'N', ISA_METHOD_N }, { 'V', ISA_METHOD_V }, { 'W', ISA_METHOD_W }, { 'U', ISA_METHOD_U },
};

static const struct {
    const char *letters;
    uint8_t size;
} sizes[] = {
    { "", ISA_SIZE_NONE }, { "b", ISA_SIZE_B },  { "w", ISA_SIZE_W }, { "d", ISA_SIZE_D }, { "q", ISA_SIZE_Q },
    { "dq", ISA_SIZE_DQ }, { "v", ISA_SIZE_V },  { "z", ISA_SIZE_Z }, { "y", ISA_SIZE_Y },
    { "d/q", ISA_SIZE_NATURAL }, { "p", ISA_SIZE_P }, { "s", ISA_SIZE_S }, { "a", ISA_SIZE_A },
    { "bs", ISA_SIZE_BS }, { "ps", ISA_SIZE_DQ }, { "pd", ISA_SIZE_DQ }, { "ss", ISA_SIZE_D }, { "sd", ISA_SIZE_Q },
    { "t", ISA_SIZE_T },
};

static struct isa_operand parse_operand(const struct source *source, const char *code)
{
    struct isa_operand operand = { ISA_METHOD_NONE, ISA_SIZE_NONE, 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(fixed_operands); i++)
        if (strcmp(code, fixed_operands[i].code) == 0)
            return fixed_operands[i].operand;
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (code[0] == methods[i].letter)
            operand.method = methods[i].method;
    if (operand.method == ISA_METHOD_NONE)
        fail(source, "bad operand %s", code);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if (strcmp(code + 1, sizes[i].letters) == 0) {
            operand.size = sizes[i].size;
            return operand;
        }
    }
    fail(source, "bad operand size %s", code);
    return operand;
}

static void parse_operands(struct source *source)
{
    char **codes = g_strsplit(source->operands, " ", -1);
    unsigned count = 0;

    for (char **code = codes; *code != NULL && **code != '\0'; code++) {
        struct isa_operand operand = parse_operand(source, *code);

        if (count == 3)
            fail(source, "more than three operands");
        if ((operand.method >= ISA_METHOD_E && operand.method <= ISA_METHOD_D) ||
            (operand.method >= ISA_METHOD_P && operand.method <= ISA_METHOD_STI))
            source->form.modrm = true;
        if (operand.method == ISA_METHOD_M)
            source->form.mods &= 1;
        if (operand.method == ISA_METHOD_N || operand.method == ISA_METHOD_U || operand.method == ISA_METHOD_STI)
            source->form.mods &= 2;
        source->form.op[count++] = operand;
    }
    if (source->form.mods == 0)
        fail(source, "a register form with a memory-only operand");
    g_strfreev(codes);
}

/* ---- Checks and output ------------------------------------------------------------------------------ */

static bool overlap(const struct isa_form *a, const struct isa_form *b)
{
    unsigned mods = a->mods & b->mods;

    if (a->map != b->map || a->first > b->last || b->first > a->last)
        return false;
    if (!(a->prefixes & b->prefixes) || !(a->modes & b->modes) || !(a->rexw & b->rexw) || !(a->rexb & b->rexb))
        return false;
    if (!(a->regs & b->regs))
        return false;
    return (mods & 1) || ((mods & 2) && (a->rms & b->rms));
}

static void check_overlaps(void)
{
    for (size_t i = 0; i < SOURCES; i++)
        for (size_t j = i + 1; j < SOURCES; j++)
            if (overlap(&sources[i].form, &sources[j].form))
                fail(&sources[i], "shares encodings with row \"%s\" \"%s\"", sources[j].name, sources[j].encoding);
}

static void write_forms(FILE *out)
{
    fprintf(out, "const struct isa_form isa_forms[] = {\n");
    for (size_t i = 0; i < SOURCES; i++) {
        const struct isa_form *form = &sources[i].form;

        fprintf(out, "    { %u, 0x%02X, 0x%02X, %u, %u, %u, 0x%02X, 0x%02X, %u, %u, %u, {", form->map, form->first,
                form->last, form->prefixes, form->modrm, form->mods, form->regs, form->rms, form->rexw, form->rexb,
                form->modes);
        for (unsigned n = 0; n < 3; n++)
            fprintf(out, " { %u, %u, %u },", form->op[n].method, form->op[n].size, form->op[n].reg);
        fprintf(out, " } }, /* %s: %s %s */\n", sources[i].encoding, sources[i].name, sources[i].operands);
    }
    fprintf(out, "};\n\n");
}

static bool form_covers(const struct isa_form *form, unsigned map, unsigned opcode)
{
    return form->map == map && form->first <= opcode && opcode <= form->last;
}

static void write_candidates(FILE *out, uint16_t first[ISA_MAPS][256], uint8_t modrm[ISA_MAPS][32])
{
    unsigned next = 1;

    fprintf(out, "const uint16_t isa_candidates[] = {\n    0xFFFF,\n");
    for (unsigned map = 0; map < ISA_MAPS; map++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            bool any = false;

            for (size_t i = 0; i < SOURCES; i++) {
                if (!form_covers(&sources[i].form, map, opcode))
                    continue;
                if (!any)
                    first[map][opcode] = (uint16_t)next;
                fprintf(out, "%s%zu,", any ? " " : "    ", i);
                if (sources[i].form.modrm)
                    modrm[map][opcode >> 3] |= (uint8_t)BIT(opcode & 7);
                any = true;
                next++;
            }
            if (any) {
                fprintf(out, " 0xFFFF, /* %s%02X */\n", map == 2 ? "0F 0F " : map ? "0F " : "", opcode);
                next++;
            }
        }
    }
    fprintf(out, "};\n\n");
}

static void write_indices(FILE *out, uint16_t first[ISA_MAPS][256], uint8_t modrm[ISA_MAPS][32])
{
    fprintf(out, "const uint16_t isa_first_candidate[ISA_MAPS][256] = {\n");
    for (unsigned map = 0; map < ISA_MAPS; map++) {
        fprintf(out, "    {");
        for (unsigned opcode = 0; opcode < 256; opcode++)
            fprintf(out, "%s%u,", opcode % 16 ? " " : "\n        ", first[map][opcode]);
        fprintf(out, "\n    },\n");
    }
    fprintf(out, "};\n\nconst uint8_t isa_has_modrm[ISA_MAPS][32] = {\n");
    for (unsigned map = 0; map < ISA_MAPS; map++) {
        fprintf(out, "    {");
        for (unsigned i = 0; i < 32; i++)
            fprintf(out, " 0x%02X,", modrm[map][i]);
        fprintf(out, " },\n");
    }
    fprintf(out, "};\n");
}

/* ---- Opcode bytes for hv ------------------------------------------------------------------------------ */

/* OPCODE_CPUID, OPCODE_MOV_CDQ_RDQ: name and operands, what is no letter or digit left out. */
static char *opcode_name(const struct source *source)
{
    GString *name = g_string_new("OPCODE_");

    for (const char *at = source->name; *at != '\0'; at++)
        g_string_append_c(name, g_ascii_isalnum(*at) ? g_ascii_toupper(*at) : '_');
    if (source->operands[0] != '\0')
        g_string_append_c(name, '_');
    for (const char *at = source->operands; *at != '\0'; at++)
        if (g_ascii_isalnum(*at) || *at == ' ')
            g_string_append_c(name, *at == ' ' ? '_' : g_ascii_toupper(*at));
    return g_string_free(name, FALSE);
}

static bool one_bit(unsigned set)
{
    return set != 0 && (set & (set - 1)) == 0;
}

/* Rows of one opcode, or of one opcode and ModRM byte, without a mandatory prefix; the first of a name. */
static void write_opcodes(FILE *out)
{
    GHashTable *written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    fprintf(out, "/* { size, { bytes } } of instructions, for hv. */\n");
    for (size_t i = 0; i < SOURCES; i++) {
        const struct isa_form *form = &sources[i].form;
        bool modrm = form->mods == 2 && one_bit(form->regs) && one_bit(form->rms);
        char *name = opcode_name(&sources[i]);

        if (form->map < 2 && form->first == form->last && (form->prefixes & ISA_PREFIX_NONE) && form->regs != 0 &&
            (modrm || form->regs == 0xFF) && !g_hash_table_contains(written, name)) {
            fprintf(out, "#define %s { %d, { %s0x%02X", name, 1 + form->map + modrm, form->map ? "0x0F, " : "",
                    form->first);
            if (modrm)
                fprintf(out, ", 0x%02X", 0xC0 | __builtin_ctz(form->regs) << 3 | __builtin_ctz(form->rms));
            fprintf(out, " } }\n");
            g_hash_table_add(written, name);
        } else {
            g_free(name);
        }
    }
    g_hash_table_destroy(written);
}

/* ---- Forms for hv's emulator ---------------------------------------------------------------------------- */

/* What hv carries out for its guests: accesses to page tables and devices, control registers, ways to a task. */
static const char *const emulated[] = {
    "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test", "inc", "dec", "not", "neg", "xadd", "cmpxchg",
    "cmpxchg8b", "cmpxchg16b", "bt", "bts", "btr", "btc", "setcc", "mov", "movzx", "movsx", "movsxd", "xchg", "movs",
    "stos", "lods", "mov_from_control", "mov_to_control", "smsw", "lmsw", "clts", "invlpg",
    "jmp_far", "call_far", "int3", "int", "into", "iret",
};

static bool is_emulated(const struct source *source, const char **operation)
{
    const char *name = source->run + strlen("exec_");

    for (size_t i = 0; i < G_N_ELEMENTS(emulated); i++) {
        if (strcmp(name, emulated[i]) == 0) {
            *operation = emulated[i];
            return true;
        }
    }
    return false;
}

static const char *method_name(const struct source *source, unsigned method)
{
    static const char *const names[] = {
        [ISA_METHOD_NONE] = "NONE", [ISA_METHOD_E] = "E", [ISA_METHOD_G] = "G", [ISA_METHOD_M] = "M",
        [ISA_METHOD_R] = "R", [ISA_METHOD_C] = "C", [ISA_METHOD_Z] = "Z", [ISA_METHOD_I] = "I", [ISA_METHOD_O] = "O",
        [ISA_METHOD_X] = "X", [ISA_METHOD_Y] = "Y", [ISA_METHOD_GPR] = "GPR",
        [ISA_METHOD_A] = "A",
    };

    if (method >= G_N_ELEMENTS(names) || names[method] == NULL)
        fail(source, "an operand that hv's emulator does not know");
    return names[method];
}

static const char *size_name(const struct source *source, unsigned size)
{
    static const char *const names[] = {
        [ISA_SIZE_NONE] = "NONE", [ISA_SIZE_B] = "B", [ISA_SIZE_W] = "W", [ISA_SIZE_D] = "D", [ISA_SIZE_Q] = "Q",
        [ISA_SIZE_DQ] = "DQ", [ISA_SIZE_V] = "V", [ISA_SIZE_Z] = "Z", [ISA_SIZE_Y] = "Y",
        [ISA_SIZE_NATURAL] = "NATURAL", [ISA_SIZE_BS] = "BS", [ISA_SIZE_WV] = "WV", [ISA_SIZE_P] = "P",
    };

    if (size >= G_N_ELEMENTS(names) || names[size] == NULL)
        fail(source, "an operand size that hv's emulator does not know");
    return names[size];
}

/* FORM(operation, map, first, last, regs, mods, modes, rexw, rexb, lock, method 0, size 0, method 1, size 1) */
static void write_form_for_hv(FILE *out, const struct source *source, const char *operation)
{
    const struct isa_form *form = &source->form;
    char *name = g_ascii_strup(operation, -1);

    if (form->op[2].method != ISA_METHOD_NONE || form->map > 1)
        fail(source, "a form that hv's emulator does not know");
    fprintf(out, "FORM(%s, %u, 0x%02X, 0x%02X, 0x%02X, %u, %u, %u, %u, %d", name, form->map, form->first, form->last,
            form->regs, form->mods, form->modes, form->rexw, form->rexb,
            (source->attributes & A_LOCK) != 0);
    for (unsigned n = 0; n < 2; n++)
        fprintf(out, ", %s, %s", method_name(source, form->op[n].method), size_name(source, form->op[n].size));
    fprintf(out, ") /* %s: %s %s */\n", source->encoding, source->name, source->operands);
    g_free(name);
}

static void write_forms_for_hv(FILE *out)
{
    const char *operation;

    for (size_t i = 0; i < SOURCES; i++)
        if (is_emulated(&sources[i], &operation))
            write_form_for_hv(out, &sources[i], operation);
}

int main(int argc, char **argv)
{
    bool opcodes = argc == 3 && strcmp(argv[1], "--opcodes") == 0;
    bool forms = argc == 3 && strcmp(argv[1], "--forms") == 0;
    uint16_t first[ISA_MAPS][256] = { { 0 } };
    uint8_t modrm[ISA_MAPS][32] = { { 0 } };
    FILE *out;

    if (argc != 2 && !opcodes && !forms) {
        fprintf(stderr, "usage: gen_decode [--opcodes | --forms] FILE\n");
        return 2;
    }
    for (size_t i = 0; i < SOURCES; i++) {
        parse_encoding(&sources[i]);
        parse_operands(&sources[i]);
    }
    check_overlaps();
    out = fopen(argv[argc - 1], "w");
    if (out == NULL) {
        perror(argv[argc - 1]);
        return 1;
    }
    fprintf(out, "/* SPDX-License-Identifier: MIT */\n/* Made by sim/cpu/isa/gen_decode.c from the .def files. */\n");
    if (opcodes) {
        write_opcodes(out);
    } else if (forms) {
        write_forms_for_hv(out);
    } else {
        fprintf(out, "#include \"sim/cpu/isa/isa.h\"\n\n");
        write_forms(out);
        write_candidates(out, first, modrm);
        write_indices(out, first, modrm);
    }
    if (fclose(out) != 0) {
        perror(argv[argc - 1]);
        return 1;
    }
    return 0;
}
