/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs of a guest of hv on one set of page tables: does each use what the other writes there (APM2 5.5), and
 * does nothing get lost that both, and the processor's A and D (APM2 5.4.2), write at once?
 *
 * A hypervisor that shadows the tables carries out the guest's writes and sets A and D itself. If one of these is
 * not a single locked operation, it undoes what the other vCPU did in between.
 *
 * vCPU 1 is started by vcpu_op in 64-bit mode with vCPU 0's CR3; words in memory tell it how far it may go, and who
 * waits yields. The window at 200_0000_0000h has one page table, which both write.
 *
 * First, an entry that one changes is what the other uses after its own INVLPG: 64 times vCPU 0 leads the entry to the
 * other of two pages, while vCPU 1 invalidates and reads; its first read after it was told must find the new page's
 * number. Then both make 500 locked additions of 2 to one entry of the live table, whose P stays 0; with every 64th
 * each clears A and D of another entry, its own, by a locked AND, and writes through it. At the end 2000 are there,
 * and A and D of both entries. Last, vCPU 1 writes numbers to the upper half of a frame, round and round, while vCPU 0
 * makes it a table and memory again, twenty times: its first entry maps the page it names, a few more numbers are
 * written while it is a table, and each word is the last that vCPU 1 wrote there, whenever it pauses.
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
#define ROUNDS 20u
#define SLOT 100 /* of the window's table: never present, its bits 63:1 a counter */
#define ENTRY (PTE_P | PTE_RW)

enum phase { WAIT, FOLLOW, ADD, WRITE, END };

static uint64_t pages[2][512] __attribute__((aligned(4096))), frame[512] __attribute__((aligned(4096)));
static uint8_t stack[8192] __attribute__((aligned(16)));
static unsigned phase, done; /* these are atomic */
static unsigned told, seen, missed;     /* changes of an entry: made, looked at, and not found there */
static unsigned target, written, rests; /* numbers in a frame: how far vCPU 1 may go, is, and where it has stopped */

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

/* Reads while the entry changes may find either page; the last one begins after the change. */
static void follow_change(unsigned i)
{
    uint32_t found;
    bool after;

    do {
        after = get(&told) == i;
        tlb_invalidate(WINDOW);
        found = load32(WINDOW);
    } while (!after);
    if (found != i)
        put(&missed, get(&missed) + 1);
    put(&seen, i);
}

/* Number i into word i modulo 256 of the upper half, up to the number that vCPU 0 names. */
static void write_as_told(void)
{
    unsigned i = 0;

    while (get(&phase) == WRITE) {
        unsigned to = get(&target);

        if (i < to) {
            i++;
            __atomic_store_n(&frame[256 + i % 256], i, __ATOMIC_RELEASE);
            put(&written, i);
        } else {
            put(&rests, to);
            vcpu_yield();
        }
    }
}

static void second_main(unsigned id)
{
    (void)id;
    await(&phase, FOLLOW);
    for (unsigned i = 1; i <= CHANGES; i++)
        follow_change(i);
    await(&phase, ADD);
    add_to_slot(1);
    put(&done, 1);
    await(&phase, WRITE);
    write_as_told();
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
        put(&told, i);
        await(&seen, i);
    }
    check_equal(get(&missed), 0, "the other vCPU follows every change of an entry");
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

/* The other writes without a pause from now on, and has begun. */
static void write_freely(void)
{
    unsigned before = get(&written);

    put(&target, UINT32_MAX);
    while (get(&written) - before < 4)
        vcpu_yield();
}

/* Word k of the upper half holds the last number up to `last` that is k modulo 256, if there is one. */
static bool frame_keeps(unsigned last)
{
    bool right = true;

    for (unsigned k = 0; k < 256; k++) {
        unsigned back = (last - k) & 255;

        right &= frame[256 + k] == (back < last ? last - back : 0);
    }
    return right;
}

/* The other writes so many more numbers (0: it stops as soon as it can); is each word the last that it wrote there? */
static bool keeps_after(unsigned more)
{
    unsigned to = get(&written) + more;

    put(&target, to);
    await(&rests, to);
    return frame_keeps(get(&written));
}

/* The frame's first entry is led to this page; is it what the processor finds? */
static bool maps(uint64_t at, const uint64_t *page)
{
    frame[0] = (uintptr_t)page | ENTRY;
    cr3_write(cr3_read());
    return load32(at) == (uint32_t)page[0];
}

static void becomes_a_table(void)
{
    uint64_t at = WINDOW + 0x200000;
    bool right = true, kept = true;

    put(&phase, WRITE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t *page = pages[round & 1], *other = pages[~round & 1];

        write_freely();
        *paging_entry(at, 2) = (uintptr_t)frame | ENTRY;
        right &= maps(at, page);
        kept &= keeps_after(0);
        right &= maps(at, page) && maps(at, other); /* in use by now */
        kept &= keeps_after(round + 1);
        write_freely();
        *paging_entry(at, 2) = 0;
        cr3_write(cr3_read());
        kept &= keeps_after(0);
    }
    put(&phase, END);
    await(&done, 2);
    check(right, "a frame is a table for one while the other writes to it");
    check(kept, "and keeps what the other wrote, as a table and as memory");
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
