/* SPDX-License-Identifier: MIT */
#include "sim/platform/pm.h"

#include "sim/bits.h"
#include "sim/unmodelled.h"

__extension__ typedef unsigned __int128 wide;

#define TIMER_NUMERATOR 315 /* 3.579545 MHz = 315/88 MHz */
#define TIMER_PS 88000000   /* so many picoseconds are 315 ticks */
#define TIMER_CARRY 31      /* TMR_VAL_EXT: TMR_STS tells a change of bit 31 */

#define STATUS_TIMER 0x0001
#define ENABLE_WRITABLE 0x0521 /* TMR, GBL, PWRBTN, RTC */
#define CONTROL_SCI_EN 0x0001  /* always set: there is no SMI_CMD, ACPI mode is the only one */
#define CONTROL_WRITABLE 0x1c02
#define CONTROL_SLP_TYP 12, 10
#define CONTROL_SLP_EN 13

static uint64_t pm_ticks(const struct pm *pm)
{
    return (uint64_t)((wide)pm->wiring->clock->now_ps * TIMER_NUMERATOR / TIMER_PS);
}

static uint16_t pm_status(const struct pm *pm)
{
    return pm_ticks(pm) >> TIMER_CARRY != pm->carries ? STATUS_TIMER : 0;
}

static void pm_update(struct pm *pm)
{
    uint64_t next = ((pm_ticks(pm) >> TIMER_CARRY) + 1) << TIMER_CARRY;

    pm->irq.set(pm->irq.ctx, PM_SCI_IRQ, pm_status(pm) & pm->enable);
    if (pm->enable & STATUS_TIMER)
        timer_arm(&pm->carry, (uint64_t)(((wide)next * TIMER_PS + TIMER_NUMERATOR - 1) / TIMER_NUMERATOR));
    else
        timer_disarm(&pm->carry);
}

static void pm_carry(void *ctx)
{
    pm_update(ctx);
}

static void pm_sleep(struct pm *pm, unsigned type)
{
    if (type != PM_S5_TYPE)
        unmodelled_note(pm->wiring->unmodelled, "ACPI sleep state with SLP_TYP %u", type);
    else if (pm->wiring->power_off)
        pm->wiring->power_off(pm->wiring->ctx);
}

static uint32_t pm_read_register(const struct pm *pm, unsigned reg)
{
    switch (reg & ~3u) {
    case PM_EVENT - PM_EVENT:
        return pm_status(pm) | (uint32_t)pm->enable << 16;
    case PM_CONTROL - PM_EVENT:
        return pm->control;
    default:
        return (uint32_t)pm_ticks(pm);
    }
}

static uint32_t pm_read(void *ctx, uint16_t port, unsigned size)
{
    const struct pm *pm = ctx;
    unsigned reg = port - PM_EVENT;

    (void)size; /* ports cuts to the size; an access across a register's end reads zeros there */
    return pm_read_register(pm, reg) >> (8 * (reg & 3));
}

/* Byte by byte, so that every width works; SLP_EN acts when its byte is written. */
static void pm_write_byte(struct pm *pm, unsigned reg, uint8_t byte)
{
    unsigned shift = 8 * (reg & 1);
    uint16_t lane = (uint16_t)(0xff << shift);
    uint16_t value = (uint16_t)(byte << shift);

    switch (reg & ~1u) {
    case 0:
        if (value & pm_status(pm) & STATUS_TIMER)
            pm->carries = pm_ticks(pm) >> TIMER_CARRY;
        break;
    case 2:
        pm->enable = (uint16_t)((pm->enable & ~lane) | (value & ENABLE_WRITABLE));
        break;
    case PM_CONTROL - PM_EVENT:
        pm->control = (uint16_t)((pm->control & ~(lane & CONTROL_WRITABLE)) | (value & CONTROL_WRITABLE));
        if (bit(value, CONTROL_SLP_EN))
            pm_sleep(pm, (unsigned)bits(pm->control, CONTROL_SLP_TYP));
        break;
    default: /* the timer is read-only */
        break;
    }
}

static void pm_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pm *pm = ctx;

    for (unsigned i = 0; i < size; i++)
        pm_write_byte(pm, port - PM_EVENT + i, (uint8_t)(value >> (8 * i)));
    pm_update(pm);
}

void pm_reset(struct pm *pm)
{
    pm->enable = 0;
    pm->control = CONTROL_SCI_EN;
    pm->carries = pm->wiring->clock ? pm_ticks(pm) >> TIMER_CARRY : 0;
    timer_disarm(&pm->carry);
    pm->irq.set(pm->irq.ctx, PM_SCI_IRQ, false);
}

void pm_init(struct pm *pm, const struct irq_line *irq, const struct platform_wiring *wiring, struct ports *ports)
{
    const struct pio_range range = { "pm", PM_EVENT, 12, pm, pm_read, pm_write };

    pm->irq = *irq;
    pm->wiring = wiring;
    pm->carry = (struct timer){ .name = "pm.carry", .fire = pm_carry, .ctx = pm };
    ports_attach(ports, &range, 4);
}

void pm_connect(struct pm *pm, struct clock *clock)
{
    clock_attach(clock, &pm->carry);
}

static const struct state_field pm_fields[] = {
    STATE_VALUE(struct pm, enable), STATE_VALUE(struct pm, control), STATE_VALUE(struct pm, carries),
};

const struct state_part pm_state = { .name = "pm", .fields = pm_fields, .count = G_N_ELEMENTS(pm_fields) };
