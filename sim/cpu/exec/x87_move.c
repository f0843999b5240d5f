/* SPDX-License-Identifier: MIT */
/* x87 loads, stores, constants, exchanges (APM5, by mnemonic). */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/native_x87.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Pushing ------------------------------------------------------------------------------------------------ */

/* Push `value`, or the indefinite value over a full register. */
static void push(struct core *core, struct x87_register value)
{
    if (x87_is_empty(core, 7)) {
        core->x87.status &= (uint16_t)~X87_C1;
        x87_push(core, value);
    } else if (x87_stack_fault(core, true)) {
        x87_push(core, X87_INDEFINITE);
    }
}

/* Normal numbers convert exactly and raise nothing: bits moved. false: anything else. */
static bool load_plainly(native_x87_memory_fn *fn, uint64_t memory, struct x87_register *value)
{
    unsigned exponent = memory >> 52 & 0x7FF;

    if (fn == native_fld_m64 && exponent != 0 && exponent != 0x7FF) {
        *value = (struct x87_register){ UINT64_C(1) << 63 | memory << 11,
                                        (uint16_t)((memory >> 48 & 0x8000) | (exponent + 16383 - 1023)) };
        return true;
    }
    exponent = memory >> 23 & 0xFF;
    if (fn == native_fld_m32 && exponent != 0 && exponent != 0xFF) {
        *value = (struct x87_register){ UINT64_C(1) << 63 | memory << 41 >> 1,
                                        (uint16_t)((memory >> 16 & 0x8000) | (exponent + 16383 - 127)) };
        return true;
    }
    return false;
}

static inline __attribute__((always_inline)) enum outcome load(struct core *core, const struct insn *insn,
                                                               native_x87_memory_fn *fn)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register value;
    uint64_t memory;
    uint16_t status;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &memory);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (!x87_is_empty(core, 7)) {
        push(core, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    if (load_plainly(fn, memory, &value)) {
        push(core, value);
        return OUTCOME_NEXT;
    }
    status = fn(x87_native_control(core) | X87_EXCEPTIONS, &value, (const uint64_t[2]){ memory, 0 });
    x87_merge(core, status, X87_C1);
    if (!(status & ~core->x87.control & X87_IE)) /* an unmasked DE comes after the load */
        x87_push(core, value);
    return OUTCOME_NEXT;
}

/* FLD of 32 and 64 bits, of 80 bits, of a register. */
enum outcome exec_fld(struct core *core, const struct insn *insn)
{
    return insn->op[0].size == 4 ? load(core, insn, native_fld_m32) : load(core, insn, native_fld_m64);
}

/* Every integer fits into the significand: exact whatever the control word says. */
static struct x87_register from_integer(int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    unsigned zeros;

    if (value == 0)
        return (struct x87_register){ 0, 0 };
    zeros = (unsigned)__builtin_clzll(magnitude);
    return (struct x87_register){ magnitude << zeros, (uint16_t)((value < 0 ? 0x8000 : 0) | (16383 + 63 - zeros)) };
}

enum outcome exec_fild(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    uint64_t memory;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &memory);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    push(core, from_integer((int64_t)sign_extend(memory, insn->op[0].size)));
    return OUTCOME_NEXT;
}

static enum outcome read_80(struct core *core, const struct insn *insn, uint64_t memory[2])
{
    enum outcome outcome = x87_ready(core);
    struct mem_ref ref;

    memory[0] = memory[1] = 0;
    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), 10, 8, MMU_READ, &ref);
    if (outcome == OUTCOME_NEXT)
        ref_load_bytes(core, &ref, memory);
    return outcome;
}

enum outcome exec_fld_80(struct core *core, const struct insn *insn)
{
    uint64_t memory[2];
    enum outcome outcome = read_80(core, insn, memory);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    push(core, (struct x87_register){ memory[0], (uint16_t)memory[1] });
    return OUTCOME_NEXT;
}

enum outcome exec_fbld(struct core *core, const struct insn *insn)
{
    uint64_t memory[2];
    struct x87_register value;
    enum outcome outcome = read_80(core, insn, memory);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    native_fbld(core->x87.control | X87_EXCEPTIONS, &value, memory);
    push(core, value);
    return OUTCOME_NEXT;
}

enum outcome exec_fld_st(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (!x87_is_empty(core, insn->op[0].reg))
        push(core, *x87_st(core, insn->op[0].reg));
    else if (x87_stack_fault(core, false))
        x87_push(core, X87_INDEFINITE);
    return OUTCOME_NEXT;
}

/* ---- Constants ---------------------------------------------------------------------------------------------- */

static enum outcome load_constant(struct core *core, const struct insn *insn, native_x87_fn *fn,
                                  struct x87_register value)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (fn != NULL)
        fn(x87_native_control(core) | X87_EXCEPTIONS, &value, NULL);
    push(core, value);
    return OUTCOME_NEXT;
}

#define CONSTANT(name)                                                                            \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return load_constant(core, insn, native_##name, (struct x87_register){ 0, 0 });           \
    }

CONSTANT(fldl2t)
CONSTANT(fldl2e)
CONSTANT(fldpi)
CONSTANT(fldlg2)
CONSTANT(fldln2)

enum outcome exec_fldz(struct core *core, const struct insn *insn)
{
    return load_constant(core, insn, NULL, (struct x87_register){ 0, 0 });
}

enum outcome exec_fld1(struct core *core, const struct insn *insn)
{
    return load_constant(core, insn, NULL, (struct x87_register){ UINT64_C(1) << 63, 0x3FFF });
}

/* ---- Storing ------------------------------------------------------------------------------------------------ */

/*
 * Guards of a store. assumed: what an unmasked exception stops never reaches memory, so that no address is
 * checked for it, as on native processors.
 */
static enum outcome store_begin(struct core *core, const struct insn *insn, bool stopped, struct mem_ref *ref)
{
    enum outcome outcome = OUTCOME_NEXT;

    if (stopped)
        ;
    else if (insn->op[0].size == 10)
        outcome = memory_probe_bytes(core, insn->segment, operand_offset(core, insn), 10, 8, MMU_WRITE, ref);
    else
        outcome = memory_probe(core, insn->segment, operand_offset(core, insn), insn->op[0].size, MMU_WRITE, ref);
    if (outcome == OUTCOME_NEXT)
        x87_note_instruction(core, insn);
    return outcome;
}

/*
 * Store ST(0) through `fn` and pop. `all_masked`: the operator always runs masked, since IE alone prevents
 * its store. `indefinite`: what an empty register gives.
 */
static enum outcome store(struct core *core, const struct insn *insn, native_x87_store_fn *fn, bool integer,
                          const uint64_t indefinite[2], unsigned pops)
{
    uint32_t control = x87_native_control(core) | (integer ? X87_EXCEPTIONS : 0);
    uint16_t stoppers = integer ? X87_IE : X87_IE | X87_DE | X87_OE | X87_UE;
    uint64_t memory[2] = { indefinite[0], indefinite[1] };
    uint16_t status;
    struct mem_ref ref;
    enum outcome outcome = x87_ready(core);
    bool empty = x87_is_empty(core, 0), stopped;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    status = empty ? X87_IE : fn(control, x87_st(core, 0), memory);
    stopped = status & ~core->x87.control & stoppers;
    outcome = store_begin(core, insn, stopped, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (empty)
        x87_stack_fault(core, false);
    else
        x87_merge(core, status, X87_C1);
    if (stopped)
        return OUTCOME_NEXT;
    ref_store_bytes(core, &ref, memory);
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

static enum outcome store_float(struct core *core, const struct insn *insn, unsigned pops)
{
    static const uint64_t indefinite_32[2] = { 0xFFC00000 }, indefinite_64[2] = { UINT64_C(0xFFF8) << 48 };

    if (insn->op[0].size == 4)
        return store(core, insn, native_fst_m32, false, indefinite_32, pops);
    return store(core, insn, native_fst_m64, false, indefinite_64, pops);
}

enum outcome exec_fst(struct core *core, const struct insn *insn)
{
    return store_float(core, insn, 0);
}

enum outcome exec_fstp(struct core *core, const struct insn *insn)
{
    return store_float(core, insn, 1);
}

static enum outcome store_integer(struct core *core, const struct insn *insn, unsigned pops)
{
    static const uint64_t indefinite_16[2] = { 0x8000 }, indefinite_32[2] = { 0x80000000 },
                          indefinite_64[2] = { UINT64_C(1) << 63 };

    if (insn->op[0].size == 2)
        return store(core, insn, native_fist_i16, true, indefinite_16, pops);
    if (insn->op[0].size == 4)
        return store(core, insn, native_fist_i32, true, indefinite_32, pops);
    return store(core, insn, native_fist_i64, true, indefinite_64, pops);
}

enum outcome exec_fist(struct core *core, const struct insn *insn)
{
    return store_integer(core, insn, 0);
}

enum outcome exec_fistp(struct core *core, const struct insn *insn)
{
    return store_integer(core, insn, 1);
}

/* SSE3: truncates whatever FCW.RC says. */
enum outcome exec_fisttp(struct core *core, const struct insn *insn)
{
    uint16_t control = core->x87.control;
    enum outcome outcome;

    core->x87.control |= 3 << 10;
    outcome = store_integer(core, insn, 1);
    core->x87.control = control;
    return outcome;
}

enum outcome exec_fbstp(struct core *core, const struct insn *insn)
{
    static const uint64_t indefinite[2] = { UINT64_C(0xC000) << 48, 0xFFFF };

    return store(core, insn, native_fbstp, true, indefinite, 1);
}

/* Eighty bits are stored as they are. */
enum outcome exec_fstp_80(struct core *core, const struct insn *insn)
{
    struct x87_register value = X87_INDEFINITE;
    uint64_t memory[2];
    struct mem_ref ref;
    enum outcome outcome = x87_ready(core);

    if (outcome == OUTCOME_NEXT)
        outcome = store_begin(core, insn, x87_is_empty(core, 0) && !(core->x87.control & X87_IE), &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (x87_is_empty(core, 0)) {
        if (!x87_stack_fault(core, false))
            return OUTCOME_NEXT;
    } else {
        core->x87.status &= (uint16_t)~X87_C1;
        value = *x87_st(core, 0);
    }
    memory[0] = value.significand;
    memory[1] = value.exponent;
    ref_store_bytes(core, &ref, memory);
    x87_pop(core);
    return OUTCOME_NEXT;
}

static enum outcome store_register(struct core *core, const struct insn *insn, unsigned pops)
{
    struct x87_register value = X87_INDEFINITE;
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0)) {
        if (!x87_stack_fault(core, false))
            return OUTCOME_NEXT;
    } else {
        core->x87.status &= (uint16_t)~X87_C1;
        value = *x87_st(core, 0);
    }
    x87_write(core, insn->op[0].reg, value);
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

enum outcome exec_fst_st(struct core *core, const struct insn *insn)
{
    return store_register(core, insn, 0);
}

enum outcome exec_fstp_st(struct core *core, const struct insn *insn)
{
    return store_register(core, insn, 1);
}

/* D9 D8+i: assumed, as on other x87 units, to know no underflow: with ST(0) empty it only pops. */
enum outcome exec_fstp_unchecked(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    core->x87.status &= (uint16_t)~X87_C1;
    if (!x87_is_empty(core, 0))
        x87_write(core, insn->op[0].reg, *x87_st(core, 0));
    x87_pop(core);
    return OUTCOME_NEXT;
}

/* ---- Between registers -------------------------------------------------------------------------------------- */

/* An empty register counts as the indefinite value when the underflow is masked. */
enum outcome exec_fxch(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    unsigned with = insn->op[1].reg;
    struct x87_register a, b;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    a = x87_is_empty(core, 0) ? X87_INDEFINITE : *x87_st(core, 0);
    b = x87_is_empty(core, with) ? X87_INDEFINITE : *x87_st(core, with);
    if (x87_is_empty(core, 0) || x87_is_empty(core, with)) {
        if (!x87_stack_fault(core, false))
            return OUTCOME_NEXT;
    } else {
        core->x87.status &= (uint16_t)~X87_C1;
    }
    x87_write(core, with, a);
    x87_write(core, 0, b);
    return OUTCOME_NEXT;
}

/* By the opcode: B, E, BE, U, and with DB the opposite. */
enum outcome exec_fcmov(struct core *core, const struct insn *insn)
{
    static const uint8_t nibble[4] = { 2, 4, 6, 10 };
    unsigned condition = nibble[insn->modrm >> 3 & 3] | (insn->opcode & 1);
    enum outcome outcome = x87_ready(core);
    unsigned from = insn->op[1].reg;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || x87_is_empty(core, from)) {
        if (x87_stack_fault(core, false)) /* whatever the condition */
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    if (condition_holds(core, condition))
        *x87_st(core, 0) = *x87_st(core, from);
    return OUTCOME_NEXT;
}
