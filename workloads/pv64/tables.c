/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtual kernel may do with its page tables, and what hv refuses (hv/pv/types.h): start information, frame
 * lists, entries of all levels, pins, descriptor tables, the memory hypercalls. No frame is ever a table and mapped
 * writable at once; every wrong way to get there is tried, and errors are those that types.h names.
 */
#include "workloads/lib/check.h"
#include "workloads/pv64/kernel.h"

#define RESERVED_ENTRIES 16
#define FORBIDDEN_PS PTE_PS

static uint64_t *l4(void)
{
    return (uint64_t *)start->pt_base;
}

static uint64_t machine(const void *page)
{
    return frame_of(page) * PAGE;
}

/* ---- What the builder leaves ----------------------------------------------------------------------------- */

static bool lists_agree(void)
{
    const uint64_t *m2p = (const uint64_t *)PV_M2P_START, *p2m = (const uint64_t *)start->mfn_list;

    for (uint64_t i = 0; i < start->nr_pages; i++)
        if (m2p[p2m[i]] != i)
            return false;
    return true;
}

static void test_start(void)
{
    struct memory_machphys_mapping mapping;
    uint64_t cr3, entry;

    check(memcmp(start->magic, START_INFO_MAGIC, sizeof(START_INFO_MAGIC)) == 0, "the start information has its magic");
    check_equal(start->nr_pages, option_size(start->cmd_line, "memory", 0, &(bool){ false }) / PAGE,
                "it gives the memory that the module's string asks for");
    check(lists_agree(), "M2P is P2M's inverse for every frame");
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    check_equal(cr3, machine(l4()), "CR3 read is the first L4's machine address");
    entry = *(uint64_t *)start->pt_base;
    check(entry & PTE_P && l4()[256] & PTE_P, "the first L4 maps the kernel, and hv's range");
    check_equal(CALL(HYPERCALL_MEMORY_OP, MEMORY_MACHPHYS_MAPPING, &mapping), 0, "machphys_mapping answers");
    check_equal(mapping.v_start, PV_M2P_START, "and says where M2P begins");
    check(CALL(HYPERCALL_MEMORY_OP, MEMORY_MAXIMUM_RAM_PAGE, 0) == (int64_t)mapping.max_mfn,
          "its last frame is maximum_ram_page's");
}

/* ---- Writes that the processor refuses ------------------------------------------------------------------- */

static void expect_pf(const char *what, uint64_t code, const volatile void *at)
{
    check_equal(seen.vector, 14, what);
    check_equal(seen.code, code, "its error code has U clear: it came from the kernel");
    check_equal(seen.cr2, (uintptr_t)at, "its address is in arch.cr2");
}

static void test_read_only(void)
{
    volatile uint64_t *m2p = (volatile uint64_t *)PV_M2P_START, *hv = (volatile uint64_t *)0xFFFF830000100000ull;

    TRY("movq %%rax, (%0)", : : "r"(l4()) : "memory");
    expect_pf("a write to a page table is #PF", 3, l4());
    TRY("movq %%rax, (%0)", : : "r"(m2p) : "memory");
    expect_pf("a write to M2P is #PF", 3, m2p);
    TRY("movq (%0), %%rax", : : "r"(hv) : "rax", "memory");
    expect_pf("a read of hv's memory is #PF", 1, hv);
    TRY("movq (%0), %%rax", : : "r"(0x200000ull) : "rax", "memory");
    expect_pf("hv's own linear address is not mapped in a guest", 0, (void *)0x200000);
}

/* ---- L1 entries ------------------------------------------------------------------------------------------ */

static void test_l1(void)
{
    uint64_t *page = new_page(), *alias = new_page();
    uint64_t at = entry_of(alias);

    page[0] = 0x1234;
    check_equal(map(alias, machine(page) | RW), 0, "update_va_mapping maps a page a second time");
    check_equal(alias[0], 0x1234, "which shows the page's content");
    alias[1] = 5;
    check_equal(page[1], 5, "and its writes");
    check_equal(map(alias, machine(page) | RO), 0, "the mapping becomes read-only");
    TRY("movq %%rax, (%0)", : : "r"(alias) : "memory");
    check_equal(seen.vector, 14, "and a write to it is #PF");
    check_equal(write_entry(at, machine(page) | RW), 0, "mmu_update makes it writable again");
    alias[2] = 7;
    check_equal(page[2], 7, "and writes go through");
    check_equal(write_entry(at | MMU_PT_UPDATE_PRESERVE_AD, machine(page) | RW), 0, "PRESERVE_AD is taken");
    check((*(volatile uint64_t *)(PV_VIRT_BASE + ((uint64_t *)PV_M2P_START)[at / PAGE] * PAGE + at % PAGE) &
           (PTE_A | PTE_D)) == (PTE_A | PTE_D), "and leaves A and D, which the write had set");
    check_equal(write_entry(at, machine(page) | RW), 0, "without it");
    check((*(volatile uint64_t *)(PV_VIRT_BASE + ((uint64_t *)PV_M2P_START)[at / PAGE] * PAGE + at % PAGE) &
           (PTE_A | PTE_D)) == 0, "both are what the update says");
    check_equal(map(alias, 0), 0, "the mapping goes");
    TRY("movq (%0), %%rax", : : "r"(alias) : "rax", "memory");
    check_equal(seen.vector, 14, "and a read is #PF");
    check_equal(map(alias, machine(alias) | RW), 0, "the page comes back to its own place");
}

static void test_l1_refused(void)
{
    void *alias = new_page();
    uint64_t at = entry_of(alias), max = (uint64_t)CALL(HYPERCALL_MEMORY_OP, MEMORY_MAXIMUM_RAM_PAGE, 0);
    struct pv_mmu_update several[3] = { { at, machine(alias) | RW }, { at, machine(l4()) | RW },
                                        { at, machine(alias) | RO } };
    uint32_t done = 77;

    check_equal(write_entry(at, machine(l4()) | RW), -XEN_EBUSY, "mapping the L4 writable: -EBUSY");
    check_equal(map(alias, (at & PTE_ADDRESS) | RW), -XEN_EBUSY, "mapping an L1 writable: -EBUSY");
    check_equal(write_entry(at, (at & PTE_ADDRESS) | RO), 0, "mapping it read-only is allowed");
    check_equal(write_entry(at, (at & PTE_ADDRESS) | RW), -XEN_EBUSY, "making that writable: -EBUSY");
    check_equal(write_entry(at, 0x100000 | RO), -XEN_EINVAL, "hv's memory, even to read: -EINVAL");
    check_equal(write_entry(at, (max + 1) * PAGE | RO), -XEN_EINVAL, "beyond all memory: -EINVAL");
    check_equal(write_entry(at, 0x000F000000000000ull | machine(alias) | RO), -XEN_EINVAL,
                "address bits that no processor has: -EINVAL");
    check_equal(write_entry(at + 4, machine(alias) | RW), 0, "bit 2 of an update's address does not count");
    check_equal(write_entry(0x100000, 1), -XEN_EINVAL, "an entry outside the guest's memory: -EINVAL");
    check_equal(write_entry(at | 3, 0), -XEN_ENOSYS, "an update of an unknown kind: -ENOSYS");
    check_equal(CALL(HYPERCALL_MMU_UPDATE, several, 3, &done, DOMID_SELF), -XEN_EBUSY,
                "a list ends at its first error");
    check_equal(done, 1, "and says how many were done");
    check_equal(CALL(HYPERCALL_MMU_UPDATE, several, 1, 0, 0), -XEN_ESRCH, "another domain's memory: -ESRCH");
    check_equal(CALL(HYPERCALL_MMU_UPDATE, 0x8000000000ull, 1, 0, DOMID_SELF), -XEN_EFAULT, "a list nowhere: -EFAULT");
    check_equal(CALL(HYPERCALL_MMU_UPDATE, 0xFFFF830000200000ull, 1, 0, DOMID_SELF), -XEN_EFAULT,
                "a list in hv's range: -EFAULT");
    check_equal(CALL(HYPERCALL_UPDATE_VA_MAPPING, PV_M2P_START, machine(alias) | RW, 0), -XEN_EINVAL,
                "update_va_mapping in hv's range: -EINVAL");
    check_equal(map(alias, machine(alias) | RW), 0, "the page is as it was");
}

/* ---- Tables of the kernel's own -------------------------------------------------------------------------- */

static void test_pins(void)
{
    uint64_t *table = new_page(), *page = new_page();

    table[0] = machine(page) | RW;
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(table), 0), -XEN_EBUSY,
                "pinning a page mapped writable: -EBUSY");
    check_equal(map(table, machine(table) | RO), 0, "it is mapped read-only first");
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(table), 0), 0, "then it can be an L1");
    check_equal(map(table, machine(table) | RW), -XEN_EBUSY, "and not be mapped writable: -EBUSY");
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(table), 0), -XEN_EINVAL, "pinning it twice: -EINVAL");
    check_equal(extended(MMUEXT_PIN_L1_TABLE + 1, frame_of(table), 0), -XEN_EINVAL, "nor as an L2: -EINVAL");
    check_equal(table[0] & PTE_U, PTE_U, "its entries are for CPL 3 now");
    check_equal(write_entry(machine(table) + 8, machine(table) | RW), -XEN_EBUSY, "it cannot map itself writable");
    check_equal(extended(MMUEXT_CLEAR_PAGE, frame_of(table), 0), -XEN_EBUSY, "nor be cleared as a page: -EBUSY");
    check_equal(extended(MMUEXT_UNPIN_TABLE, frame_of(table), 0), 0, "unpinned");
    check_equal(map(table, machine(table) | RW), 0, "it is memory again");
    table[1] = 9;
    check_equal(table[1], 9, "that can be written");
    check_equal(extended(MMUEXT_UNPIN_TABLE, frame_of(table), 0), -XEN_EINVAL, "unpinning it again: -EINVAL");
    table[0] = 0x100000 | RO;
    check_equal(map(table, machine(table) | RO), 0, "with hv's memory in it");
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(table), 0), -XEN_EINVAL, "it can be no table: -EINVAL");
    check_equal(map(table, machine(table) | RW), 0, "and stays memory");
}

static void test_levels(void)
{
    uint64_t *l2 = new_page(), *l3 = new_page(), *root = new_page(), *page = new_page();

    l2[0] = machine(page) | RW | FORBIDDEN_PS;
    map(l2, machine(l2) | RO);
    check_equal(extended(MMUEXT_PIN_L1_TABLE + 1, frame_of(l2), 0), -XEN_EINVAL, "a 2M page: -EINVAL");
    map(l2, machine(l2) | RW);
    l2[0] = machine(l2) | RW;
    map(l2, machine(l2) | RO);
    check_equal(extended(MMUEXT_PIN_L1_TABLE + 1, frame_of(l2), 0), -XEN_EBUSY, "an L2 as its own L1: -EBUSY");
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(l2), 0), -XEN_EBUSY, "as L1 it maps itself writable: -EBUSY");
    map(l2, machine(l2) | RW);
    l2[0] = 0;
    l3[0] = machine(l2) | RW;
    root[0] = machine(l3) | RW;
    root[300] = machine(page) | RW; /* 300 - 255 > 16: an ordinary slot */
    map(l2, machine(l2) | RO);
    map(l3, machine(l3) | RO);
    map(root, machine(root) | RO);
    check_equal(extended(MMUEXT_PIN_L4_TABLE, frame_of(root), 0), -XEN_EBUSY,
                "an L4 whose L3 is memory mapped writable: -EBUSY");
    map(root, machine(root) | RW);
    root[300] = 0;
    root[256] = machine(page) | RW;
    map(root, machine(root) | RO);
    check_equal(extended(MMUEXT_PIN_L4_TABLE, frame_of(root), 0), 0, "a good one is pinned");
    check_equal(root[256], l4()[256] & ~PTE_A, "hv's slots in it are hv's, whatever was there");
    for (unsigned i = 256; i < 256 + RESERVED_ENTRIES; i++)
        if (write_entry(machine(root) + i * 8, machine(l3) | RW) != -XEN_EINVAL)
            check_format(false, "slot %u", i);
    check(true, "no slot of hv's range can be written: -EINVAL");
    check_equal(write_entry(machine(l4()) + 256 * 8, 0), -XEN_EINVAL, "not in the L4 in use either");
    check_equal(write_entry(machine(root) + 8, machine(root) | RW), -XEN_EBUSY, "an L4 as its own L3: -EBUSY");
    check_equal(write_entry(machine(root) + 8, machine(l3) | RW), 0, "an L3 may be used twice");
    check_equal(write_entry(machine(l3) + 8, machine(page) | RW), -XEN_EBUSY,
                "memory mapped writable is no L2: -EBUSY");
    check_equal(extended(MMUEXT_NEW_BASEPTR, frame_of(l3), 0), -XEN_EBUSY, "an L3 in CR3: -EBUSY");
    check_equal(extended(MMUEXT_NEW_BASEPTR, 0x100, 0), -XEN_EINVAL, "hv's memory in CR3: -EINVAL");
    check_equal(extended(MMUEXT_UNPIN_TABLE, frame_of(root), 0), 0, "unpinned, all of them are memory again");
    check(map(root, machine(root) | RW) == 0 && map(l3, machine(l3) | RW) == 0 && map(l2, machine(l2) | RW) == 0,
          "and can be mapped writable");
    check_equal(root[256], 0, "with nothing of hv's left in them");
}

/* The same tables at another root: half the L4 is copied, and the kernel runs on it. */
static void test_root(void)
{
    uint64_t *root = new_page();
    uint64_t cr3;

    for (unsigned i = 0; i < 512; i++)
        root[i] = i >= 256 && i < 272 ? 0 : l4()[i];
    map(root, machine(root) | RO);
    check_equal(extended(MMUEXT_NEW_BASEPTR, frame_of(root), 0), 0, "another L4 for the kernel");
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    check_equal(cr3, machine(root), "is CR3 now");
    check_equal(map(root, machine(root) | RW), -XEN_EBUSY, "and no memory: -EBUSY");
    __asm__ volatile("movq %0, %%cr3" : : "r"(machine(l4())) : "memory");
    check_equal(map(root, machine(root) | RW), 0, "MOV CR3 goes back, and the other one is memory again");
}

/* ---- Descriptor tables ----------------------------------------------------------------------------------- */

static void test_descriptors(void)
{
    uint64_t *gdt = new_page();
    uint64_t frame = frame_of(gdt);
    uint16_t selector = 0x13, got;

    gdt[2] = 0x00CF92000000FFFFull; /* data, DPL 0 */
    check_equal(CALL(HYPERCALL_SET_GDT, &frame, 512), -XEN_EBUSY, "a GDT that is mapped writable: -EBUSY");
    map(gdt, machine(gdt) | RO);
    check_equal(CALL(HYPERCALL_SET_GDT, &frame, 7169), -XEN_EINVAL, "one that reaches into hv's part: -EINVAL");
    check_equal(CALL(HYPERCALL_SET_GDT, &frame, 512), 0, "a read-only one is taken");
    check_equal(gdt[2], 0x00CFF3000000FFFFull, "its descriptors are accessed and of DPL 3");
    __asm__ volatile("movw %1, %%ds; movw %%ds, %0" : "=r"(got) : "r"(selector));
    check_equal(got, selector, "and can be loaded");
    check_equal(map(gdt, machine(gdt) | RW), -XEN_EBUSY, "it cannot be mapped writable: -EBUSY");
    check_equal(CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(gdt) + 3 * 8, 0x0000EC0000080000ull), -XEN_EINVAL,
                "a call gate: -EINVAL");
    check_equal(CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(gdt) + 3 * 8, 0x0000890000000067ull), -XEN_EINVAL,
                "a TSS: -EINVAL");
    check_equal(CALL(HYPERCALL_UPDATE_DESCRIPTOR, 0x100000, 0), -XEN_EINVAL, "a descriptor of hv's: -EINVAL");
    check_equal(CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(l4()), 0), -XEN_EBUSY, "in a page table: -EBUSY");
    check_equal(CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(gdt) + 2 * 8, 0), 0, "the loaded one goes");
    CALL(HYPERCALL_SCHED_OP, SCHEDOP_YIELD, 0); /* DS is loaded anew at the latest now */
    __asm__ volatile("movw %%ds, %0" : "=r"(got));
    check_equal(got, 0, "hv could not load it any more: the failsafe callback came, and DS is null");
    {
        extern uint64_t failsafe_count, failsafe_selectors[4];

        check(failsafe_count >= 1, "it was called");
        check_equal(failsafe_selectors[0], selector, "and told the selector");
    }
    check_equal(CALL(HYPERCALL_SET_GDT, 0, 0), 0, "no GDT");
    check_equal(map(gdt, machine(gdt) | RW), 0, "and its page is memory again");
}

static void test_ldt(void)
{
    uint64_t *ldt = new_page();
    uint16_t selector = 0x0F, got; /* entry 1 of the LDT, RPL 3 */

    ldt[1] = 0x00CF92000000FFFFull;
    map(ldt, machine(ldt) | RO);
    check_equal(extended(MMUEXT_SET_LDT, (uintptr_t)ldt, 512), 0, "an LDT");
    __asm__ volatile("movw %1, %%es; movw %%es, %0" : "=r"(got) : "r"(selector));
    check_equal(got, selector, "from which ES is loaded");
    __asm__ volatile("movw %w0, %%es" : : "r"(0));
    check_equal(extended(MMUEXT_SET_LDT, (uintptr_t)ldt, 8193), -XEN_EINVAL, "too many entries: -EINVAL");
    check_equal(extended(MMUEXT_SET_LDT, (uintptr_t)ldt + 8, 1), -XEN_EINVAL, "not at a page's start: -EINVAL");
    check_equal(extended(MMUEXT_SET_LDT, 0, 0), 0, "none again");
    TRY("movw %w0, %%es", : : "r"((uint64_t)selector));
    check_equal(seen.vector, 13, "now that is #GP");
    check_equal(seen.code, selector & ~3, "for that selector");
    map(ldt, machine(ldt) | RW);
}

/* ---- Memory that comes and goes -------------------------------------------------------------------------- */

static int64_t reserve(uint32_t command, uint64_t *list, uint64_t count)
{
    struct memory_reservation op = { .extent_start = (uintptr_t)list, .nr_extents = count, .domid = DOMID_SELF };

    return CALL(HYPERCALL_MEMORY_OP, command, &op);
}

static void test_memory(void)
{
    uint64_t *page = new_page();
    uint64_t frame = frame_of(page), list = frame, pfn = ((uint64_t *)PV_M2P_START)[frame];
    uint16_t self = DOMID_SELF;
    struct memory_exchange exchange = { { (uintptr_t)&list, 1, 0, 0, DOMID_SELF, { 0 } },
                                        { (uintptr_t)&pfn, 1, 0, 0, DOMID_SELF, { 0 } }, 0 };

    check_equal(CALL(HYPERCALL_MEMORY_OP, MEMORY_CURRENT_RESERVATION, &self), start->nr_pages,
                "the guest has its memory");
    check_equal(reserve(MEMORY_DECREASE_RESERVATION, &list, 1), 0, "a mapped page is not given back");
    check_equal(reserve(MEMORY_INCREASE_RESERVATION, &list, 1), 0, "and more than memory= is not to be had");
    map(page, 0);
    list = frame;
    check_equal(reserve(MEMORY_DECREASE_RESERVATION, &list, 1), 1, "an unmapped one is");
    check_equal(((uint64_t *)PV_M2P_START)[frame], ~0ull, "and is nobody's in M2P");
    check_equal(map(page, frame * PAGE | RO), -XEN_EINVAL, "it can be mapped no more: -EINVAL");
    list = pfn;
    check_equal(reserve(MEMORY_POPULATE_PHYSMAP, &list, 1), 1, "another comes for its number");
    check_equal(((uint64_t *)PV_M2P_START)[list], pfn, "which M2P says");
    check_equal(map(page, list * PAGE | RW), 0, "and is mapped");
    check_equal(page[0], 0, "with nothing in it");
    page[0] = 1;
    map(page, 0);
    frame = list;
    check_equal(CALL(HYPERCALL_MEMORY_OP, MEMORY_EXCHANGE, &exchange), 0, "a page is exchanged");
    check_equal(exchange.nr_exchanged, 1, "one");
    check_equal(map(page, pfn * PAGE | RW), 0, "the list has its new frame"); /* out: machine frames */
    check_equal(CALL(HYPERCALL_MEMORY_OP, 99, 0), -XEN_ENOSYS, "an unknown command: -ENOSYS");
}

static void test_others(void)
{
    uint64_t *from = new_page(), *to = new_page();

    from[5] = 55;
    check_equal(extended(MMUEXT_COPY_PAGE, frame_of(to), frame_of(from)), 0, "a page is copied");
    check_equal(to[5], 55, "with its content");
    check_equal(extended(MMUEXT_CLEAR_PAGE, frame_of(to), 0), 0, "and cleared");
    check_equal(to[5], 0, "to zeros");
    check_equal(extended(MMUEXT_COPY_PAGE, frame_of(to), 0x100), -XEN_EINVAL, "from hv's memory: -EINVAL");
    check_equal(extended(MMUEXT_COPY_PAGE, frame_of(l4()), frame_of(from)), -XEN_EBUSY, "onto a page table: -EBUSY");
    check_equal(extended(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0, "a flush");
    check_equal(extended(99, 0, 0), -XEN_ENOSYS, "an unknown command: -ENOSYS");
    check_equal(write_entry(machine(from) | MMU_MACHPHYS_UPDATE, 4711), 0, "M2P takes a number for an own frame");
    check_equal(((uint64_t *)PV_M2P_START)[frame_of(from)], 4711, "which is there");
    check_equal(write_entry(0x100000 | MMU_MACHPHYS_UPDATE, 4711), -XEN_EINVAL, "and none for hv's: -EINVAL");
    write_entry(machine(from) | MMU_MACHPHYS_UPDATE, ((uintptr_t)from - PV_VIRT_BASE) / PAGE);
}

void pv_main(void)
{
    test_start();
    test_read_only();
    test_l1();
    test_l1_refused();
    test_pins();
    test_levels();
    test_root();
    test_descriptors();
    test_ldt();
    test_memory();
    test_others();
    check_end();
}
