/* SPDX-License-Identifier: MIT */
#include "workloads/lib/world32.h"

#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define STUB_SIZE 16
#define INTERRUPT_GATE_DPL3 0xEE
#define TSS32 0x89
#define LDT 0x82
#define GRANULAR 0xC
#define CR0_PG 0x80000000u
#define CR0_WP 0x10000u
#define CR4_PSE 0x10u

struct pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

void world_enter(const struct world_state *state);
extern char world_stubs[];

uint64_t world_gdt[WORLD_GDT_ENTRIES], world_ldt[16], world_idt[256];
uint32_t world_tss[WORLD_TSS_BYTES / 4 + 1] __attribute__((aligned(4096)));
uint8_t world_stack0[4096] __attribute__((aligned(4096))), world_stack[4096] __attribute__((aligned(4096)));
struct world_event world_event;

uint64_t world_segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    if (flags & 8)
        limit >>= 12;
    return (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xF) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

uint64_t world_gate(uint16_t selector, uint32_t offset, unsigned access, unsigned count)
{
    return (offset & 0xFFFF) | (uint64_t)selector << 16 | (uint64_t)count << 32 | (uint64_t)access << 40 |
           (uint64_t)(offset >> 16) << 48;
}

uintptr_t world_handler(unsigned vector)
{
    return (uintptr_t)world_stubs + vector * STUB_SIZE;
}

static void build_gdt(void)
{
    memset(world_gdt, 0, sizeof(world_gdt));
    memset(world_ldt, 0, sizeof(world_ldt));
    for (unsigned dpl = 0; dpl < 4; dpl++) {
        world_gdt[WORLD_CODE(dpl) / 8] = world_segment(0, 0xFFFFFFFF, 0x9B | dpl << 5, GRANULAR);
        world_gdt[WORLD_DATA(dpl) / 8] = world_segment(0, 0xFFFFFFFF, 0x93 | dpl << 5, GRANULAR);
    }
    world_gdt[WORLD_TSS / 8] = world_segment((uintptr_t)world_tss, WORLD_TSS_BYTES - 1, TSS32, 0);
    world_gdt[WORLD_LDT / 8] = world_segment((uintptr_t)world_ldt, sizeof(world_ldt) - 1, LDT, 0);
}

void world_reset(void)
{
    uintptr_t stack0 = (uintptr_t)world_stack0 + sizeof(world_stack0);

    build_gdt();
    for (unsigned v = 0; v < 256; v++)
        world_idt[v] = world_gate(WORLD_CODE0, world_handler(v), INTERRUPT_GATE_DPL3, 0);
    memset(world_tss, 0, sizeof(world_tss));
    world_tss[TSS_ESP0] = stack0;
    world_tss[TSS_SS0] = WORLD_DATA0;
    for (unsigned cpl = 1; cpl < 3; cpl++) {
        world_tss[TSS_ESP0 + 2 * cpl] = stack0 - 1024 * cpl;
        world_tss[TSS_SS0 + 2 * cpl] = WORLD_DATA(cpl);
    }
    world_tss[TSS_TRAP] = WORLD_IOPB << 16; /* its high half: where the I/O permission bitmap begins */
    ((uint8_t *)world_tss)[WORLD_TSS_BYTES - 1] = 0xFF;
    __asm__ volatile("clts\nltr %w0\nlldt %w1" : : "r"(WORLD_TSS), "r"(WORLD_LDT));
}

void world_begin(void)
{
    struct pointer gdt = { sizeof(world_gdt) - 1, (uintptr_t)world_gdt };
    struct pointer idt = { sizeof(world_idt) - 1, (uintptr_t)world_idt };

    port_write8(0x21, 0xFF); /* the 8259s: no interrupt but the test's own */
    port_write8(0xA1, 0xFF);
    build_gdt();
    gdt_load(&gdt);
    idt_load(&idt);
    world_reset();
}

const uint32_t *world_handler_task(unsigned handler, unsigned vector, uint16_t selector)
{
    static uint32_t tss[WORLD_HANDLERS][32];
    static uint8_t stack[WORLD_HANDLERS][256] __attribute__((aligned(16)));
    uint32_t *t = tss[handler];

    memset(t, 0, sizeof(tss[0]));
    t[TSS_CR3] = cr3_read();
    t[TSS_EIP] = world_handler(vector);
    t[TSS_EFLAGS] = 2;
    t[TSS_EAX + 4] = (uintptr_t)stack[handler] + 128;
    t[TSS_CS] = WORLD_CODE(0);
    t[TSS_SS] = t[TSS_DS] = t[TSS_ES] = t[TSS_FS] = t[TSS_GS] = WORLD_DATA(0);
    world_gdt[selector / 8] = world_segment((uintptr_t)t, 0x67, TSS32, 0);
    world_idt[vector] = world_gate(selector, 0, 0x85, 0);
    return t;
}

static uint32_t directory[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));

void world_paging(bool on)
{
    for (uint32_t i = 0; i < 1024; i++)
        directory[i] = i << 22 | 0xE7;
    directory[WORLD_PAGED >> 22] = (uintptr_t)table | 7;
    if (on) {
        cr4_write(cr4_read() | CR4_PSE);
        cr3_write((uintptr_t)directory);
        cr0_write(cr0_read() | CR0_PG | CR0_WP);
    } else {
        cr0_write(cr0_read() & ~(CR0_PG | CR0_WP));
        cr4_write(cr4_read() & ~CR4_PSE);
        cr3_write(0);
    }
}

uint32_t world_page(unsigned n, const void *page, uint32_t bits)
{
    uint32_t linear = WORLD_PAGED + n * 4096;

    table[n] = (uintptr_t)page | bits;
    tlb_invalidate(linear);
    return linear + ((uintptr_t)page & 0xFFF);
}

struct world_state world_state_at(const void *code, unsigned cpl)
{
    uint16_t data = WORLD_DATA(cpl);

    return (struct world_state){ .gs = data, .fs = data, .es = data, .ds = data, .eip = (uintptr_t)code,
                                 .cs = WORLD_CODE(cpl), .eflags = 2, .ss = data,
                                 .esp = (uintptr_t)world_stack + sizeof(world_stack) - 64 };
}

struct world_state world_state_v86(unsigned iopl)
{
    struct world_state state = { .gs = WORLD_DATA0, .fs = WORLD_DATA0, .es = WORLD_DATA0, .ds = WORLD_DATA0,
                                 .cs = WORLD_V86_CODE >> 4, .eflags = 2 | RFLAGS_VM | RFLAGS_IOPL(iopl),
                                 .esp = 0x800, .ss = WORLD_V86_STACK >> 4 };

    state.v_es = state.v_ds = state.v_fs = state.v_gs = WORLD_V86_STACK >> 4;
    return state;
}

const struct world_event *world_run(const struct world_state *state)
{
    static struct world_state entered;

    entered = *state;
    memset(&world_event, 0, sizeof(world_event));
    world_enter(&entered);
    return &world_event;
}
