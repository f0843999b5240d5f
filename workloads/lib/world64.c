/* SPDX-License-Identifier: MIT */
#include "workloads/lib/world64.h"

#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define STUB_SIZE 16
#define INTERRUPT_GATE_DPL3 0xEE
#define GRANULAR_32 0xC
#define GRANULAR_64 0xA

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

void world64_enter(const struct world64_state *state);
void world64_unexpected(const struct world64_event *event) __attribute__((noreturn));
extern char world64_stubs[];

uint64_t world64_gdt[WORLD64_GDT_ENTRIES] __attribute__((aligned(16)));
uint64_t world64_ldt[WORLD64_LDT_ENTRIES], world64_idt[512];
uint32_t world64_tss[WORLD64_TSS_BYTES / 4 + 1] __attribute__((aligned(4096)));
uint8_t world64_stack0[4096] __attribute__((aligned(4096))), world64_stack[4096] __attribute__((aligned(4096)));
static uint8_t event_stack[1024] __attribute__((aligned(16)));
struct world64_event world64_event;

uint64_t world64_segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    if (flags & 8)
        limit >>= 12;
    return (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xF) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

uint64_t world64_target(enum world64_kind kind, bool conforming, bool present, unsigned dpl)
{
    static const uint8_t flags[WORLD64_KINDS] = { GRANULAR_64, GRANULAR_32, GRANULAR_64 | GRANULAR_32, GRANULAR_32 };
    unsigned access = kind == WORLD64_IS_DATA ? 0x12 : conforming ? 0x1E : 0x1A;

    return world64_segment(0, 0xFFFFFFFF, access | dpl << 5 | (present ? 0x80 : 0), flags[kind]);
}

uint64_t world64_handler(unsigned vector)
{
    return (uintptr_t)world64_stubs + vector * STUB_SIZE;
}

void world64_gate(uint64_t *at, uint16_t selector, uint64_t offset, unsigned access, unsigned low)
{
    at[0] = (offset & 0xFFFF) | (uint64_t)selector << 16 | (uint64_t)low << 32 | (uint64_t)access << 40 |
            (offset >> 16 & 0xFFFF) << 48;
    at[1] = offset >> 32;
}

static void build_gdt(void)
{
    memset(world64_gdt, 0, sizeof(world64_gdt));
    memset(world64_ldt, 0, sizeof(world64_ldt));
    for (unsigned dpl = 0; dpl < 4; dpl++) {
        world64_gdt[WORLD64_SELECTOR(WORLD64_CODE64, dpl) / 8] =
            world64_segment(0, 0xFFFFFFFF, 0x9B | dpl << 5, GRANULAR_64);
        world64_gdt[WORLD64_SELECTOR(WORLD64_DATA, dpl) / 8] =
            world64_segment(0, 0xFFFFFFFF, 0x93 | dpl << 5, GRANULAR_32);
        world64_gdt[WORLD64_SELECTOR(WORLD64_CODE32, dpl) / 8] =
            world64_segment(0, 0xFFFFFFFF, 0x9B | dpl << 5, GRANULAR_32);
    }
    world64_gdt[WORLD64_TSS / 8] = world64_segment((uintptr_t)world64_tss, WORLD64_TSS_BYTES - 1, 0x89, 0);
    world64_gdt[WORLD64_LDT / 8] = world64_segment((uintptr_t)world64_ldt, sizeof(world64_ldt) - 1, 0x82, 0);
}

static void set_stack(unsigned doubleword, const void *end)
{
    world64_tss[doubleword] = (uint32_t)(uintptr_t)end;
    world64_tss[doubleword + 1] = 0;
}

void world64_reset(void)
{
    build_gdt();
    for (unsigned v = 0; v < 256; v++)
        world64_gate(&world64_idt[2 * v], WORLD64_CODE64, world64_handler(v), INTERRUPT_GATE_DPL3, 1);
    memset(world64_tss, 0, sizeof(world64_tss));
    for (unsigned cpl = 0; cpl < 3; cpl++)
        set_stack(TSS64_RSP(cpl), world64_stack0 + sizeof(world64_stack0) - 1024 * cpl);
    set_stack(TSS64_IST(1), event_stack + sizeof(event_stack));
    world64_tss[25] = WORLD64_IOPB << 16;
    ((uint8_t *)world64_tss)[WORLD64_TSS_BYTES - 1] = 0xFF;
    __asm__ volatile("clts\nltr %w0\nlldt %w1" : : "r"(WORLD64_TSS), "r"(WORLD64_LDT) : "memory");
}

/* U/S in every entry of start64.S's tables: one PML4E, four tables of 2 MiB pages. */
static void open_to_cpl3(void)
{
    for (uint64_t gigabyte = 0; gigabyte < 4; gigabyte++) {
        uint64_t *entry = paging_entry(gigabyte << 30, 2);

        for (unsigned i = 0; i < 512; i++)
            entry[i] |= PTE_US;
        *paging_entry(gigabyte << 30, 3) |= PTE_US;
    }
    *paging_entry(0, 4) |= PTE_US;
    cr3_write(cr3_read());
}

void world64_begin(void)
{
    struct pointer gdt = { sizeof(world64_gdt) - 1, (uintptr_t)world64_gdt };
    struct pointer idt = { sizeof(world64_idt) - 1, (uintptr_t)world64_idt };

    port_write8(0x21, 0xFF); /* the 8259s: no interrupt but the test's own */
    port_write8(0xA1, 0xFF);
    open_to_cpl3();
    build_gdt();
    gdt_load(&gdt);
    idt_load(&idt);
    world64_reset();
}

struct world64_state world64_state_at(const void *code, bool wide, unsigned cpl)
{
    uint16_t data = WORLD64_SELECTOR(WORLD64_DATA, cpl);

    return (struct world64_state){ .gs = data, .fs = data, .es = data, .ds = data, .rip = (uintptr_t)code,
                                   .cs = WORLD64_SELECTOR(wide ? WORLD64_CODE64 : WORLD64_CODE32, cpl), .rflags = 2,
                                   .ss = data, .rsp = (uintptr_t)world64_stack + sizeof(world64_stack) - 64 };
}

void world64_unexpected(const struct world64_event *event)
{
    guest_fail("unexpected exception %u, error code %llx, rip %llx", (unsigned)event->vector,
               (unsigned long long)event->error, (unsigned long long)event->rip);
}

const struct world64_event *world64_run(const struct world64_state *state)
{
    static struct world64_state entered;
    uint64_t zero = 0;

    entered = *state;
    memset(&world64_event, 0, sizeof(world64_event));
    __asm__ volatile("mov %0, %%dr6" : : "r"(zero));
    world64_enter(&entered);
    return &world64_event;
}
