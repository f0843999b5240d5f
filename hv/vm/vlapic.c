/* SPDX-License-Identifier: MIT */
#include "hv/vm/vlapic.h"

enum { ID = 0x020, VERSION = 0x030, TPR = 0x080, APR = 0x090, PPR = 0x0A0, EOI = 0x0B0, LDR = 0x0D0, DFR = 0x0E0,
       SVR = 0x0F0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR_LOW = 0x300, ICR_HIGH = 0x310,
       LVT_FIRST = 0x320, LVT_LAST = 0x370 };

#define VERSION_VALUE 0x00050010u /* 10h, six LVT entries */
#define SVR_ENABLE 0x100u
#define SVR_WRITABLE 0x3FFu
#define SVR_RESET 0xFFu
#define LVT_MASKED 0x10000u
#define LVT_WRITABLE 0x207FFu
#define ICR_VECTOR 0xFFu
#define ICR_MODE 0x700u  /* 0: fixed */
#define ICR_LOGICAL 0x800u
#define ICR_LEVEL 0x8000u
#define ICR_WRITABLE 0xCCFFFu
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define VECTOR_LOWEST 16

static int highest(const uint32_t bitmap[8])
{
    for (int word = 7; word >= 0; word--)
        if (bitmap[word])
            return word * 32 + 31 - __builtin_clz(bitmap[word]);
    return VLAPIC_NONE;
}

static void clear(uint32_t bitmap[8], int vector)
{
    bitmap[vector / 32] &= ~(1u << vector % 32);
}

void vlapic_init(struct vlapic *apic, uint8_t id)
{
    *apic = (struct vlapic){ .id = id, .svr = SVR_RESET, .dfr = UINT32_MAX };
    for (unsigned i = 0; i < VLAPIC_LVTS; i++)
        apic->lvt[i] = LVT_MASKED;
}

/* APM2 16.6.4: the higher class of TPR and ISRV; the subclass only from the one that is higher. */
static uint32_t processor_priority(const struct vlapic *apic)
{
    int in_service = highest(apic->isr);

    if (in_service == VLAPIC_NONE || apic->tpr >> 4 >= in_service >> 4)
        return apic->tpr;
    return (uint32_t)in_service & 0xF0;
}

uint32_t vlapic_read(const struct vlapic *apic, unsigned offset)
{
    if (offset % 0x10)
        return 0;
    if (offset >= ISR && offset < TMR)
        return apic->isr[(offset - ISR) / 0x10];
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
    default: return 0;
    }
}

static void request(struct vlapic *apic, unsigned vector)
{
    if (vector < VECTOR_LOWEST)
        apic->esr_noted |= ESR_SEND_VECTOR | ESR_RECEIVE_VECTOR;
    else if (apic->svr & SVR_ENABLE)
        apic->irr[vector / 32] |= 1u << vector % 32;
}

/* Physical destinations and logical flat ones that are this vCPU's alone, and the self shorthand. */
static bool goes_to_self(const struct vlapic *apic)
{
    uint8_t destination = (uint8_t)(apic->icr_high >> 24);

    switch (apic->icr_low >> 18 & 3) {
    case 0: return apic->icr_low & ICR_LOGICAL ? destination && destination == apic->ldr >> 24
                                               : destination == apic->id;
    case 1: return true;
    default: return false;
    }
}

static bool send(struct vlapic *apic)
{
    if (apic->icr_low & (ICR_MODE | ICR_LEVEL) || !goes_to_self(apic))
        return false;
    request(apic, apic->icr_low & ICR_VECTOR);
    return true;
}

static void end_of_interrupt(struct vlapic *apic)
{
    int in_service = highest(apic->isr);

    if (in_service != VLAPIC_NONE)
        clear(apic->isr, in_service);
}

bool vlapic_write(struct vlapic *apic, unsigned offset, uint32_t value)
{
    if (offset >= LVT_FIRST && offset <= LVT_LAST && offset % 0x10 == 0)
        apic->lvt[(offset - LVT_FIRST) / 0x10] = (value & LVT_WRITABLE) | LVT_MASKED;
    switch (offset) {
    case TPR: apic->tpr = (uint8_t)value; break;
    case EOI: end_of_interrupt(apic); break;
    case LDR: apic->ldr = value & 0xFF000000; break;
    case DFR: apic->dfr = value | 0x0FFFFFFF; break;
    case SVR: apic->svr = value & SVR_WRITABLE; break;
    case ESR: apic->esr = apic->esr_noted; apic->esr_noted = 0; break; /* a write shows what was noted since */
    case ICR_HIGH: apic->icr_high = value & 0xFF000000; break;
    case ICR_LOW: apic->icr_low = value & ICR_WRITABLE; return send(apic);
    default: break;
    }
    return true;
}

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
    clear(apic->irr, vector);
    apic->isr[vector / 32] |= 1u << vector % 32;
}
