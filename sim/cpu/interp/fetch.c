/* SPDX-License-Identifier: MIT */
/*
 * From rIP to a decoded instruction. One ITLB lookup per instruction, two when it crosses a page. Each
 * step of a REP instruction counts as one: between two steps lies a boundary, and where a run happens to
 * stop must not show in a counter.
 */
#include <string.h>

#include "sim/cpu/interp/interp.h"
#include "sim/spa.h"

#define MAX_LENGTH 15

enum outcome fetch_linear(struct core *core, gva_t *linear)
{
    if (core->mode == MODE_64BIT) {
        *linear = core->rip;
        return is_canonical(core->rip) ? OUTCOME_NEXT : core_fault_code(core, EXC_GP, 0);
    }
    *linear = (uint32_t)(core->seg[SEG_CS].base + core->rip);
    return core->rip <= core->seg[SEG_CS].limit ? OUTCOME_NEXT : core_fault_code(core, EXC_GP, 0);
}

enum outcome fetch_translate(struct core *core, gva_t linear, spa_t *spa)
{
    struct mmu_result result;
    enum mmu_verdict verdict = mmu_translate(core->mmu, linear, MMU_FETCH | core->access, &result);

    if (core_met_error(core)) /* in a page table */
        return core_fault(core, EXC_MC);
    switch (verdict) {
    case MMU_OK:
        *spa = result.spa;
        return OUTCOME_NEXT;
    case MMU_NESTED_FAULT:
        return core_vmexit(core, 0x400, result.code, result.address); /* VMEXIT_NPF */
    default:
        core_fault_code(core, EXC_PF, (uint32_t)result.code);
        core->fault.address = result.address;
        return OUTCOME_FAULT;
    }
}

/* Bytes that the code segment still holds from rIP on, at most 15. */
static size_t bytes_in_segment(const struct core *core)
{
    uint64_t rest;

    if (core->mode == MODE_64BIT)
        return MAX_LENGTH; /* what runs into the hole faults when its page is translated */
    rest = core->seg[SEG_CS].limit - core->rip + 1;
    return rest < MAX_LENGTH ? (size_t)rest : MAX_LENGTH;
}

/* SMM's Close bits tell fetches from data. */
static void read_code(struct core *core, spa_t spa, uint8_t *to, size_t size)
{
    core->smm.fetching = true;
    spa_read_block(core->space, spa, to, size);
    core->smm.fetching = false;
}

/* The bytes of an instruction from DRAM with wrong bits; `first` of them lie at `spa`, the rest at `second`. */
static enum outcome meet_errors(struct core *core, spa_t spa, spa_t second, unsigned length, size_t first)
{
    struct spa_space *space = core->space;

    if (spa_page_is_bad(space, spa))
        space->meet(space->ctx, spa, length < first ? length : (unsigned)first, MEMORY_FETCH, core->index, NULL);
    if (length > first && spa_page_is_bad(space, second))
        space->meet(space->ctx, second, length - (unsigned)first, MEMORY_FETCH, core->index, NULL);
    return core_met_error(core) ? core_fault(core, EXC_MC) : OUTCOME_NEXT;
}

/* The second page of an instruction that crosses. */
static enum outcome fetch_second(struct core *core, gva_t linear, uint8_t *to, size_t size, spa_t *second)
{
    enum outcome outcome;

    if (core->mode != MODE_64BIT)
        linear = (uint32_t)linear;
    else if (!is_canonical(linear))
        return core_fault_code(core, EXC_GP, 0);
    outcome = fetch_translate(core, linear, second);
    if (outcome == OUTCOME_NEXT)
        read_code(core, *second, to, size);
    return outcome;
}

enum outcome fetch_insn_at(struct core *core, spa_t spa, struct insn *insn)
{
    uint8_t bytes[MAX_LENGTH] = { 0 };
    size_t room = bytes_in_segment(core), first = PAGE_BYTES - (spa & PAGE_MASK);
    struct decode_mode mode = core_decode_mode(core);
    enum decode_result result;
    enum outcome outcome;
    spa_t second = spa;

    if (first > room)
        first = room;
    read_code(core, spa, bytes, first);
    result = insn_prepare(bytes, first, mode, core->model->absent, insn);
    if (result == DECODE_TRUNCATED && first < room) {
        gva_t next = core->mode == MODE_64BIT ? core->rip + first : core->seg[SEG_CS].base + core->rip + first;

        outcome = fetch_second(core, next, bytes + first, room - first, &second);
        if (outcome != OUTCOME_NEXT)
            return outcome;
        result = insn_prepare(bytes, room, mode, core->model->absent, insn);
    }
    switch (result) {
    case DECODE_OK:
        block_cache_fetched(core->blocks, spa, insn->length < first ? insn->length : (unsigned)first);
        if (insn->length > first)
            block_cache_fetched(core->blocks, second, insn->length - (unsigned)first);
        if (core->watched && core->cpl == 0)
            core->watch->fetches(core->watch->ctx, core->index, spa, core->rip);
        return meet_errors(core, spa, second, insn->length, first);
    case DECODE_INVALID:
        return core_fault(core, EXC_UD);
    default: /* over the CS limit, or longer than 15 bytes */
        return core_fault_code(core, EXC_GP, 0);
    }
}

enum outcome fetch_insn(struct core *core, struct insn *insn)
{
    gva_t linear;
    spa_t spa;
    enum outcome outcome = fetch_linear(core, &linear);

    if (outcome == OUTCOME_NEXT)
        outcome = fetch_translate(core, linear, &spa);
    return outcome == OUTCOME_NEXT ? fetch_insn_at(core, spa, insn) : outcome;
}
