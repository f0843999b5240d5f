/* SPDX-License-Identifier: MIT */
/*
 * What every row came to: it ran to its end, and raised each fault that its column declares. What no user program
 * under Linux can bring about is a line of `never`, with its reason; unit tests raise those (fam10h isa --coverage).
 * A row that lacks something else, and one that came to what it never should, make the table fail.
 */
#include <glib.h>

#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

#define RETIRES 32 /* beside the vectors */

static const char *const names[33] = {
    [EXC_DE] = "DE", [EXC_DB] = "DB", [EXC_BP] = "BP", [EXC_OF] = "OF", [EXC_BR] = "BR", [EXC_UD] = "UD",
    [EXC_NM] = "NM", [EXC_TS] = "TS", [EXC_NP] = "NP", [EXC_SS] = "SS", [EXC_GP] = "GP", [EXC_PF] = "PF",
    [EXC_MF] = "MF", [EXC_AC] = "AC", [EXC_XF] = "XF", [RETIRES] = "retired",
};

/* ---- Kinds of rows ----------------------------------------------------------------------------------------------- */

static bool any(const struct isa_row *row)
{
    return row != NULL;
}

/* First check: CPL 0, or IOPL and the permission bitmap. */
static bool privileged(const struct isa_row *row)
{
    static exec_fn *const list[] = {
        exec_in, exec_out, exec_ins, exec_outs, exec_cli, exec_sti, exec_rsm, exec_sysret, exec_sysexit, exec_swapgs,
        exec_mov_from_control, exec_mov_to_control, exec_mov_from_debug, exec_mov_to_debug, exec_clts, exec_lmsw,
        exec_invlpg, exec_invd, exec_wbinvd, exec_rdmsr, exec_wrmsr, exec_rdpmc, exec_hlt, exec_lldt, exec_ltr,
        exec_lgdt, exec_lidt, exec_monitor, exec_mwait,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(list); i++)
        if (row->run == list[i])
            return true;
    return false;
}

static bool media(const struct isa_row *row)
{
    return uses_media(row);
}

static bool not_in_64bit(const struct isa_row *row)
{
    return !(row->modes & ISA_IN_64BIT);
}

/* Memory at rSI, rDI, rBX or a constant alone. */
static bool never_by_stack(const struct isa_row *row)
{
    const struct isa_form *form = &isa_forms[row - isa_rows];

    for (unsigned n = 0; n < 3; n++)
        if (form->op[n].method == ISA_METHOD_X || form->op[n].method == ISA_METHOD_Y ||
            form->op[n].method == ISA_METHOD_O)
            return true;
    return row->run == exec_xlat || row->run == exec_maskmovq || row->run == exec_maskmovdqu;
}

static bool relative(const struct isa_row *row)
{
    return isa_forms[row - isa_rows].op[0].method == ISA_METHOD_J;
}

static bool flag_image(const struct isa_row *row)
{
    return row->run == exec_pushf || row->run == exec_popf;
}

static bool soft_interrupt(const struct isa_row *row)
{
    return row->run == exec_int3 || row->run == exec_into || row->run == exec_icebp;
}

static bool trap_alone(const struct isa_row *row)
{
    return row->run == exec_int3 || row->run == exec_icebp;
}

static bool for_the_kernel(const struct isa_row *row)
{
    return row->run == exec_monitor || row->run == exec_mwait;
}

static bool closed_gate(const struct isa_row *row)
{
    return row->run == exec_int;
}

/* 16 bytes of memory: the row asks for their alignment first, or is one whose #AC vendors document differently. */
static bool wide(const struct isa_row *row)
{
    const struct isa_form *form = &isa_forms[row - isa_rows];

    for (unsigned n = 0; n < 3; n++)
        if (form->op[n].size == ISA_SIZE_DQ &&
            (form->op[n].method == ISA_METHOD_W || form->op[n].method == ISA_METHOD_M))
            return true;
    return false;
}

/* What a row of this kind never comes to. */
static const struct {
    bool (*kind)(const struct isa_row *row);
    const char *what; /* names, with blanks */
    const char *why;
} never[] = {
    { any, "NM", "Linux does not set CR0.TS" },
    { any, "TS NP", "Linux has no task gates and no absent segments" },
    { privileged, "retired DB UD SS PF AC NP", "CPL and IOPL are looked at first" },
    { media, "UD", "Linux has CR0.EM clear, CR4.OSFXSR and OSXMMEXCPT set" },
    { not_in_64bit, "SS", "segments of 4 GiB" },
    { never_by_stack, "SS", "no address by rSP or rBP" },
    { relative, "GP", "no canonical hole, and no limit, near the code" },
    { flag_image, "GP", "that is virtual-8086 mode's" },
    { soft_interrupt, "SS GP", "its gate may be used, the kernel's stack is good" },
    { trap_alone, "retired", "the trap is what it comes to" },
    { for_the_kernel, "GP", "#UD at CPL 3, before anything else" },
    { closed_gate, "retired SS", "its gate is the kernel's" },
    { wide, "AC", "#GP comes first, or vendors differ (vectors.list)" },
};

static const char *why_never(const struct isa_row *row, unsigned what)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(never); i++)
        if (names[what] && strstr(never[i].what, names[what]) && never[i].kind(row))
            return never[i].why;
    return NULL;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static bool declared(const struct isa_row *row, unsigned what)
{
    if (what == RETIRES)
        return !(row->attributes & A_NEVER_RETIRES);
    return names[what] && strstr(row->faults, names[what]) != NULL;
}

/* One line. true: nothing is missing, nothing too much. */
static bool row_print(GString *out, const struct isa_row *row, const struct tally *tally)
{
    bool complete = true;

    g_string_append_printf(out, "%-24s %-24s", row->name, row->encoding);
    for (unsigned what = 0; what <= RETIRES; what++) {
        uint64_t count = what == RETIRES ? tally->retired : tally->exception[what];
        const char *why = declared(row, what) && !count ? why_never(row, what) : NULL;

        if (!declared(row, what) && !count)
            continue;
        g_string_append_printf(out, " %s ", names[what] ? names[what] : "?");
        if (why)
            g_string_append_printf(out, "never (%s)", why);
        else
            g_string_append_printf(out, "%" PRIu64, count);
        if (!count && !why) {
            g_string_append(out, " MISSING");
            complete = false;
        }
    }
    g_string_append_c(out, '\n');
    return complete;
}

unsigned table_print(GString *out, const struct native_processor *processor, const uint16_t *rows, unsigned row_count,
                     const struct tally *tally)
{
    unsigned incomplete = 0;

    for (unsigned i = 0; i < isa_row_count; i++) {
        const char *why = row_not_run(processor, &isa_rows[i]);

        if (why)
            g_string_append_printf(out, "%-24s %-24s not run: %s\n", isa_rows[i].name, isa_rows[i].encoding, why);
    }
    for (unsigned i = 0; i < row_count; i++)
        incomplete += !row_print(out, &isa_rows[rows[i]], &tally[rows[i]]);
    return incomplete;
}
