/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/tss.h"

#include "sim/cpu/exec/memory.h"
#include "sim/cpu/exec/segment.h"

bool tss_is_wide(const struct core *core)
{
    return bit(core->seg[SEG_TR].attr, 3);
}

enum outcome tss_read(struct core *core, unsigned offset, unsigned size, unsigned ext, uint64_t *value)
{
    const struct segment *tr = &core->seg[SEG_TR];

    if (offset + size - 1 > tr->limit)
        return core_fault_code(core, EXC_TS, selector_error(tr->selector, ext));
    return linear_read(core, linear_wrap(core, tr->base + offset), size, MMU_READ, value);
}

enum outcome tss_inner_stack(struct core *core, unsigned cpl, unsigned ext, struct segment *ss, uint64_t *sp)
{
    bool wide = tss_is_wide(core);
    unsigned size = wide ? 4 : 2, offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
    const struct segment *tr = &core->seg[SEG_TR];
    enum outcome outcome;
    uint64_t selector;

    /* Both halves or nothing: the limit is checked before the first read. */
    if (offset + size + 1 > tr->limit)
        return core_fault_code(core, EXC_TS, selector_error(tr->selector, ext));
    outcome = tss_read(core, offset, size, ext, sp);
    if (outcome == OUTCOME_NEXT)
        outcome = tss_read(core, offset + size, 2, ext, &selector);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    return segment_check_stack(core, (uint16_t)selector, cpl, EXC_TS, ext, ss);
}

enum outcome tss_long_stack(struct core *core, unsigned offset, unsigned ext, uint64_t *rsp)
{
    enum outcome outcome = tss_read(core, offset, 8, ext, rsp);

    if (outcome == OUTCOME_NEXT && !is_canonical(*rsp))
        return core_fault_code(core, EXC_SS, ext);
    return outcome;
}
