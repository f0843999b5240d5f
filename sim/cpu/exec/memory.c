/* SPDX-License-Identifier: MIT */
/* Memory as instructions see it: segments, the native fast path, translation, breakpoints, devices. */
#include "sim/cpu/exec/memory.h"

#include <string.h>

#include "sim/cpu/exec/intercept.h"
#include "sim/spa.h"

/* ---- Logical to linear ------------------------------------------------------------------------------ */

static enum outcome segment_fault(struct core *core, unsigned segment)
{
    return core_fault_code(core, segment == SEG_SS ? EXC_SS : EXC_GP, 0);
}

/* Type nibbles (APM2 4.7.2, 4.7.3, 4.13) that may be read: all but execute-only code; and written: data with W. */
#define TYPES_READABLE 0xCCFFu
#define TYPES_WRITABLE 0x00CCu

/* Offsets of `size` bytes inside the limit (APM2 4.12.1), expand-down segments included. */
static bool limit_allows(const struct segment *segment, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;
    unsigned type = (unsigned)bits(segment->attr, ATTR_TYPE);

    if (bit(segment->attr, ATTR_S) && (type & 0xC) == 4)
        return offset > segment->limit && last <= (bit(segment->attr, ATTR_DB) ? 0xFFFFFFFF : 0xFFFF);
    /* assumed: an access may wrap at the end of a 4-GiB segment. */
    return last <= segment->limit || segment->limit == 0xFFFFFFFF;
}

static bool type_allows(const struct core *core, const struct segment *segment, unsigned access)
{
    unsigned type = (unsigned)bits(segment->attr, ATTR_TYPE);

    if (core_in_real_style(core))
        return true;
    if (!bit(segment->attr, ATTR_P)) /* null selector, in the VMCB's format */
        return false;
    return ((access & MMU_WRITE) ? TYPES_WRITABLE : TYPES_READABLE) >> type & 1;
}

/*
 * assumed: with EFER.LMSLE the limits of DS, ES, FS and SS count in 64-bit mode too, as the low half of an
 * upper bound FFFFFFFF_limit (fact sheet 1.6; APM2 4.12.2); GS and CS are free.
 */
static bool long_limit_allows(const struct core *core, unsigned segment, uint64_t linear, unsigned size)
{
    if (!(core->efer & EFER_LMSLE) || segment == SEG_GS || segment == SEG_CS)
        return true;
    return linear + size - 1 <= (UINT64_C(0xFFFFFFFF) << 32 | core->seg[segment].limit);
}

static enum outcome segment_linear_64(struct core *core, unsigned segment, uint64_t offset, unsigned size,
                                      gva_t *linear)
{
    gva_t address = offset + (segment == SEG_FS || segment == SEG_GS ? core->seg[segment].base : 0);

    if (!is_canonical(address) || !is_canonical(address + size - 1))
        return segment_fault(core, segment);
    if (!long_limit_allows(core, segment, address, size))
        return segment_fault(core, segment);
    *linear = address;
    return OUTCOME_NEXT;
}

enum outcome segment_linear(struct core *core, unsigned segment, uint64_t offset, unsigned size, unsigned access,
                            gva_t *linear)
{
    const struct segment *seg = &core->seg[segment];

    if (core->mode == MODE_64BIT)
        return segment_linear_64(core, segment, offset, size, linear);
    if (!(access & MMU_FETCH) && !type_allows(core, seg, access))
        return segment_fault(core, segment);
    if (!limit_allows(seg, offset, size))
        return segment_fault(core, segment);
    *linear = (uint32_t)(seg->base + offset);
    return OUTCOME_NEXT;
}

/* ---- Checks on the linear address ------------------------------------------------------------------- */

/* #AC: only explicit accesses at CPL 3 (APM2 8.2.18). Sizes that are no power of two check themselves. */
static bool misaligned(const struct core *core, gva_t linear, unsigned size, unsigned access)
{
    return (linear & (size - 1)) != 0 && (size & (size - 1)) == 0 && (access & MMU_USER) &&
           (core->cr0 & CR0_AM) && (core->rflags & RFLAGS_AC);
}

/* Linear addresses have 32 bits outside 64-bit mode; implicit accesses to tables above 4 GiB do not wrap. */
static gva_t next_page(const struct core *core, gva_t linear, unsigned first)
{
    if (core->mode != MODE_64BIT && linear <= 0xFFFFFFFF)
        return (uint32_t)(linear + first);
    return linear + first;
}

/* Data breakpoints are traps: remember what matched (APM2 13.1.1.4, 13.1.3.1). R/W 01: writes, 11: both. */
static void collect_breakpoints(struct core *core, gva_t linear, unsigned size, unsigned access)
{
    static const uint8_t bytes[4] = { 1, 2, 8, 4 };

    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = (unsigned)bits(core->dr7, 17 + 4 * n, 16 + 4 * n);
        unsigned length = bytes[bits(core->dr7, 19 + 4 * n, 18 + 4 * n)];
        gva_t start = core->dr[n] & ~(gva_t)(length - 1);

        if (!bits(core->dr7, 2 * n + 1, 2 * n) || !(kind & 1) || (kind == 1 && !(access & MMU_WRITE)))
            continue;
        if (linear < start + length && start < linear + size)
            core->pending_dr6 |= BIT(n);
    }
}

/* ---- Translation -------------------------------------------------------------------------------------- */

enum outcome memory_meet(struct core *core, spa_t spa, unsigned size, enum memory_access kind)
{
    if (!spa_page_is_bad(core->space, spa))
        return OUTCOME_NEXT;
    core->space->meet(core->space->ctx, spa, size, kind, core->index, NULL);
    return core_met_error(core) ? core_fault(core, EXC_MC) : OUTCOME_NEXT;
}

void memory_meet_late(struct core *core, spa_t spa, unsigned size, enum memory_access kind)
{
    if (!spa_page_is_bad(core->space, spa))
        return;
    core->space->meet(core->space->ctx, spa, size, kind, core->index, NULL);
    if (core->mc_pending && (core->mca.raised & MCA_RAISE_PRECISE))
        core->mca.raised = (uint8_t)((core->mca.raised & ~MCA_RAISE_PRECISE) | MCA_RAISE_IMPRECISE);
}

/* DRAM with wrong bits (fact sheet 5.6): the access that consumes them faults, before anything has moved. */
static enum outcome meet_errors(struct core *core, spa_t spa, unsigned size, unsigned access)
{
    core->space->meet(core->space->ctx, spa, size, (access & MMU_WRITE) ? MEMORY_WRITE : MEMORY_READ, core->index,
                      NULL);
    return core_met_error(core) ? core_fault(core, EXC_MC) : OUTCOME_NEXT;
}

static enum outcome translate_piece(struct core *core, gva_t linear, unsigned access, struct mem_ref *ref,
                                    unsigned piece)
{
    struct mmu_result result;
    enum mmu_verdict verdict = mmu_translate(core->mmu, linear, access, &result);

    if (core_met_error(core)) /* in a page table */
        return core_fault(core, EXC_MC);
    switch (verdict) {
    case MMU_PAGE_FAULT:
        core->fault = (struct event){ .vector = EXC_PF, .kind = EVENT_EXCEPTION, .has_error = true,
                                      .error = (uint32_t)result.code, .address = result.address };
        return OUTCOME_FAULT;
    case MMU_NESTED_FAULT:
        return core_vmexit(core, VMEXIT_NPF, result.code, result.address);
    default:
        break;
    }
    ref->spa[piece] = result.spa;
    ref->native[piece] = result.native;
    if (result.spa - core->apic_page.base < core->apic_page.size)
        ref->native[piece] = NULL;
    if (!result.native && spa_page_is_bad(core->space, result.spa))
        return meet_errors(core, result.spa, piece ? ref->size - ref->first : ref->first, access);
    return OUTCOME_NEXT;
}

static enum outcome probe_unaligned(struct core *core, gva_t linear, unsigned size, unsigned access,
                                    struct mem_ref *ref)
{
    enum outcome outcome;

    ref->size = size;
    ref->first = size;
    if ((linear & PAGE_MASK) + size > PAGE_BYTES)
        ref->first = (unsigned)(PAGE_BYTES - (linear & PAGE_MASK));
    outcome = translate_piece(core, linear, access, ref, 0);
    if (outcome == OUTCOME_NEXT && ref->first < size)
        outcome = translate_piece(core, next_page(core, linear, ref->first), access, ref, 1);
    if (outcome == OUTCOME_NEXT && core->data_breakpoints)
        collect_breakpoints(core, linear, size, access);
    return outcome;
}

static enum outcome probe_slow(struct core *core, gva_t linear, unsigned size, unsigned access, struct mem_ref *ref)
{
    if (misaligned(core, linear, size, access))
        return core_fault_code(core, EXC_AC, 0);
    return probe_unaligned(core, linear, size, access, ref);
}

/*
 * Where a whole access inside one page can be reached natively; counts the lookup. NULL: take the slow
 * path, which has counted nothing yet.
 */
static inline uint8_t *fast_native(struct core *core, gva_t linear, unsigned size, unsigned access)
{
    if (core->data_breakpoints || ((linear & (size - 1)) != 0 && misaligned(core, linear, size, access)))
        return NULL;
    return native_data(core->mmu, linear, size, access);
}

enum outcome linear_probe(struct core *core, gva_t linear, unsigned size, unsigned access, struct mem_ref *ref)
{
    uint8_t *native = fast_native(core, linear, size, access);

    if (native == NULL)
        return probe_slow(core, linear, size, access, ref);
    ref->size = ref->first = size;
    ref->native[0] = native;
    return OUTCOME_NEXT;
}

enum outcome linear_locate(struct core *core, gva_t linear, unsigned access, spa_t *spa)
{
    struct mem_ref ref = { 0 };
    enum outcome outcome = probe_unaligned(core, linear, 1, access, &ref);

    *spa = ref.spa[0];
    return outcome;
}

/* ---- Moving data -------------------------------------------------------------------------------------- */

/* 1, 2, 4 or 8 bytes that no native pointer reaches: the APIC, a device, absent or watched DRAM. */
static uint64_t load_spa(struct core *core, spa_t spa, unsigned size)
{
    const struct mmio_region *apic = &core->apic_page;

    if (spa - apic->base < apic->size) {
        core_touch_clock(core);
        return apic->read(apic->ctx, spa - apic->base, size);
    }
    if (!core->space->is_dram(core->space->ctx, spa))
        core_touch_devices(core);
    return spa_read(core->space, spa, size);
}

static void store_spa(struct core *core, spa_t spa, unsigned size, uint64_t value)
{
    const struct mmio_region *apic = &core->apic_page;

    if (spa - apic->base < apic->size) {
        core_touch_clock(core);
        apic->write(apic->ctx, spa - apic->base, size, value);
        return;
    }
    if (!core->space->is_dram(core->space->ctx, spa))
        core_touch_devices(core);
    spa_write(core->space, spa, size, value);
    if (core->space->exhausted)
        core_attention(core); /* the run ends after this instruction, in both engines */
}

/* The largest power of two, at most 8, that starts aligned at `at` and fits into `left`. */
static unsigned step_size(spa_t at, unsigned left)
{
    unsigned step = 8;

    while (step > left || (at & (step - 1)) != 0)
        step /= 2;
    return step;
}

/* A VMRUN's own injected event is the guest's; so is what a paravirtual guest does, at CPL 1 or 3. */
static inline bool is_watched(const struct core *core)
{
    return __builtin_expect(core->watched, 0) && !core->svm.guest && core->cpl == 0;
}

static void watch_load(const struct core *core, const struct mem_ref *ref)
{
    core->watch->loads(core->watch->ctx, core->index, ref->spa[0], ref->first);
    if (ref->first < ref->size)
        core->watch->loads(core->watch->ctx, core->index, ref->spa[1], ref->size - ref->first);
}

static void watch_store(const struct core *core, const struct mem_ref *ref)
{
    core->watch->stores(core->watch->ctx, core->index, ref->spa[0], ref->first);
    if (ref->first < ref->size)
        core->watch->stores(core->watch->ctx, core->index, ref->spa[1], ref->size - ref->first);
}

static void load_piece(struct core *core, const struct mem_ref *ref, unsigned piece, uint8_t *data, unsigned size)
{
    if (ref->native[piece] != NULL) {
        memcpy(data, ref->native[piece], size);
        return;
    }
    for (unsigned done = 0, step; done < size; done += step) {
        uint64_t value;

        step = step_size(ref->spa[piece] + done, size - done);
        value = load_spa(core, ref->spa[piece] + done, step);
        memcpy(data + done, &value, step);
    }
}

static void store_piece(struct core *core, const struct mem_ref *ref, unsigned piece, const uint8_t *data,
                        unsigned size)
{
    if (ref->native[piece] != NULL) {
        memcpy(ref->native[piece], data, size);
        return;
    }
    for (unsigned done = 0, step; done < size; done += step) {
        uint64_t value = 0;

        step = step_size(ref->spa[piece] + done, size - done);
        memcpy(&value, data + done, step);
        store_spa(core, ref->spa[piece] + done, step, value);
    }
}

void ref_load_bytes(struct core *core, const struct mem_ref *ref, void *data)
{
    if (is_watched(core))
        watch_load(core, ref);
    load_piece(core, ref, 0, data, ref->first);
    if (ref->first < ref->size)
        load_piece(core, ref, 1, (uint8_t *)data + ref->first, ref->size - ref->first);
}

void ref_store_bytes(struct core *core, const struct mem_ref *ref, const void *data)
{
    if (is_watched(core))
        watch_store(core, ref);
    store_piece(core, ref, 0, data, ref->first);
    if (ref->first < ref->size)
        store_piece(core, ref, 1, (const uint8_t *)data + ref->first, ref->size - ref->first);
}

uint64_t ref_load(struct core *core, const struct mem_ref *ref)
{
    uint64_t value = 0;

    if (is_watched(core) && ref->first == ref->size)
        watch_load(core, ref);
    if (ref->first < ref->size)
        ref_load_bytes(core, ref, &value);
    else if (ref->native[0] != NULL)
        value = load_native(ref->native[0], ref->size);
    else
        value = load_spa(core, ref->spa[0], ref->size);
    return value;
}

void ref_store(struct core *core, const struct mem_ref *ref, uint64_t value)
{
    if (is_watched(core) && ref->first == ref->size)
        watch_store(core, ref);
    if (ref->first < ref->size)
        ref_store_bytes(core, ref, &value);
    else if (ref->native[0] != NULL)
        store_native(ref->native[0], ref->size, value);
    else
        store_spa(core, ref->spa[0], ref->size, zero_extend(value, ref->size));
}

/* ---- By linear address -------------------------------------------------------------------------------- */

enum outcome linear_read(struct core *core, gva_t linear, unsigned size, unsigned access, uint64_t *value)
{
    const uint8_t *native = fast_native(core, linear, size, access);
    enum outcome outcome;
    struct mem_ref ref;

    if (native != NULL) {
        *value = load_native(native, size);
        return OUTCOME_NEXT;
    }
    outcome = probe_slow(core, linear, size, access, &ref);
    if (outcome == OUTCOME_NEXT)
        *value = ref_load(core, &ref);
    return outcome;
}

enum outcome linear_write(struct core *core, gva_t linear, unsigned size, unsigned access, uint64_t value)
{
    uint8_t *native = fast_native(core, linear, size, access | MMU_WRITE);
    enum outcome outcome;
    struct mem_ref ref;

    if (native != NULL) {
        store_native(native, size, value);
        return OUTCOME_NEXT;
    }
    outcome = probe_slow(core, linear, size, access | MMU_WRITE, &ref);
    if (outcome == OUTCOME_NEXT)
        ref_store(core, &ref, value);
    return outcome;
}

/* ---- By segment and offset ---------------------------------------------------------------------------- */

/* Whatever the inline halves in memory.h leave: other modes, misaligned, missed, watched. */
enum outcome memory_read_slow(struct core *core, unsigned segment, uint64_t offset, unsigned size, uint64_t *value)
{
    gva_t linear;
    enum outcome outcome = segment_linear(core, segment, offset, size, MMU_READ, &linear);

    return outcome == OUTCOME_NEXT ? linear_read(core, linear, size, core->access, value) : outcome;
}

enum outcome memory_write_slow(struct core *core, unsigned segment, uint64_t offset, unsigned size, uint64_t value)
{
    gva_t linear;
    enum outcome outcome = segment_linear(core, segment, offset, size, MMU_WRITE, &linear);

    return outcome == OUTCOME_NEXT ? linear_write(core, linear, size, core->access, value) : outcome;
}

enum outcome memory_probe(struct core *core, unsigned segment, uint64_t offset, unsigned size, unsigned access,
                          struct mem_ref *ref)
{
    enum outcome outcome;
    gva_t linear;

    outcome = segment_linear(core, segment, offset, size, access, &linear);
    return outcome == OUTCOME_NEXT ? linear_probe(core, linear, size, core->access | access, ref) : outcome;
}

/* ---- 16 bytes ------------------------------------------------------------------------------------------ */

/* assumed: the #GP for misalignment comes before the segment's checks, as on native processors. */
static enum outcome probe_wide(struct core *core, unsigned segment, uint64_t offset, unsigned access, bool aligned,
                               struct mem_ref *ref)
{
    uint64_t base = core->mode == MODE_64BIT && segment < SEG_FS ? 0 : core->seg[segment].base;
    enum outcome outcome;
    gva_t linear;

    if (aligned && ((base + offset) & 15) != 0)
        return core_fault_code(core, EXC_GP, 0);
    outcome = segment_linear(core, segment, offset, 16, access, &linear);
    return outcome == OUTCOME_NEXT ? linear_probe(core, linear, 16, core->access | access, ref) : outcome;
}

/* Segments other than FS and GS have base 0 where fast_memory answers at all. */
static inline bool plainly_aligned(unsigned segment, uint64_t offset, bool aligned)
{
    return !aligned || (segment < SEG_FS && (offset & 15) == 0);
}

enum outcome memory_read_wide(struct core *core, unsigned segment, uint64_t offset, bool aligned, void *data)
{
    const uint8_t *native = NULL;
    enum outcome outcome;
    struct mem_ref ref;

    if (plainly_aligned(segment, offset, aligned))
        native = memory_native(core, segment, offset, 16, false);
    if (native != NULL) {
        memcpy(data, native, 16);
        return OUTCOME_NEXT;
    }
    outcome = probe_wide(core, segment, offset, MMU_READ, aligned, &ref);
    if (outcome == OUTCOME_NEXT)
        ref_load_bytes(core, &ref, data);
    return outcome;
}

enum outcome memory_write_wide(struct core *core, unsigned segment, uint64_t offset, bool aligned, const void *data)
{
    uint8_t *native = NULL;
    enum outcome outcome;
    struct mem_ref ref;

    if (plainly_aligned(segment, offset, aligned))
        native = memory_native(core, segment, offset, 16, true);
    if (native != NULL) {
        memcpy(native, data, 16);
        return OUTCOME_NEXT;
    }
    outcome = probe_wide(core, segment, offset, MMU_WRITE, aligned, &ref);
    if (outcome == OUTCOME_NEXT)
        ref_store_bytes(core, &ref, data);
    return outcome;
}

enum outcome memory_probe_bytes(struct core *core, unsigned segment, uint64_t offset, unsigned size, unsigned align,
                                unsigned access, struct mem_ref *ref)
{
    gva_t linear;
    enum outcome outcome = segment_linear(core, segment, offset, size, access, &linear);

    if (outcome == OUTCOME_NEXT && misaligned(core, linear, align, core->access | access))
        return core_fault_code(core, EXC_AC, 0);
    return outcome == OUTCOME_NEXT ? probe_unaligned(core, linear, size, core->access | access, ref) : outcome;
}

enum outcome memory_modify(struct core *core, unsigned segment, uint64_t offset, unsigned size, struct mem_ref *ref)
{
    uint8_t *native = memory_native(core, segment, offset, size, true);

    if (native == NULL)
        return memory_probe(core, segment, offset, size, MMU_WRITE, ref);
    ref->size = ref->first = size;
    ref->native[0] = native;
    return OUTCOME_NEXT;
}

/* ---- Stack ------------------------------------------------------------------------------------------- */

uint64_t stack_offset(const struct core *core, int64_t bytes)
{
    return zero_extend(core->gpr[RSP] + (uint64_t)bytes, core->stack_size);
}

void stack_adjust(struct core *core, int64_t bytes)
{
    uint64_t offset = stack_offset(core, bytes);

    core->gpr[RSP] = core->stack_size == 2 ? bits_put(core->gpr[RSP], 15, 0, offset) : offset;
}

enum outcome stack_probe(struct core *core, unsigned depth, unsigned size, struct mem_ref *ref)
{
    return memory_modify(core, SEG_SS, stack_offset(core, -(int64_t)depth), size, ref);
}

enum outcome stack_push(struct core *core, unsigned size, uint64_t value)
{
    enum outcome outcome = memory_write(core, SEG_SS, stack_offset(core, -(int64_t)size), size, value);

    if (outcome == OUTCOME_NEXT)
        stack_adjust(core, -(int64_t)size);
    return outcome;
}

enum outcome stack_peek(struct core *core, unsigned depth, unsigned size, uint64_t *value)
{
    return memory_read(core, SEG_SS, stack_offset(core, depth), size, value);
}
