/* SPDX-License-Identifier: MIT */
/*
 * churn: what fork, exec and exit do to page tables. A process has `pages` pages of 4K in a window of its own. Each
 * round forks (a copy of the tables, both sides read-only), lets the child write `written` of the pages, each write a
 * #PF that copies the page, execs (the window unmapped, fresh pages mapped at their first touch, each touch a #PF),
 * and exits (the tables are cleared and used again by the next round).
 *
 *     rounds=N    (16)     pages=N   at most 512 (64)     written=N   at most pages (16)
 *
 * #PFs between the marks: rounds x (written + pages). CR3 writes: rounds x 4. The result is the sum of what the pages
 * held.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define WINDOW 0x20000000000ull
#define PAGES_MAX 512u
#define PRESENT (PTE_P | PTE_RW)
#define POOL 0x1000000ull /* pages that processes get, from 16 MiB on */

static uint64_t parent_tree[3][512] __attribute__((aligned(4096))), child_root[512] __attribute__((aligned(4096)));
static uint64_t child_tree[3][512] __attribute__((aligned(4096)));
static unsigned next_page;
static unsigned faults;

static unsigned number(const char *name, unsigned fallback)
{
    bool bad = false;
    uint64_t value = option_size(guest_options, name, fallback, &bad);

    if (bad || value == 0 || value > 100000)
        guest_fail("churn: %s= wants a number", name);
    return (unsigned)value;
}

static uint64_t new_page(void)
{
    return POOL + 4096ull * (next_page++ % 2048);
}

static uint64_t window(unsigned i)
{
    return WINDOW + 4096ull * i;
}

static void hang_under(uint64_t *root, uint64_t tree[3][512])
{
    tree[0][0] = (uintptr_t)tree[1] | PRESENT;
    tree[1][0] = (uintptr_t)tree[2] | PRESENT;
    root[WINDOW >> 39 & 511] = (uintptr_t)tree[0] | PRESENT;
}

static void touch(void *at)
{
    store32((uintptr_t)at, load32((uintptr_t)at) + 1);
}

/* Run it, and do what a kernel's #PF handler does until it goes through. */
static void touch_handled(unsigned i)
{
    for (;;) {
        struct exception e = exception_try(touch, (void *)window(i));
        uint64_t page, *entry = &child_tree[2][i];

        if (e.vector == EXC_NONE)
            return;
        if (e.vector != EXC_PF || e.cr2 != window(i))
            guest_fail("churn: exception %u at %llx", e.vector, (unsigned long long)e.cr2);
        faults++;
        page = new_page();
        if (*entry & PTE_P) /* a write to a shared page: a copy of its own */
            memcpy((void *)(uintptr_t)page, (void *)(uintptr_t)(*entry & ~0xFFFull & ~PTE_NX), 4096);
        else
            memset((void *)(uintptr_t)page, 0, 4096);
        *entry = page | PRESENT;
        tlb_invalidate(window(i));
    }
}

static void fork_child(unsigned pages)
{
    memcpy(child_root, (void *)cr3_read(), 4096);
    hang_under(child_root, child_tree);
    for (unsigned i = 0; i < pages; i++) {
        parent_tree[2][i] &= ~PTE_RW;
        child_tree[2][i] = parent_tree[2][i];
    }
    cr3_write(cr3_read()); /* the parent's rights were taken */
}

void guest_main(void)
{
    unsigned rounds = number("rounds", 16), pages = number("pages", 64), written = number("written", 16);
    uint64_t parent = cr3_read();
    uint32_t sum = 0;

    if (pages > PAGES_MAX || written > pages)
        guest_fail("churn: at most %u pages, and no more written than there are", PAGES_MAX);
    exceptions_init();
    hang_under((uint64_t *)parent, parent_tree);
    for (unsigned i = 0; i < pages; i++) {
        parent_tree[2][i] = new_page() | PRESENT;
        store32(window(i), i);
    }
    guest_mark(MARK_BEGIN, rounds);
    for (unsigned round = 0; round < rounds; round++) {
        fork_child(pages);
        cr3_write((uintptr_t)child_root);
        for (unsigned i = 0; i < written; i++)
            touch_handled(i);
        memset(child_tree[2], 0, 4096); /* exec */
        cr3_write((uintptr_t)child_root);
        for (unsigned i = 0; i < pages; i++) {
            touch_handled(i);
            sum += load32(window(i));
        }
        cr3_write(parent); /* exit */
        memset(child_tree, 0, sizeof(child_tree));
        for (unsigned i = 0; i < pages; i++)
            sum += load32(window(i));
    }
    guest_mark(MARK_END, rounds);
    guest_print("churn: %u rounds, %u pages, %u written: %u page faults, sum %u", rounds, pages, written, faults, sum);
    if (faults != rounds * (written + pages))
        guest_fail("churn: %u page faults expected", rounds * (written + pages));
    guest_exit(sum);
}
