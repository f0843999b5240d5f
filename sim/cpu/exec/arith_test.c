/* SPDX-License-Identifier: MIT */
/* Shifts, multiplication, division, bits, decimal adjustment, moves, exchanges: values by hand arithmetic. */
#include "sim/cpu/exec/exec_setup.h"

#define O RFLAGS_OF
#define S RFLAGS_SF
#define Z RFLAGS_ZF
#define A RFLAGS_AF
#define P RFLAGS_PF
#define C RFLAGS_CF

/* rAX, rBX, rCX, rDX and flags before; rAX, rDX and those of `mask` after. vector: the fault instead. */
struct arith_case {
    const char *bytes;
    size_t length;
    uint64_t rax, rbx, rcx, rdx, before;
    uint64_t result, high, mask, flags;
    uint8_t vector;
};

#define ALL RFLAGS_ARITH

static void run_cases(struct setup *s, const struct arith_case *cases, size_t count, bool wide)
{
    for (size_t i = 0; i < count; i++) {
        const struct arith_case *c = &cases[i];

        if (wide)
            setup_64(s, 3);
        else
            setup_32(s, 3);
        s->core.gpr[RAX] = c->rax;
        s->core.gpr[RBX] = c->rbx;
        s->core.gpr[RCX] = c->rcx;
        s->core.gpr[RDX] = c->rdx;
        rflags_write(&s->core, c->before);
        if (c->vector != 0xFF) {
            ck_assert_int_eq(setup_run(s, c->bytes, c->length), OUTCOME_FAULT);
            ck_assert_msg(s->core.fault.vector == c->vector, "case %zu: vector %u", i, s->core.fault.vector);
            ck_assert_uint_eq(s->core.gpr[RAX], c->rax);
            ck_assert_uint_eq(s->core.gpr[RDX], c->rdx);
            continue;
        }
        ck_assert_int_eq(setup_run(s, c->bytes, c->length), OUTCOME_NEXT);
        ck_assert_msg(s->core.gpr[RAX] == c->result, "case %zu: rax %" PRIx64, i, s->core.gpr[RAX]);
        ck_assert_msg(s->core.gpr[RDX] == c->high, "case %zu: rdx %" PRIx64, i, s->core.gpr[RDX]);
        ck_assert_msg((rflags_read(&s->core) & c->mask) == c->flags, "case %zu: flags %03" PRIx64, i,
                      s->core.rflags & c->mask);
    }
}

#define CASE(bytes, ...) { bytes, sizeof(bytes) - 1, __VA_ARGS__, .vector = 0xFF }
#define FAULT(bytes, rax, rbx, rdx, vector_) \
    { bytes, sizeof(bytes) - 1, rax, rbx, 0, rdx, 0, 0, 0, 0, 0, .vector = vector_ }

/* bytes, rax, rbx, rcx, rdx, flags before, rax after, rdx after, mask, flags after */
static const struct arith_case shifts[] = {
    CASE("\xD0\xE0", 0x81, 0, 0, 0, 0, 0x02, 0, ALL, O | C),                  /* shl al, 1 */
    CASE("\xC1\xE0\x04", 0xF0000001, 0, 0, 0, 0, 0x10, 0, S | Z | P | C, C),  /* shl eax, 4 */
    CASE("\xD3\xE0", 0x12345678, 0, 32, 0, ALL, 0x12345678, 0, ALL, ALL),     /* count 32 & 31 = 0: nothing */
    CASE("\xD3\xE0", 0xFFFFFFFF12345678, 0, 32, 0, 0, 0x12345678, 0, 0, 0),   /* but a 32-bit result */
    CASE("\x48\xD3\xE0", 1, 0, 63, 0, 0, BIT(63), 0, S | Z | P | C, S | P),
    CASE("\xD0\xE8", 0x81, 0, 0, 0, 0, 0x40, 0, ALL, O | C),                  /* shr al, 1: old sign */
    CASE("\x48\xC1\xE8\x3F", BIT(63), 0, 0, 0, 0, 1, 0, S | Z | P | C, 0),
    CASE("\xD0\xF8", 0x81, 0, 0, 0, 0, 0xC0, 0, ALL, S | P | C),              /* sar al, 1 */
    CASE("\xC0\xF8\x1F", 0x80, 0, 0, 0, 0, 0xFF, 0, S | Z | P | C, S | P | C),/* sar al, 31: all sign */
    CASE("\xD0\xC0", 0x81, 0, 0, 0, S | Z | P | A, 0x03, 0, ALL, O | S | Z | P | A | C), /* rol al, 1 */
    CASE("\xD0\xC8", 0x81, 0, 0, 0, 0, 0xC0, 0, ALL, C),                      /* ror al, 1: bits 7 and 6 equal */
    CASE("\xC0\xC0\x08", 0x81, 0, 0, 0, 0, 0x81, 0, C, C),                    /* rol al, 8: CF = bit 0 all the same */
    CASE("\xD0\xD0", 0x80, 0, 0, 0, C, 0x01, 0, O | C, O | C),                /* rcl al, 1 */
    CASE("\xC0\xD0\x09", 0x5A, 0, 0, 0, C, 0x5A, 0, C, C),                    /* rcl al, 9: once round */
    CASE("\xD0\xD8", 0x01, 0, 0, 0, C, 0x80, 0, O | C, O | C),                /* rcr al, 1 */
    CASE("\x0F\xA4\xD8\x08", 0x12345678, 0xABCDEF00, 0, 0, 0, 0x345678AB, 0, S | Z | P | C, 0), /* shld eax, ebx, 8 */
    CASE("\x0F\xAD\xD8", 0x12345678, 0x000000EF, 8, 0, 0, 0xEF123456, 0, S | Z | P | C, S | P), /* shrd by cl */
};

START_TEST(shifts_and_rotates)
{
    struct setup *s = setup_new();

    run_cases(s, shifts, G_N_ELEMENTS(shifts), true);
    setup_free(s);
}
END_TEST

static const struct arith_case products[] = {
    CASE("\xF6\xE3", 0x1280, 0x02, 0, 7, 0, 0x0100, 7, O | C, O | C),      /* mul bl: 80 * 2 = 100 in AX */
    CASE("\xF7\xE3", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0, 1, 0xFFFFFFFE, O | C, O | C),
    CASE("\x48\xF7\xE3", 3, 5, 0, 9, O | C, 15, 0, O | C, 0),
    CASE("\xF6\xEB", 0xFF, 0xFF, 0, 0, O | C, 0x0001, 0, O | C, 0),        /* imul bl: -1 * -1 fits */
    CASE("\xF6\xEB", 0x80, 0xFF, 0, 0, 0, 0x0080, 0, O | C, O | C),        /* -128 * -1 = 128 does not */
    CASE("\x0F\xAF\xC3", 0x10000, 0x10000, 0, 0, 0, 0, 0, O | C, O | C),   /* imul eax, ebx */
    CASE("\x48\x6B\xC3\xFE", 0, 21, 0, 0, 0, (uint64_t)-42, 0, O | C, 0),  /* imul rax, rbx, -2 */
    CASE("\x48\x69\xC3\x00\x00\x00\x80", 0, 1, 0, 0, 0, 0xFFFFFFFF80000000, 0, O | C, 0),
};

static const struct arith_case quotients[] = {
    CASE("\xF6\xF3", 0x0107, 0x10, 0, 0, ALL, 0x0710, 0, ALL, ALL),        /* div bl: 263 = 16 * 16 + 7; flags kept */
    CASE("\xF7\xF3", 0, 2, 0, 1, 0, 0x80000000, 0, 0, 0),                  /* 1_00000000 / 2 */
    CASE("\x48\xF7\xF3", 0, 3, 0, 1, 0, 0x5555555555555555, 1, 0, 0),      /* 2^64 = 3 * 5555... + 1 */
    CASE("\xF6\xFB", 0xFFF9, 0x02, 0, 0, 0, 0xFFFD, 0, 0, 0),              /* idiv bl: -7 = 2 * -3 - 1 */
    CASE("\x48\xF7\xFB", (uint64_t)-100, 7, 0, UINT64_MAX, 0, (uint64_t)-14, (uint64_t)-2, 0, 0),
    CASE("\xF6\xFB", 0xFF80, 0x01, 0, 0, 0, 0x0080, 0, 0, 0),              /* -128 just fits */
    FAULT("\xF6\xF3", 0x1000, 0x10, 0, EXC_DE),                            /* quotient 100h */
    FAULT("\xF7\xF3", 1, 0, 0, EXC_DE),
    FAULT("\xF6\xFB", 0x0080, 0x01, 0, EXC_DE),                            /* +128 does not fit */
    FAULT("\x48\xF7\xFB", 0, UINT64_MAX, BIT(63), EXC_DE),                 /* -2^127 / -1 */
    FAULT("\xF7\xFB", 0, 0xFFFFFFFF, 0x80000000, EXC_DE),
};

START_TEST(products_and_quotients)
{
    struct setup *s = setup_new();

    run_cases(s, products, G_N_ELEMENTS(products), true);
    run_cases(s, quotients, G_N_ELEMENTS(quotients), true);
    setup_free(s);
}
END_TEST

static const struct arith_case bit_cases[] = {
    CASE("\x0F\xA3\xD8", 0x10, 36, 0, 0, S | Z, 0x10, 0, ALL, S | Z | C),  /* bt eax, ebx: bit 36 & 31 = 4 */
    CASE("\x48\x0F\xBA\xE8\x3F", 0, 0, 0, 0, C, BIT(63), 0, C, 0),         /* bts rax, 63 */
    CASE("\x0F\xBA\xF0\x00", 3, 0, 0, 0, 0, 2, 0, C, C),                   /* btr eax, 0 */
    CASE("\x0F\xBA\xF8\x01", 1, 0, 0, 0, 0, 3, 0, C, 0),                   /* btc eax, 1 */
    CASE("\x0F\xBC\xC3", 7, 0x80, 0, 0, Z, 7, 0, Z, 0),            /* bsf eax, ebx: 7 */
    CASE("\x0F\xBC\xC3", 0xFFFFFFFFFFFFFFFF, 0, 0, 0, 0, 0xFFFFFFFFFFFFFFFF, 0, Z, Z), /* source 0: kept whole */
    CASE("\x48\x0F\xBD\xC3", 0, BIT(40) | 1, 0, 0, Z, 40, 0, Z, 0),        /* bsr */
    CASE("\xF3\x0F\xBD\xC3", 0, 1, 0, 0, C | Z, 31, 0, Z | C, 0),          /* lzcnt eax, ebx */
    CASE("\xF3\x0F\xBD\xC3", 0, 0x80000000, 0, 0, 0, 0, 0, Z | C, Z),
    CASE("\x66\xF3\x0F\xBD\xC3", 0, 0, 0, 0, 0, 16, 0, Z | C, C),
    CASE("\xF3\x48\x0F\xB8\xC3", 0, 0xF0F0F0F0F0F0F0F0, 0, 0, ALL, 32, 0, ALL, 0), /* popcnt */
    CASE("\xF3\x0F\xB8\xC3", 9, 0, 0, 0, 0, 0, 0, ALL, Z),
};

static const struct arith_case moves[] = {
    CASE("\x0F\xB6\xC3", UINT64_MAX, 0x1280, 0, 0, ALL, 0x80, 0, ALL, ALL),
    CASE("\x48\x0F\xBE\xC3", 0, 0x80, 0, 0, 0, 0xFFFFFFFFFFFFFF80, 0, 0, 0),
    CASE("\x0F\xBF\xC3", 0, 0x8000, 0, 0, 0, 0xFFFF8000, 0, 0, 0),
    CASE("\x48\x63\xC3", 0, 0x80000000, 0, 0, 0, 0xFFFFFFFF80000000, 0, 0, 0),
    CASE("\x63\xC3", UINT64_MAX, 0x80000000, 0, 0, 0, 0x80000000, 0, 0, 0), /* movsxd without REX.W */
    CASE("\x66\x98", 0xAAAA0080, 0, 0, 0, 0, 0xAAAAFF80, 0, 0, 0),          /* cbw */
    CASE("\x98", 0x8000, 0, 0, 0, 0, 0xFFFF8000, 0, 0, 0),                  /* cwde */
    CASE("\x48\x98", 0x80000000, 0, 0, 0, 0, 0xFFFFFFFF80000000, 0, 0, 0),  /* cdqe */
    CASE("\x99", 0x80000000, 0, 0, 5, 0, 0x80000000, 0xFFFFFFFF, 0, 0),     /* cdq */
    CASE("\x48\x99", 1, 0, 0, 5, 0, 1, 0, 0, 0),                            /* cqo */
    CASE("\x0F\xC8", 0xFFFFFFFF12345678, 0, 0, 0, 0, 0x78563412, 0, 0, 0),
    CASE("\x48\x0F\xC8", 0x0102030405060708, 0, 0, 0, 0, 0x0807060504030201, 0, 0, 0),
    CASE("\x48\x8D\x44\x4B\x03", 0, 0x1000, 0x10, 0, 0, 0x1023, 0, 0, 0),   /* lea rax, [rbx+2*rcx+3] */
    CASE("\x67\x8D\x03", 0, 0x1000000010, 0, 0, 0, 0x10, 0, 0, 0),
    CASE("\x92", 1, 0, 0, 2, 0, 2, 1, 0, 0),                                /* xchg eax, edx */
    CASE("\x90", 0xFFFFFFFF00000001, 0, 0, 0, 0, 0xFFFFFFFF00000001, 0, 0, 0), /* nop clears nothing */
};

START_TEST(bits_and_moves)
{
    struct setup *s = setup_new();

    run_cases(s, bit_cases, G_N_ELEMENTS(bit_cases), true);
    run_cases(s, moves, G_N_ELEMENTS(moves), true);
    setup_free(s);
}
END_TEST

static const struct arith_case decimals[] = {
    CASE("\x27", 0xAE, 0, 0, 0, 0, 0x14, 0, S | Z | A | P | C, A | P | C),     /* daa: AE + 66 = 114 */
    CASE("\x27", 0x2E, 0, 0, 0, C, 0x94, 0, S | Z | A | P | C, S | A | C),     /* 2E + 6 + 60 */
    CASE("\x2F", 0xEE, 0, 0, 0, C | A, 0x88, 0, S | Z | A | P | C, S | A | P | C), /* das: EE - 66 */
    CASE("\x2F", 0x02, 0, 0, 0, A, 0xFC, 0, A | C, A | C),                     /* 2 - 6 borrows */
    CASE("\x37", 0x010F, 0, 0, 0, 0, 0x0205, 0, A | C, A | C),                 /* aaa: F + 6 = 15, AH + 1 */
    CASE("\x37", 0x0105, 0, 0, 0, 0, 0x0105, 0, A | C, 0),
    CASE("\x3F", 0x02FF, 0, 0, 0, 0, 0x0109, 0, A | C, A | C),                 /* aas: F - 6, AH - 1 */
    CASE("\xD4\x0A", 0x3F, 0, 0, 0, 0, 0x0603, 0, S | Z | P, P),               /* aam: 63 */
    CASE("\xD5\x0A", 0x0603, 0, 0, 0, 0, 0x003F, 0, S | Z | P, P),             /* aad */
    FAULT("\xD4\x00", 0x3F, 0, 0, EXC_DE),
    CASE("\xD6", 0x1234, 0, 0, 0, C, 0x12FF, 0, C, C),                         /* salc */
    CASE("\x9E", 0xD500, 0, 0, 0, O, 0xD500, 0, ALL, ALL),                     /* sahf */
    CASE("\x9F", 0x0011, 0, 0, 0, Z | C, 0x4311, 0, 0, 0),                     /* lahf: bit 1 reads 1 */
    CASE("\xF5", 0, 0, 0, 0, Z, 0, 0, ALL, Z | C),                             /* cmc */
};

START_TEST(decimal_adjustment_and_single_flags)
{
    struct setup *s = setup_new();

    run_cases(s, decimals, G_N_ELEMENTS(decimals), false);
    setup_free(s);
}
END_TEST

START_TEST(cmpxchg_stores_on_equality_and_loads_otherwise)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RDI] = SETUP_DATA;
    s->core.gpr[RAX] = 5;
    s->core.gpr[RBX] = 9;
    setup_poke(s, SETUP_DATA, 4, 5);
    assert_retires(s, "\xF0\x0F\xB1\x1F"); /* lock cmpxchg [rdi], ebx */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 4), 9);
    ck_assert(rflags_read(&s->core) & Z);
    assert_retires(s, "\xF0\x0F\xB1\x1F");
    ck_assert_uint_eq(s->core.gpr[RAX], 9);
    ck_assert(!(rflags_read(&s->core) & Z));
    s->core.rip = SETUP_RIP;
    s->core.gpr[RDI] = 0x13000;
    assert_faults(s, "\x0F\xB1\x1F", EXC_PF); /* a mismatch writes too */
    setup_free(s);
}
END_TEST

START_TEST(cmpxchg16b_compares_both_halves_and_wants_alignment)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RDI] = SETUP_DATA;
    setup_poke(s, SETUP_DATA, 8, 1);
    setup_poke(s, SETUP_DATA + 8, 8, 2);
    s->core.gpr[RAX] = 1;
    s->core.gpr[RDX] = 3;
    s->core.gpr[RBX] = 0x11;
    s->core.gpr[RCX] = 0x22;
    assert_retires(s, "\x48\x0F\xC7\x0F"); /* high halves differ */
    ck_assert_uint_eq(s->core.gpr[RDX], 2);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 8), 1);
    assert_retires(s, "\x48\x0F\xC7\x0F");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 8), 0x11);
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 8), 0x22);
    assert_retires(s, "\x0F\xC7\x0F"); /* cmpxchg8b: 11 and 0 against 1 and 2: loads */
    ck_assert_uint_eq(s->core.gpr[RAX], 0x11);
    ck_assert_uint_eq(s->core.gpr[RDX], 0);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RDI] = SETUP_DATA + 8;
    assert_faults(s, "\x48\x0F\xC7\x0F", EXC_GP);
    setup_free(s);
}
END_TEST

START_TEST(a_bit_index_in_a_register_reaches_beyond_the_operand)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RDI] = SETUP_DATA + 0x100;
    s->core.gpr[RBX] = (uint64_t)-33; /* bit 31 of the doubleword 8 bytes below */
    assert_retires(s, "\x0F\xAB\x1F"); /* bts [rdi], ebx */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 0x100 - 8, 4), 0x80000000);
    s->core.gpr[RBX] = 64 * 3 + 5;
    assert_retires(s, "\x48\x0F\xBB\x1F"); /* btc [rdi], rbx */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 0x100 + 24, 8), 0x20);
    assert_retires(s, "\x0F\xBA\x2F\xFF"); /* bts dword [rdi], FF: an immediate does not */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 0x100, 4), 0x80000000);
    setup_free(s);
}
END_TEST

UNIT_TESTS("arith", shifts_and_rotates, products_and_quotients, bits_and_moves,
           decimal_adjustment_and_single_flags, cmpxchg_stores_on_equality_and_loads_otherwise,
           cmpxchg16b_compares_both_halves_and_wants_alignment,
           a_bit_index_in_a_register_reaches_beyond_the_operand)
