/* SPDX-License-Identifier: MIT */
/* Where operands lie, where branches lead, what frames and selectors instructions find. */
#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

#define GLUE 8 /* native.c writes behind the code */
#define MARGIN 320u

/* ---- Addresses ---------------------------------------------------------------------------------------------- */

/*
 * Inside a window, at a distance from where windows end and the page goes on: strings, frames and bit offsets
 * move away from the address, and what they reach should be compared too.
 */
static uint64_t place_inside(struct random *r, const struct window *window, unsigned size)
{
    unsigned low = window->address & 0xFFF ? MARGIN : 0;
    unsigned high = (window->address + window->size) & 0xFFF ? window->size - MARGIN : window->size;

    if (low + size > high)
        low = 0;
    return window->address + low + random_below(r, high - low - size + 1);
}

/* With addresses of 57 bits as well. */
static uint64_t place_non_canonical(struct random *r)
{
    return (random_next(r) & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 62;
}

/* An address for an operand of `size` bytes: in a window, or (may_fault) somewhere that faults. */
uint64_t place_data(struct random *r, unsigned size, bool may_fault, bool non_canonical)
{
    const struct window *window = &windows[random_one_in(r, 4) ? 2 * random_below(r, 2) : 1];

    if (may_fault && non_canonical && random_one_in(r, 6))
        return place_non_canonical(r);
    if (may_fault && size > 16) /* images: which end is looked at first is not defined */
        return random_one_in(r, 2) ? UNMAPPED + random_below(r, 0x800)
                                   : DATA_READ_ONLY + random_below(r, 0x1000 - size);
    if (may_fault) {
        switch (random_below(r, 6)) {
        case 0: return UNMAPPED + random_below(r, 0x1000);
        case 1: return DATA_LAST - 1 - random_below(r, size);
        case 2: return DATA_FIRST - 1 - random_below(r, size);
        case 3: return DATA_READ_ONLY + random_below(r, 0x1000);
        case 4: return DATA_READ_ONLY + 0x1000 - 1 - random_below(r, size);
        default: return DATA_READ_ONLY - 1 - random_below(r, size);
        }
    }
    if (window == &windows[1] && random_one_in(r, 4)) /* across the page end */
        return DATA_FIRST + 0x1000 - random_below(r, size);
    return place_inside(r, window, size);
}

static bool in_window(const struct window *window, uint64_t address, unsigned size)
{
    return address >= window->address && address - window->address <= window->size - size;
}

void window_put(struct silicon_case *c, uint64_t address, unsigned size, uint64_t value)
{
    uint8_t *at = c->window;

    for (unsigned i = 0; i < WINDOWS; at += windows[i].size, i++)
        if (in_window(&windows[i], address, size))
            memcpy(at + (address - windows[i].address), &value, size);
}

uint64_t window_get(const struct silicon_case *c, uint64_t address, unsigned size)
{
    const uint8_t *at = c->window;
    uint64_t value = 0;

    for (unsigned i = 0; i < WINDOWS; at += windows[i].size, i++)
        if (in_window(&windows[i], address, size))
            memcpy(&value, at + (address - windows[i].address), size);
    return value;
}

/* ---- Targets and selectors ---------------------------------------------------------------------------------- */

static bool target_is_usable(const struct silicon_case *c, uint64_t target, unsigned length)
{
    uint64_t start = c->in.rip, end = start + length;

    return target < start || target == end || target >= end + GLUE;
}

static uint64_t random_target(const struct silicon_case *c, struct random *r, unsigned length)
{
    for (;;) {
        uint64_t target = CODE_FIRST + random_below(r, CODE_LAST - CODE_FIRST);

        if (random_one_in(r, 16))
            target = place_data(r, 16, random_one_in(r, 2), c->bits == 64);
        if (target < c->in.rip || target >= c->in.rip + length + GLUE)
            return target;
    }
}

static uint16_t random_selector(struct random *r, bool code)
{
    static const uint16_t any[] = { 0, 1, 3, 0x10, 0x18, 0x1B, 0x20, 0x22, 0x23, 0x28, 0x2B, 0x33, 0x30, 0x3B, 0x07,
                                    0x2F, 0x40, 0x80, 0x1003, 0xFFFF };

    if (code && !random_one_in(r, 3))
        return random_one_in(r, 2) ? SELECTOR_CODE32 : SELECTOR_CODE64;
    if (!code && !random_one_in(r, 3))
        return SELECTOR_DATA;
    return any[random_below(r, sizeof(any) / sizeof(any[0]))];
}

/* ---- The ModRM operand -------------------------------------------------------------------------------------- */

static unsigned memory_size(const struct insn *insn)
{
    exec_fn *run = insn->row->run;

    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind == OPERAND_MEMORY && insn->op[n].size)
            return insn->op[n].size;
    if (run == exec_fxsave || run == exec_fxrstor)
        return 512;
    return run == exec_fnsave || run == exec_frstor ? 108 : run == exec_fnstenv || run == exec_fldenv ? 28 : 16;
}

static bool locks(const struct insn *insn)
{
    return insn->lock || (insn->row->attributes & A_IMPLICIT_LOCK);
}

/* Locked operands stay inside a cache line: what a split lock does is the native kernel's policy. */
static uint64_t operand_target(const struct insn *insn, struct random *r, unsigned bits)
{
    unsigned size = memory_size(insn);
    uint64_t target = place_data(r, size, random_one_in(r, 4), bits == 64);

    if (bits == 64 && insn->segment == SEG_SS && random_one_in(r, 2)) /* #SS is rare otherwise */
        return place_non_canonical(r) & ~UINT64_C(15);
    if (random_one_in(r, 2) || (locks(insn) && ((target & 63) + size > 64 || random_one_in(r, 2))))
        target &= size > 16 ? ~UINT64_C(15) : ~(uint64_t)(size & (size - 1) ? 0 : size - 1);
    if (locks(insn) && (target & 63) + size > 64)
        target &= ~UINT64_C(63);
    return target;
}

static uint64_t segment_base(const struct silicon_case *c, const struct native_processor *processor, unsigned segment)
{
    if (c->bits != 64)
        return 0;
    if (segment == SEG_FS && c->in.seg[SEG_FS] == 0)
        return processor->fsgsbase ? CASE_FS_BASE : processor->fs_base;
    if (segment == SEG_GS && c->in.seg[SEG_GS] == 0)
        return processor->fsgsbase ? CASE_GS_BASE : processor->gs_base;
    return 0;
}

static bool patch_displacement(const struct silicon_case *c, struct draft *draft, uint64_t value)
{
    int32_t low = (int32_t)value;
    int64_t want = (int64_t)value, back;
    unsigned mod = draft->insn.modrm >> 6, size = mod == 1 ? 1 : 4;

    if (mod == 1 && want != (int8_t)want)
        return false;
    memcpy(draft->bytes + draft->displacement_at, &low, size);
    if (!draft_decode(draft, c->bits))
        return false;
    back = draft->insn.displacement;
    return draft->insn.address_size == 4 ? (uint32_t)back == (uint32_t)want : back == want;
}

/* 16-bit addresses stay below 64 KiB, where nothing is mapped; they fault. */
static bool place_modrm(struct silicon_case *c, struct draft *draft, struct random *r,
                        const struct native_processor *processor)
{
    const struct insn *insn = &draft->insn;
    uint64_t target = operand_target(insn, r, c->bits), offset = target - segment_base(c, processor, insn->segment);

    if (insn->address_size == 2)
        return true;
    if (insn->rip_relative)
        return patch_displacement(c, draft, offset - draft->rip - insn->length);
    if (insn->base == NO_REGISTER) {
        if (insn->index != NO_REGISTER)
            offset -= c->in.gpr[insn->index] << insn->scale;
        return patch_displacement(c, draft, offset) || insn->index != NO_REGISTER;
    }
    offset -= (uint64_t)insn->displacement;
    if (insn->index == insn->base)
        return random_one_in(r, 4); /* wherever that is */
    if (insn->index != NO_REGISTER)
        offset -= c->in.gpr[insn->index] << insn->scale;
    c->in.gpr[insn->base] = c->bits == 32 ? (uint32_t)offset : offset;
    return true;
}

static bool place_moffs(struct silicon_case *c, struct draft *draft, struct random *r,
                        const struct native_processor *processor)
{
    const struct insn *insn = &draft->insn;
    uint64_t offset = operand_target(insn, r, c->bits) - segment_base(c, processor, insn->segment);

    memcpy(draft->bytes + draft->modrm_at, &offset, insn->address_size);
    return draft_decode(draft, c->bits);
}

uint64_t effective_address(const struct silicon_case *c, const struct draft *draft)
{
    const struct insn *insn = &draft->insn;
    uint64_t offset = (uint64_t)insn->displacement;

    if (insn->base != NO_REGISTER)
        offset += c->in.gpr[insn->base];
    if (insn->index != NO_REGISTER)
        offset += c->in.gpr[insn->index] << insn->scale;
    if (insn->rip_relative)
        offset += draft->rip + insn->length;
    return zero_extend(offset, insn->address_size);
}

/* ---- What some rows need besides ---------------------------------------------------------------------------- */

static bool place_branch(struct silicon_case *c, struct draft *draft, struct random *r)
{
    const struct insn *insn = &draft->insn;
    unsigned length = insn->length, size = isa_forms[insn->row - isa_rows].op[0].size == ISA_SIZE_B ? 1 :
                                           insn->operand_size == 2 ? 2 : 4;
    uint64_t target = random_target(c, r, length), distance = target - (draft->rip + length);

    if (size == 1)
        distance = random_next(r);
    memcpy(draft->bytes + length - size, &distance, size);
    if (!draft_decode(draft, c->bits) || draft->insn.length != length)
        return false;
    target = draft->rip + length + draft->insn.immediate;
    return target_is_usable(c, insn->operand_size == 2 && c->bits == 32 ? (uint16_t)target : target, length);
}

static void place_frame(struct silicon_case *c, const struct insn *insn, struct random *r)
{
    unsigned size = insn->operand_size;
    uint64_t at = c->in.gpr[RSP];

    if (insn->run == exec_popf) {
        window_put(c, at, size, window_get(c, at, size) & ~RFLAGS_TF);
        return;
    }
    window_put(c, at, size, random_target(c, r, insn->length));
    if (insn->run == exec_ret_near)
        return;
    window_put(c, at + size, size, random_selector(r, true));
    /*
     * With AC in the image and a misaligned frame a processor under KVM raises #AC again and again: the hypervisor
     * sees AC clear, takes it for a split lock and tries anew.
     */
    window_put(c, at + 2 * size, size, random_next(r) & ~(RFLAGS_TF | (at & 7 ? RFLAGS_AC : 0)));
    if (insn->run == exec_iret) {
        window_put(c, at + 3 * size, size, place_data(r, 16, random_one_in(r, 8), c->bits == 64));
        window_put(c, at + 4 * size, size, random_selector(r, false));
    }
}

static bool place_far_pointer(struct silicon_case *c, struct draft *draft, struct random *r)
{
    const struct insn *insn = &draft->insn;
    unsigned size = insn->operand_size;
    uint64_t target = random_target(c, r, insn->length);
    uint16_t selector = random_selector(r, true);

    if (insn->run == exec_call_far && random_one_in(r, 8) && insn->base != RSP && insn->index != RSP)
        c->in.gpr[RSP] = DATA_FIRST + (random_below(r, 8) & ~1u); /* one push, then a fault */

    if (insn->op[0].kind == OPERAND_FAR) {
        memcpy(draft->bytes + insn->length - 2 - size, &target, size);
        memcpy(draft->bytes + insn->length - 2, &selector, 2);
        return draft_decode(draft, c->bits);
    }
    window_put(c, effective_address(c, draft), size, target);
    window_put(c, effective_address(c, draft) + size, 2, selector);
    return true;
}

static void place_near_target(struct silicon_case *c, const struct draft *draft, struct random *r)
{
    const struct insn *insn = &draft->insn;
    uint64_t target = random_target(c, r, insn->length);

    if (insn->op[0].kind == OPERAND_GPR)
        c->in.gpr[insn->op[0].reg] = target;
    else
        window_put(c, effective_address(c, draft), insn->operand_size, target);
}

static void place_selector(struct silicon_case *c, const struct draft *draft, struct random *r, unsigned n)
{
    const struct operand *operand = &draft->insn.op[n];
    uint16_t selector = random_selector(r, false);

    if (operand->kind == OPERAND_GPR)
        c->in.gpr[operand->reg] = (c->in.gpr[operand->reg] & ~UINT64_C(0xFFFF)) | selector;
    else if (operand->kind == OPERAND_MEMORY)
        window_put(c, effective_address(c, draft), 2, selector);
}

/*
 * Linux keeps the processor's number as the limit of selector 78h, which is thus another one on each core. A segment
 * with a base reads it, if chance will have it, from memory that place_selector does not reach.
 */
static bool place_limit_selector(struct silicon_case *c, const struct draft *draft, struct random *r)
{
    place_selector(c, draft, r, 1);
    return draft->insn.op[1].kind != OPERAND_MEMORY || c->bits == 32 || draft->insn.segment < SEG_FS;
}

static void place_strings(struct silicon_case *c, struct random *r)
{
    if (!random_one_in(r, 16))
        c->in.gpr[RSI] = place_data(r, 32, random_one_in(r, 4), c->bits == 64);
    if (!random_one_in(r, 16))
        c->in.gpr[RDI] = place_data(r, 32, random_one_in(r, 4), c->bits == 64);
    c->in.gpr[RCX] = random_below(r, 20);
    if (random_one_in(r, 8)) /* some steps, then a fault */
        c->in.gpr[RDI] = DATA_LAST - random_below(r, 32);
    if (random_one_in(r, 2)) /* equal beginnings, for REPE */
        for (unsigned i = 0; i < 4; i++)
            window_put(c, c->in.gpr[RSI] + 8 * i, 8, window_get(c, c->in.gpr[RDI] + 8 * i, 8));
}

/* A dividend that fits, half of the time. */
static void place_dividend(struct silicon_case *c, const struct insn *insn, struct random *r)
{
    if (random_one_in(r, 2))
        return;
    if (insn->op[0].size == 1)
        c->in.gpr[RAX] &= ~UINT64_C(0xFF00);
    c->in.gpr[RDX] = insn->run == exec_idiv && (int64_t)c->in.gpr[RAX] < 0 ? UINT64_MAX : random_below(r, 3) / 2;
    if (c->bits == 32)
        c->in.gpr[RDX] = (uint32_t)c->in.gpr[RDX];
}

/* ---- One instruction ---------------------------------------------------------------------------------------- */

static bool place_memory(struct silicon_case *c, struct draft *draft, struct random *r,
                         const struct native_processor *processor)
{
    const struct insn *insn = &draft->insn;

    if (insn->modrm_memory)
        return place_modrm(c, draft, r, processor);
    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind == OPERAND_MEMORY)
            return place_moffs(c, draft, r, processor);
    return true;
}

static bool place_bit_offset(struct silicon_case *c, const struct insn *insn, struct random *r)
{
    if (insn->op[0].kind != OPERAND_MEMORY || insn->op[1].kind != OPERAND_GPR)
        return true;
    if (insn->op[1].reg == insn->base || insn->op[1].reg == insn->index)
        return false; /* no telling where */
    c->in.gpr[insn->op[1].reg] = (uint64_t)(int64_t)((int)random_below(r, 2000) - 1000);
    if (insn->lock)
        c->in.gpr[insn->op[1].reg] = random_below(r, 8 * insn->op[0].size);
    if (c->bits == 32)
        c->in.gpr[insn->op[1].reg] = (uint32_t)c->in.gpr[insn->op[1].reg];
    return true;
}

static bool place_mxcsr(struct silicon_case *c, const struct draft *draft, struct random *r, unsigned at)
{
    window_put(c, effective_address(c, draft) + at, 4, random_next(r) & (random_one_in(r, 4) ? 0xFFFFFFFF : 0xFFFF));
    return c->bits == 32 || draft->insn.segment < SEG_FS; /* those have bases */
}

static bool place_rest(struct silicon_case *c, struct draft *draft, struct random *r)
{
    const struct insn *insn = &draft->insn;
    exec_fn *run = insn->row->run;

    if (insn->row->attributes & (A_REP | A_REPCC))
        place_strings(c, r);
    if (insn->op[0].kind == OPERAND_RELATIVE)
        return place_branch(c, draft, r);
    if (run == exec_jmp_far || run == exec_call_far || run == exec_lds || run == exec_les || run == exec_lfs ||
        run == exec_lgs || run == exec_lss)
        return place_far_pointer(c, draft, r);
    if (run == exec_iret || run == exec_retf || run == exec_ret_near || run == exec_popf)
        place_frame(c, insn, r);
    else if (run == exec_jmp_near || run == exec_call_near)
        place_near_target(c, draft, r);
    else if (run == exec_lsl)
        return place_limit_selector(c, draft, r);
    else if (run == exec_mov_to_segment || run == exec_lar)
        place_selector(c, draft, r, 1);
    else if (run == exec_verr || run == exec_verw || run == exec_arpl)
        place_selector(c, draft, r, 0);
    else if (run == exec_push_segment) /* Intel stores two bytes, AMD an operand with zeros (SDM PUSH, APM3 PUSH) */
        window_put(c, c->in.gpr[RSP] - insn->operand_size, insn->operand_size, 0);
    else if (run == exec_pop_segment)
        window_put(c, c->in.gpr[RSP], 2, random_selector(r, false));
    else if (run == exec_pusha && random_one_in(r, 8)) /* some pushes, then a fault */
        c->in.gpr[RSP] = DATA_FIRST + random_below(r, 32);
    else if (run == exec_div || run == exec_idiv)
        place_dividend(c, insn, r);
    else if (run == exec_bt || run == exec_bts || run == exec_btr || run == exec_btc)
        return place_bit_offset(c, insn, r);
    else if (run == exec_int)
        return insn->immediate != 0x80 && insn->immediate > 4; /* what Linux gives CPL 3 a gate for */
    else if (run == exec_maskmovq || run == exec_maskmovdqu)
        c->in.gpr[RDI] = place_data(r, 16, random_one_in(r, 4), c->bits == 64) & ~UINT64_C(15);
    else if (run == exec_ldmxcsr)
        return place_mxcsr(c, draft, r, 0);
    else if (run == exec_fxrstor)
        return place_mxcsr(c, draft, r, 24);
    else if (run == exec_enter && random_one_in(r, 2))
        c->in.gpr[RBP] = place_data(r, 64, false, false);
    return true;
}

bool place_operands(struct silicon_case *c, struct draft *draft, struct random *r,
                    const struct native_processor *processor)
{
    return place_memory(c, draft, r, processor) && place_rest(c, draft, r) && draft->insn.length <= 15;
}
