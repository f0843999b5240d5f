/* SPDX-License-Identifier: MIT */
/* Page tables with loops, reserved bits, devices and nothing behind them; descriptor tables in such places. */
#include "workloads/lib/paging64.h"
#include "workloads/tests/hostile/hostile.h"

#define BASE 0x600000000000ull
#define ENTRY_ADDRESS 0x000FFFFFFFFFF000ull
#define SAFE_PAGE 0x1800000ull /* RAM that this program does not use */

static void load_at(void *argument)
{
    *(volatile uint8_t *)argument;
}

static void store_at(void *argument)
{
    *(volatile uint64_t *)argument = 0;
}

static void add_at(void *argument)
{
    __asm__ volatile("lock addq $1, (%0)" : : "r"(argument) : "memory");
}

/* A table in place of the entry's own: a loop, a device, nowhere, or with reserved bits (NX is one where NXE is 0). */
static uint64_t hostile_entry(unsigned level)
{
    uint64_t flags = PTE_P | PTE_RW | PTE_US | (random_below(4) ? 0 : PTE_A | PTE_D), address;

    switch (random_below(6)) {
    case 0: address = cr3_read(); break;                               /* the PML4 as a table of any level, or a page */
    case 1: address = 0xFEC00000 + random_below(2) * 0x200000; break;  /* the IOAPIC, the local APIC */
    case 2: address = guest_memory_end + (random_below(1 << 20) << 12); break;
    case 3: address = random64() & ENTRY_ADDRESS; break;
    case 4: address = SAFE_PAGE; break;
    default: address = wild_address() & ENTRY_ADDRESS; break;
    }
    if (random_below(4) == 0)
        flags |= PTE_PS;
    if (random_below(8) == 0)
        flags |= random64() & (PTE_NX | 0x7FF0000000000000ull);
    if (level == 1 && address < guest_memory_end && address != SAFE_PAGE)
        flags &= ~PTE_RW; /* this program's own memory stays whole */
    return address | flags;
}

uint64_t attack_tables(uint64_t rounds)
{
    static void (*const accesses[])(void *) = { load_at, store_at, add_at };
    uint64_t raised = 0;

    for (uint64_t i = 0; i < rounds; i++) {
        unsigned level = 1 + (unsigned)random_below(4);
        uint64_t linear, *entry, was;
        bool table;

        linear =
            BASE + (random_below(8) << 30) + (random_below(512) << 21) + (random_below(512) << 12) + random_below(4088);
        entry = paging_entry(linear, level);
        was = *entry;
        *entry = hostile_entry(level);
        table = level > 1; /* what a loop reaches is a table: looked at, not stored to */
        tlb_invalidate(linear);
        for (unsigned n = 0; n < (table ? 1 : 3); n++)
            raised += exception_try(accesses[n], (void *)linear).vector != EXC_NONE;
        *entry = was;
        cr3_write(cr3_read());
    }
    return raised;
}

/* CR3 is a device, beyond memory, or reserved: the next instruction cannot be fetched, nor a handler. */
uint64_t attack_roots(uint64_t rounds)
{
    static const uint64_t roots[] = { 0xFEC00000, 0xFEE00000, 0xC0000000, 0x8000000000, 0xFFFFFFF000, 0, SAFE_PAGE };

    (void)rounds; /* the first is the end */
    cr3_write(roots[seed % (sizeof(roots) / sizeof(roots[0]))]);
    return 0;
}

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void break_point(void *argument)
{
    (void)argument;
    __asm__ volatile("int3");
}

/* The IDT is a device, beyond memory, not mapped: INT3 finds no gate, nor does what follows. */
uint64_t attack_descriptors(uint64_t rounds)
{
    static const uint64_t bases[] = { 0xFEC00000, 0xFEE00000, 0xC0000000, 0x8000000000, 0xFFFFFFFF,
                                      0xFFFFFFFFFFFFF000 };
    struct table_pointer table = { 0xFFF, bases[seed % (sizeof(bases) / sizeof(bases[0]))] };

    (void)rounds;
    gdt_load(&table);
    idt_load(&table);
    break_point(NULL);
    return 0;
}

uint64_t attack_shutdown(uint64_t rounds)
{
    struct table_pointer table = { 0, 0 };

    (void)rounds;
    idt_load(&table);
    break_point(NULL);
    return 0;
}
