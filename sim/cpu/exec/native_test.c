/* SPDX-License-Identifier: MIT */
/*
 * Random instructions against the native processor: every general-purpose row that moves and computes, in
 * 64-bit and 32-bit code, registers, memory and all flags that the row does not call undefined.
 */
#include <cpuid.h>
#include <stdio.h>

#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/native_code.h"
#include "sim/cpu/isa/semantics.h"

#define SCRATCH 0x100000u /* the same address on both sides */
#define SCRATCH_BYTES 0x4000u
#define CASES 400

static struct native_code native;
static struct setup *s;
static uint8_t *scratch;
static unsigned compared;

/* ---- Random ------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545F4914F6CDD1D;
}

/* Often a value at the edge of some size. */
static uint64_t interesting(void)
{
    static const uint64_t edges[] = {
        0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
        0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE,
    };
    uint64_t roll = next_random();

    if (roll % 4 == 0)
        return edges[(roll >> 8) % G_N_ELEMENTS(edges)];
    if (roll % 4 == 1)
        return roll >> 8 & 0xFF;
    return next_random() >> (roll >> 8 & 31);
}

/* ---- What is compared --------------------------------------------------------------------------------- */

static const char *const general_rows[] = {
#define ROW(name, encoding, operands, modes, feature, attributes, intercept, flags, faults, cost, run) encoding,
#include "sim/cpu/isa/integer.def"
#undef ROW
};

/* These use rSP, which stays the native one, or do not retire. */
static exec_fn *const left_out[] = {
    exec_push, exec_pop, exec_pusha, exec_popa, exec_pushf, exec_popf, exec_enter, exec_leave, exec_ud,
};

static bool native_has(const struct isa_row *row)
{
    unsigned a, b, c, d, unused;

    __cpuid(1, a, b, c, d);
    if (row->feature == ISA_FEATURE_POPCNT)
        return c & bit_POPCNT;
    if (row->feature == ISA_FEATURE_CX16)
        return c & bit_CMPXCHG16B;
    __cpuid(0x80000001, unused, b, c, d);
    if (row->feature == ISA_FEATURE_ABM)
        return c & bit_ABM;
    if (row->feature == ISA_FEATURE_PREFETCHW)
        return c & bit_PRFCHW;
    return true;
}

static bool row_is_compared(const struct isa_row *row)
{
    if ((row->attributes & (A_END | A_BRANCH | A_UNMODELLED)) || row->intercept.stage != ISA_STAGE_NONE)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(left_out); i++)
        if (row->run == left_out[i])
            return false;
    return native_has(row);
}

/* What the manual leaves undefined and processors do differently. */
static bool result_is_undefined(const struct insn *insn)
{
    uint64_t count = insn->op[2].kind == OPERAND_GPR ? s->core.gpr[RCX] : insn->immediate;

    if (insn->run == exec_bswap)
        return insn->op[0].size == 2;
    if (insn->run == exec_shld || insn->run == exec_shrd)
        return insn->op[0].size == 2 && (count & 31) > 16;
    return false;
}

static uint64_t defined_flags(const struct insn *insn)
{
    static const uint64_t flag[6] = { RFLAGS_OF, RFLAGS_SF, RFLAGS_ZF, RFLAGS_AF, RFLAGS_PF, RFLAGS_CF };
    uint64_t mask = RFLAGS_DF;

    for (unsigned i = 0; i < 6; i++)
        if (strchr("M01-", insn->row->flags[i]) != NULL)
            mask |= flag[i];
    /* CF after shifting a byte or word by more than its size (APM3 SHL, SHR). */
    if ((insn->run == exec_shl || insn->run == exec_shr) && insn->op[0].size <= 2)
        mask &= ~RFLAGS_CF;
    return mask;
}

/* ---- Instruction and inputs ------------------------------------------------------------------------------ */

static unsigned make_bytes(uint8_t bytes[15], const struct isa_form *form, bool long_mode, bool string)
{
    uint64_t roll = next_random();
    unsigned at = 0;

    if (roll % 16 == 0)
        bytes[at++] = 0x67;
    if ((roll >> 4) % 4 == 0)
        bytes[at++] = 0x66;
    if (form->prefixes == ISA_PREFIX_F3 || (string && (roll >> 8) % 3 == 0))
        bytes[at++] = 0xF3;
    else if (string && (roll >> 8) % 3 == 1)
        bytes[at++] = 0xF2;
    if (long_mode && (roll >> 12) % 2 == 0)
        bytes[at++] = (uint8_t)(0x40 | (roll >> 16 & 15));
    if (form->map)
        bytes[at++] = 0x0F;
    bytes[at++] = (uint8_t)(form->first + (roll >> 20) % (form->last - form->first + 1u));
    if (form->modrm && (form->mods & 2) && (roll >> 30) % 2 == 0)
        bytes[at++] = (uint8_t)(0xC0 | (roll >> 32 & 63));
    while (at < 15)
        bytes[at++] = (uint8_t)(next_random() >> 20);
    return at;
}

static bool uses_rsp(const struct insn *insn)
{
    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind == OPERAND_GPR && insn->op[n].reg == RSP && !insn->op[n].high_byte)
            return true;
    return insn->base == RSP || insn->index == RSP;
}

static bool is_bit_test(const struct insn *insn)
{
    return insn->run == exec_bt || insn->run == exec_bts || insn->run == exec_btr || insn->run == exec_btc;
}

/* Make the memory operand lie in the scratch pages. false: these bytes cannot. */
static bool place_operands(const struct insn *insn)
{
    uint64_t *gpr = s->core.gpr, target = SCRATCH + 0x1000 + next_random() % 0x1FE0;

    if (insn->run == exec_lea)
        return !insn->rip_relative;
    if (insn->address_size == 2) /* below the scratch pages */
        return !(insn->row->attributes & (A_REP | A_REPCC)) && insn->run != exec_xlat &&
               insn->op[0].kind != OPERAND_MEMORY && insn->op[1].kind != OPERAND_MEMORY;
    if (insn->row->attributes & (A_REP | A_REPCC)) {
        gpr[RSI] = SCRATCH + 0x1000 + next_random() % 0x2000;
        gpr[RDI] = SCRATCH + 0x1000 + next_random() % 0x2000;
        gpr[RCX] = next_random() % 20;
        return true;
    }
    if (insn->run == exec_xlat) {
        gpr[RBX] = target;
        return true;
    }
    if (!insn->modrm_memory)
        return insn->op[0].kind != OPERAND_MEMORY && insn->op[1].kind != OPERAND_MEMORY;
    if (insn->base == NO_REGISTER || insn->base == insn->index)
        return false;
    if (is_bit_test(insn) && insn->op[1].kind == OPERAND_GPR) {
        if (insn->op[1].reg == insn->base || insn->op[1].reg == insn->index)
            return false;
        gpr[insn->op[1].reg] = next_random() % 8192 - 4096;
    }
    if (insn->row->run == exec_cmpxchg16b && next_random() % 8 != 0)
        target &= ~UINT64_C(15);
    gpr[insn->base] = target - (uint64_t)insn->displacement;
    if (insn->index != NO_REGISTER)
        gpr[insn->base] -= gpr[insn->index] << insn->scale;
    return true;
}

static void random_inputs(bool long_mode)
{
    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        s->core.gpr[reg] = long_mode ? interesting() : (uint32_t)interesting();
    for (unsigned i = 0; i < 64; i++)
        setup_poke(s, SCRATCH + next_random() % SCRATCH_BYTES, 1, interesting());
    rflags_write(&s->core, next_random() & (RFLAGS_ARITH | RFLAGS_DF));
}

/* ---- Comparison ------------------------------------------------------------------------------------------- */

static void describe(GString *out, const uint8_t *bytes, const struct insn *insn)
{
    g_string_append_printf(out, "%s:", insn->row->name);
    for (unsigned i = 0; i < insn->length; i++)
        g_string_append_printf(out, " %02X", bytes[i]);
    g_string_append_printf(out, " rflags %03" PRIx64 " rax %" PRIx64 " rcx %" PRIx64 " rdx %" PRIx64, native.in->rflags,
                           native.in->gpr[RAX], native.in->gpr[RCX], native.in->gpr[RDX]);
    for (unsigned n = 0; n < 2; n++)
        if (insn->op[n].kind == OPERAND_GPR)
            g_string_append_printf(out, " op%u %" PRIx64, n, native.in->gpr[insn->op[n].reg]);
}

static void compare_state(const uint8_t *bytes, const struct insn *insn, bool long_mode)
{
    uint64_t mask = defined_flags(insn);
    GString *text = g_string_new(NULL);

    describe(text, bytes, insn);
    for (unsigned reg = 0; reg < (long_mode ? 16u : 8u); reg++) {
        unsigned size = long_mode ? 8 : 4;
        uint64_t ours = zero_extend(s->core.gpr[reg], size), theirs = zero_extend(native.out->gpr[reg], size);

        ck_assert_msg(reg == RSP || ours == theirs, "%s: register %u is %" PRIx64 ", natively %" PRIx64, text->str, reg,
                      ours, theirs);
    }
    ck_assert_msg((rflags_read(&s->core) & mask) == (native.out->rflags & mask),
                  "%s: flags %03" PRIx64 ", natively %03" PRIx64 " (mask %03" PRIx64 ")", text->str,
                  s->core.rflags & mask, native.out->rflags & mask, mask);
    ck_assert_msg(memcmp(s->ram + SCRATCH, scratch, SCRATCH_BYTES) == 0, "%s: memory", text->str);
    g_string_free(text, TRUE);
}

static enum outcome run_ours(const uint8_t *bytes, unsigned length)
{
    enum outcome outcome;

    do
        outcome = setup_run(s, bytes, length);
    while (outcome == OUTCOME_REPEAT);
    return outcome;
}

static void compare_case(const struct isa_row *row, bool long_mode)
{
    bool string = row->attributes & (A_REP | A_REPCC);
    uint8_t bytes[15];
    struct insn insn;
    enum outcome outcome;
    int signal;

    if (long_mode)
        setup_64(s, 3);
    else
        setup_32(s, 3);
    make_bytes(bytes, &isa_forms[row - isa_rows], long_mode, string);
    random_inputs(long_mode);
    if (setup_decode(s, bytes, 15) != DECODE_OK || s->insn.row != row)
        return;
    if (uses_rsp(&s->insn) || !place_operands(&s->insn))
        return;
    insn = s->insn;
    if (result_is_undefined(&insn))
        return;
    memcpy(scratch, s->ram + SCRATCH, SCRATCH_BYTES);
    memcpy(native.in->gpr, s->core.gpr, sizeof(native.in->gpr));
    native.in->rflags = rflags_read(&s->core);
    native_assemble(&native, bytes, insn.length, !long_mode);
    signal = native_run(&native);
    outcome = run_ours(bytes, insn.length);
    compared++;
    if (signal == 0 && outcome == OUTCOME_NEXT) {
        compare_state(bytes, &insn, long_mode);
        return;
    }
    ck_assert_msg(outcome == OUTCOME_FAULT && signal == (s->core.fault.vector == EXC_DE ? SIGFPE : SIGSEGV),
                  "%s \"%s\": outcome %d vector %u, native signal %d", row->name, row->encoding, outcome,
                  s->core.fault.vector, signal);
}

static bool open_native(void)
{
    s = setup_new();
    scratch = mmap((void *)(uintptr_t)SCRATCH, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* a hint: elsewhere if taken */
    if (scratch == (void *)(uintptr_t)SCRATCH && native_open(&native))
        return true;
    fprintf(stderr, "# no executable or no low memory: nothing compared\n");
    return false;
}

static void compare_rows(unsigned mode_bit, bool long_mode)
{
    unsigned rows = 0;

    if (!open_native())
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(general_rows); i++) {
        const struct isa_row *row = &isa_rows[i];

        ck_assert_str_eq(row->encoding, general_rows[i]); /* integer.def comes first in rows.def */
        if (!(row->modes & mode_bit) || !row_is_compared(row))
            continue;
        random_state = 0x9E3779B97F4A7C15 + i;
        for (unsigned at = 0; at < SCRATCH_BYTES; at += 8)
            setup_poke(s, SCRATCH + at, 8, interesting());
        compared = 0;
        for (unsigned n = 0; n < CASES; n++)
            compare_case(row, long_mode);
        rows++;
        ck_assert_msg(compared > CASES / 100 || row->operands[0] == 'O' || strchr(row->operands, 'O') != NULL,
                      "%s \"%s\": %u cases", row->name, row->encoding, compared);
    }
    ck_assert_uint_ge(rows, 150);
}

START_TEST(long_mode_instructions_do_what_the_native_processor_does)
{
    compare_rows(ISA_IN_64BIT, true);
}
END_TEST

START_TEST(compatibility_mode_instructions_do_what_the_native_processor_does)
{
    compare_rows(ISA_IN_PROTECTED, false);
}
END_TEST

UNIT_TESTS("native", long_mode_instructions_do_what_the_native_processor_does,
           compatibility_mode_instructions_do_what_the_native_processor_does)
