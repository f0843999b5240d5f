/* SPDX-License-Identifier: MIT */
/* Messages of the interrupt network: who accepts them, priorities, end of interrupt (APM2 16.5, 16.6). */
#include "sim/cpu/apic/apic_private.h"

#define PRIORITY_CLASS(value) ((value) >> 4)
#define BROADCAST 0xFF

/* ---- 256-bit registers ---------------------------------------------------------------------------------- */

static bool vector_test(const uint32_t words[VECTOR_WORDS], unsigned vector)
{
    return words[vector / 32] >> vector % 32 & 1;
}

static void vector_put(uint32_t words[VECTOR_WORDS], unsigned vector, bool value)
{
    words[vector / 32] = (uint32_t)bit_put(words[vector / 32], vector % 32, value);
}

int apic_highest(const uint32_t words[VECTOR_WORDS])
{
    for (int i = VECTOR_WORDS - 1; i >= 0; i--) {
        if (words[i])
            return 32 * i + 31 - __builtin_clz(words[i]);
    }
    return -1;
}

int apic_highest_request(const struct local_apic *apic)
{
    for (int i = VECTOR_WORDS - 1; i >= 0; i--) {
        uint32_t word = apic->irr[i] & apic->ier[i];

        if (word)
            return 32 * i + 31 - __builtin_clz(word);
    }
    return -1;
}

/* ---- Priorities (APM2 16.6.3, 16.6.4) ------------------------------------------------------------------- */

/* TPR where its class is not below `vector`'s, else the class of `vector`; -1: there is no vector. */
static uint8_t higher_priority(uint8_t tpr, int vector)
{
    if (vector < 0 || PRIORITY_CLASS(tpr) >= PRIORITY_CLASS(vector))
        return tpr;
    return (uint8_t)(vector & 0xF0);
}

uint8_t apic_processor_priority(const struct local_apic *apic)
{
    return higher_priority(apic->core->tpr, apic_highest(apic->isr));
}

uint8_t apic_arbitration_priority(const struct local_apic *apic)
{
    int isr = apic_highest(apic->isr), irr = apic_highest(apic->irr);

    return higher_priority(apic->core->tpr, isr > irr ? isr : irr);
}

/* ---- Errors ----------------------------------------------------------------------------------------------- */

void apic_error(struct local_apic *apic, unsigned esr_bit)
{
    bool again = bit(apic->esr_next, esr_bit);

    apic->esr_next |= (uint32_t)BIT(esr_bit);
    apic->count.errors++;
    /* One interrupt per kind of error until ESR is written: an error entry with an illegal vector cannot loop. */
    if (!again)
        apic_lvt_event(apic->core, LVT_ERROR);
}

/* ---- Requests -------------------------------------------------------------------------------------------- */

/* deviation: a third request of one vector merges with the waiting one; a real part makes the sender retry. */
void apic_accept(struct local_apic *apic, uint8_t vector, bool level)
{
    if (vector < LOWEST_LEGAL_VECTOR) {
        apic_error(apic, ESR_RECEIVE_ILLEGAL);
        return;
    }
    vector_put(apic->irr, vector, true);
    vector_put(apic->tmr, vector, level);
    core_attention(apic->core);
}

void apic_lint_again(struct local_apic *apic, enum apic_lint lint)
{
    uint32_t *entry = &apic->lvt[LVT_LINT0 + lint];

    if (!apic->pin[lint] || bit(*entry, LVT_MASK) || bit(*entry, LVT_REMOTE_IRR) || !bit(*entry, LVT_LEVEL) ||
        bits(*entry, LVT_TYPE) != APIC_FIXED)
        return;
    *entry = (uint32_t)bit_put(*entry, LVT_REMOTE_IRR, true);
    apic_accept(apic, (uint8_t)bits(*entry, LVT_VECTOR), true);
}

/* `vector` is in service (-1: nothing is). A level interrupt's source is told. */
void apic_end_of_interrupt(struct local_apic *apic, int vector)
{
    if (vector < 0 || !vector_test(apic->isr, (unsigned)vector))
        return;
    vector_put(apic->isr, (unsigned)vector, false);
    core_attention(apic->core);
    if (!vector_test(apic->tmr, (unsigned)vector))
        return;
    for (unsigned lint = LINT0; lint < LINT_COUNT; lint++) {
        uint32_t *entry = &apic->lvt[LVT_LINT0 + lint];

        if (bit(*entry, LVT_REMOTE_IRR) && bits(*entry, LVT_VECTOR) == (unsigned)vector) {
            *entry = (uint32_t)bit_put(*entry, LVT_REMOTE_IRR, false);
            apic_lint_again(apic, lint);
        }
    }
    if (apic->acknowledge.eoi)
        apic->acknowledge.eoi(apic->acknowledge.ctx, (uint8_t)vector);
}

/* What a message or a local entry of this type does to the core. */
static void take_effect(struct local_apic *apic, enum apic_message_type type, uint8_t vector, bool level)
{
    struct core *core = apic->core;

    apic->count.received[type]++;
    switch (type) {
    case APIC_FIXED:
    case APIC_LOWEST: apic_accept(apic, vector, level); break;
    case APIC_SMI: core->smi_pending = true; break;
    case APIC_NMI: core->nmi_pending = true; break;
    case APIC_INIT: core->init_pending = true; break;
    case APIC_STARTUP:
        if (core->waiting_for_sipi)
            core_startup(core, vector);
        break;
    case APIC_EXTINT: apic->extint_message = true; break;
    case APIC_REMOTE_READ: break; /* of a local entry, where it means nothing */
    }
    core_attention(core);
}

void apic_lvt_event(struct core *core, enum apic_lvt entry)
{
    struct local_apic *apic = core->apic;
    uint32_t lvt = apic->lvt[entry];

    /* Timer: always fixed. Remote read and STARTUP mean nothing in an entry. */
    if (bit(lvt, LVT_MASK) || bits(lvt, LVT_TYPE) == APIC_REMOTE_READ || bits(lvt, LVT_TYPE) == APIC_STARTUP)
        return;
    if (bits(lvt, LVT_TYPE) == APIC_SMI) /* local SMI status: LvtLcy, LvtExt */
        core->smm.status |= (uint32_t)(entry >= LVT_EXTENDED0 ? BIT(17) : BIT(16));
    take_effect(apic, (enum apic_message_type)bits(lvt, LVT_TYPE), (uint8_t)bits(lvt, LVT_VECTOR), false);
}

/* ---- Receiving -------------------------------------------------------------------------------------------- */

/* 8-bit ids: firmware sets F0x68[ApicExtId, ApicExtBrdCst] (fact sheet 11.4). */
static bool destination_matches(const struct local_apic *apic, const struct apic_message *message)
{
    unsigned ldr = (unsigned)bits(apic->ldr, APIC_ID), destination = message->destination;

    if (destination == BROADCAST)
        return true;
    if (!message->logical)
        return destination == bits(apic->id, APIC_ID);
    if (bits(apic->dfr, DFR_MODEL) == DFR_FLAT)
        return (ldr & destination) != 0;
    return ldr >> 4 == destination >> 4 && (ldr & destination & 0xF) != 0; /* cluster and member */
}

static bool addressed(const struct core *core, const struct apic_message *message)
{
    switch (message->shorthand) {
    case ICR_SELF: return message->source_core == core->index;
    case ICR_ALL: return true;
    case ICR_OTHERS: return message->source_core != core->index;
    default: return destination_matches(core->apic, message);
    }
}

bool core_apic_accepts(struct core *core, const struct apic_message *message)
{
    if (message->type == WIRE_READ_ANSWER)
        return message->destination == core->index;
    if (!apic_enabled(core) || !addressed(core, message))
        return false;
    switch (message->type) {
    case APIC_FIXED:
    case APIC_LOWEST:
    case APIC_EXTINT: return apic_software_enabled(core->apic);
    case APIC_INIT: return message->assert_ || !message->level; /* the de-assert message does nothing */
    default: return true;
    }
}

void core_apic_deliver(struct core *core, const struct apic_message *message)
{
    if (message->type == WIRE_MACHINE_CHECK)
        core_machine_check(core, message->vector);
    else if (message->type == WIRE_LVT_EVENT)
        apic_lvt_event(core, (enum apic_lvt)(LVT_EXTENDED0 + (message->vector & 3)));
    else if (!apic_enabled(core)) /* it may have been switched off on the way */
        return;
    else if (message->type == WIRE_READ_ANSWER)
        apic_answered(core->apic, message);
    else if (message->type == APIC_REMOTE_READ)
        apic_answer(core->apic, message);
    else
        take_effect(core->apic, (enum apic_message_type)(message->type & 7), message->vector, message->level);
}

/* ---- Lowest priority (APM2 16.6.2) -------------------------------------------------------------------------- */

/* A core that already has the vector in IRR or ISR is the focus processor, unless it declines to be. */
static bool is_focus(const struct local_apic *apic, unsigned vector)
{
    return !bit(apic->svr, SVR_FOCUS_DISABLE) && (vector_test(apic->irr, vector) || vector_test(apic->isr, vector));
}

static bool wins_over(const struct local_apic *a, const struct local_apic *b, unsigned vector)
{
    bool a_focus = is_focus(a, vector), b_focus = is_focus(b, vector);
    uint8_t a_priority = apic_arbitration_priority(a), b_priority = apic_arbitration_priority(b);

    if (a_focus != b_focus)
        return a_focus;
    if (a_priority != b_priority)
        return a_priority < b_priority;
    return bits(a->id, APIC_ID) > bits(b->id, APIC_ID);
}

uint64_t core_apic_targets(struct core *const *cores, unsigned count, const struct apic_message *message)
{
    bool arbitrated = message->type == APIC_LOWEST && message->logical;
    const struct local_apic *winner = NULL;
    uint64_t targets = 0;

    for (unsigned i = 0; i < count && i < 64; i++) {
        const struct local_apic *apic = cores[i]->apic;

        if (!core_apic_accepts(cores[i], message))
            continue;
        /* Physical and cluster mode know no lowest priority: the message goes to all it names. */
        if (!arbitrated || bits(apic->dfr, DFR_MODEL) != DFR_FLAT) {
            targets |= BIT(i);
        } else if (!winner || wins_over(apic, winner, message->vector)) {
            winner = apic;
        }
    }
    for (unsigned i = 0; winner && i < count && i < 64; i++) {
        if (cores[i]->apic == winner)
            targets |= BIT(i);
    }
    return targets;
}

/* ---- Sending (APM2 16.5) ------------------------------------------------------------------------------------ */

/* Valid combinations: fixed to anybody; the others not to self. A level-triggered fixed IPI must assert. */
static bool icr_form_is_valid(const struct apic_message *message)
{
    switch (message->type) {
    case APIC_FIXED: return !message->level || message->assert_;
    case APIC_LOWEST:
    case APIC_SMI:
    case APIC_NMI:
    case APIC_INIT:
    case APIC_STARTUP: return message->shorthand == ICR_DESTINATION_FIELD || message->shorthand == ICR_OTHERS;
    default: return message->shorthand == ICR_DESTINATION_FIELD;
    }
}

/* deviation: a message that nobody accepts vanishes; ESR's send-accept and receive-accept errors never come. */
void apic_send(struct local_apic *apic)
{
    struct apic_message message = {
        .type = (uint8_t)bits(apic->icr_low, ICR_TYPE),
        .vector = (uint8_t)bits(apic->icr_low, ICR_VECTOR),
        .destination = (uint8_t)bits(apic->icr_high, ICR_DESTINATION),
        .logical = bit(apic->icr_low, ICR_LOGICAL),
        .level = bit(apic->icr_low, ICR_LEVEL),
        .assert_ = bit(apic->icr_low, ICR_ASSERT),
        .shorthand = (uint8_t)bits(apic->icr_low, ICR_SHORTHAND),
        .source_core = (uint8_t)apic->core->index,
    };

    if (message.type <= APIC_LOWEST && message.vector < LOWEST_LEGAL_VECTOR) {
        apic_error(apic, ESR_SEND_ILLEGAL);
        return;
    }
    /* INIT level de-assert to all has no effect on xAPICs and is a common idiom: not an invalid form. */
    if (message.type == APIC_INIT && message.level && !message.assert_)
        return;
    if (!icr_form_is_valid(&message)) {
        unmodelled_note(apic->core->unmodelled, "ICR write %08X", apic->icr_low);
        return;
    }
    apic->count.sent[message.type]++;
    if (message.type == APIC_REMOTE_READ)
        apic_ask(apic, &message);
    else
        apic->messages.send(apic->messages.ctx, &message);
}

void apic_broadcast_smi(struct core *core)
{
    const struct apic_message message = {
        .type = APIC_SMI, .assert_ = true, .shorthand = 2, .source_core = (uint8_t)core->index,
    };

    core->apic->messages.send(core->apic->messages.ctx, &message);
}
