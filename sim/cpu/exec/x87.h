/* SPDX-License-Identifier: MIT */
/* The x87 register stack, its status, and what every x87 instruction begins and ends with (APM1 6, APM5). */
#ifndef FAM10H_CPU_EXEC_X87_H
#define FAM10H_CPU_EXEC_X87_H

#include "sim/cpu/exec/operand.h"

/* FSW */
#define X87_IE BIT(0)
#define X87_DE BIT(1)
#define X87_ZE BIT(2)
#define X87_OE BIT(3)
#define X87_UE BIT(4)
#define X87_PE BIT(5)
#define X87_SF BIT(6)
#define X87_ES BIT(7)
#define X87_C0 BIT(8)
#define X87_C1 BIT(9)
#define X87_C2 BIT(10)
#define X87_TOP 13, 11
#define X87_C3 BIT(14)
#define X87_B BIT(15)
#define X87_EXCEPTIONS bits_mask(5, 0)
#define X87_CONDITIONS (X87_C0 | X87_C1 | X87_C2 | X87_C3)

/* FCW: bit 6 reads as 1, bits 15:13 and 7 as 0; bit 12 is the old infinity control, kept. */
#define X87_CONTROL_WRITABLE 0x1F3F
#define X87_CONTROL_ONE 0x0040
#define X87_CONTROL_INIT 0x037F

/* The QNaN that masked invalid operations give (APM1 6.3.4). */
#define X87_INDEFINITE ((struct x87_register){ UINT64_C(0xC000000000000000), 0xFFFF })

static inline unsigned x87_top(const struct core *core)
{
    return (unsigned)bits(core->x87.status, X87_TOP);
}

static inline void x87_set_top(struct core *core, unsigned top)
{
    core->x87.status = (uint16_t)bits_put(core->x87.status, X87_TOP, top & 7);
}

static inline unsigned x87_physical(const struct core *core, unsigned i)
{
    return (x87_top(core) + i) & 7;
}

static inline struct x87_register *x87_st(struct core *core, unsigned i)
{
    return &core->x87.reg[x87_physical(core, i)];
}

static inline bool x87_is_empty(const struct core *core, unsigned i)
{
    return !(core->x87.full >> x87_physical(core, i) & 1);
}

static inline void x87_pop(struct core *core)
{
    core->x87.full &= (uint8_t)~(1u << x87_top(core));
    x87_set_top(core, x87_top(core) + 1);
}

/* By members: a copy of the whole struct would wait for the native unit's stores of 8 and 2 bytes to leave the core. */
static inline void x87_copy(struct x87_register *to, const struct x87_register *from)
{
    to->significand = from->significand;
    to->exponent = from->exponent;
}

static inline void x87_push(struct core *core, struct x87_register value)
{
    x87_set_top(core, x87_top(core) - 1);
    core->x87.full |= (uint8_t)(1u << x87_top(core));
    x87_copy(x87_st(core, 0), &value);
}

static inline void x87_write(struct core *core, unsigned i, struct x87_register value)
{
    core->x87.full |= (uint8_t)(1u << x87_physical(core, i));
    x87_copy(x87_st(core, i), &value);
}

/* ES and B follow the flags and masks. */
static inline void x87_summarize(struct core *core)
{
    struct x87 *x87 = &core->x87;

    if (x87->status & ~x87->control & X87_EXCEPTIONS) {
        x87->status |= X87_ES | X87_B;
    } else {
        x87->status &= (uint16_t)~(X87_ES | X87_B);
        x87->error_reported = x87->error_ignored = false;
    }
}

/* What native_x87.h asks for: with every exception masked, flags that are set need not be told from new ones. */
static inline uint32_t x87_native_control(const struct core *core)
{
    uint32_t control = core->x87.control;

    if ((control & X87_EXCEPTIONS) == X87_EXCEPTIONS)
        control |= (uint32_t)(core->x87.status & X87_EXCEPTIONS) << 16;
    return control;
}

/* An unmasked exception waits: #MF, or what CR0.NE = 0 makes of it. OUTCOME_NEXT if there is none. */
enum outcome x87_pending(struct core *core);
/* CR0.EM or TS: #NM; for FNxxx control instructions, which do not wait. */
enum outcome x87_ready_no_wait(struct core *core);

/* CR0.EM or TS: #NM; then x87_pending. */
static inline enum outcome x87_ready(struct core *core)
{
    if ((core->cr0 & (CR0_EM | CR0_TS)) == 0 && !(core->x87.status & X87_ES))
        return OUTCOME_NEXT;
    enum outcome outcome = x87_ready_no_wait(core);

    return outcome == OUTCOME_NEXT ? x87_pending(core) : outcome;
}

/*
 * Last-instruction pointers of a non-control instruction that is about to complete. FOP: bits 10:8 are the
 * first byte's low three, 7:0 the ModRM byte (APM2 11.4.3.2).
 */
static inline void x87_note_instruction(struct core *core, const struct insn *insn)
{
    struct x87 *x87 = &core->x87;

    x87->opcode = (uint16_t)((insn->opcode & 7) << 8 | insn->modrm);
    x87->instruction = core->rip;
    x87->code_selector = core->seg[SEG_CS].selector;
    if (!insn->modrm_memory)
        return;
    x87->data = operand_offset(core, insn);
    x87->data_selector = core->seg[insn->segment].selector;
}

/* Take over what a native operation put into its status word: exception flags and C1, or all conditions. */
static inline void x87_merge(struct core *core, uint16_t status, uint16_t conditions)
{
    struct x87 *x87 = &core->x87;

    x87->status = (uint16_t)((x87->status & ~conditions) | (status & (X87_EXCEPTIONS | conditions)));
    x87_summarize(core);
}

/* Stack underflow (or with C1 overflow). true: masked, go on with the indefinite value. */
bool x87_stack_fault(struct core *core, bool overflow);
void x87_initialize(struct core *core);

#endif
