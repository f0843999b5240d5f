/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs of a guest of hv on one set of page tables: does each use what the other writes there (APM2 5.5), and
 * does nothing get lost that both, and the processor's A and D (APM2 5.4.2), write at once?
 *
 * A hypervisor that shadows the tables carries out the guest's writes and sets A and D itself. If one of these is
 * not a single locked operation, it undoes what the other vCPU did in between.
 *
 * vCPU 1 is started by vcpu_op in 64-bit mode with vCPU 0's CR3; a word in memory tells it the phase, and who waits
 * yields. The window at 200_0000_0000h has one page table, which both write.
 *
 * First, an entry that one changes is what the other uses after its own INVLPG, each time: 64 times vCPU 0 leads
 * the entry to the other of two pages, and vCPU 1 reads until it finds the new page's number. An entry that is not
 * followed is a run without an end, not a failed check. Then both make 500 locked additions of 2 to one entry of
 * the live table, whose P stays 0; with every 64th each clears A and D of another entry, its own, by a locked AND,
 * and writes through it. At the end 2000 are there, and A and D of both entries. Last, vCPU 1 writes to the upper
 * half of a frame while vCPU 0 makes it a table and memory again, twenty times: each time its first entry maps the
 * page that it names, and when vCPU 1 has stopped the frame keeps 256 new words. What vCPU 1 wrote is not compared.
 *
 * It wants hv and vcpus=2, and fails at once otherwise. workloads/tests/paging-modes runs it with nested and with
 * shadow paging, on both engines.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/vcpu.h"

#define WINDOW 0x20000000000ull
#define CHANGES 64u
#define ADDITIONS 500u
#define SLOT 100 /* of the window's table: never present, its bits 63:1 a counter */
#define ENTRY (PTE_P | PTE_RW)

enum phase { WAIT, FOLLOW, ADD, WRITE, END };

static uint64_t pages[2][512] __attribute__((aligned(4096))), frame[512] __attribute__((aligned(4096)));
static uint8_t stack[8192] __attribute__((aligned(16)));
static unsigned phase, seen, done; /* atomic */

static unsigned get(const unsigned *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void put(unsigned *at, unsigned value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void await(const unsigned *at, unsigned value)
{
    while (get(at) != value)
        vcpu_yield();
}

static uint64_t *table(void)
{
    return (uint64_t *)((uintptr_t)paging_entry(WINDOW, 1) & ~0xFFFull);
}

/* Both do this: 2 at a time, so that P stays 0; and a page whose A and D the processor sets in between. */
static void add_to_slot(unsigned page)
{
    for (unsigned i = 0; i < ADDITIONS; i++) {
        __atomic_fetch_add(&table()[SLOT], 2, __ATOMIC_SEQ_CST);
        if (i % 64 == 0) {
            __atomic_fetch_and(&table()[page], ~(PTE_A | PTE_D), __ATOMIC_SEQ_CST);
            tlb_invalidate(WINDOW + 4096ull * page);
            store32(WINDOW + 4096ull * page + 64 * page, i);
        }
    }
}

static void second_main(unsigned id)
{
    (void)id;
    await(&phase, FOLLOW);
    for (unsigned i = 1; i <= CHANGES; i++) {
        do
            tlb_invalidate(WINDOW);
        while (load32(WINDOW) != i);
        put(&seen, i);
    }
    await(&phase, ADD);
    add_to_slot(1);
    put(&done, 1);
    await(&phase, WRITE);
    for (unsigned i = 0; get(&phase) == WRITE; i++)
        __atomic_store_n(&frame[256 + i % 256], i, __ATOMIC_RELEASE); /* until the table's first use, and after */
    put(&done, 2);
    for (;;)
        cpu_halt();
}

static void follow(void)
{
    put(&phase, FOLLOW);
    for (unsigned i = 1; i <= CHANGES; i++) {
        pages[i & 1][0] = i;
        table()[0] = (uintptr_t)pages[i & 1] | ENTRY;
        await(&seen, i);
    }
    check_equal(get(&seen), CHANGES, "the other vCPU follows every change of an entry");
}

static void both_add(void)
{
    table()[1] = table()[2] = (uintptr_t)pages[1] | ENTRY;
    table()[SLOT] = 0;
    put(&phase, ADD);
    add_to_slot(2);
    await(&done, 1);
    check_equal(table()[SLOT], 2 * 2 * ADDITIONS, "no addition to a word of a live table is lost");
    check_equal(table()[1] & table()[2] & (PTE_A | PTE_D), PTE_A | PTE_D, "nor a bit that the processor sets there");
}

static void becomes_a_table(void)
{
    uint64_t at = WINDOW + 0x200000;
    bool right = true;

    put(&phase, WRITE);
    for (unsigned round = 0; round < 20; round++) {
        frame[0] = (uintptr_t)pages[round & 1] | ENTRY;
        *paging_entry(at, 2) = (uintptr_t)frame | ENTRY;
        cr3_write(cr3_read());
        right &= load32(at) == (uint32_t)pages[round & 1][0];
        *paging_entry(at, 2) = 0;
        cr3_write(cr3_read());
    }
    put(&phase, END);
    await(&done, 2);
    check(right, "a frame is a table for one while the other writes to it");
    for (unsigned i = 0; i < 256; i++)
        frame[256 + i] = i;
    for (unsigned i = 0; i < 256; i++)
        right &= frame[256 + i] == i;
    check(right, "and memory afterwards");
}

void guest_main(void)
{
    exceptions_init();
    if (vcpu_count() < 2)
        guest_fail("paging-vcpus: wants vcpus=2");
    paging_entry(WINDOW, 1);
    table()[0] = (uintptr_t)pages[0] | ENTRY;
    if (!vcpu_start(1, second_main, stack + sizeof(stack)))
        guest_fail("paging-vcpus: vCPU 1 does not start");
    follow();
    both_add();
    becomes_a_table();
    check_end();
}
