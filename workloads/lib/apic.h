/* SPDX-License-Identifier: MIT */
/* The local APIC of this core, at its reset address (APM2 chapter 16). */
#ifndef WORKLOADS_LIB_APIC_H
#define WORKLOADS_LIB_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_BASE 0xFEE00000u
enum apic_register {
    APIC_ID = 0x020, APIC_VERSION = 0x030, APIC_TPR = 0x080, APIC_PPR = 0x0A0, APIC_EOI = 0x0B0, APIC_LDR = 0x0D0,
    APIC_DFR = 0x0E0, APIC_SVR = 0x0F0, APIC_ISR = 0x100, APIC_TMR = 0x180, APIC_IRR = 0x200, APIC_ESR = 0x280,
    APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310, APIC_LVT_TIMER = 0x320, APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380, APIC_TIMER_CURRENT = 0x390, APIC_TIMER_DIVIDE = 0x3E0
};
#define APIC_SVR_ENABLE 0x100u
#define APIC_SPURIOUS 0xFFu
#define APIC_ICR_LOWEST 0x100u
#define APIC_ICR_NMI 0x400u
#define APIC_ICR_INIT 0x500u
#define APIC_ICR_STARTUP 0x600u
#define APIC_ICR_LOGICAL 0x800u
#define APIC_ICR_ASSERT 0x4000u
#define APIC_ICR_SELF 0x40000u
#define APIC_ICR_ALL 0x80000u
#define APIC_ICR_OTHERS 0xC0000u
#define APIC_LVT_MASKED 0x10000u
#define APIC_TIMER_PERIODIC 0x20000u

static inline uint32_t apic_read(unsigned reg)
{
    return *(volatile uint32_t *)(uintptr_t)(APIC_BASE + reg);
}

static inline void apic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(APIC_BASE + reg) = value;
}

static inline void apic_enable(void)
{
    apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SPURIOUS);
}

static inline void apic_send(uint8_t id, uint32_t message)
{
    apic_write(APIC_ICR_HIGH, (uint32_t)id << 24);
    apic_write(APIC_ICR, message);
}

/* NMI and INIT have no self shorthand: they go to this core by its id. */
static inline void apic_send_self(uint32_t message)
{
    apic_send((uint8_t)(apic_read(APIC_ID) >> 24), message | APIC_ICR_ASSERT);
}

/* One bit of IRR, ISR or TMR. */
static inline bool apic_bit(unsigned reg, unsigned vector)
{
    return apic_read(reg + vector / 32 * 0x10) >> vector % 32 & 1;
}

#endif
