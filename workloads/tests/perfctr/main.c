/* SPDX-License-Identifier: MIT */
/*
 * Performance counters (BKDG10 3.14): PERF_CTL0-3 select events, PERF_CTR0-3 count them, and RDPMC reads the
 * counts. Does a known piece of code give the known number?
 *
 * What is measured with these counters is only as good as their counts, and walkers and TLBs are judged by them: so
 * the program asks for exact numbers where the rule is exact. A simulator that runs kernels may have no counters:
 * one peer of doc/conformance.md stops here.
 *
 * It runs in long mode, at CPL 0 but for its end. Each counter is stopped, cleared and started with its event; the
 * code to be measured stands between two RDPMC, and their difference is compared. For the TLB one page beyond the
 * 4 GiB of large pages is mapped by a 4K entry: among the misses of 4K pages no other access counts.
 *
 * From the first RDPMC over a MOV and ten NOPs to the second there are 12 retired instructions (0C0h). With EN = 0,
 * or with USR alone at CPL 0, there are none: EN, USR and OS decide. Cycles (076h) go on, how many the manual does not
 * say. A counter keeps 48 bits of what is written. After INVLPG a load from the page misses both levels of the data
 * TLB (046h) once, and its walk makes at least four table-walk references (07Dh), one a level: INVLPG has
 * dropped the upper levels too. The next load does not miss. The fourth counter is the last: RDPMC of a fifth is
 * #GP(0).
 *
 * Then code at CPL 3: with 100 NOPs it counts 100 more than with none by USR, and no more by OS. RDPMC there is #GP(0)
 * without CR4.PCE; with it the first count is asked again.
 *
 * Edge detection, the count mask and the interrupt at an overflow are not asked here.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/world64.h"

#define MSR_PERF_CTL 0xC0010000u
#define MSR_PERF_CTR 0xC0010004u
#define USR (1ull << 16)
#define OS (1ull << 17)
#define EN (1ull << 22)
#define UNITS(mask) ((uint64_t)(mask) << 8)
#define CR4_PCE 0x100u
#define WINDOW 0x20000000000ull

static uint32_t page[1024] __attribute__((aligned(4096)));

static void start(unsigned counter, uint64_t control)
{
    msr_write(MSR_PERF_CTL + counter, 0);
    msr_write(MSR_PERF_CTR + counter, 0);
    msr_write(MSR_PERF_CTL + counter, control);
}

static uint64_t count(unsigned counter)
{
    uint32_t low, high;

    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(counter));
    return (uint64_t)high << 32 | low;
}

/* Counter 0 across ten NOPs: the first RDPMC, MOV and the NOPs. */
static uint32_t across_nops(void)
{
    uint32_t before, after;

    __asm__ volatile("xorl %%ecx, %%ecx\n\trdpmc\n\tmovl %%eax, %0\n\t"
                     "nop; nop; nop; nop; nop; nop; nop; nop; nop; nop\n\trdpmc"
                     : "=&r"(before), "=&a"(after) : : "ecx", "edx");
    return after - before;
}

static void read_fifth(void *unused)
{
    (void)unused;
    count(4);
}

static void instructions(void)
{
    start(0, 0x0C0 | OS | EN);
    check_equal(across_nops(), 12, "retired instructions are exact");
    start(0, 0x0C0 | OS);
    check_equal(across_nops(), 0, "EN = 0 counts nothing");
    start(0, 0x0C0 | USR | EN);
    check_equal(across_nops(), 0, "nor does USR at CPL 0");
    start(0, 0x076 | OS | EN);
    check(across_nops() > 0, "cycles go on");
    msr_write(MSR_PERF_CTL, 0);
    msr_write(MSR_PERF_CTR, 0xFFFFFFFFFFFFFFFFull);
    check_equal(msr_read(MSR_PERF_CTR), 0xFFFFFFFFFFFFull, "a counter has 48 bits");
}

static void walks(void)
{
    uint64_t misses, references;

    *paging_entry(WINDOW, 1) = (uintptr_t)page | PTE_P | PTE_RW;
    load32((uintptr_t)page);
    start(1, 0x046 | UNITS(1) | OS | EN);
    start(2, 0x07D | UNITS(4) | OS | EN);
    misses = count(1);
    references = count(2);
    tlb_invalidate(WINDOW);
    load32(WINDOW);
    misses = count(1) - misses;
    references = count(2) - references;
    check_equal(misses, 1, "an access after INVLPG misses both levels of the data TLB once");
    check(references >= 4, "its walk reads four entries: INVLPG has dropped the upper levels too");
    misses = count(1);
    load32(WINDOW + 8);
    check_equal(count(1) - misses, 0, "the next access does not miss");
}

/* ---- CPL 3 ------------------------------------------------------------------------------------------------------ */

WORLD64_FRAGMENT(64, none, "")
WORLD64_FRAGMENT(64, nops, ".rept 100\nnop\n.endr")
WORLD64_FRAGMENT(64, rdpmc, "rdpmc\nmovl %eax, %ebx\n.rept 10\nnop\n.endr\nrdpmc")

/* Counter 0 over the way to CPL 3, the code and the way back. Not inlined: all but the code is the same each time. */
__attribute__((noinline)) static uint64_t counted(const char *code, uint64_t control)
{
    struct world64_state state = world64_state_at(code, true, 3);
    uint64_t before;

    start(0, control);
    before = count(0);
    if (world64_run(&state)->vector != WORLD64_PASSED)
        guest_fail("the code at CPL 3 does not come to its end");
    return count(0) - before;
}

static void user(void)
{
    struct world64_state state = world64_state_at(at_rdpmc, true, 3);
    const struct world64_event *event;

    check_equal(counted(at_nops, 0x0C0 | USR | EN) - counted(at_none, 0x0C0 | USR | EN), 100,
                "USR counts 100 NOPs at CPL 3");
    check_equal(counted(at_nops, 0x0C0 | OS | EN) - counted(at_none, 0x0C0 | OS | EN), 0, "OS does not");
    check_equal(counted(at_nops, 0x0C0 | USR | OS | EN) - counted(at_none, 0x0C0 | USR | OS | EN), 100, "both do");
    start(0, 0x0C0 | USR | EN);
    cr4_write(cr4_read() & ~(uintptr_t)CR4_PCE);
    event = world64_run(&state);
    check(event->vector == EXC_GP && event->error == 0 && event->rip == (uintptr_t)at_rdpmc,
          "RDPMC at CPL 3 without CR4.PCE is #GP(0)");
    cr4_write(cr4_read() | CR4_PCE);
    event = world64_run(&state);
    check(event->vector == WORLD64_PASSED && (uint32_t)(event->rax - event->rbx) == 12,
          "with it RDPMC reads there, and instructions are exact by USR");
}

void guest_main(void)
{
    exceptions_init();
    instructions();
    walks();
    check_raised(exception_try(read_fifth, NULL), EXC_GP, 0, "there is no fifth counter");
    world64_begin();
    user();
    check_end();
}
