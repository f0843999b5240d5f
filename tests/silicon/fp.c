/* SPDX-License-Identifier: MIT */
/* x87, MMX and SSE state as FXSAVE images: random ones, into the model and out of it, compared. */
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/x87.h"
#include "tests/silicon/silicon.h"

/* Offsets in the image (APM2 11.4.4). */
#define FX_CONTROL 0
#define FX_STATUS 2
#define FX_TAGS 4
#define FX_MXCSR 24
#define FX_ST 32
#define FX_XMM 160

/* ---- Random ------------------------------------------------------------------------------------------------- */

/* Bits that mean something as doubles, pairs of singles or integers: zeros, denormals, edges of ranges, NaNs. */
uint64_t random_interesting(struct random *r)
{
    static const uint64_t edges[] = {
        0, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
        0x7FF8000000000000, 0xFFF8000000000123, 0x7FF0000000000001, 0x0000000000000001, 0x800FFFFFFFFFFFFF,
        0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x36A0000000000000, 0x47EFFFFFE0000000, 0x43E0000000000000,
        0x41E0000000000000, 0xC1E0000000100000, 0x3F8000003F800000, 0x0000000180000000, 0x7F8000007F800001,
        0x00800000007FFFFF, 0x7F7FFFFF00000001, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x4F0000005F000000,
        0x3E80000033800000, 0xCF000000CEFFFFFF, 0x40490FDB402DF854, 0xFF8000007FC00001, 0x8000000080000001,
    };
    const unsigned count = sizeof(edges) / sizeof(edges[0]);
    uint64_t roll = random_next(r);

    switch (roll % 8) {
    case 0: case 1: return edges[(roll >> 8) % count];
    case 2: return edges[(roll >> 8) % count] << 32 | edges[(roll >> 16) % count] >> 32;
    case 3: return roll >> 8 & 0xFF;
    case 4: return (random_next(r) & ~UINT64_C(0x7FF0000000000000)) | (0x3F0 + (roll >> 8 & 31)) << 52;
    case 5: return UINT64_C(0x3F0000003F000000) ^ (random_next(r) & UINT64_C(0x83FFFFFF83FFFFFF));
    case 6: return edges[(roll >> 8) % count] + (roll >> 16) % 5 - 2;
    default: return random_next(r);
    }
}

static void random_80(uint8_t *to, struct random *r)
{
    static const uint16_t exponents[22] = {
        0, 0, 1, 2, 0x3FFE, 0x3FFF, 0x4000, 0x4001, 0x401E, 0x403E, 0x7FFE, 0x7FFF, 0x7FFF, 0x3F81, 0x3C01, 0x3C00,
        0x43FE, 0x43FF, 0x407E, 0x407F, 0x3F6A, 0x3FC0,
    };
    static const uint64_t significands[] = { 0, UINT64_C(1) << 63, UINT64_C(3) << 62, ~UINT64_C(0), 1,
                                             UINT64_C(0x8000000000000001), UINT64_C(0xFFFFFFFFFFFFF800),
                                             UINT64_C(0xA000000000000400), UINT64_C(0x8000008000000000) };
    uint64_t roll = random_next(r), significand = significands[(roll >> 8) % 9];
    uint16_t exponent = exponents[(roll >> 16) % 22];

    if (roll & 1)
        significand = random_next(r) | (roll & 16 ? 0 : UINT64_C(1) << 63);
    if ((roll & 6) == 6)
        exponent = (uint16_t)(0x3FFF + (int)(roll >> 24 & 127) - 64);
    if (roll & 8)
        exponent |= 0x8000;
    if ((roll >> 40 & 15) == 0)
        significand = random_interesting(r);
    memcpy(to, &significand, 8);
    memcpy(to + 8, &exponent, 2);
}

static void random_x87(uint8_t *fx, struct random *r)
{
    uint64_t roll = random_next(r);
    uint16_t control = (uint16_t)(roll % 2 ? 0x37F : roll >> 8), status;

    control = (control & X87_CONTROL_WRITABLE) | X87_CONTROL_ONE;
    if (bits(control, 9, 8) == 1) /* a reserved precision */
        control |= 0x300;
    status = (uint16_t)(roll >> 24) & (X87_CONDITIONS | bits_mask(13, 11));
    if ((roll >> 40) % 16 == 0)
        status |= (uint16_t)(roll >> 44 & 0x7F);
    if (status & ~control & X87_EXCEPTIONS)
        status |= X87_ES | X87_B;
    memcpy(fx + FX_CONTROL, &control, 2);
    memcpy(fx + FX_STATUS, &status, 2);
    fx[FX_TAGS] = (roll >> 52) % 4 == 0 ? (uint8_t)(roll >> 56) : (roll >> 52) % 4 == 1 ? 0x0F : 0xFF;
    for (unsigned i = 0; i < 8; i++)
        random_80(fx + FX_ST + 16 * i, r);
}

void random_fp(struct silicon_case *c, struct random *r)
{
    static const uint32_t controls[4] = { 0x1F80, 0x1F80, 0x9FC0, 0x0000 };
    uint64_t roll = random_next(r);
    uint32_t mxcsr = controls[roll & 3] | (roll & 4 ? 0 : (uint32_t)(roll >> 8 & 0x6000));

    memset(c->in.fx, 0, sizeof(c->in.fx));
    if (roll % 8 == 7)
        mxcsr = (uint32_t)(roll >> 8) & 0xFFFF;
    memcpy(c->in.fx + FX_MXCSR, &mxcsr, 4);
    random_x87(c->in.fx, r);
    for (unsigned i = 0; i < 32; i++) {
        uint64_t value = random_interesting(r);

        memcpy(c->in.fx + FX_XMM + 8 * i, &value, 8);
    }
}

/* ---- The model's registers ---------------------------------------------------------------------------------- */

/* The image's pointers and opcode are 0. */
void fp_load(struct core *core, const uint8_t *fx)
{
    core->x87.instruction = core->x87.data = 0;
    core->x87.opcode = core->x87.code_selector = core->x87.data_selector = 0;
    memcpy(&core->x87.control, fx + FX_CONTROL, 2);
    memcpy(&core->x87.status, fx + FX_STATUS, 2);
    core->x87.full = fx[FX_TAGS];
    memcpy(&core->mxcsr, fx + FX_MXCSR, 4);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&x87_st(core, i)->significand, fx + FX_ST + 16 * i, 8);
        memcpy(&x87_st(core, i)->exponent, fx + FX_ST + 16 * i + 8, 2);
    }
    memcpy(core->xmm, fx + FX_XMM, sizeof(core->xmm));
}

void fp_store(struct core *core, uint8_t *fx)
{
    memset(fx, 0, 512);
    memcpy(fx + FX_CONTROL, &core->x87.control, 2);
    memcpy(fx + FX_STATUS, &core->x87.status, 2);
    fx[FX_TAGS] = core->x87.full;
    memcpy(fx + FX_MXCSR, &core->mxcsr, 4);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(fx + FX_ST + 16 * i, &x87_st(core, i)->significand, 8);
        memcpy(fx + FX_ST + 16 * i + 8, &x87_st(core, i)->exponent, 2);
    }
    memcpy(fx + FX_XMM, core->xmm, sizeof(core->xmm));
}

/* ---- Comparison --------------------------------------------------------------------------------------------- */

/* Opcode and pointers (processors differ in when they record them) and reserved bytes do not count. */
static const struct {
    const char *name;
    uint16_t at, size;
} fields[] = {
    { "FCW", 0, 2 }, { "FSW", 2, 2 }, { "FTW", 4, 1 }, { "MXCSR", 24, 4 },
    { "ST0", 32, 10 }, { "ST1", 48, 10 }, { "ST2", 64, 10 }, { "ST3", 80, 10 },
    { "ST4", 96, 10 }, { "ST5", 112, 10 }, { "ST6", 128, 10 }, { "ST7", 144, 10 },
    { "XMM0", 160, 16 }, { "XMM1", 176, 16 }, { "XMM2", 192, 16 }, { "XMM3", 208, 16 },
    { "XMM4", 224, 16 }, { "XMM5", 240, 16 }, { "XMM6", 256, 16 }, { "XMM7", 272, 16 },
    { "XMM8", 288, 128 },
};

/*
 * Intel has TOP 0 and full tags already when an MMX instruction faults, AMD does not say: the image as it
 * would be then. A store touches TOP alone.
 */
void fp_enter_mmx(uint8_t *fx, bool store)
{
    unsigned top = (fx[FX_STATUS + 1] >> 3) & 7;
    uint8_t st[8 * 16];

    memcpy(st, fx + FX_ST, sizeof(st));
    for (unsigned i = 0; i < 8; i++)
        memcpy(fx + FX_ST + 16 * ((top + i) & 7), st + 16 * i, 16);
    fx[FX_STATUS + 1] &= 0xC7;
    if (!store)
        fx[FX_TAGS] = 0xFF;
}

bool fp_differs(const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (memcmp(a + fields[i].at, b + fields[i].at, fields[i].size) != 0)
            return true;
    return false;
}

static void describe_bytes(GString *out, const char *label, const uint8_t *bytes, unsigned size)
{
    g_string_append_printf(out, " %s ", label);
    for (unsigned i = size; i-- > 0;)
        g_string_append_printf(out, "%02X%s", bytes[i], i == 8 && size > 8 ? "_" : "");
}

void fp_describe(GString *out, const uint8_t *in, const uint8_t *model, const uint8_t *native)
{
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        unsigned at = fields[i].at, size = fields[i].size;

        if (size > 16)
            continue;
        g_string_append_printf(out, "#   %-5s", fields[i].name);
        describe_bytes(out, "", in + at, size);
        if (memcmp(model + at, native + at, size) != 0) {
            describe_bytes(out, "-> model", model + at, size);
            describe_bytes(out, "native", native + at, size);
        } else if (memcmp(in + at, model + at, size) != 0) {
            describe_bytes(out, "->", model + at, size);
        }
        g_string_append_c(out, '\n');
    }
}
