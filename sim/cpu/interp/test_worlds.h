/* SPDX-License-Identifier: MIT */
/*
 * Ways to start a random program on the test board so that it goes on after every fault: each handler
 * skips one byte and returns. Real mode, 32-bit, 64-bit at CPL 0 and 3, and a guest under a small host.
 */
#ifndef FAM10H_CPU_INTERP_TEST_WORLDS_H
#define FAM10H_CPU_INTERP_TEST_WORLDS_H

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_board.h"

#define PROGRAM_BYTES 0x3000 /* three pages: instructions cross two page ends */
#define WORLD_DATA 0x40000
#define WORLD_STACK 0x30000
#define WORLD_TSS 0x9000
#define WORLD_HOST 0xA000
#define WORLD_VMCB 0xB000
#define WORLD_HSAVE 0xC000
#define WORLD_MAPS 0xC0000 /* IOPM, MSRPM: zero */
#define WORLD_NESTED 0x180000

enum world { WORLD_REAL, WORLD_FLAT, WORLD_LONG, WORLD_USER, WORLD_GUEST, WORLDS };

/* xorshift64 */
static inline uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *seed = x;
}

static inline unsigned below(uint64_t *seed, unsigned bound)
{
    return (unsigned)(next_random(seed) >> 33) % bound;
}

/* ---- Handlers ------------------------------------------------------------------------------------------ */

static bool has_error_code(unsigned vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30;
}

static void handler_64(struct board *board, unsigned vector)
{
    uint64_t at = BOARD_HANDLERS + 16 * vector, gate = BOARD_IDT + 16 * vector;

    spa_write(&board->space, gate, 8, at | (uint64_t)BOARD_CODE_SELECTOR << 16 | UINT64_C(0x8E00) << 32);
    spa_write(&board->space, gate + 8, 8, 0);
    if (has_error_code(vector)) /* add rsp,8 */
        board_put(board, at, 0x48, 0x83, 0xC4, 0x08);
    else
        board_put(board, at, 0x90, 0x90, 0x90, 0x90);
    board_put(board, at + 4, 0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF); /* add qword [rsp],1; iretq */
}

static void handler_32(struct board *board, unsigned vector)
{
    uint64_t at = BOARD_HANDLERS + 16 * vector;

    if (has_error_code(vector)) /* add esp,4 */
        board_put(board, at, 0x83, 0xC4, 0x04, 0x90);
    else
        board_put(board, at, 0x90, 0x90, 0x90, 0x90);
    board_put(board, at + 4, 0x83, 0x04, 0x24, 0x01, 0xCF); /* add dword [esp],1; iretd */
}

static void handler_16(struct board *board, unsigned vector)
{
    uint64_t at = BOARD_HANDLERS + 16 * vector;

    spa_write(&board->space, 4 * vector, 4, 16 * vector | (uint64_t)(BOARD_HANDLERS >> 4) << 16);
    /* push bp; mov bp,sp; inc word [bp+2]; pop bp; iret */
    board_put(board, at, 0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D, 0xCF);
}

/* ---- Worlds -------------------------------------------------------------------------------------------- */

static void enter_real(struct board *board)
{
    struct core *core = board->core[0];
    struct core_entry entry = { .protected_flat = false };

    for (unsigned vector = 0; vector < 256; vector++)
        handler_16(board, vector);
    core_enter(core, &entry);
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        uint16_t paragraph = n == SEG_CS ? BOARD_CODE >> 4 : n == SEG_SS ? WORLD_STACK >> 4 : WORLD_DATA >> 4;

        core->seg[n].selector = paragraph;
        core->seg[n].base = (uint64_t)paragraph << 4;
    }
    core->rip = 0;
    core_mode_changed(core, true);
}

static void enter_long(struct board *board)
{
    board_enter_long(board, 0, BOARD_CODE);
    for (unsigned vector = 0; vector < 256; vector++)
        handler_64(board, vector);
    board->core[0]->idtr.limit = 0xFFF;
}

static void enter_user(struct board *board)
{
    struct core *core = board->core[0];

    enter_long(board);
    spa_write(&board->space, BOARD_GDT + 0x18, 8, UINT64_C(0x00CFF3000000FFFF));
    spa_write(&board->space, BOARD_GDT + 0x20, 8, UINT64_C(0x00AFFB000000FFFF));
    spa_write(&board->space, WORLD_TSS + 4, 8, WORLD_STACK + 0x8000); /* RSP0 */
    core->gdtr.limit = 0x27;
    core->seg[SEG_TR] = (struct segment){ .selector = 0x28, .attr = 0x8B, .limit = 0x67, .base = WORLD_TSS };
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        core->seg[n].selector = n == SEG_CS ? 0x23 : 0x1B;
        core->seg[n].attr = n == SEG_CS ? 0xAFB : 0xCF3;
    }
    core->cpl = 3;
    core_mode_changed(core, true);
}

static void vmcb_put_segment(struct board *board, unsigned n, const struct segment *segment)
{
    spa_t at = WORLD_VMCB + 0x400 + 16 * n;

    spa_write(&board->space, at, 2, segment->selector);
    spa_write(&board->space, at + 2, 2, segment->attr);
    spa_write(&board->space, at + 4, 4, segment->limit);
    spa_write(&board->space, at + 8, 8, segment->base);
}

/* The state that enter_long made, as a guest's; some intercepts and virtual interrupts at random. */
static void vmcb_fill(struct board *board, uint64_t *seed)
{
    const struct core *core = board->core[0];
    spa_t at = WORLD_VMCB;
    struct spa_space *space = &board->space;

    for (unsigned word = 0; word < INTERCEPT_WORDS; word++)
        spa_write(space, at + 4 * word, 4, (next_random(seed) & next_random(seed) & next_random(seed)) | (word == 4));
    spa_write(space, at + 0x040, 8, WORLD_MAPS);
    spa_write(space, at + 0x048, 8, WORLD_MAPS + 0x4000);
    spa_write(space, at + 0x058, 4, 1 + below(seed, 3));
    spa_write(space, at + 0x060, 8, next_random(seed) & UINT64_C(0xFF011F010F));
    spa_write(space, at + 0x090, 8, below(seed, 2));
    spa_write(space, at + 0x0B0, 8, WORLD_NESTED);
    for (unsigned n = SEG_ES; n <= SEG_DS; n++)
        vmcb_put_segment(board, n, &core->seg[n]);
    vmcb_put_segment(board, 6, &(struct segment){ .limit = core->gdtr.limit, .base = core->gdtr.base });
    vmcb_put_segment(board, 8, &(struct segment){ .limit = core->idtr.limit, .base = core->idtr.base });
    spa_write(space, at + 0x4D0, 8, core->efer | EFER_SVME);
    spa_write(space, at + 0x548, 8, core->cr4);
    spa_write(space, at + 0x550, 8, core->cr3);
    spa_write(space, at + 0x558, 8, core->cr0);
    spa_write(space, at + 0x560, 8, 0x400);
    spa_write(space, at + 0x568, 8, 0xFFFF0FF0);
    spa_write(space, at + 0x570, 8, 2 | (below(seed, 2) ? RFLAGS_IF : 0));
    spa_write(space, at + 0x578, 8, BOARD_CODE);
    spa_write(space, at + 0x5D8, 8, WORLD_STACK);
    spa_write(space, at + 0x668, 8, core->pat);
}

/* Nested identity map of the first GiB, user and writable. */
static void nested_tables(struct board *board)
{
    spa_write(&board->space, WORLD_NESTED, 8, (WORLD_NESTED + 0x1000) | 7);
    spa_write(&board->space, WORLD_NESTED + 0x1000, 8, (WORLD_NESTED + 0x2000) | 7);
    for (uint64_t i = 0; i < 512; i++)
        spa_write(&board->space, WORLD_NESTED + 0x2000 + 8 * i, 8, i << 21 | 0x87);
}

/* A host that runs the guest for ever: after each exit the guest goes on one byte later. */
static void enter_guest(struct board *board, uint64_t *seed)
{
    struct core *core = board->core[0];

    enter_long(board);
    vmcb_fill(board, seed);
    nested_tables(board);
    core->svm.vm_hsave_pa = WORLD_HSAVE;
    core->efer |= EFER_SVME;
    core->rip = WORLD_HOST;
    rflags_write(core, RFLAGS_IF);
    board_put(board, WORLD_HOST, 0xB8, 0x00, 0xB0, 0x00, 0x00,     /* mov eax,WORLD_VMCB */
              0x0F, 0x01, 0xD8,                                   /* vmrun */
              0x48, 0xFF, 0x04, 0x25, 0x78, 0xB5, 0x00, 0x00,     /* inc qword [WORLD_VMCB + 578h] */
              0x0F, 0x01, 0xDC, 0x90, 0x90, 0x90, 0x0F, 0x01, 0xDD, /* stgi; nop x 3; clgi */
              0xEB, 0xE5);                                        /* jmp WORLD_HOST */
    core_mode_changed(core, true);
}

/* Pointers into data and into the program itself, and plain numbers. */
static void random_registers(struct core *core, bool wide, uint64_t *seed)
{
    for (unsigned r = 0; r < GPR_COUNT; r++) {
        uint64_t value = next_random(seed);

        if (r == RSP)
            core->gpr[r] = core->mode == MODE_REAL ? 0x8000 : WORLD_STACK;
        else if (value & 1)
            core->gpr[r] = (value & 2) ? WORLD_DATA + (value >> 8 & 0xFFF) : BOARD_CODE + (value >> 8) % PROGRAM_BYTES;
        else
            core->gpr[r] = wide ? value : (uint32_t)value;
    }
}

static inline void world_enter(struct board *board, enum world world, uint64_t seed)
{
    switch (world) {
    case WORLD_REAL: enter_real(board); break;
    case WORLD_LONG: enter_long(board); break;
    case WORLD_USER: enter_user(board); break;
    case WORLD_GUEST: enter_guest(board, &seed); break;
    default:
        board_enter_flat(board, 0, BOARD_CODE);
        for (unsigned vector = 0; vector < 256; vector++)
            handler_32(board, vector);
        break;
    }
    random_registers(board->core[0], world >= WORLD_LONG, &seed);
}

#endif
