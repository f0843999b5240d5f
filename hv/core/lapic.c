/* SPDX-License-Identifier: MIT */
#include "hv/core/lapic.h"

#include "hv/core/console.h"
#include "hv/core/traps.h"
#include "hv/x86/cpu.h"

#define LAPIC_BASE 0xFEE00000u
#define LAPIC_ID 0x020
#define LAPIC_EOI 0x0B0
#define LAPIC_TPR 0x080
#define LAPIC_SVR 0x0F0
#define LAPIC_ICR_LOW 0x300
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3E0
#define LAPIC_EXTENDED_LVT 0x500
#define SVR_ENABLE 0x100
#define LVT_MASKED 0x10000
#define DIVIDE_BY_16 0x3
#define ICR_BUSY 0x1000
#define ICR_ASSERT 0x4000
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600
#define ICR_SELF 0x40000 /* shorthand: ICR_HIGH does not count */

#define MASTER_8259_MASK 0x21
#define SLAVE_8259_MASK 0xA1
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL2_ONE_SHOT 0xB0 /* channel 2, both bytes, mode 0, binary */
#define PIT_1MS 1193               /* 1.193182 MHz */
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT2 0x20
#define CALIBRATION_PATIENCE 20000000u /* polls; without a PIT hv still comes up */
#define ASSUMED_TICKS_1MS 12500u /* 200 MHz reference clock / 16 */
#define ASSUMED_TSC_1MS 2000000u

static volatile uint32_t *lapic_register(unsigned offset)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC_BASE + offset);
}

static uint32_t lapic_read(unsigned offset)
{
    return *lapic_register(offset);
}

static void lapic_write(unsigned offset, uint32_t value)
{
    *lapic_register(offset) = value;
}

void lapic_silence_8259(void)
{
    port_write8(SLAVE_8259_MASK, 0xFF);
    port_write8(MASTER_8259_MASK, 0xFF);
}

void lapic_init(void)
{
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED); /* no 8259 interrupts */
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
}

uint32_t lapic_id(void)
{
    return lapic_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void lapic_timer_once(uint32_t count)
{
    lapic_write(LAPIC_LVT_TIMER, count ? VECTOR_TIMER : LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, count);
}

uint32_t lapic_timer_calibrate(uint32_t *tsc_per_ms)
{
    uint8_t port_b = port_read8(PORT_B) & (uint8_t)~(PORT_B_GATE2 | PORT_B_SPEAKER);
    uint32_t left;
    uint64_t tsc;
    unsigned i;

    port_write8(PORT_B, port_b);
    port_write8(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
    port_write8(PIT_CHANNEL2, PIT_1MS & 0xFF);
    port_write8(PIT_CHANNEL2, PIT_1MS >> 8);
    port_write8(PORT_B, port_b | PORT_B_GATE2);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    tsc = tsc_read();
    for (i = 0; i < CALIBRATION_PATIENCE && !(port_read8(PORT_B) & PORT_B_OUT2); i++)
        ;
    left = lapic_read(LAPIC_TIMER_CURRENT);
    *tsc_per_ms = (uint32_t)(tsc_read() - tsc);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    port_write8(PORT_B, port_b);
    if (i == CALIBRATION_PATIENCE || left == UINT32_MAX) {
        console_print("hv: no PIT to calibrate the timer with: taking %u ticks for 1 ms", ASSUMED_TICKS_1MS);
        *tsc_per_ms = ASSUMED_TSC_1MS;
        return ASSUMED_TICKS_1MS;
    }
    return UINT32_MAX - left;
}

void lapic_delay(unsigned microseconds, uint32_t ticks_per_ms)
{
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)((uint64_t)microseconds * ticks_per_ms / 1000) + 1);
    while (lapic_read(LAPIC_TIMER_CURRENT))
        cpu_pause();
}

static void send(uint32_t apic_id, uint32_t command)
{
    while (lapic_read(LAPIC_ICR_LOW) & ICR_BUSY)
        cpu_pause();
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR_LOW, command);
}

void lapic_send_init(uint32_t apic_id)
{
    send(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}

void lapic_send_fixed(uint32_t apic_id, uint8_t vector)
{
    send(apic_id, ICR_ASSERT | vector);
}

void lapic_send_self(uint8_t vector)
{
    lapic_write(LAPIC_ICR_LOW, ICR_SELF | ICR_ASSERT | vector);
}

void lapic_set_extended(uint8_t vector)
{
    lapic_write(LAPIC_EXTENDED_LVT, vector);
}
