/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/descriptor.h"

#include "sim/cpu/exec/memory.h"

uint16_t descriptor_attr(uint64_t low)
{
    return (uint16_t)(bits(low, 47, 40) | bits(low, 55, 52) << 8);
}

uint32_t descriptor_limit(uint64_t low)
{
    uint32_t limit = (uint32_t)(bits(low, 15, 0) | bits(low, 51, 48) << 16);

    return bit(low, 55) ? limit << 12 | 0xFFF : limit;
}

uint64_t descriptor_base(uint64_t low)
{
    return bits(low, 39, 16) | bits(low, 63, 56) << 24;
}

struct segment descriptor_segment(const struct descriptor *descriptor)
{
    return (struct segment){
        .selector = descriptor->selector,
        .attr = descriptor->attr,
        .limit = descriptor_limit(descriptor->low),
        .base = descriptor_base(descriptor->low) | bits(descriptor->high, 31, 0) << 32,
    };
}

gva_t linear_wrap(const struct core *core, uint64_t address)
{
    return core_in_long_mode(core) ? address : address & UINT32_MAX;
}

/* Base and limit of the table that the selector's TI bit names; false: the LDTR is null. */
static bool selector_table(const struct core *core, uint16_t selector, uint64_t *base, uint32_t *limit)
{
    const struct segment *ldtr = &core->seg[SEG_LDTR];

    if (!bit(selector, SELECTOR_TI)) {
        *base = core->gdtr.base;
        *limit = core->gdtr.limit;
        return true;
    }
    *base = ldtr->base;
    *limit = ldtr->limit;
    return attr_is_present(ldtr->attr);
}

bool descriptor_in_table(const struct core *core, uint16_t selector)
{
    uint64_t base;
    uint32_t limit;

    return selector_table(core, selector, &base, &limit) && (selector & 0xFFF8u) + 7 <= limit;
}

enum outcome descriptor_read(struct core *core, uint16_t selector, uint8_t vector, unsigned ext,
                             struct descriptor *descriptor)
{
    uint32_t offset = selector & 0xFFF8u, limit;
    uint64_t base;
    enum outcome outcome;

    if (!selector_table(core, selector, &base, &limit) || offset + 7 > limit)
        return core_fault_code(core, vector, selector_error(selector, ext));
    *descriptor = (struct descriptor){ .selector = selector, .address = linear_wrap(core, base + offset) };
    outcome = linear_read(core, descriptor->address, 8, MMU_READ, &descriptor->low);
    descriptor->attr = descriptor_attr(descriptor->low);
    return outcome;
}

enum outcome descriptor_read_high(struct core *core, uint8_t vector, unsigned ext, struct descriptor *descriptor)
{
    uint16_t selector = descriptor->selector;
    uint32_t offset = selector & 0xFFF8u, limit;
    uint64_t base;
    enum outcome outcome;

    if (!selector_table(core, selector, &base, &limit) || offset + 15 > limit)
        return core_fault_code(core, vector, selector_error(selector, ext));
    outcome = linear_read(core, linear_wrap(core, base + offset + 8), 8, MMU_READ, &descriptor->high);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (bits(descriptor->high, 44, 40) != 0)
        return core_fault_code(core, vector, selector_error(selector, ext));
    return OUTCOME_NEXT;
}

enum outcome descriptor_mark_accessed(struct core *core, struct descriptor *descriptor)
{
    enum outcome outcome;

    if (bit(descriptor->attr, TYPE_ACCESSED))
        return OUTCOME_NEXT;
    outcome = linear_write(core, linear_wrap(core, descriptor->address + 5), 1, MMU_WRITE,
                           bits(descriptor->low, 47, 40) | BIT(TYPE_ACCESSED));
    if (outcome != OUTCOME_NEXT)
        return outcome;
    descriptor->low |= BIT(40);
    descriptor->attr |= BIT(TYPE_ACCESSED);
    return OUTCOME_NEXT;
}

struct gate gate_decode(uint64_t low, uint64_t high)
{
    return (struct gate){
        .selector = (uint16_t)bits(low, 31, 16),
        .offset = bits(low, 15, 0) | bits(low, 63, 48) << 16 | bits(high, 31, 0) << 32,
        .type = (uint8_t)bits(low, 44, 40), /* S included: 1xxxxb is no gate */
        .dpl = (uint8_t)bits(low, 46, 45),
        .present = bit(low, 47),
        .count = (uint8_t)bits(low, 36, 32),
        .ist = (uint8_t)bits(low, 34, 32),
    };
}
