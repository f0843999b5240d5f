/* SPDX-License-Identifier: MIT */
#include "workloads/lib/smp64.h"

#include "workloads/lib/apic.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define PATIENCE 20000000u
#define VECTORS 256
#define NMI 2
#define CODE64 0x18

struct gate {
    uint16_t offset_0, selector, attributes, offset_16;
    uint32_t offset_32, reserved;
};

void smp_main(void) __attribute__((noreturn));
extern char smp_trampoline[], smp_trampoline_end[], smp_interrupt[], smp_nmi[];

volatile struct smp_found smp_found;
volatile uint32_t smp_interrupts, smp_nmis;
static struct gate idt[VECTORS];
static volatile bool arrived;
static void (*volatile work)(void *argument);
static void *volatile work_argument;

void smp_main(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    idt_load(&pointer);
    apic_enable();
    arrived = true;
    for (;;) {
        if (work) {
            work(work_argument);
            work = NULL;
        }
        cpu_pause();
    }
}

void smp_prepare(void)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        uintptr_t at = (uintptr_t)(v == NMI ? smp_nmi : smp_interrupt);

        idt[v] = (struct gate){ (uint16_t)at, CODE64, 0x8E00, (uint16_t)(at >> 16), 0, 0 };
    }
    memcpy((void *)(uintptr_t)SMP_PAGE, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
}

bool smp_arrived(void)
{
    bool result;

    for (unsigned i = 0; i < PATIENCE && !arrived; i++)
        cpu_pause();
    result = arrived;
    arrived = false;
    return result;
}

bool smp_start(uint8_t id)
{
    arrived = false;
    work = NULL;
    apic_send(id, APIC_ICR_INIT | APIC_ICR_ASSERT);
    for (unsigned i = 0; i < 10000; i++)
        cpu_pause();
    apic_send(id, APIC_ICR_STARTUP | APIC_ICR_ASSERT | SMP_PAGE >> 12);
    return smp_arrived();
}

void smp_run(void (*function)(void *argument), void *argument)
{
    work_argument = argument;
    work = function;
}

bool smp_wait(void)
{
    for (unsigned i = 0; i < PATIENCE && work; i++)
        cpu_pause();
    return !work;
}
