/* SPDX-License-Identifier: MIT */
/*
 * What is defined, and what is excepted. exceptions.list has a line for each permitted difference:
 *
 *     VENDOR NAME "ENCODING" FIELD   reason      VENDOR: intel, amd (of the native processor)
 *
 * one form and one field each. FIELD: a flag (cf pf af zf sf of), registers, memory, exception, error, cr2,
 * rip, segments, fp; registers-at-fault, memory-at-fault, flags-at-fault: of cases that fault alone.
 * A line that excuses nothing in a long run fails it.
 */
#include <capstone/capstone.h>
#include <glib.h>

#include "tests/silicon/silicon.h"

static const struct {
    const char *name;
    uint64_t bit;
} flag_names[] = {
    { "of", RFLAGS_OF }, { "sf", RFLAGS_SF }, { "zf", RFLAGS_ZF }, { "af", RFLAGS_AF }, { "pf", RFLAGS_PF },
    { "cf", RFLAGS_CF }, /* as in the table's column; then the others */
    { "df", RFLAGS_DF }, { "ac", RFLAGS_AC }, { "nt", RFLAGS_NT }, { "id", RFLAGS_ID }, { "iopl", BIT(12) | BIT(13) },
    { "rf", RFLAGS_RF }, { "if", RFLAGS_IF }, { "tf", RFLAGS_TF }, { "vif", RFLAGS_VIF | RFLAGS_VIP },
};

/* ---- The list ----------------------------------------------------------------------------------------------- */

struct exception {
    char **word;
    unsigned row;
    bool used;
};

static GPtrArray *exceptions;

static bool exception_add(const struct native_processor *processor, const char *line, char **error)
{
    struct exception *e = g_new0(struct exception, 1);

    if (!g_shell_parse_argv(line, NULL, &e->word, NULL) || g_strv_length(e->word) < 5) {
        *error = g_strdup_printf("not VENDOR NAME ENCODING FIELD reason: %s", line);
        return false;
    }
    for (e->row = 0; e->row < isa_row_count; e->row++)
        if (!strcmp(isa_rows[e->row].name, e->word[1]) && !strcmp(isa_rows[e->row].encoding, e->word[2]))
            break;
    if (e->row == isa_row_count) {
        *error = g_strdup_printf("no such row: %s", line);
        return false;
    }
    if (!strcmp(e->word[0], processor->intel ? "intel" : "amd"))
        g_ptr_array_add(exceptions, e);
    return true;
}

bool exceptions_read(const struct native_processor *processor, const char *file, char **error)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    unsigned count = 0;

    exceptions = g_ptr_array_new();
    if (!g_file_get_contents(file, &text, NULL, NULL)) {
        *error = g_strdup_printf("cannot read %s", file);
        return false;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (**line == '\0' || **line == '#')
            continue;
        if (++count > 30) {
            *error = g_strdup("more than 30 exceptions");
            return false;
        }
        if (!exception_add(processor, *line, error))
            return false;
    }
    return true;
}

static bool excepted(unsigned row, const char *field)
{
    for (guint i = 0; i < exceptions->len; i++) {
        struct exception *e = g_ptr_array_index(exceptions, i);

        if (e->row == row && !strcmp(e->word[3], field)) {
            e->used = true;
            return true;
        }
    }
    return false;
}

bool row_has_exception(const struct isa_row *row)
{
    for (guint i = 0; i < exceptions->len; i++)
        if (((struct exception *)g_ptr_array_index(exceptions, i))->row == row - isa_rows)
            return true;
    return false;
}

unsigned exceptions_count(unsigned *unused, GString *stale)
{
    *unused = 0;
    for (guint i = 0; i < exceptions->len; i++) {
        const struct exception *e = g_ptr_array_index(exceptions, i);

        if (!e->used)
            g_string_append_printf(stale, "# stale exception: %s %s %s\n", e->word[1], e->word[2], e->word[3]);
        *unused += !e->used;
    }
    return exceptions->len;
}

/* ---- Comparison --------------------------------------------------------------------------------------------- */

uint64_t undefined_flags(const struct isa_row *row)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < 6; i++)
        if (!strchr("M01-", row->flags[i]))
            mask |= flag_names[i].bit;
    return mask;
}

/* Flags that some instruction before `rip` (the faulting one, or the end) left undefined. */
static uint64_t tainted_at(const struct silicon_case *c, uint64_t rip, bool retired)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < c->count; i++)
        if (retired || c->in.rip + c->at[i] < rip)
            mask |= undefined_flags(&isa_rows[c->row[i]]);
    return mask;
}

/* Whether `row` may differ in `field`, or, when it faulted, in `at_fault`. */
static bool excepted_here(unsigned row, const struct silicon_result *a, const char *field, const char *at_fault)
{
    return excepted(row, field) || (a->vector != RETIRED && excepted(row, at_fault));
}

/* RF of a retired case is gone with the next instruction: only frames show it. */
static const char *flags_differ(const struct silicon_case *c, const struct silicon_result *a,
                                const struct silicon_result *b)
{
    uint64_t difference = a->out.rflags ^ b->out.rflags;

    if (a->vector == RETIRED)
        difference &= ~RFLAGS_RF;
    difference &= ~tainted_at(c, a->out.rip, a->vector == RETIRED);
    for (unsigned i = 0; difference && i < G_N_ELEMENTS(flag_names); i++)
        if ((difference & flag_names[i].bit) && !excepted_here(c->row[0], a, flag_names[i].name, "flags-at-fault"))
            return flag_names[i].name;
    return NULL;
}

static bool registers_differ(const struct silicon_case *c, const struct silicon_result *a,
                             const struct silicon_result *b)
{
    bool legacy = c->bits == 32 || a->out.seg[SEG_CS] == SELECTOR_CODE32; /* upper halves are undefined there */

    for (unsigned n = 0; n < (legacy ? 8u : 16u); n++)
        if (zero_extend(a->out.gpr[n] ^ b->out.gpr[n], legacy ? 4 : 8))
            return true;
    return false;
}

/* Null selectors may lose their RPL when the native kernel switches tasks. */
static bool segments_differ(const struct registers *a, const struct registers *b)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        if (a->seg[n] != b->seg[n] && (a->seg[n] > 3 || b->seg[n] > 3))
            return true;
    return false;
}

/* Error codes of kernel addresses have P set by Linux, whatever is mapped there. */
static bool errors_differ(const struct silicon_result *a, const struct silicon_result *b)
{
    uint32_t mask = a->vector == EXC_PF && a->cr2 >> 47 ? ~1u : ~0u;

    return a->vector != RETIRED && ((a->error ^ b->error) & mask);
}

/* The row of the instruction at `rip`. */
static unsigned row_at(const struct silicon_case *c, uint64_t rip)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->in.rip + c->at[i] == rip)
            return c->row[i];
    return c->row[0];
}

/* A faulting MMX instruction: the same but for what it has entered (fp.c). */
static bool differs_by_mmx(const struct silicon_case *c, const struct silicon_result *model,
                           const struct silicon_result *native)
{
    unsigned row = row_at(c, model->out.rip);
    const struct isa_operand *op = isa_forms[row].op;
    uint8_t fx[512];

    if (model->vector == RETIRED)
        return false;
    for (unsigned n = 0; n < 2; n++) {
        if (op[n].method != ISA_METHOD_P && op[n].method != ISA_METHOD_Q && op[n].method != ISA_METHOD_N)
            continue;
        memcpy(fx, model->out.fx, sizeof(fx));
        fp_enter_mmx(fx, isa_rows[row].attributes & A_STORE);
        return !fp_differs(fx, native->out.fx);
    }
    return false;
}

const char *compare_case(const struct silicon_case *c, const struct silicon_result *model,
                         const struct silicon_result *native)
{
    const struct registers *a = &model->out, *b = &native->out;
    const char *flag;
    unsigned row = c->row[0];

    if (model->died || native->died)
        return "survival";
    if (model->vector != native->vector)
        return excepted(row, "exception") ? NULL : "exception";
    if (errors_differ(model, native) && !excepted(row, "error"))
        return "error";
    if (model->vector == EXC_PF && model->cr2 != native->cr2 && !excepted(row, "cr2"))
        return "cr2";
    if (a->rip != b->rip && !excepted(row, "rip"))
        return "rip";
    if (registers_differ(c, model, native) && !excepted_here(row, model, "registers", "registers-at-fault"))
        return "registers";
    if (segments_differ(a, b) && !excepted(row, "segments"))
        return "segments";
    if (memcmp(model->window, native->window, WINDOW_BYTES) != 0 &&
        !excepted_here(row, model, "memory", "memory-at-fault"))
        return "memory";
    flag = flags_differ(c, model, native);
    if (flag)
        return flag;
    if (c->media && fp_differs(a->fx, b->fx) && !differs_by_mmx(c, model, native) &&
        !excepted_here(row, model, "fp", "fp-at-fault"))
        return "fp";
    return NULL;
}

/* ---- One readable block ------------------------------------------------------------------------------------- */

static void describe_code(GString *out, const struct silicon_case *c)
{
    cs_insn *insns;
    size_t count;
    csh handle;

    g_string_append_printf(out, "#   %u-bit code at %" PRIx64 ":", c->bits, c->in.rip);
    for (unsigned i = 0; i < c->size; i++)
        g_string_append_printf(out, " %02X", c->code[i]);
    g_string_append_c(out, '\n');
    if (cs_open(CS_ARCH_X86, c->bits == 64 ? CS_MODE_64 : CS_MODE_32, &handle) != CS_ERR_OK)
        return;
    count = cs_disasm(handle, c->code, c->size, c->in.rip, 0, &insns);
    for (size_t i = 0; i < count; i++)
        g_string_append_printf(out, "#     %" PRIx64 ": %s %s\n", insns[i].address, insns[i].mnemonic, insns[i].op_str);
    if (count)
        cs_free(insns, count);
    cs_close(&handle);
}

static void describe_outcome(GString *out, const char *who, const struct silicon_result *result)
{
    g_string_append_printf(out, "#   %s: ", who);
    if (result->died)
        g_string_append(out, "did not survive");
    else if (result->vector == RETIRED)
        g_string_append(out, "retired");
    else
        g_string_append_printf(out, "exception %u error %x cr2 %" PRIx64, result->vector, result->error, result->cr2);
    g_string_append_printf(out, " rip %" PRIx64 " rflags %06" PRIx64 " cs %x ss %x ds %x es %x fs %x gs %x\n",
                           result->out.rip, result->out.rflags, result->out.seg[SEG_CS], result->out.seg[SEG_SS],
                           result->out.seg[SEG_DS], result->out.seg[SEG_ES], result->out.seg[SEG_FS],
                           result->out.seg[SEG_GS]);
}

static void describe_registers(GString *out, const struct silicon_case *c, const struct silicon_result *model,
                               const struct silicon_result *native)
{
    static const char *const names[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

    for (unsigned n = 0; n < (c->bits == 64 ? 16u : 8u); n++) {
        uint64_t a = model->out.gpr[n], b = native->out.gpr[n];

        g_string_append_printf(out, "#   %-3s %016" PRIx64, names[n], c->in.gpr[n]);
        if (a != b)
            g_string_append_printf(out, " -> model %016" PRIx64 " native %016" PRIx64, a, b);
        else if (a != c->in.gpr[n])
            g_string_append_printf(out, " -> %016" PRIx64, a);
        g_string_append_c(out, '\n');
    }
}

static void describe_memory(GString *out, const struct silicon_case *c, const struct silicon_result *model,
                            const struct silicon_result *native)
{
    unsigned offset = 0, shown = 0;

    for (unsigned w = 0; w < WINDOWS; w++)
        for (unsigned i = 0; i < windows[w].size && shown < 32; i++, offset++)
            if (model->window[offset] != native->window[offset] && ++shown)
                g_string_append_printf(out, "#   [%x] %02X -> model %02X native %02X\n", windows[w].address + i,
                                       c->window[offset], model->window[offset], native->window[offset]);
}

void describe_case(GString *out, const struct silicon_case *c, const struct silicon_result *model,
                   const struct silicon_result *native, const char *field)
{
    g_string_append_printf(out, "# %s differs: %s \"%s\"  (--seed %" PRIu64 " --index %" PRIu64 "%s)\n", field,
                           isa_rows[c->row[0]].name, isa_rows[c->row[0]].encoding, c->seed, c->index,
                           c->count > 1 ? " --sequence" : "");
    describe_code(out, c);
    g_string_append_printf(out, "#   rflags %06" PRIx64 " ds %x es %x fs %x gs %x\n", c->in.rflags, c->in.seg[SEG_DS],
                           c->in.seg[SEG_ES], c->in.seg[SEG_FS], c->in.seg[SEG_GS]);
    describe_registers(out, c, model, native);
    if (c->media)
        fp_describe(out, c->in.fx, model->out.fx, native->out.fx);
    describe_outcome(out, "model ", model);
    describe_outcome(out, "native", native);
    describe_memory(out, c, model, native);
}
