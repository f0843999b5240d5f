/* SPDX-License-Identifier: MIT */
/*
 * A board for unit tests: flat RAM with page flags, a port that logs, and cores, without a platform.
 * Included by one test program at a time.
 */
#ifndef FAM10H_CPU_INTERP_TEST_BOARD_H
#define FAM10H_CPU_INTERP_TEST_BOARD_H

#include <glib.h>
#include <string.h>

#include "sim/counters.h"
#include "sim/cpu/core.h"
#include "sim/spa.h"
#include "sim/state.h"

#define BOARD_RAM (UINT64_C(16) << 20)
#define BOARD_CORES 2
#define BOARD_PORTS 64

struct board {
    uint8_t *ram;
    uint8_t flags[BOARD_RAM >> PAGE_SHIFT];
    struct spa_space space;
    struct pio_space pio;
    struct clock clock;
    struct unmodelled *unmodelled;
    struct counter_set *counters;
    struct state *state;
    struct block_cache *blocks;
    struct core *core[BOARD_CORES];
    unsigned cores;
    uint32_t out[BOARD_PORTS]; /* what OUT wrote, in order */
    unsigned outs;
    uint8_t pic_vector;
};

/* ---- Ports of the board ------------------------------------------------------------------------------ */

static uint8_t *board_dram(void *ctx, spa_t address, bool allocate)
{
    struct board *board = ctx;

    (void)allocate;
    return address < BOARD_RAM ? board->ram + (address & ~PAGE_MASK) : NULL;
}

static bool board_is_dram(void *ctx, spa_t address)
{
    (void)ctx;
    return address < BOARD_RAM;
}

static uint8_t *board_page_flags(void *ctx, spa_t address)
{
    struct board *board = ctx;

    return address < BOARD_RAM ? &board->flags[address >> PAGE_SHIFT] : NULL;
}

static void board_drop(struct board *board, spa_t address)
{
    for (unsigned i = 0; i < board->cores; i++)
        mmu_drop_native(core_mmu(board->core[i]), address & ~PAGE_MASK);
}

static void board_flag(void *ctx, spa_t address, enum dram_page_flag flag)
{
    struct board *board = ctx;

    board->flags[address >> PAGE_SHIFT] |= (uint8_t)flag;
    board_drop(board, address);
}

static void board_unflag(void *ctx, spa_t address, enum dram_page_flag flag)
{
    struct board *board = ctx;

    board->flags[address >> PAGE_SHIFT] &= (uint8_t)~flag;
    board_drop(board, address);
}

static void board_stored(void *ctx, spa_t address, unsigned size)
{
    struct board *board = ctx;
    uint8_t flags = board->flags[address >> PAGE_SHIFT];

    if (flags & DRAM_PAGE_CODE)
        block_cache_stored(board->blocks, address, size);
    for (unsigned i = 0; (flags & DRAM_PAGE_ARMED) && i < board->cores; i++)
        core_line_stored(board->core[i], address, size);
}

static uint64_t board_mmio_read(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address, (void)size;
    return UINT64_MAX;
}

static void board_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    (void)ctx, (void)address, (void)size, (void)value;
}

static unsigned board_home_node(void *ctx, spa_t address)
{
    (void)ctx, (void)address;
    return 0;
}

static uint32_t board_in(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)port, (void)size;
    return 0x5A;
}

static void board_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct board *board = ctx;

    (void)size;
    if (board->outs < BOARD_PORTS)
        board->out[board->outs++] = (uint32_t)port << 16 | (value & 0xFFFF);
}

static bool board_send(void *ctx, const struct apic_message *message)
{
    struct board *board = ctx;
    bool accepted = false;

    for (unsigned i = 0; i < board->cores; i++) {
        if (core_apic_accepts(board->core[i], message)) {
            core_apic_deliver(board->core[i], message);
            accepted = true;
        }
    }
    return accepted;
}

static uint8_t board_intack(void *ctx)
{
    struct board *board = ctx;

    return board->pic_vector;
}

static void board_eoi(void *ctx, uint8_t vector)
{
    (void)ctx, (void)vector;
}

/* ---- Building ------------------------------------------------------------------------------------------ */

static struct board *board_new(const char *model, unsigned cores, bool reference)
{
    struct board *board = g_new0(struct board, 1);

    board->ram = g_malloc0(BOARD_RAM);
    board->space = (struct spa_space){
        .ctx = board, .dram = board_dram, .is_dram = board_is_dram, .page_flags = board_page_flags,
        .flag_page = board_flag, .unflag_page = board_unflag, .stored = board_stored,
        .mmio_read = board_mmio_read, .mmio_write = board_mmio_write, .home_node = board_home_node,
        .smram = board_dram, /* the board has no VGA window: ASeg hides DRAM itself */
    };
    board->pio = (struct pio_space){ board, board_in, board_out };
    clock_init(&board->clock);
    board->unmodelled = unmodelled_new();
    board->counters = counter_set_new();
    board->state = state_new();
    board->blocks = block_cache_new(&board->space);
    board->pic_vector = 0x30;
    for (unsigned i = 0; i < cores; i++) {
        struct core_wiring wiring = {
            .index = i, .in_node = i, .apic_id = (uint8_t)i, .cores_in_node = cores, .nodes = 1,
            .model = cpu_model_find(model), .space = &board->space, .pio = &board->pio, .clock = &board->clock,
            .unmodelled = board->unmodelled, .messages = { board, board_send },
            .acknowledge = { board, board_intack, board_eoi }, .blocks = board->blocks,
        };
        g_autofree char *path = g_strdup_printf("node[0].core[%u]", i);

        board->core[i] = core_new(&wiring);
        board->cores = i + 1;
        core_set_reference(board->core[i], reference);
        core_describe(board->core[i], board->state, board->counters, path);
    }
    return board;
}

static void board_free(struct board *board)
{
    for (unsigned i = 0; i < board->cores; i++)
        core_free(board->core[i]);
    block_cache_free(board->blocks);
    counter_set_free(board->counters);
    state_free(board->state);
    unmodelled_free(board->unmodelled);
    g_free(board->ram);
    g_free(board);
}

/* ---- Programs ------------------------------------------------------------------------------------------ */

#define BOARD_GDT 0x1000
#define BOARD_IDT 0x2000
#define BOARD_HANDLERS 0x4000 /* 16 bytes a vector; the IDT may take 16 bytes a vector too */
#define BOARD_STACK 0x8000
#define BOARD_CODE 0x10000
#define BOARD_CODE_SELECTOR 0x08
#define BOARD_DATA_SELECTOR 0x10

/* Bytes at an address: board_put(board, at, 0x90, 0xF4). */
#define board_put(board, at, ...)                                                    \
    do {                                                                             \
        const uint8_t bytes_[] = { __VA_ARGS__ };                                    \
        spa_write_block(&(board)->space, (at), bytes_, sizeof(bytes_));              \
    } while (0)

/* 32-bit flat code at CPL 0, an IDT whose every handler is HLT. */
static void board_enter_flat(struct board *board, unsigned index, uint32_t rip)
{
    struct core_entry entry = { .rip = rip, .rsp = BOARD_STACK, .protected_flat = true };
    struct core *core = board->core[index];

    spa_write(&board->space, BOARD_GDT + 8, 8, UINT64_C(0x00CF9B000000FFFF));
    spa_write(&board->space, BOARD_GDT + 16, 8, UINT64_C(0x00CF93000000FFFF));
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t handler = BOARD_HANDLERS + 16 * vector;

        spa_write(&board->space, BOARD_IDT + 8 * vector, 8,
                  handler | (uint64_t)BOARD_CODE_SELECTOR << 16 | UINT64_C(0x8E00) << 32);
        board_put(board, handler, 0xF4);
    }
    core_enter(core, &entry);
    core->gdtr = (struct table_register){ BOARD_GDT, 0x17 };
    core->idtr = (struct table_register){ BOARD_IDT, 0x7FF };
    core->seg[SEG_CS].selector = BOARD_CODE_SELECTOR;
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        if (n != SEG_CS)
            core->seg[n].selector = BOARD_DATA_SELECTOR;
}

/* The vector whose handler the core stands in (halted behind its HLT), or -1. */
static inline int board_vector(const struct core *core)
{
    if (!core->halted || core->rip <= BOARD_HANDLERS || core->rip >= BOARD_HANDLERS + 16 * 256)
        return -1;
    return (int)((core->rip - 1 - BOARD_HANDLERS) / 16);
}

/* Identity map of the first 1 GiB with 2M pages (4K below 2 MiB), long mode, 64-bit code. */
#define BOARD_PML4 0x100000
static inline void board_enter_long(struct board *board, unsigned index, uint64_t rip)
{
    struct core *core = board->core[index];

    board_enter_flat(board, index, (uint32_t)rip);
    spa_write(&board->space, BOARD_PML4, 8, (BOARD_PML4 + 0x1000) | 7);
    spa_write(&board->space, BOARD_PML4 + 0x1000, 8, (BOARD_PML4 + 0x2000) | 7);
    spa_write(&board->space, BOARD_PML4 + 0x2000, 8, (BOARD_PML4 + 0x3000) | 7);
    for (uint64_t i = 1; i < 512; i++)
        spa_write(&board->space, BOARD_PML4 + 0x2000 + 8 * i, 8, i << 21 | 0x87);
    for (uint64_t i = 0; i < 512; i++)
        spa_write(&board->space, BOARD_PML4 + 0x3000 + 8 * i, 8, i << 12 | 7);
    spa_write(&board->space, BOARD_GDT + 8, 8, UINT64_C(0x00AF9B000000FFFF));
    core->cr3 = BOARD_PML4;
    core->cr4 = CR4_PAE;
    core->efer = EFER_LME | EFER_LMA;
    core->cr0 |= CR0_PG;
    core->seg[SEG_CS].attr = 0xA9B;
    core_mode_changed(core, true);
}

#endif
