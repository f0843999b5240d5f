/* SPDX-License-Identifier: MIT */
/*
 * hv's decoder against the simulator's: on random bytes both say the same of every form that hv knows. The simulator's
 * own agreement with the manual and with capstone is tested elsewhere.
 */
#include "hv/emulate/decode.h"

#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/unit_test.h"

static exec_fn *const emulated[] = {
    exec_add, exec_or, exec_adc, exec_sbb, exec_and, exec_sub, exec_xor, exec_cmp, exec_test, exec_inc, exec_dec,
    exec_not, exec_neg, exec_xadd, exec_cmpxchg, exec_cmpxchg8b, exec_cmpxchg16b, exec_bt, exec_bts, exec_btr, exec_btc,
    exec_setcc, exec_mov, exec_movzx, exec_movsx, exec_movsxd, exec_xchg, exec_movs, exec_stos, exec_lods,
    exec_mov_from_control, exec_mov_to_control, exec_smsw, exec_lmsw, exec_clts, exec_invlpg,
    exec_jmp_far, exec_call_far, exec_int3, exec_int, exec_into, exec_iret,
};

static int number_of(exec_fn *run)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(emulated); i++)
        if (emulated[i] == run)
            return (int)i;
    return -1;
}

static uint64_t seed = 1;

static uint8_t random_byte(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint8_t)(seed >> 24);
}

/* Bytes that are often prefixes and forms of interest. */
static void make_bytes(uint8_t bytes[16])
{
    static const uint8_t prefixes[] = { 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x36, 0x64, 0x65, 0x48, 0x41, 0x44, 0x4F };
    unsigned at = 0;

    while (at < 3 && random_byte() & 1)
        bytes[at++] = prefixes[random_byte() % sizeof(prefixes)];
    if (random_byte() % 3 == 0)
        bytes[at++] = 0x0F;
    while (at < 16)
        bytes[at++] = random_byte();
}

static bool same_kind(const struct emulate_operand *mine, const struct operand *model)
{
    switch (model->kind) {
    case OPERAND_NONE: return mine->kind == EMULATE_NO_OPERAND;
    case OPERAND_GPR:
        return mine->kind == EMULATE_REGISTER && mine->reg == model->reg && mine->high == model->high_byte &&
               mine->size == model->size;
    case OPERAND_MEMORY:
    case OPERAND_STRING_SI:
    case OPERAND_STRING_DI: return mine->kind == EMULATE_MEMORY && mine->size == model->size;
    case OPERAND_IMMEDIATE: return mine->kind == EMULATE_IMMEDIATE;
    case OPERAND_FAR: return mine->kind == EMULATE_IMMEDIATE && mine->size == model->size;
    case OPERAND_CONTROL: return mine->kind == EMULATE_CONTROL && mine->reg == model->reg;
    default: return false;
    }
}

static bool has_memory(const struct insn *model)
{
    return model->op[0].kind == OPERAND_MEMORY || model->op[1].kind == OPERAND_MEMORY;
}

/* There LOCK means CR8, not a locked access. */
static bool is_control(const struct emulate_insn *mine)
{
    return mine->op[0].kind == EMULATE_CONTROL || mine->op[1].kind == EMULATE_CONTROL;
}

static uint64_t masked(uint64_t value, unsigned size)
{
    return size >= 8 ? value : value & ((1ull << 8 * size) - 1);
}

static bool same_address(const struct emulate_insn *mine, const struct insn *model)
{
    if (mine->address_size != model->address_size)
        return false;
    if (model->op[0].kind == OPERAND_STRING_SI || model->op[1].kind == OPERAND_STRING_SI)
        return mine->segment == (enum emulate_segment)model->segment;
    if (!has_memory(model))
        return true;
    return mine->segment == (enum emulate_segment)model->segment && mine->base == model->base &&
           mine->index == model->index && (mine->index == EMULATE_NO_REGISTER || mine->scale == model->scale) &&
           masked((uint64_t)mine->displacement, mine->address_size) ==
               masked((uint64_t)model->displacement, mine->address_size) &&
           mine->rip_relative == model->rip_relative;
}

static void compare(const uint8_t bytes[16], unsigned width, unsigned *agreed)
{
    struct insn model;
    struct emulate_insn mine;
    bool known = decode(bytes, 15, (struct decode_mode){ .code_bits = (uint8_t)width }, &model) == DECODE_OK &&
                 number_of(model.run) >= 0;
    bool decoded = emulate_decode(bytes, 15, width, &mine);

    ck_assert_msg(known == decoded || mine.operation == EMULATE_MOV, /* MOVNTI's mandatory prefix is not looked at */
                  "%u bits, %02x %02x %02x %02x %02x: the model says %d, hv %d", width, bytes[0], bytes[1], bytes[2],
                  bytes[3], bytes[4], known, decoded);
    if (!known || !decoded)
        return;
    ck_assert_msg(number_of(model.run) == (int)mine.operation && mine.length == model.length &&
                  same_kind(&mine.op[0], &model.op[0]) && same_kind(&mine.op[1], &model.op[1]) &&
                  same_address(&mine, &model) && (mine.lock == model.lock || is_control(&mine)),
                  "%u bits, %02x %02x %02x %02x %02x %02x: %s", width, bytes[0], bytes[1], bytes[2], bytes[3],
                  bytes[4], bytes[5], model.row->name);
    if (mine.op[1].kind == EMULATE_IMMEDIATE) { /* a byte's extension is nobody's business, others fill the operand */
        unsigned size = mine.op[1].size == 1 ? 1 : mine.op[0].size;

        ck_assert_uint_eq(masked(mine.op[1].value, size), masked(model.immediate, size));
    }
    (*agreed)++;
}

START_TEST(it_agrees_with_the_simulators_decoder_on_random_bytes)
{
    unsigned agreed[3] = { 0 };

    for (unsigned i = 0; i < 600000; i++) {
        uint8_t bytes[16];

        make_bytes(bytes);
        compare(bytes, 16, &agreed[0]);
        compare(bytes, 32, &agreed[1]);
        compare(bytes, 64, &agreed[2]);
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_ge(agreed[i], 50000);
}
END_TEST

START_TEST(an_instruction_that_is_cut_off_is_none)
{
    static const uint8_t store[] = { 0x48, 0xC7, 0x04, 0x25, 0x00, 0x10, 0x20, 0x00, 0x67, 0x00, 0x00, 0x00 };
    struct emulate_insn insn;

    for (unsigned count = 0; count < sizeof(store); count++)
        ck_assert_msg(!emulate_decode(store, count, 64, &insn), "%u bytes", count);
    ck_assert(emulate_decode(store, sizeof(store), 64, &insn));
    ck_assert_uint_eq(insn.length, 12);
    ck_assert_int_eq(insn.operation, EMULATE_MOV);
    ck_assert_int_eq(insn.displacement, 0x201000);
    ck_assert_uint_eq(insn.op[0].size, 8);
    ck_assert_uint_eq(insn.op[1].value, 0x67);
}
END_TEST

UNIT_TESTS("hv emulate decode", it_agrees_with_the_simulators_decoder_on_random_bytes,
           an_instruction_that_is_cut_off_is_none)
