/* SPDX-License-Identifier: MIT */
/*
 * The model's side: one core in long mode under the page tables and the GDT that a Linux process sees.
 * Single instructions go through the careful path, sequences through the fast engine's decoded blocks. An
 * exception is delivered through an IDT whose handlers halt; what it came to is read from the frame.
 */
#include <glib.h>

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_board.h"
#include "tests/silicon/silicon.h"

#define GDT 0x1000
#define IDT 0x2000
#define TSS 0x4000
#define HANDLERS 0x5000 /* 16 bytes a vector */
#define STACK_TOP 0x8000
#define TABLES 0x100000
#define RAM_OF(linear) ((linear) - LINEAR_BASE + 0x200000)
#define HANDLER_BASE UINT64_C(0x8000005000) /* supervisor pages, far from what cases reach */
#define HIGH UINT64_C(0x8000000000)         /* the first 2 MiB of RAM, for the supervisor */
#define MOST_STEPS 100000

struct model {
    struct board *board;
    struct core *core;
    const struct native_processor *processor;
};

/* ---- Building ----------------------------------------------------------------------------------------------- */

static void map_page(struct model *model, uint64_t linear, uint64_t flags)
{
    uint64_t at = TABLES + 0x4000 + 8 * (linear >> 12 & 511);

    spa_write(&model->board->space, at, 8, RAM_OF(linear) | flags);
}

static void map_pages(struct model *model, uint64_t first, uint64_t last, uint64_t flags)
{
    for (uint64_t linear = first; linear < last; linear += PAGE_BYTES)
        map_page(model, linear, flags);
}

/* P RW US A D = 67h; NX bit 63. The supervisor's 2 MiB page lies in the second 512 GiB. */
static void make_page_tables(struct model *model)
{
    struct spa_space *space = &model->board->space;

    spa_write(space, TABLES, 8, (TABLES + 0x1000) | 0x67);
    spa_write(space, TABLES + 8, 8, (TABLES + 0x2000) | 0x63);
    spa_write(space, TABLES + 0x1000, 8, (TABLES + 0x3000) | 0x67);
    spa_write(space, TABLES + 0x3000 + 8 * (LINEAR_BASE >> 21), 8, (TABLES + 0x4000) | 0x67);
    spa_write(space, TABLES + 0x2000, 8, (TABLES + 0x5000) | 0x63);
    spa_write(space, TABLES + 0x5000, 8, 0xE3);
    map_pages(model, CODE_FIRST, CODE_LAST, 0x65);
    map_pages(model, DATA_FIRST, DATA_LAST, 0x67 | BIT(63));
    map_pages(model, DATA_READ_ONLY, DATA_READ_ONLY + PAGE_BYTES, 0x65 | BIT(63));
    memset(model->board->ram + RAM_OF(CODE_FIRST), FILLER, CODE_LAST - CODE_FIRST);
    memset(model->board->ram + RAM_OF(DATA_READ_ONLY), READ_ONLY_BYTE, PAGE_BYTES);
}

/* Linux's GDT (arch/x86/include/asm/segment.h). */
static void make_descriptors(struct model *model)
{
    struct spa_space *space = &model->board->space;
    static const uint64_t gdt[] = {
        0, UINT64_C(0x00CF9B000000FFFF), UINT64_C(0x00AF9B000000FFFF), UINT64_C(0x00CF93000000FFFF),
        UINT64_C(0x00CFFB000000FFFF), UINT64_C(0x00CFF3000000FFFF), UINT64_C(0x00AFFB000000FFFF),
    };

    spa_write(space, GDT + 0x78, 8, UINT64_C(0x0040F50000000000)); /* the processor's number; its limit varies */
    for (unsigned i = 0; i < G_N_ELEMENTS(gdt); i++)
        spa_write(space, GDT + 8 * i, 8, gdt[i]);
    spa_write(space, TSS + 4, 8, HIGH + STACK_TOP);
    spa_write(space, TSS + 0x66, 2, 0x68); /* no I/O permission bitmap */
    for (uint64_t vector = 0; vector < 256; vector++) {
        uint64_t handler = HANDLER_BASE + 16 * vector, dpl = vector == EXC_BP || vector == EXC_OF ? 0x6000 : 0;

        if (vector >= 32)
            continue;
        spa_write(space, IDT + 16 * vector, 8,
                  (handler & 0xFFFF) | UINT64_C(0x10) << 16 | (0x8E00 | dpl) << 32 | (handler & 0xFFFF0000) << 32);
        spa_write(space, IDT + 16 * vector + 8, 8, handler >> 32);
        spa_write(space, HANDLERS + 16 * vector, 1, 0xF4);
    }
}

struct model *model_new(const struct native_processor *processor)
{
    struct model *model = g_new0(struct model, 1);
    struct core *core;

    model->processor = processor;
    model->board = board_new("10h-c2", 1, false);
    core = model->core = model->board->core[0];
    make_page_tables(model);
    make_descriptors(model);
    core_enter(core, &(struct core_entry){ .protected_flat = true });
    core->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    core->cr3 = TABLES;
    core->cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    core->efer |= EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    core->gdtr = (struct table_register){ HIGH + GDT, 0x7F };
    core->idtr = (struct table_register){ HIGH + IDT, 0xFFF };
    core->seg[SEG_TR] = (struct segment){ .selector = 0x40, .attr = 0x8B, .limit = 0x67, .base = HIGH + TSS };
    core->seg[SEG_LDTR] = (struct segment){ .attr = 0 };
    core_mode_changed(core, true);
    return model;
}

void model_free(struct model *model)
{
    board_free(model->board);
    g_free(model);
}

/* ---- A case into the core ------------------------------------------------------------------------------------ */

static struct segment segment_of(uint16_t selector)
{
    switch (selector) {
    case SELECTOR_CODE32: return (struct segment){ selector, 0xCFB, 0xFFFFFFFF, 0 };
    case SELECTOR_CODE64: return (struct segment){ selector, 0xAFB, 0xFFFFFFFF, 0 };
    case SELECTOR_DATA: return (struct segment){ selector, 0xCF3, 0xFFFFFFFF, 0 };
    default: return (struct segment){ .selector = selector };
    }
}

static void load_segments(struct model *model, const struct silicon_case *c)
{
    struct core *core = model->core;

    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = segment_of(c->in.seg[n]);
    if (c->in.seg[SEG_FS] == 0)
        core->seg[SEG_FS].base = model->processor->fsgsbase ? CASE_FS_BASE : model->processor->fs_base;
    if (c->in.seg[SEG_GS] == 0)
        core->seg[SEG_GS].base = model->processor->fsgsbase ? CASE_GS_BASE : model->processor->gs_base;
}

static void load_case(struct model *model, const struct silicon_case *c)
{
    struct core *core = model->core;
    size_t room = CODE_LAST - c->in.rip;
    const uint8_t *from = c->window;

    memcpy(core->gpr, c->in.gpr, sizeof(core->gpr));
    core->rip = core->next_rip = c->in.rip;
    rflags_write(core, c->in.rflags | RFLAGS_IF);
    load_segments(model, c);
    core->cpl = 3;
    core->cr2 = 0;
    core->pending_dr6 = 0;
    core->halted = core->mwaiting = core->shutdown = core->interrupt_shadow = core->shadow_blocks_debug = false;
    core->repeating = false;
    if (c->media)
        fp_load(core, c->in.fx);
    core_mode_changed(core, false);
    for (unsigned i = 0; i < WINDOWS; from += windows[i].size, i++)
        memcpy(model->board->ram + RAM_OF(windows[i].address), from, windows[i].size);
    spa_write_block(&model->board->space, RAM_OF(c->in.rip), c->code, c->size < room ? c->size : room);
}

/* ---- And out of it -------------------------------------------------------------------------------------------- */

static bool has_error_code(unsigned vector)
{
    return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

/* An exception was delivered: the frame on the supervisor's stack is what an operating system sees. */
static void take_frame(struct model *model, struct silicon_result *result)
{
    struct core *core = model->core;
    const uint64_t *frame = (const uint64_t *)(void *)(model->board->ram + (core->gpr[RSP] - HIGH));

    result->vector = (uint8_t)((core->rip - HANDLER_BASE) / 16);
    result->error = 0;
    if (has_error_code(result->vector))
        result->error = (uint32_t)*frame++;
    result->out.rip = frame[0];
    result->out.seg[SEG_CS] = (uint16_t)frame[1];
    result->out.rflags = frame[2];
    result->out.gpr[RSP] = frame[3];
    result->out.seg[SEG_SS] = (uint16_t)frame[4];
    result->cr2 = result->vector == EXC_PF ? core->cr2 : 0;
}

static void take_result(struct model *model, const struct silicon_case *c, struct silicon_result *result)
{
    struct core *core = model->core;
    uint8_t *to = result->window;

    memcpy(result->out.gpr, core->gpr, sizeof(core->gpr));
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        result->out.seg[n] = core->seg[n].selector;
    result->out.rip = core->rip;
    result->out.rflags = rflags_read(core);
    result->vector = RETIRED;
    result->error = 0;
    result->cr2 = 0;
    result->died = core->shutdown;
    if (core->cpl != 3 && !core->shutdown)
        take_frame(model, result);
    for (unsigned i = 0; i < WINDOWS; to += windows[i].size, i++)
        memcpy(to, model->board->ram + RAM_OF(windows[i].address), windows[i].size);
    if (c->media)
        fp_store(core, result->out.fx);
}

/* ---- Running -------------------------------------------------------------------------------------------------- */

static void fill_code(struct model *model, const struct silicon_case *c)
{
    static const uint8_t filler[CODE_BYTES] = { [0 ... CODE_BYTES - 1] = FILLER };
    size_t room = CODE_LAST - c->in.rip;

    spa_write_block(&model->board->space, RAM_OF(c->in.rip), filler, c->size < room ? c->size : room);
}

static void run_one(struct model *model, const struct silicon_case *c)
{
    struct core *core = model->core;
    unsigned steps = 0;

    do
        core_step(core);
    while (core->cpl == 3 && core->rip == c->in.rip && !core->pending_dr6 && ++steps < MOST_STEPS);
    if (core->cpl == 3 && core->pending_dr6)
        core_step(core); /* the trap of a single step */
}

/* The filler behind the sequence is INT3: a frame that points behind it is a retirement. */
static void run_sequence(struct model *model, const struct silicon_case *c, struct silicon_result *result)
{
    struct core *core = model->core;

    core_run(core, core->cycles + MOST_STEPS);
    take_result(model, c, result);
    if (result->vector == EXC_BP && result->out.rip == c->in.rip + c->size + 1) {
        result->vector = RETIRED;
        result->out.rip--;
        result->out.rflags &= ~RFLAGS_RF;
    }
}

void model_run(struct model *model, const struct silicon_case *c, struct silicon_result *result)
{
    load_case(model, c);
    if (c->count == 1) {
        run_one(model, c);
        take_result(model, c, result);
    } else {
        run_sequence(model, c, result);
    }
    fill_code(model, c);
}
