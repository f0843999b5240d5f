/* SPDX-License-Identifier: MIT */
/*
 * Random x87, MMX and SSE instructions against the native processor: every row that it has, in 64-bit and
 * 32-bit code; registers, memory, flags, MXCSR, x87 registers, tags, control and status.
 */
#include <cpuid.h>
#include <stdio.h>

#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/native_code.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

#define SCRATCH 0x100000u /* the same address on both sides */
#define SCRATCH_BYTES 0x4000u
#define CASES 1500

static struct native_code native;
static struct setup *s;
static uint8_t *scratch;
static unsigned compared, different;
static uint64_t old_memory[2];

/* ---- Random --------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545F4914F6CDD1D;
}

/* Numbers at the edges of single and double precision, small integers, noise. */
static uint64_t interesting(void)
{
    static const uint64_t edges[] = {
        0, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
        0x7FF8000000000000, 0xFFF8000000000123, 0x7FF0000000000001, 0x0000000000000001, 0x800FFFFFFFFFFFFF,
        0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x36A0000000000000, 0x47EFFFFFE0000000, 0x43E0000000000000,
        0x41E0000000000000, 0xC1E0000000100000, 0x3F8000003F800000, 0x0000000180000000, 0x7F8000007F800001,
        0x00800000007FFFFF, 0x7F7FFFFF00000001, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x4F0000005F000000,
        0x3E80000033800000, 0xCF000000CEFFFFFF, 0x40490FDB402DF854,
    };
    uint64_t roll = next_random();

    switch (roll % 8) {
    case 0:
    case 1:
    case 2: return edges[(roll >> 8) % G_N_ELEMENTS(edges)];
    case 3: return edges[(roll >> 8) % G_N_ELEMENTS(edges)] << 32 | edges[(roll >> 16) % G_N_ELEMENTS(edges)] >> 32;
    case 4: return roll >> 8 & 0xFF;
    case 5: return (next_random() >> 4 & ~UINT64_C(0x7FF0000000000000)) | (0x3F0 + (roll >> 8 & 31)) << 52;
    case 6: return 0x3F0000003F000000 ^ (next_random() & UINT64_C(0x83FFFFFF83FFFFFF));
    default: return next_random();
    }
}

static struct x87_register interesting_80(void)
{
    static const uint16_t exponents[] = { 0, 0, 1, 2, 0x3FFE, 0x3FFF, 0x4000, 0x4001, 0x401E, 0x403E, 0x7FFE, 0x7FFF,
                                          0x3F81, 0x3C01, 0x3C00, 0x43FE, 0x43FF, 0x407E, 0x407F, 0x3F6A, 0x3FC0 };
    static const uint64_t significands[] = { 0, UINT64_C(1) << 63, UINT64_C(3) << 62, ~UINT64_C(0), 1,
                                             UINT64_C(0x8000000000000001), UINT64_C(0xFFFFFFFFFFFFF800),
                                             UINT64_C(0xA000000000000400), UINT64_C(0x8000008000000000) };
    uint64_t roll = next_random();
    struct x87_register value = { significands[(roll >> 8) % G_N_ELEMENTS(significands)],
                                  exponents[(roll >> 16) % G_N_ELEMENTS(exponents)] };

    if (roll & 1)
        value.significand = next_random() | (roll & 16 ? 0 : UINT64_C(1) << 63);
    if ((roll & 6) == 6)
        value.exponent = (uint16_t)(0x3FFF + (int)(roll >> 24 & 127) - 64);
    if (roll & 8)
        value.exponent |= 0x8000;
    if ((roll >> 40 & 15) == 0)
        value.significand = interesting();
    return value;
}

/* ---- What is compared ----------------------------------------------------------------------------------- */

static bool native_has(const struct isa_row *row)
{
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    if (row->feature == ISA_FEATURE_SSE3)
        return c & bit_SSE3;
    __cpuid(0x80000001, a, b, c, d);
    if (row->feature == ISA_FEATURE_SSE4A)
        return c & bit_SSE4a;
    return row->feature != ISA_FEATURE_3DNOW;
}

/*
 * Not compared: images and environments hold pointers, on which processors differ; approximations are the
 * model's own.
 */
static bool is_left_out(const struct isa_row *row)
{
    static exec_fn *const left_out[] = { exec_fnstenv, exec_fnsave, exec_fxsave, exec_fxrstor, exec_rcpps, exec_rcpss,
                                         exec_rsqrtps, exec_rsqrtss };

    for (size_t i = 0; i < G_N_ELEMENTS(left_out); i++)
        if (row->run == left_out[i])
            return true;
    return false;
}

/* Rows that mind CR0.TS are those of x87.def, media.def and sse.def. */
static bool row_is_compared(const struct isa_row *row)
{
    if (strstr(row->faults, "NM") == NULL || isa_forms[row - isa_rows].map == 2)
        return false;
    if (is_left_out(row))
        return false;
    return native_has(row);
}

/* ---- Instruction and inputs -------------------------------------------------------------------------------- */

static void make_bytes(uint8_t bytes[15], const struct isa_form *form, bool long_mode)
{
    uint64_t roll = next_random();
    unsigned at = 0;

    if (form->map == 0 && (roll >> 4) % 8 == 0)
        bytes[at++] = 0x66;
    if (form->prefixes != 15)
        at += form->prefixes & ISA_PREFIX_NONE ? 0 : (bytes[at] = form->prefixes & ISA_PREFIX_66 ? 0x66
                                                                  : form->prefixes & ISA_PREFIX_F3 ? 0xF3 : 0xF2, 1u);
    if (long_mode && (roll >> 12) % 2 == 0)
        bytes[at++] = (uint8_t)(0x40 | (roll >> 16 & 15));
    if (form->map)
        bytes[at++] = 0x0F;
    bytes[at++] = (uint8_t)(form->first + (roll >> 20) % (form->last - form->first + 1u));
    if (form->modrm && (form->mods & 2) && ((roll >> 30) % 2 == 0 || form->mods == 2))
        bytes[at++] = (uint8_t)(0xC0 | (roll >> 32 & 63));
    if (form->rms != 0xFF)
        bytes[at - 1] = (uint8_t)(0xC0 | (__builtin_ctz(form->regs) << 3) | __builtin_ctz(form->rms));
    else if (form->regs != 0xFF && form->modrm && (form->mods & 2) && bytes[at - 1] >= 0xC0)
        bytes[at - 1] = (uint8_t)((bytes[at - 1] & 0xC7) | __builtin_ctz(form->regs) << 3);
    while (at < 15)
        bytes[at++] = (uint8_t)(next_random() >> 20);
    /* ModRM of a memory row: keep the row's reg. */
}

static bool uses_rsp(const struct insn *insn)
{
    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind == OPERAND_GPR && insn->op[n].reg == RSP)
            return true;
    return insn->base == RSP || insn->index == RSP;
}

static bool place_operands(const struct insn *insn)
{
    uint64_t *gpr = s->core.gpr, target = SCRATCH + 0x1000 + next_random() % 0x1D00;

    if (next_random() % 16 != 0)
        target &= ~UINT64_C(15);
    if (insn->run == exec_maskmovq || insn->run == exec_maskmovdqu) {
        gpr[RDI] = target;
        return insn->address_size != 2;
    }
    if (!insn->modrm_memory)
        return true;
    if (insn->address_size == 2 || insn->base == NO_REGISTER || insn->base == insn->index)
        return false;
    gpr[insn->base] = target - (uint64_t)insn->displacement;
    if (insn->index != NO_REGISTER)
        gpr[insn->base] -= gpr[insn->index] << insn->scale;
    return true;
}

static void random_x87(struct core *core)
{
    uint64_t roll = next_random();

    for (unsigned i = 0; i < 8; i++)
        core->x87.reg[i] = interesting_80();
    core->x87.control = (uint16_t)((roll % 2 ? 0x37F : roll >> 8) & X87_CONTROL_WRITABLE) | X87_CONTROL_ONE;
    if (bits(core->x87.control, 9, 8) == 1) /* reserved precision */
        core->x87.control |= 0x300;
    core->x87.status = (uint16_t)(roll >> 24) & (X87_CONDITIONS | bits_mask(13, 11));
    if ((roll >> 40) % 16 == 0)
        core->x87.status |= (uint16_t)(roll >> 44 & 0x7F);
    x87_summarize(core);
    core->x87.full = (roll >> 52) % 4 == 0 ? (uint8_t)(roll >> 56) : (roll >> 52) % 4 == 1 ? 0x0F : 0xFF;
}

static void random_inputs(bool long_mode)
{
    static const uint32_t controls[4] = { 0x1F80, 0x1F80, 0x9FC0, 0x0000 };
    uint64_t roll = next_random();

    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        s->core.gpr[reg] = long_mode ? interesting() : (uint32_t)interesting();
    for (unsigned i = 0; i < 64; i++)
        setup_poke(s, SCRATCH + 8 * (next_random() % (SCRATCH_BYTES / 8)), 8, interesting());
    for (unsigned i = 0; i < 32; i++)
        s->core.xmm[i / 2].q[i % 2] = interesting();
    random_x87(&s->core);
    s->core.mxcsr = controls[roll & 3] | (roll & 4 ? 0 : (uint32_t)(roll >> 8 & 0x6000));
    if (roll % 8 == 7)
        s->core.mxcsr = (uint32_t)(roll >> 8) & 0xFFFF;
    rflags_write(&s->core, next_random() & (RFLAGS_ARITH | RFLAGS_DF));
}

/* ---- FXSAVE images ------------------------------------------------------------------------------------------- */

static void image_put(uint8_t *fx, struct core *core)
{
    memset(fx, 0, 512);
    memcpy(fx, &core->x87.control, 2);
    memcpy(fx + 2, &core->x87.status, 2);
    fx[4] = core->x87.full;
    memcpy(fx + 24, &core->mxcsr, 4);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(fx + 32 + 16 * i, &x87_st(core, i)->significand, 8);
        memcpy(fx + 40 + 16 * i, &x87_st(core, i)->exponent, 2);
    }
    memcpy(fx + 160, core->xmm, 256);
}

/* Functions whose last bit, and with it C1, may differ; where even the exact result is native PE's matter. */
static bool is_transcendental(const struct insn *insn)
{
    static exec_fn *const functions[] = { exec_fsin, exec_fcos, exec_fsincos, exec_fptan, exec_fpatan, exec_f2xm1,
                                          exec_fyl2x, exec_fyl2xp1 };

    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++)
        if (insn->run == functions[i])
            return true;
    return false;
}

/* Take over `theirs` where it is at most one unit in the last place away. */
static void forgive(uint8_t *ours, const uint8_t *theirs)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t x, y;

        memcpy(&x, ours + 32 + 16 * i, 8);
        memcpy(&y, theirs + 32 + 16 * i, 8);
        if (x + 1 == y || y + 1 == x || (x == ~UINT64_C(0) && y == UINT64_C(1) << 63) ||
            (y == ~UINT64_C(0) && x == UINT64_C(1) << 63))
            memcpy(ours + 32 + 16 * i, theirs + 32 + 16 * i, 10);
    }
    ours[3] = (uint8_t)((ours[3] & ~2) | (theirs[3] & 2));
    /* The sine of the smallest normal number is just below it: natively some say, it is not. */
    if ((ours[2] ^ theirs[2]) & X87_UE)
        memcpy(ours + 2, theirs + 2, 2);
}

/* Appends to `out` how two images differ: all but opcode, pointers, MXCSR_MASK and the reserved bytes count. */
static void compare_images(GString *out, const uint8_t *ours, const uint8_t *theirs)
{
    static const struct {
        const char *name;
        unsigned at, size;
    } words[] = { { "FCW", 0, 2 }, { "FSW", 2, 2 }, { "FTW", 4, 1 }, { "MXCSR", 24, 4 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        uint32_t a = 0, b = 0;

        memcpy(&a, ours + words[i].at, words[i].size);
        memcpy(&b, theirs + words[i].at, words[i].size);
        if (a != b)
            g_string_append_printf(out, " %s %04X/%04X", words[i].name, a, b);
    }
    for (unsigned i = 0; i < 24; i++) {
        uint64_t x[2], y[2];

        memcpy(x, ours + 32 + 16 * i, 16);
        memcpy(y, theirs + 32 + 16 * i, 16);
        if (x[0] != y[0] || x[1] != y[1])
            g_string_append_printf(out, " %s%u %016" PRIx64 "_%016" PRIx64 "/%016" PRIx64 "_%016" PRIx64,
                                   i < 8 ? "ST" : "XMM", i < 8 ? i : i - 8, x[1], x[0], y[1], y[0]);
    }
}

/* ---- Comparison ------------------------------------------------------------------------------------------------ */

static void describe(GString *out, const uint8_t *bytes, const struct insn *insn)
{
    const uint64_t *fx = (const uint64_t *)(const void *)native.in->fx;

    g_string_append_printf(out, "\n#  of");
    for (unsigned i = 0; i < insn->length; i++)
        g_string_append_printf(out, " %02X", bytes[i]);
    g_string_append_printf(out, " FCW %04X FSW %04X FTW %02X MXCSR %04X ST0 %04X_%016" PRIx64 " ST1 %04X_%016" PRIx64,
                           (unsigned)fx[0] & 0xFFFF, (unsigned)(fx[0] >> 16) & 0xFFFF, (unsigned)(fx[0] >> 32) & 0xFF,
                           (unsigned)fx[3], (unsigned)fx[5], fx[4], (unsigned)fx[7], fx[6]);
    for (unsigned n = 0; n < 2; n++)
        if (insn->op[n].kind == OPERAND_XMM)
            g_string_append_printf(out, " op%u %016" PRIx64 "_%016" PRIx64, n, fx[21 + 2 * insn->op[n].reg],
                                   fx[20 + 2 * insn->op[n].reg]);
        else if (insn->op[n].kind == OPERAND_MEMORY)
            g_string_append_printf(out, " memory %016" PRIx64 "_%016" PRIx64, old_memory[1], old_memory[0]);
}

/* Appends "ours/natively" of everything that differs. */
static void compare_state(GString *out, const struct insn *insn, bool long_mode)
{
    uint64_t flags = rflags_read(&s->core);
    uint8_t fx[512];

    for (unsigned reg = 0; reg < (long_mode ? 16u : 8u); reg++) {
        unsigned size = long_mode ? 8 : 4;
        uint64_t ours = zero_extend(s->core.gpr[reg], size), theirs = zero_extend(native.out->gpr[reg], size);

        if (reg != RSP && ours != theirs)
            g_string_append_printf(out, " register %u %" PRIx64 "/%" PRIx64, reg, ours, theirs);
    }
    if ((flags ^ native.out->rflags) & RFLAGS_ARITH)
        g_string_append_printf(out, " flags %03" PRIx64 "/%03" PRIx64, flags, native.out->rflags);
    image_put(fx, &s->core);
    if (is_transcendental(insn))
        forgive(fx, native.out->fx);
    compare_images(out, fx, native.out->fx);
    if (memcmp(s->ram + SCRATCH, scratch, SCRATCH_BYTES) == 0)
        return;
    for (unsigned i = 0; i < SCRATCH_BYTES; i++)
        if (s->ram[SCRATCH + i] != scratch[i])
            g_string_append_printf(out, " [%X] %02X/%02X", SCRATCH + i, s->ram[SCRATCH + i], scratch[i]);
}

static void compare_case(const struct isa_row *row, bool long_mode)
{
    uint8_t bytes[15];
    struct insn insn;
    enum outcome outcome;
    GString *out;
    int signal;

    if (long_mode)
        setup_64(s, 3);
    else
        setup_32(s, 3);
    s->core.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->core.cr0 |= CR0_NE;
    make_bytes(bytes, &isa_forms[row - isa_rows], long_mode);
    random_inputs(long_mode);
    if (setup_decode(s, bytes, 15) != DECODE_OK || s->insn.row != row)
        return;
    if (uses_rsp(&s->insn) || !place_operands(&s->insn))
        return;
    insn = s->insn;
    if (insn.modrm_memory)
        memcpy(old_memory, s->ram + ((s->core.gpr[insn.base] + (uint64_t)insn.displacement +
               (insn.index == NO_REGISTER ? 0 : s->core.gpr[insn.index] << insn.scale)) & 0x3FFFFF), 16);
    memcpy(scratch, s->ram + SCRATCH, SCRATCH_BYTES);
    memcpy(native.in->gpr, s->core.gpr, sizeof(native.in->gpr));
    image_put(native.in->fx, &s->core);
    native.in->rflags = rflags_read(&s->core);
    native_assemble(&native, bytes, insn.length, !long_mode);
    signal = native_run(&native);
    outcome = setup_run(s, bytes, insn.length);
    compared++;
    out = g_string_new(NULL);
    if (signal == 0 && outcome == OUTCOME_NEXT)
        compare_state(out, &insn, long_mode);
    else if (outcome != OUTCOME_FAULT ||
             signal != (s->core.fault.vector == EXC_MF || s->core.fault.vector == EXC_XF ? SIGFPE : SIGSEGV))
        g_string_append_printf(out, " outcome %d vector %u, signal %d", outcome, s->core.fault.vector, signal);
    if (out->len > 0 && different++ < 2) {
        describe(out, bytes, &insn);
        fprintf(stderr, "# %s \"%s\": ours/natively%s\n", row->name, row->encoding, out->str);
    }
    g_string_free(out, TRUE);
}

static bool open_native(void)
{
    s = setup_new();
    scratch = mmap((void *)(uintptr_t)SCRATCH, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* a hint: elsewhere if taken */
    native.media = true;
    if (scratch == (void *)(uintptr_t)SCRATCH && native_open(&native))
        return true;
    fprintf(stderr, "# no executable or no low memory: nothing compared\n");
    return false;
}

static void compare_rows(unsigned mode_bit, bool long_mode)
{
    const char *only = g_getenv("ROW"); /* a mnemonic, to look into one difference */
    unsigned rows = 0, bad = 0;

    if (!open_native())
        return;
    for (unsigned i = 0; i < isa_row_count; i++) {
        const struct isa_row *row = &isa_rows[i];

        if (!(row->modes & mode_bit) || !row_is_compared(row) || (only && strcmp(only, row->name) != 0))
            continue;
        random_state = 0x9E3779B97F4A7C15 + i;
        for (unsigned at = 0; at < SCRATCH_BYTES; at += 8)
            setup_poke(s, SCRATCH + at, 8, interesting());
        compared = different = 0;
        for (unsigned n = 0; n < CASES; n++)
            compare_case(row, long_mode);
        rows++;
        if (different > 0)
            fprintf(stderr, "# %s \"%s\": %u of %u differ\n", row->name, row->encoding, different, compared);
        bad += different > 0 || compared < CASES / 50;
        if (compared < CASES / 50)
            fprintf(stderr, "# %s \"%s\": only %u cases\n", row->name, row->encoding, compared);
    }
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_ge(rows, only ? 1 : 300);
}

START_TEST(long_mode_media_instructions_do_what_the_native_processor_does)
{
    compare_rows(ISA_IN_64BIT, true);
}
END_TEST

START_TEST(compatibility_mode_media_instructions_do_what_the_native_processor_does)
{
    compare_rows(ISA_IN_PROTECTED, false);
}
END_TEST

UNIT_TESTS("native media", long_mode_media_instructions_do_what_the_native_processor_does,
           compatibility_mode_media_instructions_do_what_the_native_processor_does)
