/* SPDX-License-Identifier: MIT */
/* x87 control, environment and whole state (APM5, by mnemonic; formats APM2 11.4.4). */
#include <string.h>

#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

enum outcome exec_wait(struct core *core, const struct insn *insn)
{
    (void)insn;
    if ((core->cr0 & CR0_MP) && (core->cr0 & CR0_TS))
        return core_fault(core, EXC_NM);
    return x87_pending(core);
}

/* ---- Without memory ----------------------------------------------------------------------------------------- */

enum outcome exec_fninit(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);

    (void)insn;
    if (outcome == OUTCOME_NEXT)
        x87_initialize(core);
    return outcome;
}

enum outcome exec_fnclex(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);

    (void)insn;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->x87.status &= (uint16_t)~(X87_EXCEPTIONS | X87_SF);
    x87_summarize(core);
    return OUTCOME_NEXT;
}

/* FNENI, FNDISI and FNSETPM of older coprocessors: accepted, without effect. */
enum outcome exec_x87_ignored(struct core *core, const struct insn *insn)
{
    (void)insn;
    return x87_ready_no_wait(core);
}

enum outcome exec_fnop(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);

    if (outcome == OUTCOME_NEXT)
        x87_note_instruction(core, insn);
    return outcome;
}

static enum outcome rotate(struct core *core, const struct insn *insn, unsigned by)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    core->x87.status &= (uint16_t)~X87_C1;
    x87_set_top(core, x87_top(core) + by);
    return OUTCOME_NEXT;
}

enum outcome exec_fincstp(struct core *core, const struct insn *insn)
{
    return rotate(core, insn, 1);
}

enum outcome exec_fdecstp(struct core *core, const struct insn *insn)
{
    return rotate(core, insn, 7);
}

static enum outcome free_register(struct core *core, const struct insn *insn, unsigned pops)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    core->x87.status &= (uint16_t)~X87_C1;
    core->x87.full &= (uint8_t)~(1u << x87_physical(core, insn->op[0].reg));
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

enum outcome exec_ffree(struct core *core, const struct insn *insn)
{
    return free_register(core, insn, 0);
}

enum outcome exec_ffreep(struct core *core, const struct insn *insn)
{
    return free_register(core, insn, 1);
}

/* C3 C2 C0: unsupported 000, NaN 001, normal 010, infinity 011, zero 100, empty 101, denormal 110; C1 the sign. */
enum outcome exec_fxam(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    const struct x87_register *st = x87_st(core, 0);
    unsigned exponent = st->exponent & 0x7FFF;
    uint16_t class;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0))
        class = X87_C3 | X87_C0;
    else if (exponent == 0)
        class = st->significand == 0 ? X87_C3 : X87_C3 | X87_C2;
    else if (!(st->significand >> 63))
        class = 0;
    else if (exponent == 0x7FFF)
        class = st->significand << 1 == 0 ? X87_C2 | X87_C0 : X87_C0;
    else
        class = X87_C2;
    if (st->exponent & 0x8000)
        class |= X87_C1;
    core->x87.status = (uint16_t)((core->x87.status & ~X87_CONDITIONS) | class);
    return OUTCOME_NEXT;
}

/* ---- Words --------------------------------------------------------------------------------------------------- */

enum outcome exec_fnstcw(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);

    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, core->x87.control) : outcome;
}

enum outcome exec_fnstsw(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);

    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, core->x87.status) : outcome;
}

static void set_control(struct core *core, uint16_t value)
{
    core->x87.control = (value & X87_CONTROL_WRITABLE) | X87_CONTROL_ONE;
    x87_summarize(core);
}

enum outcome exec_fldcw(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    uint64_t value;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &value);
    if (outcome == OUTCOME_NEXT)
        set_control(core, (uint16_t)value);
    return outcome;
}

/* ---- Environment ------------------------------------------------------------------------------------------------ */

/* Tag word: 00 valid, 01 zero, 10 special, 11 empty; two bits for each physical register. */
static uint16_t tag_word(const struct core *core)
{
    uint16_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        const struct x87_register *reg = &core->x87.reg[i];
        unsigned exponent = reg->exponent & 0x7FFF, tag = 0;

        if (!(core->x87.full >> i & 1))
            tag = 3;
        else if (exponent == 0 && reg->significand == 0)
            tag = 1;
        else if (exponent == 0 || exponent == 0x7FFF || !(reg->significand >> 63))
            tag = 2;
        tags |= (uint16_t)(tag << 2 * i);
    }
    return tags;
}

static bool real_format(const struct core *core)
{
    return core_in_real_style(core);
}

static unsigned environment_bytes(const struct insn *insn)
{
    return insn->operand_size == 2 ? 14 : 28;
}

/* Save areas are checked for the size of their fields (APM2 8.2.18). */
static unsigned environment_align(const struct insn *insn)
{
    return insn->operand_size == 2 ? 2 : 4;
}

static void put(uint8_t *image, unsigned at, unsigned size, uint64_t value)
{
    memcpy(image + at, &value, size);
}

static uint64_t get(const uint8_t *image, unsigned at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, image + at, size);
    return value;
}

/* Linear addresses, 20 bits of them in the 16-bit format, and the opcode. */
static void put_real(const struct core *core, const struct insn *insn, uint8_t *image)
{
    const struct x87 *x87 = &core->x87;
    uint32_t code = (uint32_t)(x87->instruction + ((uint32_t)x87->code_selector << 4));
    uint32_t data = (uint32_t)(x87->data + ((uint32_t)x87->data_selector << 4));

    if (insn->operand_size == 2) {
        put(image, 6, 2, code);
        put(image, 8, 2, (code >> 16 & 0xF) << 12 | x87->opcode);
        put(image, 10, 2, data);
        put(image, 12, 2, (data >> 16 & 0xF) << 12);
        return;
    }
    put(image, 12, 4, code & 0xFFFF);
    put(image, 16, 4, (code >> 16) << 12 | x87->opcode);
    put(image, 20, 4, data & 0xFFFF);
    put(image, 24, 4, (data >> 16) << 12);
}

static void put_protected(const struct core *core, const struct insn *insn, uint8_t *image)
{
    const struct x87 *x87 = &core->x87;

    if (insn->operand_size == 2) {
        put(image, 6, 2, x87->instruction);
        put(image, 8, 2, x87->code_selector);
        put(image, 10, 2, x87->data);
        put(image, 12, 2, x87->data_selector);
        return;
    }
    put(image, 12, 4, x87->instruction);
    put(image, 16, 4, (uint32_t)x87->opcode << 16 | x87->code_selector);
    put(image, 20, 4, x87->data);
    put(image, 24, 4, UINT32_C(0xFFFF0000) | x87->data_selector);
}

static void put_environment(const struct core *core, const struct insn *insn, uint8_t *image)
{
    unsigned step = insn->operand_size == 2 ? 2 : 4;
    uint32_t upper = step == 4 ? 0xFFFF0000 : 0;

    put(image, 0, step, upper | core->x87.control);
    put(image, step, step, upper | core->x87.status);
    put(image, 2 * step, step, upper | tag_word(core));
    if (real_format(core))
        put_real(core, insn, image);
    else
        put_protected(core, insn, image);
}

static void get_pointers(struct core *core, const struct insn *insn, const uint8_t *image)
{
    struct x87 *x87 = &core->x87;
    unsigned step = insn->operand_size == 2 ? 2 : 4;

    x87->instruction = get(image, 3 * step, step);
    x87->data = get(image, 5 * step, step);
    if (!real_format(core)) {
        x87->code_selector = (uint16_t)get(image, 4 * step, 2);
        x87->data_selector = (uint16_t)get(image, 6 * step, 2);
        if (step == 4)
            x87->opcode = get(image, 18, 2) & 0x7FF;
        return;
    }
    x87->opcode = get(image, 4 * step, 2) & 0x7FF;
    x87->instruction = (x87->instruction & 0xFFFF) | (get(image, 4 * step, step) >> 12 << 16);
    x87->data = (x87->data & 0xFFFF) | (get(image, 6 * step, step) >> 12 << 16);
    x87->code_selector = x87->data_selector = 0;
}

static void get_environment(struct core *core, const struct insn *insn, const uint8_t *image)
{
    unsigned step = insn->operand_size == 2 ? 2 : 4;
    uint16_t tags = (uint16_t)get(image, 2 * step, 2);

    core->x87.status = (uint16_t)get(image, step, 2);
    core->x87.full = 0;
    for (unsigned i = 0; i < 8; i++)
        if ((tags >> 2 * i & 3) != 3)
            core->x87.full |= (uint8_t)(1u << i);
    get_pointers(core, insn, image);
    set_control(core, (uint16_t)get(image, 0, 2));
}

/* Afterwards every exception is masked. */
enum outcome exec_fnstenv(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);
    uint8_t image[28] = { 0 };
    struct mem_ref ref;

    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), environment_bytes(insn),
                                     environment_align(insn), MMU_WRITE, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    put_environment(core, insn, image);
    ref_store_bytes(core, &ref, image);
    set_control(core, core->x87.control | X87_EXCEPTIONS);
    return OUTCOME_NEXT;
}

enum outcome exec_fldenv(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    uint8_t image[28];
    struct mem_ref ref;

    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), environment_bytes(insn),
                                     environment_align(insn), MMU_READ, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_load_bytes(core, &ref, image);
    get_environment(core, insn, image);
    return OUTCOME_NEXT;
}

/* ---- Environment and registers ------------------------------------------------------------------------------ */

enum outcome exec_fnsave(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready_no_wait(core);
    unsigned size = environment_bytes(insn);
    uint8_t image[108] = { 0 };
    struct mem_ref ref;

    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), size + 80,
                                     environment_align(insn), MMU_WRITE, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    put_environment(core, insn, image);
    for (unsigned i = 0; i < 8; i++) {
        put(image, size + 10 * i, 8, x87_st(core, i)->significand);
        put(image, size + 10 * i + 8, 2, x87_st(core, i)->exponent);
    }
    ref_store_bytes(core, &ref, image);
    x87_initialize(core);
    return OUTCOME_NEXT;
}

enum outcome exec_frstor(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    unsigned size = environment_bytes(insn);
    uint8_t image[108];
    struct mem_ref ref;

    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), size + 80,
                                     environment_align(insn), MMU_READ, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_load_bytes(core, &ref, image);
    get_environment(core, insn, image);
    for (unsigned i = 0; i < 8; i++)
        *x87_st(core, i) = (struct x87_register){ get(image, size + 10 * i, 8),
                                                  (uint16_t)get(image, size + 10 * i + 8, 2) };
    return OUTCOME_NEXT;
}
