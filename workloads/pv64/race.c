/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs of one paravirtual kernel on two cores. One writes a page as fast as it can; the other makes the page
 * read-only without asking for any flush, and then a page table: from then on no write may arrive, although the first
 * core's TLB still allowed one. Then both change the same tables at once, and at the end all counts are back where
 * they were. On one core there is no race, and the test says so.
 */
#include "workloads/lib/check.h"
#include "workloads/pv64/kernel.h"

#define ROUNDS 100
#define WATCHED 511 /* of the table; what is written there is no entry: bit 0 is clear */
#define SPINS 200
#define UPDATES 2000

extern char second_stack_end[], pv_second_start[], race_store[], race_after[];

static uint64_t *table, *shared_table, *pages[4];
static volatile uint64_t phase, second_done;

static uint64_t machine(const void *page)
{
    return frame_of(page) * PAGE;
}

static void spin(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("pause" : : : "memory");
}

/* Wrong states of an entry's own making are refused, right ones taken; both vCPUs at the same entries. */
static void change_entries(uint64_t seed)
{
    uint64_t at = machine(shared_table);

    for (unsigned i = 0; i < UPDATES; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        write_entry(at + (seed >> 33 & 7) * 8, machine(pages[seed >> 40 & 3]) | (seed >> 50 & 3) | PTE_U);
    }
}

void pv_second(unsigned id)
{
    uint64_t value = 0;

    while (phase == 0) {
        value += 2;
        __asm__ volatile(".globl race_store, race_after; race_store: movq %0, (%1); race_after:"
                         : : "r"(value), "r"(&table[WATCHED]) : "memory");
    }
    change_entries(1);
    second_done = 1;
    CALL(HYPERCALL_VCPU_OP, VCPUOP_DOWN, id, 0);
    guest_fail("a vCPU that is down goes on");
}

static void start_second(void)
{
    static struct pv_vcpu_context context;
    const struct pv_trap_info *traps = pv_traps();

    context.flags = VGCF_IN_KERNEL;
    context.user_regs = (struct pv_user_regs){ .rip = (uintptr_t)pv_second_start, .rdi = 1, .cs = PV_FLAT_CS64,
                                               .ss = PV_FLAT_DS, .rsp = (uintptr_t)second_stack_end };
    context.kernel_ss = PV_FLAT_DS;
    context.kernel_sp = (uintptr_t)second_stack_end;
    context.ctrlreg[3] = machine((void *)start->pt_base);
    for (unsigned i = 0; traps[i].address; i++)
        context.traps[traps[i].vector] = traps[i];
    fixup_from = (uintptr_t)race_store;
    fixup_to = (uintptr_t)race_after;
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, &context), 0, "a second vCPU");
    check_equal(CALL(HYPERCALL_VCPU_OP, VCPUOP_UP, 1, 0), 0, "starts to write");
}

/* Wait until the other vCPU writes; false: it does not run meanwhile. */
static bool is_written(void)
{
    uint64_t before = *(volatile uint64_t *)&table[WATCHED];

    for (unsigned i = 0; i < 1000; i++) {
        spin(10);
        if (*(volatile uint64_t *)&table[WATCHED] != before)
            return true;
    }
    return false;
}

static void test_stale_writes(void)
{
    unsigned written = 0, arrived = 0, refused = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t after;

        written += is_written();
        CALL(HYPERCALL_UPDATE_VA_MAPPING, table, machine(table) | RO, 0);
        refused += extended(MMUEXT_PIN_L1_TABLE, frame_of(table), 0) != 0;
        after = *(volatile uint64_t *)&table[WATCHED];
        spin(SPINS);
        arrived += *(volatile uint64_t *)&table[WATCHED] != after;
        refused += extended(MMUEXT_UNPIN_TABLE, frame_of(table), 0) != 0;
        refused += map(table, machine(table) | RW) != 0;
    }
    check_equal(refused, 0, "the page becomes a table and memory again each time");
    check_equal(arrived, 0, "no write arrives in it while it is a table");
    if (written < ROUNDS / 2)
        check_skip("it was written in between", "there is one core");
    else
        check(fixup_count > 0, "it was written in between, and writes to the table were #PF");
}

static void test_counts(void)
{
    uint64_t at = machine(shared_table);
    bool ok = true;

    phase = 1;
    change_entries(2);
    while (!second_done)
        CALL(HYPERCALL_SCHED_OP, SCHEDOP_YIELD, 0);
    for (unsigned i = 0; i < 8; i++)
        ok = ok && write_entry(at + i * 8, 0) == 0;
    check(ok, "all entries can be cleared");
    for (unsigned i = 0; i < 4; i++)
        ok = ok && map(pages[i], machine(pages[i]) | RO) == 0 &&
             extended(MMUEXT_PIN_L1_TABLE, frame_of(pages[i]), 0) == 0 &&
             extended(MMUEXT_UNPIN_TABLE, frame_of(pages[i]), 0) == 0;
    check(ok, "and no page counts as writable any more: each can be a table");
    check_equal(extended(MMUEXT_UNPIN_TABLE, frame_of(shared_table), 0), 0, "the table is unpinned");
    check_equal(map(shared_table, machine(shared_table) | RW), 0, "and memory");
}

/* The same list as one entry of a hundred, which are more than a batch, too. */
static void test_multicall(struct pv_mmu_update *list)
{
    static struct pv_multicall calls[100];
    uint32_t done = 0;
    bool ok = true;

    for (unsigned i = 0; i < 100; i++)
        calls[i] = (struct pv_multicall){ HYPERCALL_XEN_VERSION, 1, { XENVER_VERSION } };
    calls[70] = (struct pv_multicall){ HYPERCALL_MMU_UPDATE, 1,
                                       { (uintptr_t)list, 1399, (uintptr_t)&done, DOMID_SELF } };
    check_equal(CALL(HYPERCALL_MULTICALL, calls, 100), 0, "a multicall of 100, one of them that list");
    check(calls[70].result == 0 && done == 1399, "which is done to its end");
    for (unsigned i = 0; i < 100; i++)
        ok = ok && (i == 70 || calls[i].result == 0x00040011);
    check(ok, "and so are the others");
}

/* More than one batch of hv's. */
static void test_long_list(void)
{
    struct pv_mmu_update *list = new_page();
    uint32_t done = 0;

    for (unsigned page = 1; page < 6; page++)
        new_page();
    for (unsigned i = 0; i < 1400; i++)
        list[i] = (struct pv_mmu_update){ machine(pages[0]) | MMU_MACHPHYS_UPDATE, i };
    list[1399].ptr = 0x100000 | MMU_MACHPHYS_UPDATE;
    check_equal(CALL(HYPERCALL_MMU_UPDATE, list, 1399, &done, DOMID_SELF), 0, "a list of 1399 updates");
    check_equal(done, 1399, "is done to its end");
    check_equal(((uint64_t *)PV_M2P_START)[frame_of(pages[0])], 1398, "the last one last");
    check_equal(CALL(HYPERCALL_MMU_UPDATE, list, 1400, &done, DOMID_SELF), -XEN_EINVAL, "one with an error at its end");
    check_equal(done, 1399, "says how far it came");
    test_multicall(list);
}

void pv_main(void)
{
    table = new_page();
    shared_table = new_page();
    for (unsigned i = 0; i < 4; i++)
        pages[i] = new_page();
    for (unsigned i = 0; i < 4; i++)
        map(pages[i], machine(pages[i]) | RO);
    map(shared_table, machine(shared_table) | RO);
    check_equal(extended(MMUEXT_PIN_L1_TABLE, frame_of(shared_table), 0), 0, "a table for both");
    start_second();
    test_stale_writes();
    test_counts();
    test_long_list();
    check_end();
}
