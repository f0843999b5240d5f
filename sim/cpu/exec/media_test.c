/* SPDX-License-Identifier: MIT */
/*
 * What the native processor cannot show: 3DNow!, SSE4a, approximations, misaligned SSE mode, FXSAVE's dialect,
 * environments. Expected values follow from the manual's definitions (APM4, APM5) by the arithmetic beside them.
 */
#include <math.h>

#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/x87.h"

static struct setup *media_setup(unsigned cpl)
{
    struct setup *s = setup_new();

    setup_64(s, cpl);
    s->core.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->core.mxcsr = 0x1F80;
    x87_initialize(&s->core);
    s->core.gpr[RBX] = SETUP_DATA;
    return s;
}

/* ---- 3DNow! --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t suffix;
    uint64_t a, b, result; /* mm0, mm1: high lane, low lane */
} now_cases[] = {
    { "pfadd: 1+2, 2+3", 0x9E, 0x400000003F800000, 0x4040000040000000, 0x40A0000040400000 },
    { "pfadd: largest + largest is the largest", 0x9E, 0x7F7FFFFFFF7FFFFF, 0x7F7FFFFFFF7FFFFF, 0x7F7FFFFFFF7FFFFF },
    { "pfsub: 3-1, 1-3", 0x9A, 0x404000003F800000, 0x3F80000040400000, 0x40000000C0000000 },
    { "pfsubr: 1-3, 3-1", 0xAA, 0x404000003F800000, 0x3F80000040400000, 0xC000000040000000 },
    { "pfmul: 2*3, 3*-1", 0xB4, 0x4000000040400000, 0x40400000BF800000, 0x40C00000C0400000 },
    { "pfmul: below the normal range is zero", 0xB4, 0x0080000080800000, 0x3F0000003F000000, 0x0000000080000000 },
    { "pfadd: denormals are zeros", 0x9E, 0x0000000100000001, 0x0000000200000002, 0 },
    { "pfacc: 1+2 low, 1+3 high", 0xAE, 0x400000003F800000, 0x404000003F800000, 0x4080000040400000 },
    { "pfnacc: 1-2 low, 1-3 high", 0x8A, 0x400000003F800000, 0x404000003F800000, 0xC0000000BF800000 },
    { "pfpnacc: 1-2 low, 1+3 high", 0x8E, 0x400000003F800000, 0x404000003F800000, 0x40800000BF800000 },
    { "pfcmpeq: -0 = +0, 1 = 2", 0xB0, 0x800000003F800000, 0x0000000040000000, 0xFFFFFFFF00000000 },
    { "pfcmpge: 1 >= 1, -2 >= -1", 0x90, 0x3F800000C0000000, 0x3F800000BF800000, 0xFFFFFFFF00000000 },
    { "pfcmpgt: 1 > 1, -1 > -2", 0xA0, 0x3F800000BF800000, 0x3F800000C0000000, 0x00000000FFFFFFFF },
    { "pfmin: -1 and 2, -0 and +0", 0x94, 0xBF80000080000000, 0x4000000000000000, 0xBF80000000000000 },
    { "pfmax: -1 and 2, -0 and -1", 0xA4, 0xBF80000080000000, 0x40000000BF800000, 0x4000000000000000 },
    { "pi2fd: -1, 16777217 truncated", 0x0D, 0, 0xFFFFFFFF01000001, 0xBF8000004B800000 },
    { "pi2fw: the low words 8000, 7FFF", 0x0C, 0, 0x1234800056787FFF, 0xC700000046FFFE00 },
    { "pf2id: -2.5, 2.5", 0x1D, 0, 0xC020000040200000, 0xFFFFFFFE00000002 },
    { "pf2id: saturates", 0x1D, 0, 0xCF0000014F000000, 0x800000007FFFFFFF },
    { "pf2id: below 1", 0x1D, 0, 0xBF7FFFFF3F7FFFFF, 0 },
    { "pf2iw: -40000, 40000 saturate", 0x1C, 0, 0xC71C4000471C4000, 0xFFFF800000007FFF },
    { "pf2iw: -3.9", 0x1C, 0, 0xC079999A00000000, 0xFFFFFFFD00000000 },
    { "pfrcp: 1/2 in both", 0x96, 0, 0x4040000040000000, 0x3F0000003F000000 },
    /* 1/3 = 1.0101... * 2^-2: sixteen bits 1.010101010101011 */
    { "pfrcp: 1/3", 0x96, 0, 0x0000000040400000, 0x3EAAAB003EAAAB00 },
    { "pfrcp: 1/-0 is the largest", 0x96, 0, 0x0000000080000000, 0xFF7FFFFFFF7FFFFF },
    { "pfrsqrt: 1/sqrt 4", 0x97, 0, 0x0000000040800000, 0x3F0000003F000000 },
    { "pfrsqrt: the sign passes through", 0x97, 0, 0x00000000C0800000, 0xBF000000BF000000 },
    /* 1/sqrt 2 = 1.01101010000010011110... * 2^-1: sixteen bits 1.011010100000101 */
    { "pfrsqrt: 1/sqrt 2", 0x97, 0, 0x0000000040000000, 0x3F3505003F350500 },
    { "pfrcpit1: 2 - 3*0.25, 2 - 1*1", 0xA6, 0x404000003F800000, 0x3E8000003F800000, 0x3FA000003F800000 },
    { "pfrsqit1: (3 - 2*0.5)/2, (3 - 1*1)/2", 0xA7, 0x400000003F800000, 0x3F0000003F800000, 0x3F8000003F800000 },
    { "pfrcpit2: a product", 0xB6, 0x4000000040400000, 0x404000003F800000, 0x40C0000040400000 },
    { "pmulhrw: 4000h*4000h, 1*8000h rounds up", 0xB7, 0x4000000140000001, 0x4000800040008000, 0x1000000010000000 },
    { "pavgusb: (1+2+1)/2", 0xBF, 0x0101010101FF00FF, 0x020202020200FFFF, 0x02020202028080FF },
    { "pswapd", 0xBB, 0, 0x1111111122222222, 0x2222222211111111 },
};

START_TEST(now_instructions_follow_the_definitions)
{
    struct setup *s = media_setup(3);

    for (size_t i = 0; i < G_N_ELEMENTS(now_cases); i++) {
        uint8_t bytes[4] = { 0x0F, 0x0F, 0xC1, now_cases[i].suffix };

        x87_initialize(&s->core);
        s->core.x87.status = 0x3800;
        mmx_write(&s->core, 0, now_cases[i].a);
        mmx_write(&s->core, 1, now_cases[i].b);
        ck_assert_int_eq(setup_run(s, bytes, 4), OUTCOME_NEXT);
        ck_assert_msg(mmx_read(&s->core, 0) == now_cases[i].result, "%s: %016" PRIx64, now_cases[i].name,
                      mmx_read(&s->core, 0));
        ck_assert_uint_eq(s->core.x87.full, 0xFF);
        ck_assert_uint_eq(s->core.x87.status, 0);
    }
    setup_free(s);
}
END_TEST

START_TEST(a_now_suffix_follows_the_displacement_and_unknown_ones_are_undefined)
{
    struct setup *s = media_setup(3);

    setup_poke(s, SETUP_DATA + 8, 8, 0x4040000040000000);
    mmx_write(&s->core, 0, 0x400000003F800000);
    assert_retires(s, "\x0F\x0F\x43\x08\x9E"); /* pfadd mm0, [rbx+8] */
    ck_assert_uint_eq(mmx_read(&s->core, 0), UINT64_C(0x40A0000040400000));
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 5);
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\x0F\x0F\x43\x08\x00", EXC_UD);
    assert_retires(s, "\x0F\x0E"); /* femms */
    ck_assert_uint_eq(s->core.x87.full, 0);
    setup_free(s);
}
END_TEST

/* The manual's sequence: PFRCP, PFRCPIT1, PFRCPIT2; 24 bits. */
START_TEST(newton_steps_give_a_reciprocal_of_24_bits)
{
    struct setup *s = media_setup(3);

    mmx_write(&s->core, 1, 0x4040000040400000);
    assert_retires(s, "\x0F\x0F\xC1\x96"); /* pfrcp mm0, mm1 */
    assert_retires(s, "\x0F\x0F\xC8\xA6"); /* pfrcpit1 mm1, mm0 */
    assert_retires(s, "\x0F\x0F\xC8\xB6"); /* pfrcpit2 mm1, mm0 */
    ck_assert_uint_eq(mmx_read(&s->core, 1), UINT64_C(0x3EAAAAAB3EAAAAAB));
    setup_free(s);
}
END_TEST

/* ---- SSE4a ------------------------------------------------------------------------------------------------ */

START_TEST(extrq_and_insertq_move_bit_fields)
{
    struct setup *s = media_setup(3);
    union lanes *xmm = s->core.xmm;

    xmm[0].q[0] = 0x1122334455667788;
    assert_retires(s, "\x66\x0F\x78\xC0\x08\x0C"); /* 8 bits from bit 12 */
    ck_assert_uint_eq(xmm[0].q[0], 0x67);
    xmm[0].q[0] = 0x1122334455667788;
    xmm[1].q[0] = 0x0410; /* 16 bits from bit 4 */
    assert_retires(s, "\x66\x0F\x79\xC1");
    ck_assert_uint_eq(xmm[0].q[0], 0x6778);
    xmm[0].q[0] = 0x1122334455667788;
    xmm[1].q[0] = 0;
    assert_retires(s, "\x66\x0F\x79\xC1"); /* length 0 is 64 */
    ck_assert_uint_eq(xmm[0].q[0], UINT64_C(0x1122334455667788));
    xmm[1].q[0] = 0xFFFFFFFFFFFFFFAB;
    assert_retires(s, "\xF2\x0F\x78\xC1\x08\x10"); /* 8 bits to bit 16 */
    ck_assert_uint_eq(xmm[0].q[0], UINT64_C(0x1122334455AB7788));
    xmm[1].q[1] = 0x3804; /* 4 bits to bit 56 */
    assert_retires(s, "\xF2\x0F\x79\xC1");
    ck_assert_uint_eq(xmm[0].q[0], UINT64_C(0x1B22334455AB7788));
    setup_free(s);
}
END_TEST

START_TEST(streaming_scalars_store_four_and_eight_bytes)
{
    struct setup *s = media_setup(3);

    setup_poke(s, SETUP_DATA, 8, ~UINT64_C(0));
    s->core.xmm[1].q[0] = 0x1122334455667788;
    assert_retires(s, "\xF3\x0F\x2B\x0B"); /* movntss [rbx], xmm1 */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 8), UINT64_C(0xFFFFFFFF55667788));
    assert_retires(s, "\xF2\x0F\x2B\x0B"); /* movntsd */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 8), UINT64_C(0x1122334455667788));
    setup_free(s);
}
END_TEST

/* ---- Approximations ----------------------------------------------------------------------------------------- */

static uint32_t scalar(struct setup *s, uint8_t opcode, uint32_t operand)
{
    uint8_t bytes[4] = { 0xF3, 0x0F, opcode, 0xC1 };

    s->core.xmm[0] = (union lanes){ .q = { 0, 7 } };
    s->core.xmm[1].d[0] = operand;
    ck_assert_int_eq(setup_run(s, bytes, 4), OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.xmm[0].q[1], 7);
    return s->core.xmm[0].d[0];
}

START_TEST(rcpss_and_rsqrtss_know_their_special_operands)
{
    static const struct {
        uint32_t operand, reciprocal, root;
    } cases[] = {
        { 0x00000000, 0x7F800000, 0x7F800000 }, { 0x80000000, 0xFF800000, 0xFF800000 },
        { 0x00000001, 0x7F800000, 0x7F800000 }, { 0x807FFFFF, 0xFF800000, 0xFF800000 },
        { 0x7F800000, 0x00000000, 0x00000000 }, { 0xFF800000, 0x80000000, 0xFFC00000 },
        { 0x7F800001, 0x7FC00001, 0x7FC00001 }, { 0xFFC00002, 0xFFC00002, 0xFFC00002 },
        { 0x3F800000, 0x3F800000, 0x3F800000 }, { 0xC0000000, 0xBF000000, 0xFFC00000 },
        { 0x7F7FFFFF, 0x00000000, 0x1F800000 }, /* 2^-128 is below the normal range; 2^-64 */
        { 0x40400000, 0x3EAAB000, 0x3F13D000 }, /* twelve bits of 1/3 and of 0.57735 = 1.00100111101 * 2^-1 */
    };
    struct setup *s = media_setup(3);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_msg(scalar(s, 0x53, cases[i].operand) == cases[i].reciprocal, "rcpss %08X: %08X", cases[i].operand,
                      s->core.xmm[0].d[0]);
        ck_assert_msg(scalar(s, 0x52, cases[i].operand) == cases[i].root, "rsqrtss %08X: %08X", cases[i].operand,
                      s->core.xmm[0].d[0]);
    }
    ck_assert_uint_eq(s->core.mxcsr, 0x1F80);
    setup_free(s);
}
END_TEST

/* APM4 RCPPS: |relative error| <= 1.5 * 2^-12; |x * result - 1| and |x * result^2 - 1| bound it. */
START_TEST(approximations_keep_the_promised_accuracy)
{
    struct setup *s = media_setup(3);

    for (uint32_t bits = 0x3F800000; bits < 0x40800000; bits += 0x3779) {
        uint32_t result;
        float x, y;

        memcpy(&x, &bits, 4);
        result = scalar(s, 0x53, bits);
        memcpy(&y, &result, 4);
        ck_assert_double_le(fabs((double)x * y - 1), 1.5 / 4096);
        result = scalar(s, 0x52, bits);
        memcpy(&y, &result, 4);
        ck_assert_double_le(fabs((double)x * y * y - 1), 3.0 / 4096);
    }
    setup_free(s);
}
END_TEST

/* ---- Exceptions and alignment ------------------------------------------------------------------------------- */

START_TEST(misaligned_mode_frees_arithmetic_but_not_aligned_moves)
{
    struct setup *s = media_setup(3);

    s->core.gpr[RBX] = SETUP_DATA + 4;
    assert_faults(s, "\x0F\x58\x03", EXC_GP); /* addps xmm0, [rbx] */
    s->core.mxcsr |= MXCSR_MM;
    assert_retires(s, "\x0F\x58\x03");
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\x0F\x28\x03", EXC_GP); /* movaps xmm0, [rbx] */
    assert_faults(s, "\x66\x0F\xE7\x03", EXC_GP); /* movntdq [rbx], xmm0 */
    s->core.cr0 |= CR0_AM;
    s->core.rflags |= RFLAGS_AC;
    assert_faults(s, "\x0F\x58\x03", EXC_AC);
    setup_free(s);
}
END_TEST

START_TEST(unmasked_exceptions_set_the_flag_and_keep_the_destination)
{
    struct setup *s = media_setup(3);

    s->core.mxcsr = 0x1F80 & ~(MXCSR_ZE << 7);
    s->core.xmm[0].d[0] = 0x3F800000;
    assert_faults(s, "\xF3\x0F\x5E\xC1", EXC_XF); /* divss xmm0, xmm1: 1 / 0 */
    ck_assert_uint_eq(s->core.xmm[0].d[0], 0x3F800000);
    ck_assert_uint_eq(s->core.mxcsr & MXCSR_FLAGS, MXCSR_ZE);
    s->core.cr4 &= ~CR4_OSXMMEXCPT;
    assert_faults(s, "\xF3\x0F\x5E\xC1", EXC_UD);
    setup_free(s);
}
END_TEST

/* 2^-126 / 2 = 2^-127 is exact and tiny: no exception masked, #XF unmasked (APM4 1.3, underflow). */
START_TEST(an_exact_tiny_result_underflows_only_unmasked)
{
    struct setup *s = media_setup(3);

    s->core.xmm[0].d[0] = 0x00800000;
    s->core.xmm[1].d[0] = 0x3F000000;
    assert_retires(s, "\xF3\x0F\x59\xC1"); /* mulss */
    ck_assert_uint_eq(s->core.xmm[0].d[0], 0x00400000);
    ck_assert_uint_eq(s->core.mxcsr, 0x1F80);
    s->core.rip = SETUP_RIP;
    s->core.xmm[0].d[0] = 0x00800000;
    s->core.mxcsr &= ~(uint32_t)MXCSR_UM;
    assert_faults(s, "\xF3\x0F\x59\xC1", EXC_XF);
    ck_assert_uint_eq(s->core.mxcsr & MXCSR_FLAGS, MXCSR_UE);
    setup_free(s);
}
END_TEST

START_TEST(an_invalid_lane_hides_the_overflow_of_another)
{
    struct setup *s = media_setup(3);

    s->core.mxcsr = 0;
    s->core.xmm[0] = (union lanes){ .d = { 0x7F7FFFFF, 0x7F800001, 0, 0 } };
    s->core.xmm[1] = (union lanes){ .d = { 0x7F7FFFFF, 0x3F800000, 0, 0 } };
    assert_faults(s, "\x0F\x58\xC1", EXC_XF);
    ck_assert_uint_eq(s->core.mxcsr, MXCSR_IE);
    setup_free(s);
}
END_TEST

START_TEST(ldmxcsr_refuses_reserved_bits)
{
    struct setup *s = media_setup(3);

    setup_poke(s, SETUP_DATA, 4, 0x2FFFF);
    assert_retires(s, "\x0F\xAE\x13");
    ck_assert_uint_eq(s->core.mxcsr, 0x2FFFF);
    setup_poke(s, SETUP_DATA, 4, 0x10000);
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\x0F\xAE\x13", EXC_GP);
    ck_assert_uint_eq(s->core.mxcsr, 0x2FFFF);
    setup_free(s);
}
END_TEST

START_TEST(wait_faults_only_with_both_mp_and_ts)
{
    struct setup *s = media_setup(3);

    assert_retires(s, "\x9B");
    s->core.cr0 |= CR0_TS;
    assert_retires(s, "\x9B");
    s->core.rip = SETUP_RIP;
    s->core.cr0 |= CR0_MP;
    assert_faults(s, "\x9B", EXC_NM);
    setup_free(s);
}
END_TEST

START_TEST(control_instructions_do_not_wait_and_others_report_mf)
{
    struct setup *s = media_setup(3);

    s->core.cr0 |= CR0_NE;
    s->core.x87.control = 0x37B; /* ZM clear */
    assert_retires(s, "\xD9\xE8"); /* fld1 */
    assert_retires(s, "\xD9\xEE");   /* fldz: 0 over 1 */
    assert_retires(s, "\xDC\xF9");   /* fdiv st(1), st(0): 1 / 0 */
    ck_assert_uint_eq(s->core.x87.status & 0xFF, X87_ES | X87_ZE);
    ck_assert_uint_eq(x87_st(&s->core, 1)->exponent, 0x3FFF); /* kept */
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\xD9\xE8", EXC_MF); /* fld1 */
    assert_faults(s, "\x9B", EXC_MF);     /* wait */
    assert_faults(s, "\x0F\xFC\xC1", EXC_MF); /* paddb mm0, mm1 */
    assert_retires(s, "\x0F\x58\xC1");    /* addps does not care */
    assert_retires(s, "\xDF\xE0");        /* fnstsw ax */
    ck_assert_uint_eq(s->core.gpr[RAX] & 0xFFFF, s->core.x87.status);
    assert_retires(s, "\xDB\xE2");        /* fnclex */
    assert_retires(s, "\xD9\xE8");
    setup_free(s);
}
END_TEST

static unsigned error_line, error_level;

static void numeric_error(void *ctx, unsigned line, bool level)
{
    (void)ctx;
    error_line = line;
    error_level += level;
}

/* CR0.NE = 0: FERR# once, frozen until IGNNE#, which ends with the exception. */
START_TEST(without_ne_an_error_is_reported_by_irq_13_and_freezes_until_ignored)
{
    struct setup *s = media_setup(0);

    error_level = 0;
    s->core.numeric_error = (struct irq_line){ NULL, numeric_error };
    s->core.x87.control = 0x37B;
    s->core.x87.status = X87_ZE;
    x87_summarize(&s->core);
    ck_assert_int_eq(RUN(s, "\xD9\xE8"), OUTCOME_REPEAT); /* fld1 */
    ck_assert_int_eq(RUN(s, "\xD9\xE8"), OUTCOME_REPEAT);
    ck_assert_uint_eq(error_level, 1);
    ck_assert_uint_eq(error_line, 13);
    s->core.x87.error_ignored = true;
    assert_retires(s, "\xD9\xE8");
    assert_retires(s, "\xDB\xE2"); /* fnclex: FERR# and IGNNE# fall */
    ck_assert(!s->core.x87.error_reported && !s->core.x87.error_ignored);
    s->core.svm.intercept[3] = UINT32_C(1) << (0x7E & 31);
    s->core.x87.status |= X87_ZE;
    x87_summarize(&s->core);
    ck_assert_int_eq(RUN(s, "\xD9\xE8"), OUTCOME_VMEXIT);
    ck_assert_uint_eq(s->core.exit.code, 0x7E);
    setup_free(s);
}
END_TEST

/* ---- Images ------------------------------------------------------------------------------------------------- */

static void fill(struct setup *s)
{
    struct x87 *x87 = &s->core.x87;

    memset(s->ram + SETUP_DATA, 0xAA, 512);
    x87->opcode = 0x123;
    x87->instruction = 0x1122334455667788;
    x87->data = 0x99AABBCCDDEEFF00;
    x87->code_selector = 0x33;
    x87->data_selector = 0x2B;
    x87->full = 0x81;
    x87->status = 7 << 11;
    for (unsigned i = 0; i < 8; i++)
        x87->reg[i] = (struct x87_register){ i, (uint16_t)(0x4000 + i) };
    for (unsigned i = 0; i < 16; i++)
        s->core.xmm[i] = (union lanes){ .q = { i, ~(uint64_t)i } };
}

START_TEST(fxsave_stores_pointers_only_with_an_exception_pending)
{
    struct setup *s = media_setup(3);

    fill(s);
    assert_retires(s, "\x48\x0F\xAE\x03"); /* fxsave64 [rbx] */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 8), UINT64_C(0xAAAA00813800037F));
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 8), UINT64_C(0xAAAAAAAAAAAAAAAA));
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 24, 8), UINT64_C(0x0002FFFF00001F80));
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 32, 8), 7);      /* ST(0) is register 7 */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 40, 8), 0x4007);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 160 + 15 * 16, 8), 15);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 416, 8), UINT64_C(0xAAAAAAAAAAAAAAAA));
    s->core.x87.control = 0x37E;
    s->core.x87.status |= X87_IE;
    x87_summarize(&s->core);
    assert_retires(s, "\x48\x0F\xAE\x03");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 6, 2), 0x123);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 8), UINT64_C(0x1122334455667788));
    assert_retires(s, "\x0F\xAE\x03"); /* 32-bit offsets and selectors */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 8), UINT64_C(0x0000003355667788));
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 16, 8), UINT64_C(0x0000002BDDEEFF00));
    setup_free(s);
}
END_TEST

START_TEST(fxrstor_brings_back_what_fxsave_stored)
{
    struct setup *s = media_setup(3);
    struct core before;

    fill(s);
    s->core.mxcsr = 0x2DEAD;
    before = s->core;
    assert_retires(s, "\x0F\xAE\x03");
    memset(s->core.xmm, 0, sizeof(s->core.xmm));
    x87_initialize(&s->core);
    memset(s->core.x87.reg, 0, sizeof(s->core.x87.reg));
    s->core.mxcsr = 0x1F80;
    assert_retires(s, "\x0F\xAE\x0B"); /* fxrstor [rbx] */
    ck_assert_mem_eq(s->core.xmm, before.xmm, sizeof(before.xmm));
    for (unsigned i = 0; i < 8; i++)
        ck_assert(s->core.x87.reg[i].significand == i && s->core.x87.reg[i].exponent == 0x4000 + i);
    ck_assert_uint_eq(s->core.x87.full, 0x81);
    ck_assert_uint_eq(s->core.x87.status, 7 << 11);
    ck_assert_uint_eq(s->core.x87.instruction, 0); /* no exception pending: not restored */
    ck_assert_uint_eq(s->core.mxcsr, 0x2DEAD);
    setup_poke(s, SETUP_DATA + 24, 4, 0x40000);
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\x0F\xAE\x0B", EXC_GP);
    setup_free(s);
}
END_TEST

/* APM5 FXRSTOR: with ES set by the image's flags and masks; without REX.W offsets have 32 bits, and selectors count. */
START_TEST(fxrstor_takes_the_pointers_of_an_image_with_an_exception_pending)
{
    struct setup *s = media_setup(3);
    struct x87 *x87 = &s->core.x87;

    fill(s);
    x87->control = 0x37E; /* IE is not masked */
    x87->status |= X87_IE;
    x87_summarize(&s->core);
    assert_retires(s, "\x0F\xAE\x03");     /* fxsave [rbx] */
    x87_initialize(&s->core);
    assert_retires(s, "\x0F\xAE\x0B");     /* fxrstor [rbx] */
    ck_assert_uint_eq(x87->opcode, 0x123);
    ck_assert_uint_eq(x87->instruction, 0x55667788);
    ck_assert_uint_eq(x87->data, 0xDDEEFF00);
    ck_assert_uint_eq(x87->code_selector, 0x33);
    ck_assert_uint_eq(x87->data_selector, 0x2B);
    x87_initialize(&s->core);
    setup_poke(s, SETUP_DATA + 8, 8, UINT64_C(0x1122334455667788));
    setup_poke(s, SETUP_DATA + 16, 8, UINT64_C(0x99AABBCCDDEEFF00));
    assert_retires(s, "\x48\x0F\xAE\x0B"); /* fxrstor64 [rbx] */
    ck_assert_uint_eq(x87->instruction, UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(x87->data, UINT64_C(0x99AABBCCDDEEFF00));
    setup_free(s);
}
END_TEST

/* APM2 3.1.7, EFER.FFXSE: 64-bit mode and CPL 0 only. */
START_TEST(fast_fxsave_leaves_xmm_registers_out)
{
    struct setup *s = media_setup(0);

    s->core.efer |= EFER_FFXSE;
    fill(s);
    assert_retires(s, "\x0F\xAE\x03");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 160, 8), UINT64_C(0xAAAAAAAAAAAAAAAA));
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 24, 4), 0x1F80);
    assert_retires(s, "\x0F\xAE\x0B");
    ck_assert_uint_eq(s->core.xmm[3].q[0], 3);
    setup_privilege(s, 3);
    assert_retires(s, "\x0F\xAE\x03");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 160 + 16, 8), 1);
    setup_free(s);
}
END_TEST

START_TEST(outside_64_bit_mode_eight_xmm_registers_are_saved)
{
    struct setup *s = media_setup(3);

    setup_32(s, 3);
    s->core.cr4 |= CR4_OSFXSR;
    fill(s);
    assert_retires(s, "\x0F\xAE\x03");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 160 + 7 * 16, 8), 7);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 160 + 8 * 16, 8), UINT64_C(0xAAAAAAAAAAAAAAAA));
    setup_free(s);
}
END_TEST

/* APM2 11.4.4.2: protected-mode formats of 28 and 14 bytes; then all exceptions are masked. */
START_TEST(fnstenv_stores_the_environment_and_masks)
{
    struct setup *s = media_setup(3);

    fill(s);
    s->core.x87.control = 0x0360;
    s->core.x87.reg[7] = (struct x87_register){ 0, 0 };
    s->core.x87.reg[0] = (struct x87_register){ UINT64_C(1) << 63, 0x7FFF };
    assert_retires(s, "\xD9\x33"); /* fnstenv [rbx] */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 4), 0xFFFF0360);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 4, 4), 0xFFFF3800);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 4), 0xFFFF7FFE); /* R7 zero 01, R6-R1 empty, R0 special 10 */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 12, 4), 0x55667788);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 16, 4), 0x01230033);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 20, 4), 0xDDEEFF00);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 24, 4), 0xFFFF002B);
    ck_assert_uint_eq(s->core.x87.control, 0x037F);
    assert_retires(s, "\x66\xD9\x33");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 6, 4), 0x00337788);
    s->core.x87.opcode = 0;
    assert_retires(s, "\x66\xD9\x23"); /* fldenv */
    ck_assert_uint_eq(s->core.x87.instruction, 0x7788);
    ck_assert_uint_eq(s->core.x87.full, 0x81);
    setup_free(s);
}
END_TEST

/* Real mode: linear addresses of 32 or 20 bits. 1230h * 16 + 4567h = 16867h. */
START_TEST(real_mode_environments_hold_linear_addresses)
{
    struct setup *s = media_setup(3);

    setup_real(s);
    s->core.gpr[RBX] = 0x1000;
    fill(s);
    s->core.x87.instruction = 0x4567;
    s->core.x87.code_selector = 0x1230;
    s->core.x87.data = 2;
    s->core.x87.data_selector = 0xF000;
    assert_retires(s, "\xD9\x37"); /* fnstenv [bx] */
    ck_assert_uint_eq(setup_peek(s, 0x1000 + 6, 4), 0x11236867);
    ck_assert_uint_eq(setup_peek(s, 0x1000 + 10, 4), 0xF0000002);
    assert_retires(s, "\x66\xD9\x37");
    ck_assert_uint_eq(setup_peek(s, 0x1000 + 12, 4), 0x6867);
    ck_assert_uint_eq(setup_peek(s, 0x1000 + 16, 4), 0x1123);
    setup_free(s);
}
END_TEST

START_TEST(frstor_brings_back_what_fnsave_stored)
{
    struct setup *s = media_setup(3);
    struct x87 before;

    fill(s);
    before = s->core.x87;
    assert_retires(s, "\xDD\x33"); /* fnsave [rbx] */
    ck_assert_uint_eq(s->core.x87.control, 0x37F);
    ck_assert_uint_eq(s->core.x87.full, 0);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 28, 8), 7); /* ST(0) */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 36, 2), 0x4007);
    memset(s->core.x87.reg, 0, sizeof(before.reg));
    assert_retires(s, "\xDD\x23"); /* frstor */
    ck_assert_mem_eq(s->core.x87.reg, before.reg, sizeof(before.reg));
    ck_assert_uint_eq(s->core.x87.full, before.full);
    ck_assert_uint_eq(s->core.x87.opcode, 0x123);
    setup_free(s);
}
END_TEST

/* ---- x87 functions: exact values ------------------------------------------------------------------------------ */

static struct x87_register unary(struct setup *s, uint8_t modrm, struct x87_register x)
{
    uint8_t bytes[2] = { 0xD9, modrm };

    x87_initialize(&s->core);
    x87_push(&s->core, x);
    ck_assert_int_eq(setup_run(s, bytes, 2), OUTCOME_NEXT);
    return *x87_st(&s->core, 0);
}

/* sin 1 = D76AA478 48677021h * 2^-1 rounded, cos 1 = 8A51407D A8345C92h * 2^-1 (0.84147..., 0.54030...). */
START_TEST(sine_and_cosine_are_rounded_exactly)
{
    static const struct x87_register one = { UINT64_C(1) << 63, 0x3FFF }, big = { UINT64_C(1) << 63, 0x3FFF + 63 };
    struct setup *s = media_setup(3);
    struct x87_register result = unary(s, 0xFE, one);

    ck_assert_uint_eq(result.significand, UINT64_C(0xD76AA47848677021));
    ck_assert_uint_eq(result.exponent, 0x3FFE);
    ck_assert_uint_eq(s->core.x87.status & X87_EXCEPTIONS, X87_PE);
    result = unary(s, 0xFF, one);
    ck_assert_uint_eq(result.significand, UINT64_C(0x8A51407DA8345C92));
    result = unary(s, 0xFE, big); /* 2^63: out of range */
    ck_assert_uint_eq(result.exponent, big.exponent);
    ck_assert_uint_eq(s->core.x87.status & X87_C2, X87_C2);
    setup_free(s);
}
END_TEST

UNIT_TESTS("media", now_instructions_follow_the_definitions,
           a_now_suffix_follows_the_displacement_and_unknown_ones_are_undefined,
           newton_steps_give_a_reciprocal_of_24_bits, extrq_and_insertq_move_bit_fields,
           streaming_scalars_store_four_and_eight_bytes, rcpss_and_rsqrtss_know_their_special_operands,
           approximations_keep_the_promised_accuracy, misaligned_mode_frees_arithmetic_but_not_aligned_moves,
           unmasked_exceptions_set_the_flag_and_keep_the_destination, an_exact_tiny_result_underflows_only_unmasked,
           an_invalid_lane_hides_the_overflow_of_another, ldmxcsr_refuses_reserved_bits,
           without_ne_an_error_is_reported_by_irq_13_and_freezes_until_ignored,
           wait_faults_only_with_both_mp_and_ts, control_instructions_do_not_wait_and_others_report_mf,
           fxsave_stores_pointers_only_with_an_exception_pending, fxrstor_brings_back_what_fxsave_stored,
           fxrstor_takes_the_pointers_of_an_image_with_an_exception_pending,
           fast_fxsave_leaves_xmm_registers_out, outside_64_bit_mode_eight_xmm_registers_are_saved,
           fnstenv_stores_the_environment_and_masks, real_mode_environments_hold_linear_addresses,
           frstor_brings_back_what_fnsave_stored, sine_and_cosine_are_rounded_exactly)
