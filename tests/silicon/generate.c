/* SPDX-License-Identifier: MIT */
/* One random instance from (seed, index): which row, which bytes, which registers and memory. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

#define TRIES 40
#define POOL_BYTES 65536u

/* ---- The native processor ----------------------------------------------------------------------------------- */

void native_processor_identify(struct native_processor *processor)
{
    unsigned a, b, c, d, c8, d8, unused;
    bool *has = processor->feature;

    memset(processor, 0, sizeof(*processor));
    __cpuid(0, a, b, c, d);
    processor->intel = b == signature_INTEL_ebx;
    __cpuid(1, a, b, c, d);
    __cpuid(0x80000001, unused, unused, c8, d8);
    for (unsigned i = 0; i <= ISA_FEATURE_3DNOW; i++)
        has[i] = true;
    has[ISA_FEATURE_SSE3] = c & bit_SSE3;
    has[ISA_FEATURE_CX16] = c & bit_CMPXCHG16B;
    has[ISA_FEATURE_POPCNT] = c & bit_POPCNT;
    has[ISA_FEATURE_LAHF64] = c8 & bit_LAHF_LM;
    has[ISA_FEATURE_ABM] = c8 & bit_ABM;
    has[ISA_FEATURE_SSE4A] = c8 & bit_SSE4a;
    has[ISA_FEATURE_PREFETCHW] = c8 & bit_PRFCHW;
    has[ISA_FEATURE_SVM] = has[ISA_FEATURE_SKINIT] = false; /* the kernel's or the hypervisor's, not ours */
    has[ISA_FEATURE_3DNOW] = d8 & bit_3DNOW;
    processor->fsgsbase = getauxval(AT_HWCAP2) & 2; /* HWCAP2_FSGSBASE */
    syscall(SYS_arch_prctl, ARCH_GET_FS, &processor->fs_base);
    syscall(SYS_arch_prctl, ARCH_GET_GS, &processor->gs_base);
}

static bool run_is_one_of(const struct isa_row *row, exec_fn *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (row->run == list[i])
            return true;
    return false;
}
#define RUN_IS_ONE_OF(row, list) run_is_one_of((row), (list), sizeof(list) / sizeof((list)[0]))

static bool writes_segments(const struct isa_row *row)
{
    static exec_fn *const list[] = { exec_mov_to_segment, exec_pop_segment, exec_les, exec_lds,
                                     exec_lss, exec_lfs, exec_lgs };

    return RUN_IS_ONE_OF(row, list);
}

/* The rows that mind CR0.TS. */
bool uses_media(const struct isa_row *row)
{
    return strstr(row->faults, "NM") != NULL;
}

const char *row_not_run(const struct native_processor *processor, const struct isa_row *row)
{
    static exec_fn *const kernel[] = { exec_syscall, exec_sysenter };
    static exec_fn *const values[] = { exec_cpuid, exec_rdtsc, exec_rdtscp, exec_sgdt, exec_sidt, exec_sldt, exec_str,
                                       exec_smsw };

    if (row->attributes & A_UNMODELLED)
        return "not modelled";
    if (!(row->modes & (ISA_IN_PROTECTED | ISA_IN_64BIT)))
        return "no user mode has it";
    if (!processor->feature[row->feature])
        return "the native processor lacks it";
    if (RUN_IS_ONE_OF(row, kernel))
        return "enters the native kernel";
    if (RUN_IS_ONE_OF(row, values))
        return "gives values of the native machine";
    if (!processor->fsgsbase && writes_segments(row))
        return "FS cannot be put back";
    return NULL;
}

/* ---- Bytes -------------------------------------------------------------------------------------------------- */

/* Often a value at the edge of some size. */
uint64_t random_value(struct random *r)
{
    static const uint64_t edges[] = {
        0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
        0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE,
    };
    uint64_t roll = random_next(r);

    switch (roll % 8) {
    case 0: return edges[(roll >> 8) % (sizeof(edges) / sizeof(edges[0]))];
    case 1: return roll >> 8 & 0xFF;
    case 2: return (uint64_t)(int64_t)(int8_t)(roll >> 8);
    case 3: return random_next(r) >> (roll >> 8 & 63);
    default: return random_next(r);
    }
}

static void put(struct draft *draft, unsigned *at, uint8_t byte)
{
    draft->bytes[(*at)++] = byte;
}

static void put_prefixes(struct draft *draft, unsigned *at, struct random *r, unsigned number, unsigned bits)
{
    static const uint8_t overrides[6] = { 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 };
    const struct isa_row *row = &isa_rows[number];
    const struct isa_form *form = &isa_forms[number];
    bool string = row->attributes & (A_REP | A_REPCC);
    bool may_66 = form->prefixes & ISA_PREFIX_66, must_66 = form->prefixes == ISA_PREFIX_66;
    unsigned roll = random_below(r, 64);

    if (random_one_in(r, 16))
        put(draft, at, 0x67);
    if (random_one_in(r, 10))
        put(draft, at, overrides[random_below(r, 6)]);
    if (must_66 || (may_66 && roll % 4 == 0))
        put(draft, at, 0x66);
    if (string ? roll % 3 == 1 : form->prefixes == ISA_PREFIX_F2)
        put(draft, at, 0xF2);
    if (string ? roll % 3 == 2 : form->prefixes == ISA_PREFIX_F3)
        put(draft, at, 0xF3);
    if ((row->attributes & A_LOCK) && random_one_in(r, 6))
        put(draft, at, 0xF0);
    if (bits == 64 && (random_one_in(r, 2) || form->rexw == 2 || form->rexb == 2))
        put(draft, at, (uint8_t)(0x40 | random_below(r, 16)));
}

static uint8_t random_modrm(struct random *r, const struct isa_form *form)
{
    for (;;) {
        uint8_t modrm = (uint8_t)random_next(r);
        bool reg = modrm >= 0xC0;

        if (!reg && random_one_in(r, 3))
            modrm |= 0xC0, reg = true;
        if (!(form->mods & (reg ? 2 : 1)))
            modrm ^= 0xC0, reg = modrm >= 0xC0;
        if ((form->mods & (reg ? 2 : 1)) && (form->regs >> (modrm >> 3 & 7) & 1) &&
            (!reg || (form->rms >> (modrm & 7) & 1)))
            return modrm;
    }
}

bool draft_decode(struct draft *draft, unsigned bits)
{
    return decode(draft->bytes, 15, (struct decode_mode){ (uint8_t)bits, false }, &draft->insn) == DECODE_OK;
}

/* Where the displacement is, if there is one. */
static void find_displacement(struct draft *draft)
{
    const struct insn *insn = &draft->insn;
    bool sib = insn->address_size != 2 && (insn->modrm & 7) == 4;

    draft->displacement_at = draft->modrm_at + 1 + (insn->modrm_memory && sib);
}

/* Random bytes that decode as this row. */
bool draft_make(struct draft *draft, struct random *r, unsigned row, unsigned bits, uint64_t rip)
{
    const struct isa_form *form = &isa_forms[row];

    for (unsigned tries = 0; tries < TRIES; tries++) {
        unsigned at = 0;

        put_prefixes(draft, &at, r, row, bits);
        if (form->map)
            put(draft, &at, 0x0F);
        put(draft, &at, (uint8_t)(form->first + random_below(r, form->last - form->first + 1u)));
        draft->modrm_at = at;
        if (form->modrm)
            put(draft, &at, random_modrm(r, form));
        while (at < 15)
            put(draft, &at, (uint8_t)random_next(r));
        draft->rip = rip;
        if (draft_decode(draft, bits) && draft->insn.row == &isa_rows[row]) {
            find_displacement(draft);
            return true;
        }
    }
    return false;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------- */

/* Making all memory anew would cost more than the case: runs of one random pool, the same in every session. */
static void random_window(struct silicon_case *c, struct random *r)
{
    static uint8_t pool[POOL_BYTES];
    static bool filled;

    if (!filled) {
        struct random source = { 1 };

        for (unsigned i = 0; i < POOL_BYTES; i += 8) {
            uint64_t value = random_one_in(&source, 4) ? random_interesting(&source) : random_next(&source);

            memcpy(pool + i, &value, 8);
        }
        filled = true;
    }
    for (unsigned at = 0; at < WINDOW_BYTES; at += 384)
        memcpy(c->window + at, pool + 8 * random_below(r, (POOL_BYTES - 384) / 8), 384);
}

static void random_inputs(struct silicon_case *c, struct random *r)
{
    static const uint8_t pointers[] = { RBX, RBP, RSI, RDI };

    for (unsigned n = 0; n < GPR_COUNT; n++)
        c->in.gpr[n] = random_value(r);
    for (unsigned i = 0; i < sizeof(pointers); i++)
        if (random_one_in(r, 2))
            c->in.gpr[pointers[i]] = place_data(r, 16, random_one_in(r, 8), false);
    c->in.gpr[RSP] = place_data(r, 64, random_one_in(r, 8), c->bits == 64) & ~(uint64_t)(random_one_in(r, 16) ? 0 : 7);
    for (unsigned n = 0; c->bits == 32 && n < GPR_COUNT; n++)
        c->in.gpr[n] = (uint32_t)c->in.gpr[n];
    c->in.rflags = 2 | RFLAGS_IF | (random_next(r) & (RFLAGS_ARITH | RFLAGS_DF));
    if (random_one_in(r, 8))
        c->in.rflags |= RFLAGS_AC;
    if (random_one_in(r, 32))
        c->in.rflags |= RFLAGS_ID;
    c->in.seg[SEG_CS] = c->bits == 64 ? SELECTOR_CODE64 : SELECTOR_CODE32;
    c->in.seg[SEG_ES] = c->in.seg[SEG_SS] = c->in.seg[SEG_DS] = SELECTOR_DATA;
    c->in.seg[SEG_FS] = c->in.seg[SEG_GS] = 0;
    random_window(c, r);
}

/* Mostly inside a page; also across page ends, the last one's before an unmapped page. */
static uint64_t random_rip(struct random *r)
{
    switch (random_below(r, 16)) {
    case 0: return CODE_LAST - 1 - random_below(r, 15);
    case 1: case 2: return CODE_FIRST + 0x1000 * (1 + random_below(r, 3)) - 1 - random_below(r, 15);
    default: return CODE_FIRST + 0x200 + random_below(r, CODE_LAST - CODE_FIRST - 0x400);
    }
}

/* After a load of SS the trap would come behind what follows the case (APM2 8.2.2). */
static bool may_trap(const struct insn *insn)
{
    return insn->run != exec_mov_to_segment && insn->run != exec_pop_segment;
}

static bool single_make(struct silicon_case *c, const struct native_processor *processor, struct random *r,
                        unsigned row)
{
    struct draft draft;

    c->count = 1;
    c->media = uses_media(&isa_rows[row]);
    if (c->media)
        random_fp(c, r);
    c->row[0] = (uint16_t)row;
    c->segments = writes_segments(&isa_rows[row]);
    if (processor->fsgsbase && random_one_in(r, 8)) {
        c->segments = true;
        c->in.seg[SEG_GS] = SELECTOR_DATA;
        c->in.seg[SEG_FS] = c->bits == 32 ? SELECTOR_DATA : 0;
    }
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!draft_make(&draft, r, row, c->bits, c->in.rip) || !place_operands(c, &draft, r, processor) ||
            !vendors_agree(c, &draft, processor))
            continue;
        if (random_one_in(r, 16) && may_trap(&draft.insn))
            c->in.rflags |= RFLAGS_TF;
        c->size = draft.insn.length;
        memcpy(c->code, draft.bytes, c->size);
        c->at[0] = 0;
        c->at[1] = c->size;
        return true;
    }
    return false;
}

bool generate_case(struct silicon_case *c, const struct native_processor *processor, const uint16_t *rows,
                   unsigned row_count, uint64_t seed, uint64_t index, bool sequence)
{
    struct random r = { seed * 0xD1342543DE82EF95 ^ index * 0x9E3779B97F4A7C15 };
    unsigned row;

    random_next(&r);
    c->seed = seed;
    c->index = index;
    c->media = c->segments = false;
    c->in.rip = random_rip(&r);
    row = rows[random_below(&r, row_count)];
    c->bits = isa_rows[row].modes & ISA_IN_64BIT ? 64 : 32;
    if ((isa_rows[row].modes & ISA_IN_PROTECTED) && random_one_in(&r, 2))
        c->bits = 32;
    random_inputs(c, &r);
    if (sequence)
        return sequence_make(c, processor, &r, rows, row_count);
    return single_make(c, processor, &r, row);
}
