/* SPDX-License-Identifier: MIT */
/* What an HVM guest does for itself: VMMCALL, an IDT of its own, CR4.MCE. */
#include "hv/abi/xen.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/mca.h"

#define CR4_MCE 0x40u
#define GATE_INTERRUPT 0x8E00u

static struct {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
} idt[MCA_TRAP + 1] __attribute__((aligned(16)));

static const struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) idt_pointer = { sizeof(idt) - 1, (uintptr_t)idt };

void mca_trap(void (*handler)(struct interrupt_frame *frame))
{
    uintptr_t at = (uintptr_t)handler;

    idt[MCA_TRAP].offset_low = (uint16_t)at;
    idt[MCA_TRAP].offset_middle = (uint16_t)(at >> 16);
    idt[MCA_TRAP].offset_high = (uint32_t)(at >> 32);
    idt[MCA_TRAP].selector = cs_read();
    idt[MCA_TRAP].attributes = handler ? GATE_INTERRUPT : 0;
    idt_load(&idt_pointer);
    cr4_write(handler ? cr4_read() | CR4_MCE : cr4_read() & ~(uintptr_t)CR4_MCE);
}

int64_t mca_hypercall(struct mca_call *call)
{
    return hypercall3(HYPERCALL_MCA, (uintptr_t)call, 0, 0);
}
