/* SPDX-License-Identifier: MIT */
#include "hv/x86/descriptors.h"

#include "hv/x86/cpu.h"
#include "hv/x86/pv_layout.h"
#include "hv/x86/selectors.h"

#define GATE_INTERRUPT 0x8E00u /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL_3 0x6000u
#define TSS_AVAILABLE 0x0000890000000000ull

struct gate {
    uint16_t offset_0;
    uint16_t selector;
    uint16_t attributes; /* IST in bits 2:0 */
    uint16_t offset_16;
    uint32_t offset_32;
    uint32_t reserved;
};

extern char trap_stubs[];

extern char pv_stubs[];

static struct gate idt[256];
static struct gate pv_idt[256]; /* while a paravirtual guest's tables are in CR3 */

static struct gate gate(uint64_t at, uint16_t selector, unsigned attributes)
{
    return (struct gate){ (uint16_t)at, selector, (uint16_t)(GATE_INTERRUPT | attributes), (uint16_t)(at >> 16),
                          (uint32_t)(at >> 32), 0 };
}

/* #DF, NMI and #MC may come with a stack that cannot be trusted; #MC while one of the others is being handled. */
static unsigned own_stack(unsigned vector)
{
    return vector == 18 ? 3 : vector == 8 || vector == 2;
}

/* INT3 and INTO are a guest's to use; #DB may come on the way in or out, with a stack that is not hv's. */
static void pv_gates_init(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        unsigned ist = vector == 1 ? 2 : own_stack(vector);
        unsigned dpl = vector == 3 || vector == 4 ? GATE_DPL_3 : 0;

        pv_idt[vector] = gate(PV_ALIAS + (uintptr_t)pv_stubs + 16 * vector, PV_SELECTOR_CODE, dpl | ist);
    }
}

void descriptors_use_pv(bool pv)
{
    struct table_pointer idtr = { sizeof(idt) - 1, pv ? PV_ALIAS + (uintptr_t)pv_idt : (uintptr_t)idt };

    idt_load(&idtr);
}

void descriptors_reload(struct descriptor_tables *tables)
{
    struct table_pointer gdt = { sizeof(tables->gdt) - 1, (uintptr_t)tables->gdt };

    gdt_load(&gdt);
    descriptors_use_pv(false);
    pv_back();
}

void descriptors_init(void)
{
    pv_gates_init();
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t at = (uintptr_t)trap_stubs + 16 * vector;

        idt[vector] = gate(at, SELECTOR_CODE, own_stack(vector));
    }
}

void descriptors_load(struct descriptor_tables *tables, uint64_t fault_stack, uint64_t debug_stack,
                      uint64_t machine_check_stack)
{
    struct table_pointer gdt = { sizeof(tables->gdt) - 1, (uintptr_t)tables->gdt };
    struct table_pointer idtr = { sizeof(idt) - 1, (uintptr_t)idt };
    uint64_t base = PV_ALIAS + (uintptr_t)&tables->tss; /* also there while a guest's tables are in CR3 */

    tables->tss = (struct tss){ .ist = { PV_ALIAS + fault_stack, PV_ALIAS + debug_stack,
                                         PV_ALIAS + machine_check_stack },
                                .iopb = sizeof(struct tss) };
    tables->gdt[0] = 0;
    tables->gdt[SELECTOR_CODE / 8] = 0x00AF9B000000FFFFull;
    tables->gdt[SELECTOR_DATA / 8] = 0x00CF93000000FFFFull;
    tables->gdt[SELECTOR_CODE32 / 8] = 0x00CF9B000000FFFFull;
    tables->gdt[SELECTOR_TSS / 8] = TSS_AVAILABLE | (sizeof(struct tss) - 1) | (base & 0xFFFFFF) << 16 |
                                    (base >> 24 & 0xFF) << 56;
    tables->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
    gdt_load(&gdt);
    tr_load(SELECTOR_TSS);
    idt_load(&idtr);
}
