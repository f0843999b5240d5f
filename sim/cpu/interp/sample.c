/* SPDX-License-Identifier: MIT */
/* An instruction that instruction-based sampling has tagged: the careful path, with a look at each stage. */
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/cpu/model/ibs.h"

/* IBS_OP_DATA, MSRC001_1035. */
#define DATA_TAG_TO_RETIRE 31, 16
#define DATA_RETURN BIT(34)
#define DATA_TAKEN BIT(35)
#define DATA_BRANCH BIT(37)

/* IBS_OP_DATA3, MSRC001_1037. */
#define DATA3_LOAD 1u
#define DATA3_STORE 2u
#define DATA3_L1_MISS BIT(2)
#define DATA3_L2_MISS BIT(3)
#define DATA3_L1_HIT_2M BIT(4)
#define DATA3_L1_HIT_1G BIT(5)
#define DATA3_L2_HIT_2M BIT(6)
#define DATA3_MISALIGNED BIT(8)
#define DATA3_LOCKED BIT(15)
#define DATA3_LINEAR_VALID BIT(17)
#define DATA3_PHYSICAL_VALID BIT(18)
#define DATA3_L2_HIT_1G BIT(19) /* revision C on */

#define IBS_CTL 0xC001103A
#define IBS_CTL_OFFSET 3, 0
#define IBS_CTL_VALID 8

/* What is known of it before it is done. */
struct sample {
    bool fetch, op;
    uint64_t rip_linear, cycles, instructions;
    uint64_t events[2][2];    /* side; L2 hits, walks */
    uint64_t data_linear;
    uint8_t kind;             /* bits 1:0 of IBS_OP_DATA3: load, store */
    uint64_t next_rip;        /* of what follows, if it is no taken branch */
    bool has_data, misaligned, locked, is_return, is_branch;
};

/* The interrupt of the extended LVT entry, if firmware has named one. */
static void interrupt(struct core *core)
{
    uint64_t control;

    if (!core_msr(core, IBS_CTL, &control) || !bit(control, IBS_CTL_VALID) || bits(control, IBS_CTL_OFFSET) > 3)
        return;
    core_touch_clock(core);
    apic_lvt_event(core, LVT_EXTENDED0 + (unsigned)bits(control, IBS_CTL_OFFSET));
    core_attention(core);
}

/* ---- Samples ----------------------------------------------------------------------------------------------------- */

#define ALL_SIZES 7

static void take_events(struct core *core, uint64_t events[2][2])
{
    for (unsigned side = 0; side < 2; side++) {
        events[side][0] = mmu_event_count(core->mmu, MMU_EVENT_L2_HITS, side, ALL_SIZES);
        events[side][1] = mmu_event_count(core->mmu, MMU_EVENT_WALKS, side, ALL_SIZES);
    }
}

/* The page that holds `linear`, without any trace. */
static bool look(struct core *core, uint64_t linear, unsigned access, struct mmu_result *result)
{
    *result = (struct mmu_result){ .spa = 0 };
    return mmu_peek(core->mmu, linear, access, result) == MMU_OK;
}

static uint64_t saturated(uint64_t value)
{
    return value < 0xFFFF ? value : 0xFFFF;
}

static void sample_begin(struct core *core, struct sample *sample, uint64_t linear)
{
    *sample = (struct sample){
        .fetch = ibs_fetch_due(core), .op = ibs_op_due(core), .rip_linear = linear, .cycles = core->cycles,
        .instructions = core->instructions,
    };
    take_events(core, sample->events);
}

static void sample_fetched(struct core *core, struct sample *sample, uint64_t spa, bool translated, bool complete)
{
    struct msr_storage *msr = core->msr;
    uint64_t now[2][2], value = ibs_read(core, false) & ~IBS_FETCH_RESULT;
    struct mmu_result page;
    bool l2_miss, l1_miss;

    if (!sample->fetch)
        return;
    take_events(core, now);
    l2_miss = !translated || now[1][1] != sample->events[1][1];
    l1_miss = l2_miss || now[1][0] != sample->events[1][0];
    value = bits_put(value, IBS_FETCH_COUNT, 0) | BIT(IBS_FETCH_VAL);
    value = bits_put(value, IBS_FETCH_LATENCY, saturated(core->cycles - sample->cycles));
    value |= (uint64_t)complete << IBS_FETCH_COMPLETE | (uint64_t)translated << IBS_FETCH_PHYSICAL_VALID;
    if (translated && look(core, sample->rip_linear, MMU_FETCH | core->access, &page) && page.page_bytes > PAGE_BYTES)
        value |= BIT(IBS_FETCH_PAGE_2M);
    msr->ibs_fetch_ctl = value | (uint64_t)l1_miss << IBS_FETCH_L1_MISS | (uint64_t)l2_miss << IBS_FETCH_L2_MISS;
    msr->ibs_fetch_linear = sample->rip_linear;
    msr->ibs_fetch_physical = translated ? spa : 0;
    core->ibs.fetch_count = 0;
    ibs_changed(core);
    interrupt(core);
}

/* ---- Ops --------------------------------------------------------------------------------------------------------- */

static bool shifts(exec_fn *run)
{
    return run == exec_rol || run == exec_ror || run == exec_rcl || run == exec_rcr || run == exec_shl ||
           run == exec_shr || run == exec_sar || run == exec_shld || run == exec_shrd;
}

static bool is_memory(const struct operand *operand)
{
    return operand->kind == OPERAND_MEMORY || operand->kind == OPERAND_STRING_SI ||
           operand->kind == OPERAND_STRING_DI;
}

static uint64_t data_linear(const struct core *core, const struct insn *insn, const struct operand *operand)
{
    unsigned segment = operand->kind == OPERAND_STRING_DI ? SEG_ES : insn->segment;
    uint64_t offset = operand->kind == OPERAND_MEMORY ? operand_offset(core, insn) :
                      zero_extend(core->gpr[operand->kind == OPERAND_STRING_SI ? RSI : RDI], insn->address_size);

    if (core->mode == MODE_64BIT)
        return offset + (segment >= SEG_FS ? core->seg[segment].base : 0);
    return (uint32_t)(offset + core->seg[segment].base);
}

/* deviation: operands that no ModRM byte or string register addresses (the stack, frames) have no address. */
static void sample_dispatched(struct core *core, struct sample *sample, const struct insn *insn)
{
    uint32_t attributes = insn->row->attributes;

    for (unsigned n = 3; n-- > 0;) {
        const struct operand *operand = &insn->op[n];
        bool stores = n == 0 && (attributes & (A_STORE | A_LOCK | A_IMPLICIT_LOCK) || shifts(insn->run));

        if (!is_memory(operand) || operand->size == 0)
            continue;
        sample->has_data = true;
        sample->data_linear = data_linear(core, insn, operand);
        sample->misaligned = (sample->data_linear & (operand->size - 1u)) != 0;
        sample->kind |= stores ? DATA3_STORE : 0;
        sample->kind |= stores && (attributes & A_STORE) ? 0 : DATA3_LOAD;
    }
    sample->locked = sample->has_data && (insn->lock || (attributes & A_IMPLICIT_LOCK));
    sample->is_branch = (attributes & A_BRANCH) != 0;
    sample->next_rip = core->next_rip;
    sample->is_return = insn->run == exec_ret_near || insn->run == exec_retf;
}

static uint64_t data3_of(const struct core *core, const struct sample *sample, uint64_t now[2][2],
                         uint64_t page_bytes)
{
    bool walked = now[0][1] != sample->events[0][1], l2_hit = !walked && now[0][0] != sample->events[0][0];
    bool l1_hit = !walked && !l2_hit, is_2m = page_bytes == UINT64_C(1) << 21, is_1g = page_bytes == UINT64_C(1) << 30;
    uint64_t value = sample->kind | DATA3_LINEAR_VALID;

    value |= (l1_hit ? 0 : DATA3_L1_MISS) | (walked ? DATA3_L2_MISS : 0);
    value |= (l1_hit && is_2m ? DATA3_L1_HIT_2M : 0) | (l1_hit && is_1g ? DATA3_L1_HIT_1G : 0);
    value |= (l2_hit && is_2m ? DATA3_L2_HIT_2M : 0) | (l2_hit && is_1g && ibs_revision_c(core) ? DATA3_L2_HIT_1G : 0);
    value |= (sample->misaligned ? DATA3_MISALIGNED : 0) | (sample->locked ? DATA3_LOCKED : 0);
    return value | (page_bytes ? DATA3_PHYSICAL_VALID : 0);
}

static uint64_t data_of(const struct core *core, const struct sample *sample)
{
    uint64_t data = bits_put(0, DATA_TAG_TO_RETIRE, saturated(core->cycles - sample->cycles));

    if (sample->is_branch)
        data |= DATA_BRANCH | (sample->is_return ? DATA_RETURN : 0) | (core->rip != sample->next_rip ? DATA_TAKEN : 0);
    return data;
}

static void sample_executed(struct core *core, struct sample *sample)
{
    struct msr_storage *msr = core->msr;
    struct mmu_result page = { .page_bytes = 0 };
    uint64_t now[2][2];

    if (!sample->op || core->instructions == sample->instructions || !ibs_op_counts(msr))
        return; /* it has not retired, or it has switched sampling off */
    take_events(core, now);
    if (sample->has_data && !look(core, sample->data_linear, 0, &page))
        page.page_bytes = 0;
    msr->ibs_op_rip = sample->rip_linear;
    msr->ibs_op_data[0] = data_of(core, sample);
    msr->ibs_op_data[1] = 0;
    msr->ibs_op_data[2] = sample->has_data ? data3_of(core, sample, now, page.page_bytes) : 0;
    msr->ibs_dc_linear = sample->data_linear;
    msr->ibs_dc_physical = page.page_bytes ? page.spa : 0;
    msr->ibs_op_ctl |= BIT(IBS_OP_VAL);
    core->ibs.op_count = 0;
    ibs_changed(core);
    interrupt(core);
}

/* ---- The instruction ------------------------------------------------------------------------------------------- */

static bool fetch_completed(const struct core *core, enum outcome outcome)
{
    return outcome == OUTCOME_NEXT || (outcome == OUTCOME_FAULT && core->fault.vector == EXC_UD);
}

void sample_one(struct core *core)
{
    struct sample sample;
    struct insn insn;
    gva_t linear = 0;
    spa_t spa = 0;
    bool translated = false;
    enum outcome outcome = fetch_linear(core, &linear);

    sample_begin(core, &sample, linear);
    if (outcome == OUTCOME_NEXT) {
        outcome = fetch_translate(core, linear, &spa);
        translated = outcome == OUTCOME_NEXT;
    }
    if (outcome == OUTCOME_NEXT)
        outcome = fetch_insn_at(core, spa, &insn);
    sample_fetched(core, &sample, spa, translated, fetch_completed(core, outcome));
    if (outcome == OUTCOME_NEXT) {
        core->next_rip = rip_advance(core, insn.length);
        sample_dispatched(core, &sample, &insn);
    }
    execute_fetched(core, &insn, outcome);
    sample_executed(core, &sample);
}
