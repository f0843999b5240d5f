/* SPDX-License-Identifier: MIT */
#include "tests/random/code.h"

#include <string.h>

#include "sim/cpu/isa/isa.h"

#define PIECE_BYTES 64 /* the longest piece: three loads of 10 bytes and an instruction, and room */

struct draft {
    uint8_t *bytes;
    unsigned at;
    unsigned bits; /* 16, 32, 64 */
    uint64_t *seed;
};

static unsigned below(struct draft *draft, unsigned bound)
{
    return (unsigned)((next_random(draft->seed) >> 32) * bound >> 32);
}

static void put(struct draft *draft, unsigned byte)
{
    draft->bytes[draft->at++] = (uint8_t)byte;
}

static void put_value(struct draft *draft, uint64_t value, unsigned size)
{
    memcpy(draft->bytes + draft->at, &value, size);
    draft->at += size;
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

static void put_prefixes(struct draft *draft, const struct isa_row *row, const struct isa_form *form)
{
    static const uint8_t overrides[] = { 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 };
    bool may_66 = form->prefixes & ISA_PREFIX_66, string = row->attributes & (A_REP | A_REPCC);

    if (below(draft, 16) == 0)
        put(draft, 0x67);
    if (below(draft, 10) == 0)
        put(draft, overrides[below(draft, 6)]);
    if (form->prefixes == ISA_PREFIX_66 || (may_66 && below(draft, 4) == 0))
        put(draft, 0x66);
    if (string ? below(draft, 8) == 0 : form->prefixes == ISA_PREFIX_F2)
        put(draft, 0xF2);
    else if (string ? below(draft, 8) == 0 : form->prefixes == ISA_PREFIX_F3)
        put(draft, 0xF3);
    if (below(draft, row->attributes & A_LOCK ? 6 : 64) == 0)
        put(draft, 0xF0);
    if (draft->bits == 64 && (below(draft, 2) || form->rexw == 2 || form->rexb == 2))
        put(draft, (form->rexw == 2 ? 0x48 : 0x40) | (form->rexb == 2 ? 1 : 0) | below(draft, 16));
}

static unsigned draw_modrm(struct draft *draft, const struct isa_form *form)
{
    for (unsigned tries = 0; tries < 200; tries++) {
        unsigned modrm = below(draft, 256);

        if (form->map == 2)
            modrm |= 0xC0; /* the suffix follows at once */
        if ((form->mods & (modrm >= 0xC0 ? 2 : 1)) && (form->regs >> (modrm >> 3 & 7) & 1) &&
            (modrm < 0xC0 || (form->rms >> (modrm & 7) & 1)))
            return modrm;
    }
    return 0xC0;
}

/* Transfers that leave the code soon are drawn less often; near ones stay near. */
static const struct isa_row *draw_row(struct draft *draft, const struct isa_form **form)
{
    unsigned n;
    bool rare;

    do {
        n = below(draft, isa_row_count);
        rare = isa_rows[n].cost == ISA_COST_FAR || isa_rows[n].cost == ISA_COST_SYSCALL ||
               isa_rows[n].cost == ISA_COST_WORLD || (isa_rows[n].attributes & A_BRANCH) ||
               !strcmp(isa_rows[n].name, "hlt");
        if (isa_forms[n].op[0].method == ISA_METHOD_J)
            rare = false;
    } while (rare && below(draft, 8));
    *form = &isa_forms[n];
    return &isa_rows[n];
}

static void put_row(struct draft *draft)
{
    const struct isa_form *form;
    const struct isa_row *row = draw_row(draft, &form);
    unsigned opcode = form->first + below(draft, form->last - form->first + 1u);

    put_prefixes(draft, row, form);
    if (form->map)
        put(draft, 0x0F);
    put(draft, form->map == 2 ? 0x0F : opcode);
    if (form->modrm) {
        unsigned modrm = draw_modrm(draft, form);

        put(draft, modrm);
        if (modrm < 0xC0)
            put_value(draft, next_random(draft->seed), 1 + below(draft, 2) * 4); /* SIB or displacement, as it comes */
    }
    if (form->map == 2)
        put(draft, opcode);
    for (unsigned i = 0; i < 3; i++) {
        if (form->op[i].method == ISA_METHOD_J)
            put_value(draft, (uint64_t)(int64_t)(int8_t)below(draft, 256), form->op[i].size == ISA_SIZE_B ? 1 : 4);
        else if (form->op[i].method == ISA_METHOD_I || form->op[i].method == ISA_METHOD_O)
            put_value(draft, next_random(draft->seed),
                      form->op[i].size == ISA_SIZE_B || form->op[i].size == ISA_SIZE_BS ? 1 : 4);
    }
}

/* ---- What stands outside the core ------------------------------------------------------------------------ */

/* mov r32, imm32; in long mode sometimes mov r64, imm64 */
static void put_load(struct draft *draft, unsigned reg, uint64_t value)
{
    bool wide = draft->bits == 64 && value > UINT32_MAX;

    if (draft->bits == 16)
        put(draft, 0x66);
    if (wide)
        put(draft, 0x48);
    put(draft, 0xB8 + reg);
    put_value(draft, value, wide ? 8 : 4);
}

struct range {
    uint32_t first, count;
};

static uint32_t draw(struct draft *draft, const struct range *ranges, unsigned count)
{
    const struct range *range = &ranges[below(draft, count)];

    return range->first + below(draft, range->count);
}
#define DRAW(draft, ranges) draw(draft, ranges, sizeof(ranges) / sizeof((ranges)[0]))

static void put_port(struct draft *draft)
{
    static const struct range ports[] = {
        { 0x20, 2 }, { 0xA0, 2 }, { 0x4D0, 2 }, { 0x40, 4 }, { 0x60, 5 }, { 0x70, 4 }, { 0x80, 16 }, { 0x92, 1 },
        { 0xE9, 1 }, { 0x3F8, 8 }, { 0x3F8, 8 }, { 0xCF8, 1 }, { 0xCFA, 6 }, { 0x800, 64 }, { 0, 0xF4 },
        { 0x100, 0xFF00 },
    };
    /* IN and OUT through DX, INS, OUTS, with REP sometimes */
    static const uint8_t opcodes[] = { 0xEC, 0xED, 0xEE, 0xEF, 0xEC, 0xEE, 0x6C, 0x6D, 0x6E, 0x6F };
    unsigned opcode = opcodes[below(draft, sizeof(opcodes))];

    put_load(draft, RDX, DRAW(draft, ports));
    if (below(draft, 2))
        put_load(draft, RAX, next_random(draft->seed) & UINT32_MAX);
    if (opcode < 0x70 && below(draft, 4) == 0) {
        put_load(draft, RCX, below(draft, 64));
        put(draft, 0xF3);
    }
    if (below(draft, 4) == 0)
        put(draft, 0x66);
    put(draft, opcode);
}

static void put_msr(struct draft *draft)
{
    static const struct range msrs[] = {
        { 0, 0x20 }, { 0x10, 1 }, { 0x1B, 1 }, { 0x174, 8 }, { 0x1D9, 5 }, { 0x200, 0x10 }, { 0x250, 0x20 },
        { 0x277, 1 }, { 0x2FF, 1 }, { 0x400, 0x18 }, { 0xC0000080, 5 }, { 0xC0000100, 4 }, { 0xC0000408, 4 },
        { 0xC0010000, 0x20 },
        { 0xC0010030, 0x40 }, { 0xC0010110, 0x40 }, { 0xC0011000, 0x40 }, { 0xC0000000, 0x2000 }, { 0, 0x2000 },
    };

    put_load(draft, RCX, DRAW(draft, msrs));
    if (below(draft, 3) == 0) {
        put(draft, 0x0F);
        put(draft, 0x32);
        return;
    }
    if (below(draft, 4)) { /* else what the registers hold, often what RDMSR gave */
        put_load(draft, RAX, next_random(draft->seed) & next_random(draft->seed) & UINT32_MAX);
        put_load(draft, RDX, below(draft, 2) ? 0 : next_random(draft->seed) & next_random(draft->seed) & UINT32_MAX);
    }
    put(draft, 0x0F);
    put(draft, 0x30);
}

static void put_mmio(struct draft *draft)
{
    static const struct range devices[] = {
        { 0xFEE00000, 0x1000 }, { 0xFEE00000, 0x600 }, { 0xFEC00000, 0x20 }, { 0xFED00000, 0x400 },
        { 0xE0000000, 0x100000 }, { 0xFFFF0000, 0x10000 }, { 0xA0000, 0x20000 }, { 0xF0000, 0x10000 },
        { 0xFEB00000, 0x100000 },
    };
    /* mov, add, xor, xchg, test, bt family, both ways; [rbx] with eax or al */
    static const uint8_t opcodes[] = { 0x89, 0x8B, 0x89, 0x8B, 0x88, 0x8A, 0x01, 0x31, 0x87, 0x85, 0x03 };
    uint32_t address = DRAW(draft, devices);

    put_load(draft, RBX, below(draft, 8) ? address & ~(below(draft, 2) ? 15u : 3u) : address);
    if (below(draft, 2))
        put_load(draft, RAX, next_random(draft->seed) & next_random(draft->seed) & UINT32_MAX);
    if (draft->bits == 16) {
        put(draft, 0x67);
        put(draft, 0x66);
    }
    if (draft->bits == 64 && below(draft, 8) == 0)
        put(draft, 0x48);
    put(draft, opcodes[below(draft, sizeof(opcodes))]);
    put(draft, 0x03);
}

static void put_pci(struct draft *draft)
{
    unsigned device = below(draft, 2) ? 0x18 + below(draft, 2) : below(draft, 32);
    uint32_t address = BIT(31) | device << 11 | below(draft, 8) << 8 | below(draft, 64) << 2;

    if (below(draft, 8) == 0)
        address |= below(draft, 256) << 16 | below(draft, 16) << 24;
    put_load(draft, RDX, 0xCF8);
    put_load(draft, RAX, address);
    if (draft->bits == 16)
        put(draft, 0x66);
    put(draft, 0xEF);
    put_load(draft, RDX, 0xCFC + below(draft, 4));
    if (below(draft, 2))
        put_load(draft, RAX, next_random(draft->seed) & next_random(draft->seed) & UINT32_MAX);
    put(draft, 0xEC + below(draft, 4));
}

/* Control and debug registers, with values that often are possible. */
static void put_control(struct draft *draft)
{
    static const uint64_t cr0[] = { 0x11, 0x80000011, 0x80010031, 0x8005003B, 0x10, 0x60000011 };
    static const uint8_t control[] = { 0, 2, 3, 4, 8 };
    unsigned number = control[below(draft, sizeof(control))];
    uint64_t value = next_random(draft->seed) & next_random(draft->seed);

    if (below(draft, 3) == 0) {
        put_load(draft, RAX, value & UINT32_MAX);
        put(draft, 0x0F);
        put(draft, 0x21 + 2 * below(draft, 2));
        put(draft, 0xC0 | below(draft, 8) << 3);
        return;
    }
    if (number == 0)
        value = cr0[below(draft, 6)];
    else if (number == 3)
        value = below(draft, 2) ? TABLES : LEGACY_TABLE;
    else if (number == 4)
        value = (value & 0x7FF) | (below(draft, 2) ? 0x30 : 0);
    if (number == 0 && below(draft, 8)) /* mostly leaves the mode alone */
        number = 2;
    put_load(draft, RAX, value);
    if (number == 8)
        put(draft, draft->bits == 64 ? 0x44 : 0xF0);
    put(draft, 0x0F);
    put(draft, below(draft, 4) ? 0x22 : 0x20);
    put(draft, 0xC0 | (number & 7) << 3);
}

static void put_svm(struct draft *draft)
{
    static const uint8_t opcodes[] = { 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDF, 0xDC };

    put_load(draft, RAX, below(draft, 4) ? VMCB : random_address(draft->seed, false));
    put(draft, 0x0F);
    put(draft, 0x01);
    put(draft, opcodes[below(draft, sizeof(opcodes))]);
}

/* ---- The mixture ------------------------------------------------------------------------------------------- */

static void put_piece(struct draft *draft)
{
    unsigned roll = below(draft, 100);

    if (roll < 66)
        put_row(draft);
    else if (roll < 70)
        put_load(draft, below(draft, 4) * 2 + below(draft, 2), random_address(draft->seed, draft->bits == 64));
    else if (roll < 76)
        put_port(draft);
    else if (roll < 82)
        put_msr(draft);
    else if (roll < 88)
        put_mmio(draft);
    else if (roll < 91)
        put_pci(draft);
    else if (roll < 94)
        put_control(draft);
    else if (roll < 96)
        put_svm(draft);
    else
        put_value(draft, next_random(draft->seed), 1 + below(draft, 8));
}

unsigned random_code(uint8_t *code, size_t size, unsigned world, uint64_t *seed)
{
    struct draft draft = { code, 0, world == WORLD_LONG ? 64 : world == WORLD_REAL ? 16 : 32, seed };
    unsigned pieces = 0;

    for (; draft.at + PIECE_BYTES <= size; pieces++)
        put_piece(&draft);
    while (draft.at < size)
        put(&draft, (unsigned)next_random(seed));
    return pieces;
}
