/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vlapic.h"

#include "hv/vdev/vtime.h"

enum { ID = 0x020, VERSION = 0x030, TPR = 0x080, APR = 0x090, PPR = 0x0A0, EOI = 0x0B0, LDR = 0x0D0, DFR = 0x0E0,
       SVR = 0x0F0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR_LOW = 0x300, ICR_HIGH = 0x310,
       LVT_FIRST = 0x320, LVT_LAST = 0x370, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3E0 };
enum { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR };

#define VERSION_VALUE 0x00050010u /* 10h, six LVT entries */
#define SVR_ENABLE 0x100u
#define SVR_WRITABLE 0x3FFu
#define SVR_RESET 0xFFu
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_MODE_SHIFT 8
#define ICR_WRITABLE 0xCCFFFu
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define DIVIDE_WRITABLE 0xBu
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define VECTOR_LOWEST 16
#define DFR_FLAT 0xF

/* Timer: vector, mask, mode. LINTn: vector, type, polarity, trigger, mask. Others: vector, type, mask. */
static const uint32_t lvt_writable[VLAPIC_LVTS] = { 0x300FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF };

static int highest(const uint32_t bitmap[8])
{
    for (int word = 7; word >= 0; word--)
        if (bitmap[word])
            return word * 32 + 31 - __builtin_clz(bitmap[word]);
    return VLAPIC_NONE;
}

static void set(uint32_t bitmap[8], unsigned vector)
{
    bitmap[vector / 32] |= 1u << vector % 32;
}

static void clear(uint32_t bitmap[8], unsigned vector)
{
    bitmap[vector / 32] &= ~(1u << vector % 32);
}

static bool has(const uint32_t bitmap[8], unsigned vector)
{
    return bitmap[vector / 32] >> vector % 32 & 1;
}

void vlapic_init(struct vlapic *apic, uint8_t id)
{
    *apic = (struct vlapic){ .id = id, .svr = SVR_RESET, .dfr = UINT32_MAX };
    for (unsigned i = 0; i < VLAPIC_LVTS; i++)
        apic->lvt[i] = LVT_MASKED;
}

void vlapic_set_virtual_wire(struct vlapic *apic)
{
    apic->svr |= SVR_ENABLE;
    apic->lvt[LVT_LINT0] = VLAPIC_EXTINT << LVT_MODE_SHIFT;
    apic->lvt[LVT_LINT1] = VLAPIC_NMI << LVT_MODE_SHIFT;
}

/* APM2 16.6.4: the higher class of TPR and ISRV; the subclass only from the one that is higher. */
static uint32_t processor_priority(const struct vlapic *apic)
{
    int in_service = highest(apic->isr);

    if (in_service == VLAPIC_NONE || apic->tpr >> 4 >= in_service >> 4)
        return apic->tpr;
    return (uint32_t)in_service & 0xF0;
}

static void request(struct vlapic *apic, unsigned vector, bool level)
{
    if (vector < VECTOR_LOWEST) {
        apic->esr_noted |= ESR_RECEIVE_VECTOR;
        return;
    }
    if (!(apic->svr & SVR_ENABLE))
        return;
    set(apic->irr, vector);
    if (level)
        set(apic->tmr, vector);
    else
        clear(apic->tmr, vector);
}

/* ---- Timer (APM2 16.4.1) --------------------------------------------------------------------------------- */

/* Nanoseconds of one count: divide bits 3, 1, 0 give 2, 4 ... 128, and 111b gives 1. */
static uint64_t count_ns(const struct vlapic *apic)
{
    unsigned value = (apic->divide & 3) | (apic->divide >> 1 & 4);

    return (uint64_t)VLAPIC_TICK_NS << ((value + 1) & 7);
}

static bool is_periodic(const struct vlapic *apic)
{
    return apic->lvt[LVT_TIMER] & LVT_PERIODIC;
}

static uint32_t timer_current(const struct vlapic *apic, uint64_t now)
{
    uint64_t passed = (now - apic->from) / count_ns(apic);

    if (apic->left == 0)
        return 0;
    if (passed < apic->left)
        return (uint32_t)(apic->left - passed);
    passed -= apic->left;
    return is_periodic(apic) && apic->initial ? (uint32_t)(apic->initial - passed % apic->initial) : 0;
}

static uint64_t timer_expiry(const struct vlapic *apic)
{
    return apic->left ? apic->from + apic->left * count_ns(apic) : VTIME_NEVER;
}

/*
 * A guest that sets a period below what an exit takes would leave its core no time for anything but that timer: of
 * periods that short, requests come at every so-manieth. The ones left out are those that the IRR would hold as one.
 */
uint64_t vlapic_timer_next(const struct vlapic *apic)
{
    uint64_t expiry = timer_expiry(apic), period = apic->initial * count_ns(apic);

    if (apic->lvt[LVT_TIMER] & LVT_MASKED)
        return VTIME_NEVER;
    if (expiry != VTIME_NEVER && is_periodic(apic) && period && expiry < apic->from + VLAPIC_PERIOD_MIN_NS)
        expiry += (apic->from + VLAPIC_PERIOD_MIN_NS - expiry + period - 1) / period * period;
    return expiry;
}

void vlapic_timer_run(struct vlapic *apic, uint64_t now)
{
    uint64_t expiry = timer_expiry(apic), period = apic->initial * count_ns(apic);

    if (now < expiry)
        return;
    if (!(apic->lvt[LVT_TIMER] & LVT_MASKED))
        request(apic, apic->lvt[LVT_TIMER] & 0xFF, false);
    if (is_periodic(apic) && period) {
        apic->from = expiry + (now - expiry) / period * period;
        apic->left = apic->initial;
    } else {
        apic->left = 0;
    }
}

/* ---- Registers ------------------------------------------------------------------------------------------- */

uint32_t vlapic_read(const struct vlapic *apic, unsigned offset, uint64_t now)
{
    if (offset % 0x10)
        return 0;
    if (offset >= ISR && offset < TMR)
        return apic->isr[(offset - ISR) / 0x10];
    if (offset >= TMR && offset < IRR)
        return apic->tmr[(offset - TMR) / 0x10];
    if (offset >= IRR && offset < ESR)
        return apic->irr[(offset - IRR) / 0x10];
    if (offset >= LVT_FIRST && offset <= LVT_LAST)
        return apic->lvt[(offset - LVT_FIRST) / 0x10];
    switch (offset) {
    case ID: return (uint32_t)apic->id << 24;
    case VERSION: return VERSION_VALUE;
    case TPR: return apic->tpr;
    case PPR: return processor_priority(apic);
    case LDR: return apic->ldr;
    case DFR: return apic->dfr;
    case SVR: return apic->svr;
    case ESR: return apic->esr;
    case ICR_LOW: return apic->icr_low;
    case ICR_HIGH: return apic->icr_high;
    case INITIAL: return apic->initial;
    case CURRENT: return timer_current(apic, now);
    case DIVIDE: return apic->divide;
    default: return 0;
    }
}

/* A level-triggered INIT with the level down only sets arbitration numbers (APM2 16.5): there is nothing to send. */
static enum vlapic_effect send(struct vlapic *apic, struct vlapic_message *message)
{
    uint32_t icr = apic->icr_low;

    *message = (struct vlapic_message){ .mode = icr >> 8 & 7, .shorthand = icr >> 18 & 3, .vector = (uint8_t)icr,
                                        .destination = (uint8_t)(apic->icr_high >> 24), .logical = icr >> 11 & 1 };
    if (message->mode == VLAPIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
        return VLAPIC_NO_EFFECT;
    if ((message->mode == VLAPIC_FIXED || message->mode == VLAPIC_LOWEST) && message->vector < VECTOR_LOWEST) {
        apic->esr_noted |= ESR_SEND_VECTOR;
        if (message->shorthand == VLAPIC_SELF)
            apic->esr_noted |= ESR_RECEIVE_VECTOR;
        return VLAPIC_NO_EFFECT;
    }
    return VLAPIC_SENDS;
}

static enum vlapic_effect end_of_interrupt(struct vlapic *apic, struct vlapic_message *message)
{
    int in_service = highest(apic->isr);

    if (in_service == VLAPIC_NONE)
        return VLAPIC_NO_EFFECT;
    clear(apic->isr, (unsigned)in_service);
    message->vector = (uint8_t)in_service;
    return has(apic->tmr, (unsigned)in_service) ? VLAPIC_ENDS : VLAPIC_NO_EFFECT;
}

/* While the APIC is disabled every LVT entry is masked and stays so (APM2 16.4.7). */
static void write_svr(struct vlapic *apic, uint32_t value)
{
    apic->svr = value & SVR_WRITABLE;
    for (unsigned i = 0; i < VLAPIC_LVTS && !(value & SVR_ENABLE); i++)
        apic->lvt[i] |= LVT_MASKED;
}

static void write_lvt(struct vlapic *apic, unsigned index, uint32_t value)
{
    apic->lvt[index] = value & lvt_writable[index];
    if (!(apic->svr & SVR_ENABLE))
        apic->lvt[index] |= LVT_MASKED;
}

/* What runs goes on from where it is, at the new rate. */
static void write_divide(struct vlapic *apic, uint32_t value, uint64_t now)
{
    apic->left = timer_current(apic, now);
    apic->from = now;
    apic->divide = value & DIVIDE_WRITABLE;
}

enum vlapic_effect vlapic_write(struct vlapic *apic, unsigned offset, uint32_t value, uint64_t now,
                                struct vlapic_message *message)
{
    if (offset >= LVT_FIRST && offset <= LVT_LAST && offset % 0x10 == 0)
        write_lvt(apic, (offset - LVT_FIRST) / 0x10, value);
    switch (offset) {
    case TPR: apic->tpr = (uint8_t)value; break;
    case EOI: return end_of_interrupt(apic, message);
    case LDR: apic->ldr = value & 0xFF000000; break;
    case DFR: apic->dfr = value | 0x0FFFFFFF; break;
    case SVR: write_svr(apic, value); break;
    case ESR: apic->esr = apic->esr_noted; apic->esr_noted = 0; break; /* a write shows what was noted since */
    case ICR_HIGH: apic->icr_high = value & 0xFF000000; break;
    case ICR_LOW: apic->icr_low = value & ICR_WRITABLE; return send(apic, message);
    case INITIAL: apic->initial = apic->left = value; apic->from = now; break;
    case DIVIDE: write_divide(apic, value, now); break;
    default: break;
    }
    return VLAPIC_NO_EFFECT;
}

/* ---- Messages -------------------------------------------------------------------------------------------- */

/* Physical FFh is everybody. Logical: flat, any common bit; clusters, the same cluster and any common bit. */
static bool is_addressed(const struct vlapic *apic, const struct vlapic_message *message)
{
    uint8_t mine = (uint8_t)(apic->ldr >> 24), wanted = message->destination;

    if (!message->logical)
        return wanted == 0xFF || wanted == apic->id;
    if (apic->dfr >> 28 == DFR_FLAT)
        return mine & wanted;
    return (wanted >> 4 == 0xF || wanted >> 4 == mine >> 4) && mine & wanted & 0xF;
}

static bool is_target(const struct vlapic *apic, bool is_sender, const struct vlapic_message *message)
{
    switch (message->shorthand) {
    case VLAPIC_SELF: return is_sender;
    case VLAPIC_ALL: return true;
    case VLAPIC_OTHERS: return !is_sender;
    default: return is_addressed(apic, message);
    }
}

uint32_t vlapic_route(struct vlapic *const *apics, unsigned count, int from, const struct vlapic_message *message)
{
    uint32_t targets = 0, lowest_priority = UINT32_MAX;
    int lowest = -1;

    for (unsigned i = 0; i < count; i++) {
        uint32_t priority = processor_priority(apics[i]);

        if (!is_target(apics[i], (int)i == from, message))
            continue;
        targets |= 1u << i;
        if (priority < lowest_priority && apics[i]->svr & SVR_ENABLE) {
            lowest_priority = priority;
            lowest = (int)i;
        }
    }
    if (message->mode == VLAPIC_LOWEST)
        return lowest < 0 ? 0 : 1u << lowest;
    return targets;
}

void vlapic_post(struct vlapic *to, const struct vlapic_message *message)
{
    unsigned word = message->vector / 32;
    uint32_t bit = 1u << message->vector % 32, event;

    switch (message->mode) {
    case VLAPIC_FIXED:
    case VLAPIC_LOWEST:
        if (message->level)
            __atomic_fetch_or(&to->posted_level[word], bit, __ATOMIC_RELAXED);
        __atomic_fetch_or(&to->posted[word], bit, __ATOMIC_RELAXED);
        event = VLAPIC_POSTED_VECTORS;
        break;
    case VLAPIC_NMI:
        event = VLAPIC_POSTED_NMI;
        break;
    case VLAPIC_INIT:
        event = VLAPIC_POSTED_INIT;
        break;
    case VLAPIC_STARTUP:
        __atomic_store_n(&to->startup_page, message->vector, __ATOMIC_RELAXED);
        event = VLAPIC_POSTED_STARTUP;
        break;
    default: /* SMI and remote read: guests have no SMM, and this APIC answers no remote read */
        return;
    }
    __atomic_fetch_or(&to->posted_events, event, __ATOMIC_RELEASE);
}

uint32_t vlapic_take_posted(struct vlapic *apic)
{
    uint32_t events;

    if (!vlapic_has_posted(apic))
        return 0;
    events = __atomic_exchange_n(&apic->posted_events, 0, __ATOMIC_ACQUIRE);
    for (unsigned word = 0; word < 8 && events & VLAPIC_POSTED_VECTORS; word++) {
        uint32_t vectors = __atomic_exchange_n(&apic->posted[word], 0, __ATOMIC_RELAXED);
        uint32_t level = __atomic_exchange_n(&apic->posted_level[word], 0, __ATOMIC_RELAXED);

        for (; vectors; vectors &= vectors - 1) {
            unsigned bit = (unsigned)__builtin_ctz(vectors);

            request(apic, word * 32 + bit, level >> bit & 1);
        }
    }
    return events & ~VLAPIC_POSTED_VECTORS;
}

/* ---- Vectors --------------------------------------------------------------------------------------------- */

int vlapic_requested(const struct vlapic *apic)
{
    return apic->svr & SVR_ENABLE ? highest(apic->irr) : VLAPIC_NONE;
}

int vlapic_pending(const struct vlapic *apic)
{
    int vector = vlapic_requested(apic), in_service;

    if (vector == VLAPIC_NONE)
        return VLAPIC_NONE;
    in_service = highest(apic->isr);
    return in_service != VLAPIC_NONE && vector >> 4 <= in_service >> 4 ? VLAPIC_NONE : vector;
}

bool vlapic_tpr_masks(const struct vlapic *apic, int vector)
{
    return vector >> 4 <= apic->tpr >> 4;
}

void vlapic_accept(struct vlapic *apic, int vector)
{
    clear(apic->irr, (unsigned)vector);
    set(apic->isr, (unsigned)vector);
}

bool vlapic_takes_extint(const struct vlapic *apic)
{
    uint32_t lint0 = apic->lvt[LVT_LINT0];

    return !(lint0 & LVT_MASKED) && (lint0 >> LVT_MODE_SHIFT & 7) == VLAPIC_EXTINT;
}
