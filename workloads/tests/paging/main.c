/* SPDX-License-Identifier: MIT */
/*
 * Long-mode paging (APM2 5.3 to 5.5), seen from supervisor code: what an access through 4K, 2M and 1G pages raises,
 * with which error code and CR2, and which accessed and dirty bits it leaves.
 *
 * A kernel relies on this: it keeps data of its own in entries with P=0, shares pages by CR0.WP, and reclaims
 * memory by A and D. Two rules are about translations that are cached already: the first write sets D although a
 * read has filled the TLB, and rights that were raised count without INVLPG.
 *
 * A window at 200_0000_0000h, far from the identity mapping, is mapped to pages of this program in one way after
 * another. What a read, a write or a call into it raised comes back as a value; then the entries are looked at as
 * memory. EFER.NXE is 1 throughout.
 *
 * In their order: not-present pages fault with P=0, the rest of the error code says what the access was, CR2 holds
 * the byte's address, and the entry is not written. A read sets A in the PTE and at the three levels
 * above it, and not D; a write sets D in the PTE and not above. Read-only pages stop supervisor writes exactly when
 * CR0.WP=1, with P and W and without D. NX stops a fetch, with P and I/D, and lets a read pass. Bit 51 of a PTE and
 * bit 13 of a 2M entry are reserved: P and RSVD. A 2M page translates 21 bits of offset, a 1G page 30. After INVLPG
 * a changed translation is used; raised rights need none. A non-canonical address is #GP(0).
 *
 * It runs on the bare machine, and under hv with nested and shadow paging (workloads/tests/paging-modes). Without
 * 1G pages that check is skipped. CPL 3: paging-cube.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define WINDOW 0x20000000000ull
#define WINDOW_2M (WINDOW + 0x40000000)
#define WINDOW_1G (WINDOW + 0x80000000)
#define NON_CANONICAL 0x0000800000000000ull
#define CR0_WP (1u << 16)
#define RESERVED_51 (1ull << 51) /* where physical addresses have fewer than 52 bits: family 10h has 48 */
#define RESERVED_2M (1ull << 13)
#define CPUID_EDX_PAGE1GB (1u << 26)

static uint32_t page_a[1024] __attribute__((aligned(4096))), page_b[1024] __attribute__((aligned(4096)));

static void read_window(void *at)
{
    load32((uintptr_t)at);
}

static void write_window(void *at)
{
    store32((uintptr_t)at, 1);
}

static void call_window(void *at)
{
    ((void (*)(void))at)();
}

static uint64_t map(uint64_t linear, unsigned level, uint64_t entry)
{
    *paging_entry(linear, level) = entry;
    tlb_invalidate(linear);
    return linear;
}

static void not_present(void)
{
    uint64_t *entry = paging_entry(WINDOW, 1);
    struct exception e;

    map(WINDOW, 1, (uintptr_t)page_a | PTE_RW);
    e = exception_try(read_window, (void *)(WINDOW + 0x123));
    check_raised(e, EXC_PF, 0, "a read of a page that is not present raises #PF(0)");
    check_equal(e.cr2, WINDOW + 0x123, "CR2 holds the byte's address");
    check_raised(exception_try(write_window, (void *)WINDOW), EXC_PF, PF_W, "a write raises #PF(W)");
    check_raised(exception_try(call_window, (void *)WINDOW), EXC_PF, PF_ID, "a fetch raises #PF(I/D)");
    check_equal(*entry, (uintptr_t)page_a | PTE_RW, "an entry that is not present is not written");
}

static void accessed_and_dirty(void)
{
    uint64_t *entry = paging_entry(WINDOW, 1), *upper = paging_entry(WINDOW, 2);
    uint64_t *third = paging_entry(WINDOW, 3), *top = paging_entry(WINDOW, 4);

    page_a[0] = 0x1234;
    map(WINDOW, 1, (uintptr_t)page_a | PTE_P | PTE_RW);
    *upper &= ~PTE_A;
    *third &= ~PTE_A;
    *top &= ~PTE_A;
    tlb_invalidate(WINDOW);
    check_equal(load32(WINDOW), 0x1234, "a mapped page reads as its memory");
    check_equal(*entry & (PTE_A | PTE_D), PTE_A, "a read sets A and not D");
    check(*upper & *third & *top & PTE_A, "A is set at the upper levels, too");
    store32(WINDOW, 0x5678);
    check_equal(page_a[0], 0x5678, "a write arrives");
    check_equal(*entry & (PTE_A | PTE_D), PTE_A | PTE_D, "a write sets D, although the translation was cached");
    check_equal((*upper | *third | *top) & PTE_D, 0, "D is not set above the last level");
}

static void write_protection(void)
{
    uintptr_t cr0 = cr0_read();

    map(WINDOW, 1, (uintptr_t)page_a | PTE_P);
    cr0_write(cr0 | CR0_WP);
    check_raised(exception_try(write_window, (void *)WINDOW), EXC_PF, PF_P | PF_W,
                 "with CR0.WP=1 a supervisor write to a read-only page raises #PF(P, W)");
    check_equal(*paging_entry(WINDOW, 1) & PTE_D, 0, "and leaves D clear");
    cr0_write(cr0 & ~(uintptr_t)CR0_WP);
    check_raised(exception_try(write_window, (void *)WINDOW), EXC_NONE, 0, "with CR0.WP=0 it passes");
    check_equal(*paging_entry(WINDOW, 1) & PTE_D, PTE_D, "and sets D");
    cr0_write(cr0);
}

static void no_execute(void)
{
    *(uint8_t *)page_b = 0xC3; /* RET */
    map(WINDOW, 1, (uintptr_t)page_b | PTE_P | PTE_RW);
    check_raised(exception_try(call_window, (void *)WINDOW), EXC_NONE, 0, "code in a page without NX runs");
    map(WINDOW, 1, (uintptr_t)page_b | PTE_P | PTE_RW | PTE_NX);
    check_raised(exception_try(call_window, (void *)WINDOW), EXC_PF, PF_P | PF_ID, "NX raises #PF(P, I/D) at a fetch");
    check_raised(exception_try(read_window, (void *)WINDOW), EXC_NONE, 0, "and lets reads pass");
}

static void reserved_bits(void)
{
    map(WINDOW, 1, (uintptr_t)page_a | PTE_P | PTE_RW | RESERVED_51);
    check_raised(exception_try(read_window, (void *)WINDOW), EXC_PF, PF_P | PF_RSVD,
                 "an address bit that this processor does not have raises #PF(P, RSVD)");
    map(WINDOW_2M, 2, 0x200000 | PTE_P | PTE_RW | PTE_PS | RESERVED_2M);
    check_raised(exception_try(write_window, (void *)WINDOW_2M), EXC_PF, PF_P | PF_W | PF_RSVD,
                 "bit 13 of a 2M entry is reserved");
}

static void large_pages(void)
{
    uint64_t base = (uintptr_t)page_a & ~0x1FFFFFull, offset = (uintptr_t)page_a & 0x1FFFFF;

    page_a[1] = 0xABCD;
    map(WINDOW_2M, 2, base | PTE_P | PTE_RW | PTE_PS);
    check_equal(load32(WINDOW_2M + offset + 4), 0xABCD, "a 2M page translates 21 bits of offset");
    if (!(cpuid(0x80000001, 0).edx & CPUID_EDX_PAGE1GB)) {
        check_skip("a 1G page translates 30 bits of offset", "no 1G pages");
        return;
    }
    map(WINDOW_1G, 3, PTE_P | PTE_RW | PTE_PS);
    check_equal(load32(WINDOW_1G + (uintptr_t)page_a + 4), 0xABCD, "a 1G page translates 30 bits of offset");
}

static void invalidation(void)
{
    page_a[2] = 0xAAAA;
    page_b[2] = 0xBBBB;
    map(WINDOW, 1, (uintptr_t)page_a | PTE_P | PTE_RW);
    check_equal(load32(WINDOW + 8), 0xAAAA, "the first mapping is used");
    map(WINDOW, 1, (uintptr_t)page_b | PTE_P);
    check_equal(load32(WINDOW + 8), 0xBBBB, "after INVLPG the second one is");
    *paging_entry(WINDOW, 1) |= PTE_RW;
    check_raised(exception_try(write_window, (void *)(WINDOW + 8)), EXC_NONE, 0, "raised rights need no INVLPG");
    check_equal(page_b[2], 1, "and the write arrives");
}

void guest_main(void)
{
    exceptions_init();
    not_present();
    accessed_and_dirty();
    write_protection();
    no_execute();
    reserved_bits();
    large_pages();
    invalidation();
    check_raised(exception_try(read_window, (void *)NON_CANONICAL), EXC_GP, 0,
                 "a non-canonical address raises #GP(0), not #PF");
    check_end();
}
