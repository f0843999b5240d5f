/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vpm.h"

#include "hv/vdev/vtime.h"

#define TIMER_MASK 0xFFFFFFu /* 24 bits, as the FADT says */
#define TIMER_CARRY 0x800000u
#define EVENT_TIMER 0x0001u
#define EVENT_ENABLES 0x0521u /* timer, global, power button, RTC */
#define EVENT_STATUSES 0x8D31u
#define CONTROL_SCI_EN 0x0001u
#define CONTROL_SLP_EN 0x2000u
#define CONTROL_WRITABLE 0x1C07u
#define SLP_TYP_SHIFT 10

void vpm_init(struct vpm *pm)
{
    *pm = (struct vpm){ .control = CONTROL_SCI_EN }; /* always in ACPI mode: the FADT has no SMI command port */
}

bool vpm_has_port(unsigned port)
{
    return port >= VPM_EVENT && port < VPM_TIMER + 4;
}

/* TMR_STS is set whenever bit 23 changes (ACPI 4.8.3.3). */
void vpm_run(struct vpm *pm, uint64_t now)
{
    uint64_t carries = vtime_ticks(now, VPM_HZ) / TIMER_CARRY;

    if (carries != pm->carries_seen)
        pm->status |= EVENT_TIMER;
    pm->carries_seen = carries;
}

bool vpm_irq(const struct vpm *pm)
{
    return pm->control & CONTROL_SCI_EN && pm->status & pm->enable;
}

uint64_t vpm_next(const struct vpm *pm)
{
    if (!(pm->enable & EVENT_TIMER) || pm->status & EVENT_TIMER)
        return VTIME_NEVER;
    return vtime_of_tick((pm->carries_seen + 1) * TIMER_CARRY, VPM_HZ);
}

/* The block as bytes, so that every width and alignment reads what it covers. */
uint32_t vpm_read(struct vpm *pm, unsigned port, unsigned size, uint64_t now)
{
    uint32_t timer = (uint32_t)(vtime_ticks(now, VPM_HZ) & TIMER_MASK), value = 0;

    vpm_run(pm, now);
    for (unsigned i = 0; i < size; i++) {
        unsigned at = port + i - VPM_EVENT;
        uint32_t words[3] = { pm->status | (uint32_t)pm->enable << 16, pm->control, timer };

        if (at < sizeof(words))
            value |= (words[at / 4] >> at % 4 * 8 & 0xFF) << i * 8;
    }
    return value;
}

static bool write_control(struct vpm *pm, uint16_t value)
{
    pm->control = (value & CONTROL_WRITABLE) | CONTROL_SCI_EN;
    return value & CONTROL_SLP_EN && (value >> SLP_TYP_SHIFT & 7) == VPM_SLEEP_S5;
}

bool vpm_write(struct vpm *pm, unsigned port, unsigned size, uint32_t value, uint64_t now)
{
    bool off = false;

    vpm_run(pm, now);
    for (unsigned i = 0; i + 1 < size + (size == 1); i += 2, value >>= 16) {
        switch (port + i) {
        case VPM_EVENT: pm->status &= (uint16_t)~(value & EVENT_STATUSES); break; /* write 1 to clear */
        case VPM_EVENT + 2: pm->enable = value & EVENT_ENABLES; break;
        case VPM_CONTROL: off |= write_control(pm, (uint16_t)value); break;
        default: break;
        }
    }
    return off;
}
