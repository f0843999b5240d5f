/* SPDX-License-Identifier: MIT */
/* Arithmetic against the native processor; memory, strings and addresses by hand. */
#include "hv/emulate/execute.h"

#include <string.h>

#include "hv/emulate/arithmetic.h"
#include "sim/unit_test.h"

#define FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* ---- Arithmetic ------------------------------------------------------------------------------------------------ */

#define NATIVE(name, op, type, suffix)                                                                          \
    static uint64_t native_##name##_##suffix(uint64_t a, uint64_t b, uint64_t *flags)                           \
    {                                                                                                           \
        type x = (type)a, y = (type)b;                                                                          \
        __asm__ volatile("pushq %1\n\tpopfq\n\t" op #suffix " %2, %0\n\tpushfq\n\tpopq %1"                      \
                         : "+q"(x), "+r"(*flags) : "q"(y) : "cc", "memory");                                    \
        return x;                                                                                               \
    }
#define NATIVES(name) \
    NATIVE(name, #name, uint8_t, b) NATIVE(name, #name, uint16_t, w) NATIVE(name, #name, uint32_t, l) \
    NATIVE(name, #name, uint64_t, q)
NATIVES(add) NATIVES(adc) NATIVES(sub) NATIVES(sbb) NATIVES(and) NATIVES(or) NATIVES(xor) NATIVES(cmp) NATIVES(test)

typedef uint64_t native_fn(uint64_t a, uint64_t b, uint64_t *flags);
#define ROW(operation, name) \
    { EMULATE_##operation, { native_##name##_b, native_##name##_w, native_##name##_l, native_##name##_q } }
static const struct {
    enum emulate_operation operation;
    native_fn *native[4];
} arithmetic[] = {
    ROW(ADD, add), ROW(ADC, adc), ROW(SUB, sub), ROW(SBB, sbb), ROW(AND, and), ROW(OR, or), ROW(XOR, xor),
    ROW(CMP, cmp), ROW(TEST, test),
};

static uint64_t interesting(unsigned i)
{
    static const uint64_t values[] = { 0, 1, 0xF, 0x10, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF,
                                       0x80000000, 0xFFFFFFFF, INT64_MAX, 0x8000000000000000, UINT64_MAX,
                                       0x123456789ABCDEF0 };

    return values[i % (sizeof(values) / sizeof(values[0]))];
}

static bool is_logic(enum emulate_operation operation)
{
    return operation == EMULATE_AND || operation == EMULATE_OR || operation == EMULATE_XOR ||
           operation == EMULATE_TEST;
}

START_TEST(results_and_flags_are_the_native_processors)
{
    for (unsigned i = 0; i < 17 * 17 * 2; i++) {
        uint64_t a = interesting(i / 2), b = interesting(i / 2 / 17), carry = i & 1;

        for (unsigned n = 0; n < sizeof(arithmetic) / sizeof(arithmetic[0]); n++) {
            enum emulate_operation operation = arithmetic[n].operation;

            for (unsigned size = 0; size < 4; size++) {
                uint64_t flags = 2 | carry, native = 2 | carry, result, want;
                uint64_t compared = FLAGS & ~(is_logic(operation) ? (uint64_t)RFLAGS_AF : 0); /* AF is undefined */

                want = arithmetic[n].native[size](a, b, &native);
                result = emulate_alu(operation, a, b, 1u << size, &flags);
                if (operation != EMULATE_CMP && operation != EMULATE_TEST)
                    ck_assert_uint_eq(result, want);
                ck_assert_msg((flags & compared) == (native & compared), "operation %d, size %u: %lx, native %lx",
                              operation, 1u << size, (unsigned long)flags, (unsigned long)native);
            }
        }
    }
}
END_TEST

START_TEST(increments_keep_the_carry_and_negation_sets_it)
{
    uint64_t flags = RFLAGS_CF;

    ck_assert_uint_eq(emulate_alu(EMULATE_INC, 0xFF, 0, 1, &flags), 0);
    ck_assert_uint_eq(flags, RFLAGS_CF | RFLAGS_ZF | RFLAGS_PF | RFLAGS_AF);
    flags = 0;
    ck_assert_uint_eq(emulate_alu(EMULATE_DEC, 0, 0, 4, &flags), 0xFFFFFFFF);
    ck_assert_uint_eq(flags, RFLAGS_SF | RFLAGS_PF | RFLAGS_AF);
    ck_assert_uint_eq(emulate_alu(EMULATE_NEG, 1, 0, 2, &flags), 0xFFFF);
    ck_assert_uint_eq(flags, RFLAGS_CF | RFLAGS_SF | RFLAGS_PF | RFLAGS_AF);
    flags = RFLAGS_ZF;
    ck_assert_uint_eq(emulate_alu(EMULATE_NOT, 0x0F, 0, 1, &flags), 0xF0);
    ck_assert_uint_eq(flags, RFLAGS_ZF);
}
END_TEST

/* ---- Whole instructions ------------------------------------------------------------------------------------------ */

static uint8_t ram[0x200];
static enum emulate_status refuse_read, refuse_write; /* what the next access answers */
static bool asked_to_write;

static enum emulate_status read_ram(void *ctx, uint64_t linear, void *data, unsigned size, bool written)
{
    (void)ctx;
    asked_to_write = written;
    if (refuse_read != EMULATE_DONE)
        return refuse_read;
    ck_assert_uint_le(linear + size, sizeof(ram));
    memcpy(data, ram + linear, size);
    return EMULATE_DONE;
}

static enum emulate_status write_ram(void *ctx, uint64_t linear, const void *data, unsigned size)
{
    (void)ctx;
    if (refuse_write != EMULATE_DONE)
        return refuse_write;
    ck_assert_uint_le(linear + size, sizeof(ram));
    memcpy(ram + linear, data, size);
    return EMULATE_DONE;
}

static const struct emulate_memory memory = { NULL, read_ram, write_ram };

static enum emulate_status run(const char *bytes, size_t count, unsigned width, struct emulate_registers *r)
{
    struct emulate_insn insn;

    ck_assert(emulate_decode((const uint8_t *)bytes, count, width, &insn));
    return emulate_execute(&insn, r, &memory);
}
#define RUN(bytes, width, r) ck_assert_int_eq(run(bytes, sizeof(bytes) - 1, width, r), EMULATE_DONE)

static uint64_t quad(unsigned at)
{
    uint64_t value;

    memcpy(&value, ram + at, 8);
    return value;
}

static void put_quad(unsigned at, uint64_t value)
{
    memcpy(ram + at, &value, 8);
}

START_TEST(stores_of_kernels_write_what_they_should)
{
    struct emulate_registers r = { .gpr = { [0] = 0x1122334455667788, [1] = 2, [3] = 0x40, [7] = 0x80 },
                                   .rip = 0x1000 };

    RUN("\x48\x89\x07", 64, &r); /* mov %rax, (%rdi) */
    ck_assert_uint_eq(quad(0x80), 0x1122334455667788);
    ck_assert_uint_eq(r.rip, 0x1003);
    RUN("\x89\x44\xCB\x10", 32, &r); /* mov %eax, 16(%ebx,%ecx,8) */
    ck_assert_uint_eq(quad(0x60), 0x55667788);
    RUN("\x48\xC7\x03\xFF\xFF\xFF\xFF", 64, &r); /* movq $-1, (%rbx) */
    ck_assert_uint_eq(quad(0x40), UINT64_MAX);
    RUN("\xC7\x03\x67\x00", 16, &r); /* movw $67h, (%bp,%di): 0 + 80h */
    ck_assert_uint_eq(quad(0x80), 0x1122334455660067);
    RUN("\xF0\x48\x0F\xBA\x33\x05", 64, &r); /* lock btrq $5, (%rbx) */
    ck_assert_uint_eq(quad(0x40), 0xFFFFFFFFFFFFFFDF);
    ck_assert(r.rflags & RFLAGS_CF);
    ck_assert(asked_to_write);
    RUN("\x83\x23\x0F", 32, &r); /* andl $15, (%ebx) */
    ck_assert_uint_eq(quad(0x40), 0xFFFFFFFF0000000F);
}
END_TEST

START_TEST(exchanges_are_whole_or_nothing)
{
    struct emulate_registers r = { .gpr = { [0] = 5, [1] = 9, [3] = 0x40 }, .rip = 0x10 }, before;

    put_quad(0x40, 5);
    RUN("\xF0\x48\x0F\xB1\x0B", 64, &r); /* lock cmpxchg %rcx, (%rbx) */
    ck_assert_uint_eq(quad(0x40), 9);
    ck_assert(r.rflags & RFLAGS_ZF);
    RUN("\xF0\x48\x0F\xB1\x0B", 64, &r); /* RAX is 5, memory 9 */
    ck_assert_uint_eq(r.gpr[0], 9);
    ck_assert(!(r.rflags & RFLAGS_ZF));
    RUN("\x48\x87\x03", 64, &r); /* xchg %rax, (%rbx) */
    ck_assert_uint_eq(r.gpr[0], 9);
    r.gpr[0] = 0x77;
    before = r;
    refuse_write = EMULATE_FAULT;
    ck_assert_int_eq(run("\x48\x87\x03", 3, 64, &r), EMULATE_FAULT);
    refuse_write = EMULATE_DONE;
    ck_assert_mem_eq(&r, &before, sizeof(r));
    ck_assert_uint_eq(quad(0x40), 9);
}
END_TEST

START_TEST(cmpxchg8b_takes_both_halves)
{
    struct emulate_registers r = { .gpr = { [0] = 0x11111111, [2] = 0x22222222, [1] = 0xCCCCCCCC, [3] = 0xBBBBBBBB,
                                            [6] = 0x40 } };

    put_quad(0x40, 0x2222222211111111);
    RUN("\xF0\x0F\xC7\x0E", 32, &r); /* lock cmpxchg8b (%esi) */
    ck_assert_uint_eq(quad(0x40), 0xCCCCCCCCBBBBBBBB);
    ck_assert(r.rflags & RFLAGS_ZF);
    RUN("\xF0\x0F\xC7\x0E", 32, &r);
    ck_assert_uint_eq(r.gpr[0], 0xBBBBBBBB);
    ck_assert_uint_eq(r.gpr[2], 0xCCCCCCCC);
    ck_assert(!(r.rflags & RFLAGS_ZF));
}
END_TEST

START_TEST(a_string_step_counts_down_and_stays_until_the_last)
{
    struct emulate_registers r = { .gpr = { [0] = 0xAB, [1] = 2, [6] = 0x40, [7] = 0x80 }, .rip = 0x500 };

    put_quad(0x80, 0);
    RUN("\xF3\x48\xAB", 64, &r); /* rep stosq */
    ck_assert_uint_eq(r.rip, 0x500);
    ck_assert_uint_eq(r.gpr[7], 0x88);
    ck_assert_uint_eq(r.gpr[1], 1);
    RUN("\xF3\x48\xAB", 64, &r);
    ck_assert_uint_eq(r.rip, 0x503);
    ck_assert_uint_eq(r.gpr[1], 0);
    ck_assert_uint_eq(quad(0x80), 0xAB);
    ck_assert_uint_eq(quad(0x88), 0xAB);
    put_quad(0x40, 0x99);
    r.gpr[7] = 0x20;
    r.rflags = RFLAGS_DF;
    RUN("\xA5", 32, &r); /* movsl, downwards */
    ck_assert_uint_eq(quad(0x20) & 0xFFFFFFFF, 0x99);
    ck_assert_uint_eq(r.gpr[6], 0x3C);
    ck_assert_uint_eq(r.gpr[7], 0x1C);
}
END_TEST

START_TEST(addresses_have_segments_and_wrap)
{
    struct emulate_registers r = { .gpr = { [0] = 0x10, [5] = 0x20 }, .rip = 0x1000 };
    struct emulate_insn insn;

    r.base[EMULATE_DS] = 0x1000;
    r.base[EMULATE_SS] = 0x2000;
    r.base[EMULATE_GS] = 0x7000;
    ck_assert(emulate_decode((const uint8_t *)"\x89\x00", 2, 32, &insn));         /* mov %eax, (%eax) */
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 0x1010);
    ck_assert(emulate_decode((const uint8_t *)"\x89\x45\xF0", 3, 32, &insn));     /* mov %eax, -16(%ebp) */
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 0x2010);
    ck_assert(emulate_decode((const uint8_t *)"\x65\x89\x00", 3, 64, &insn));     /* mov %eax, %gs:(%rax) */
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 0x7010);
    ck_assert(emulate_decode((const uint8_t *)"\x89\x00", 2, 64, &insn));
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 0x10);
    ck_assert(emulate_decode((const uint8_t *)"\x89\x05\x00\x01\x00\x00", 6, 64, &insn)); /* mov %eax, 100h(%rip) */
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 0x1106);
    r.base[EMULATE_DS] = 0xFFFFFFF8;
    ck_assert(emulate_decode((const uint8_t *)"\x89\x00", 2, 32, &insn));
    ck_assert_uint_eq(emulate_address(&insn, &r, true), 8);
}
END_TEST

START_TEST(bit_numbers_in_registers_reach_beyond_the_operand)
{
    struct emulate_registers r = { .gpr = { [1] = 70, [3] = 0x40 } };

    put_quad(0x40, 0);
    put_quad(0x48, 0);
    RUN("\x48\x0F\xAB\x0B", 64, &r); /* bts %rcx, (%rbx) */
    ck_assert_uint_eq(quad(0x48), 1u << 6);
    r.gpr[1] = (uint64_t)-1;
    put_quad(0x38, 0);
    RUN("\x48\x0F\xAB\x0B", 64, &r);
    ck_assert_uint_eq(quad(0x38), 1ull << 63);
}
END_TEST

UNIT_TESTS("hv emulate execute", results_and_flags_are_the_native_processors,
           increments_keep_the_carry_and_negation_sets_it, stores_of_kernels_write_what_they_should,
           exchanges_are_whole_or_nothing, cmpxchg8b_takes_both_halves,
           a_string_step_counts_down_and_stays_until_the_last, addresses_have_segments_and_wrap,
           bit_numbers_in_registers_reach_beyond_the_operand)
