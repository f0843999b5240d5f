/* SPDX-License-Identifier: MIT */
/*
 * EXTRQ and INSERTQ (APM4): bit fields of a low quadword. Length 0 stands for 64. assumed: of the results that
 * the manual leaves undefined, the upper quadword is kept, and a field beyond bit 63 ends there.
 */
#include "sim/cpu/exec/media.h"
#include "sim/cpu/isa/semantics.h"

static uint64_t field_mask(unsigned length)
{
    return length == 0 ? ~UINT64_C(0) : bits_mask(length - 1, 0);
}

/* Length in bits 5:0, index in bits 13:8. */
static unsigned field_length(uint64_t control)
{
    return control & 0x3F;
}

static unsigned field_index(uint64_t control)
{
    return control >> 8 & 0x3F;
}

enum outcome exec_extrq(struct core *core, const struct insn *insn)
{
    enum outcome outcome = sse_ready(core);
    union lanes *value = &core->xmm[insn->op[0].reg], control;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 1, &control);
    value->q[0] = value->q[0] >> field_index(control.q[0]) & field_mask(field_length(control.q[0]));
    return OUTCOME_NEXT;
}

/* Without immediates, length and index come from the source's upper quadword. */
enum outcome exec_insertq(struct core *core, const struct insn *insn)
{
    enum outcome outcome = sse_ready(core);
    union lanes *value = &core->xmm[insn->op[0].reg], source;
    uint64_t control, mask;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 1, &source);
    control = insn->op[2].kind == OPERAND_IMMEDIATE ? insn->immediate : source.q[1];
    mask = field_mask(field_length(control)) << field_index(control);
    value->q[0] = (value->q[0] & ~mask) | (source.q[0] << field_index(control) & mask);
    return OUTCOME_NEXT;
}
