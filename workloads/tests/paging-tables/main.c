/* SPDX-License-Identifier: MIT */
/*
 * Page tables as memory (APM2 5.3 to 5.5): their owner writes them by any instruction, maps them anywhere, and uses
 * their frames again. Does the next walk find what was written?
 *
 * A hypervisor that shadows them could get wrong what a processor does not: it sees a write only because it has
 * taken the frame's writable mappings away, carries it out itself, and keeps A and D in two places.
 *
 * The window at 200_0000_0000h has a PML4E of its own and one page table; page n of sixteen holds 1000h + n, so
 * that a read tells which was mapped.
 *
 * First, seventeen ways to write a live entry, in bytes, by PUSH, by LOCK CMPXCHG8B; each takes effect after
 * INVLPG. So does a write across two entries, and one across the border of two tables, which sets NX in the first
 * and maps a page in the second. One instruction writes an entry a hundred times with a breakpoint armed, when hv
 * leaves the writes to the processor. Then the root as its own entry: through it a table is read and written, and
 * four times round is the root. One frame is directory and page table. One table lies under a read-only directory
 * entry and a writable one: a write through the first is #PF with P and W without D, through the second it sets D. A
 * and D are set by accesses, again after each clearing, in every mapping for itself. A frame is memory and table in
 * turn, with a writable mapping. Address spaces are made by copying, share 32 pages until one is written, and are
 * given back. Last, a word in each 2M of memory keeps its value.
 *
 * It runs on the bare machine and under hv in both paging modes, once with memory on demand and the smallest pool
 * of shadow pages, which has to reclaim some (workloads/tests/paging-modes). Two vCPUs: paging-vcpus.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define WINDOW 0x20000000000ull      /* its own PML4E */
#define SELF_SLOT 300ull
#define DEBUGGED 100
#define ADDRESS 0x000FFFFFFFFFF000ull
#define PAGES 16
#define ENTRY (PTE_P | PTE_RW)

static uint64_t pages[PAGES][512] __attribute__((aligned(4096)));
static uint64_t spare[8][512] __attribute__((aligned(4096)));

static void read_at(void *at)
{
    load32((uintptr_t)at);
}

static void call_at(void *at)
{
    ((void (*)(void))at)();
}

static void write_at(void *at)
{
    store32((uintptr_t)at, 0x77);
}

/* The page table behind WINDOW, by its identity mapping; entry i maps WINDOW + i pages. */
static uint64_t *table(void)
{
    return (uint64_t *)((uintptr_t)paging_entry(WINDOW, 1) & ~0xFFFull);
}

static uint64_t window(unsigned i)
{
    return WINDOW + 4096ull * i;
}

static uint64_t frame_of(const void *page)
{
    return (uintptr_t)page;
}

static void set(unsigned i, uint64_t entry)
{
    table()[i] = entry;
    tlb_invalidate(window(i));
}

static void fill_pages(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        pages[i][0] = 0x1000 + i;
}

/* ---- Every way to write an entry -------------------------------------------------------------------------------- */

/* From `old` to `new` at *entry, by one instruction of its kind. */
struct writer {
    const char *name;
    void (*write)(volatile uint64_t *entry, uint64_t old, uint64_t new);
};

#define WRITER(name, code) \
    static void name(volatile uint64_t *entry, uint64_t old, uint64_t new) \
    { \
        (void)old; \
        code; \
    }
WRITER(by_mov, __asm__ volatile("movq %1, %0" : "=m"(*entry) : "r"(new)))
WRITER(by_mov_immediate_half, __asm__ volatile("movl %k1, %0" : "=m"(*entry) : "r"(new)))
WRITER(by_bytes, for (unsigned i = 0; i < 8; i++) ((volatile uint8_t *)entry)[i] = (uint8_t)(new >> 8 * i))
WRITER(by_words, for (unsigned i = 0; i < 4; i++) ((volatile uint16_t *)entry)[i] = (uint16_t)(new >> 16 * i))
WRITER(by_xchg, __asm__ volatile("xchgq %1, %0" : "+m"(*entry), "+r"(new)))
WRITER(by_cmpxchg, __asm__ volatile("lock cmpxchgq %2, %0" : "+m"(*entry), "+a"(old) : "r"(new) : "cc"))
WRITER(by_add, __asm__ volatile("addq %1, %0" : "+m"(*entry) : "r"(new - old) : "cc"))
WRITER(by_lock_xadd, uint64_t by = new - old; __asm__ volatile("lock xaddq %1, %0" : "+m"(*entry), "+r"(by) : : "cc"))
WRITER(by_sub, __asm__ volatile("subq %1, %0" : "+m"(*entry) : "r"(old - new) : "cc"))
WRITER(by_xor, __asm__ volatile("lock xorq %1, %0" : "+m"(*entry) : "r"(old ^ new) : "cc"))
WRITER(by_and_or, __asm__ volatile("andq $0, %0; orq %1, %0" : "+m"(*entry) : "r"(new) : "cc"))
WRITER(by_stos, __asm__ volatile("rep stosq" : "+D"(entry), "+a"(new), "+c"((uint64_t){ 1 }) : : "memory"))
WRITER(by_movs, const uint64_t *from = &new;
       __asm__ volatile("movsq" : "+D"(entry), "+S"(from) : : "memory"))
WRITER(by_movnti, __asm__ volatile("movnti %1, %0" : "=m"(*entry) : "r"(new)))
WRITER(by_push, uint64_t sp; /* not one that hv knows */
       __asm__ volatile("movq %%rsp, %0; leaq 8(%1), %%rsp; pushq %2; movq %0, %%rsp"
                        : "=&r"(sp) : "r"(entry), "r"(new) : "memory"))
WRITER(by_btc, uint64_t bits = old ^ new;
       for (uint64_t i = 0; i < 64; i++) if (bits >> i & 1)
           __asm__ volatile("lock btcq %1, %0" : "+m"(*entry) : "r"(i) : "cc"))
WRITER(by_cmpxchg8b, uint32_t a = (uint32_t)old; uint32_t d = (uint32_t)(old >> 32);
       __asm__ volatile("lock cmpxchg8b %0" : "+m"(*entry), "+a"(a), "+d"(d)
                        : "b"((uint32_t)new), "c"((uint32_t)(new >> 32)) : "cc"))

static const struct writer writers[] = {
    { "MOV", by_mov }, { "MOV of the lower half", by_mov_immediate_half }, { "eight bytes", by_bytes },
    { "four words", by_words }, { "XCHG", by_xchg }, { "LOCK CMPXCHG", by_cmpxchg }, { "ADD", by_add },
    { "LOCK XADD", by_lock_xadd }, { "SUB", by_sub }, { "LOCK XOR", by_xor }, { "AND and OR", by_and_or },
    { "REP STOS", by_stos }, { "MOVS", by_movs }, { "MOVNTI", by_movnti }, { "PUSH", by_push }, { "LOCK BTC", by_btc },
    { "LOCK CMPXCHG8B", by_cmpxchg8b },
};

static void every_writer(void)
{
    for (unsigned n = 0; n < sizeof(writers) / sizeof(writers[0]); n++) {
        uint64_t old = frame_of(pages[1]) | ENTRY | PTE_A | PTE_D, new = frame_of(pages[2]) | ENTRY | PTE_A | PTE_D;
        uint32_t first, second;

        set(0, old);
        first = load32(WINDOW);
        writers[n].write(&table()[0], old, new);
        tlb_invalidate(WINDOW);
        second = load32(WINDOW);
        check_format(first == 0x1001 && second == 0x1002 && table()[0] == new, "an entry written by %s maps its page",
                     writers[n].name);
    }
}

/* NX of the last entry of one table and all that matters of the first entry of the next, by one store. */
static void across_two_tables(void)
{
    uint64_t three = frame_of(pages[3]) | ENTRY | PTE_A | PTE_D, four = frame_of(pages[4]) | ENTRY | PTE_A | PTE_D;
    uint64_t *before = spare[3], *next = spare[4], last = WINDOW + 0xBFF000, first = WINDOW + 0xC00000;

    memset(before, 0, 4096);
    memset(next, 0, 4096);
    before[511] = three;
    pages[3][1] = 0xC3; /* RET */
    *paging_entry(last, 2) = frame_of(before) | ENTRY;
    *paging_entry(first, 2) = frame_of(next) | ENTRY;
    cr3_write(cr3_read());
    check(load32(last) == 0x1003 && exception_try(read_at, (void *)first).vector == EXC_PF,
          "two tables side by side, the second one empty");
    check_raised(exception_try(call_at, (void *)(last + 8)), EXC_NONE, 0, "code in the last page of the first");
    *(volatile uint64_t *)((char *)next - 4) = four << 32 | PTE_NX >> 32;
    check(before[511] == (three | PTE_NX) && next[0] == four, "a write across two frames arrives in both");
    tlb_invalidate(last);
    check_raised(exception_try(call_at, (void *)(last + 8)), EXC_PF, PF_P | PF_ID, "NX counts in the first");
    check(exception_try(read_at, (void *)first).vector == EXC_NONE && load32(first) == 0x1004,
          "the entry in the second maps its page");
    *paging_entry(last, 2) = *paging_entry(first, 2) = 0;
    cr3_write(cr3_read());
}

/* One instruction, and RCX as it was: who counts what comes again must look at more. */
static void __attribute__((noinline)) store(volatile uint64_t *entry, uint64_t value)
{
    __asm__ volatile("movq %1, %0" : "=m"(*entry) : "r"(value), "c"(0));
}

/* A breakpoint is armed, which nothing hits: hv leaves every write to the processor then. */
static void under_a_debugger(void)
{
    unsigned right = 0;

    __asm__ volatile("movq %0, %%dr0; movq %1, %%dr7" : : "r"(&spare[7][511]), "r"(0x10401ull)); /* L0, a write */
    for (unsigned i = 0; i < DEBUGGED; i++) {
        store(&table()[3], frame_of(pages[i % PAGES]) | ENTRY);
        tlb_invalidate(window(3));
        right += *(volatile uint64_t *)window(3) == 0x1000 + i % PAGES;
    }
    __asm__ volatile("movq %0, %%dr7" : : "r"(0x400ull));
    check_equal(right, DEBUGGED, "with a breakpoint armed, an entry that one instruction writes again and again");
}

static void odd_places(void)
{
    uint64_t one = frame_of(pages[3]) | ENTRY | PTE_A | PTE_D, value[2] = { one, one };

    set(10, 0);
    set(11, 0);
    /* Entry 10's upper half and entry 11's lower half in one unaligned store: P stays in place. */
    *(volatile uint64_t *)((char *)&table()[10] + 4) = one << 32;
    check(table()[10] == 0 && table()[11] == (uint32_t)one, "a write across two entries arrives");
    check_equal(load32(window(11)), 0x1003, "and the entry it completes maps its page");
    memcpy(&table()[10], value, sizeof(value));
    tlb_invalidate(window(10));
    tlb_invalidate(window(11));
    check(load32(window(10)) == 0x1003 && load32(window(11)) == 0x1003, "two entries copied at once map theirs");
    across_two_tables();
}

/* ---- Tables that map tables ------------------------------------------------------------------------------- */

static uint64_t self(uint64_t linear, unsigned level)
{
    uint64_t at = linear & 0x0000FFFFFFFFFFFF;

    for (unsigned i = 0; i < level; i++)
        at = (at >> 9) | SELF_SLOT << 39;
    at &= ~7ull;
    return at & 1ull << 47 ? at | 0xFFFF000000000000 : at;
}

static void self_mapped(void)
{
    uint64_t *root = (uint64_t *)(cr3_read() & ADDRESS), at;

    root[SELF_SLOT] = frame_of(root) | ENTRY;
    set(20, frame_of(pages[4]) | ENTRY);
    at = self(window(20), 1);
    check_equal(load32(at) & 0xFFFFF000, frame_of(pages[4]), "a self-mapped table shows its entries");
    check_equal(load32(window(20)), 0x1004, "and maps");
    *(volatile uint64_t *)at = frame_of(pages[5]) | ENTRY;
    tlb_invalidate(window(20));
    check_equal(load32(window(20)), 0x1005, "an entry written through the self-mapping is used");
    check_equal(*(volatile uint64_t *)at & (PTE_A | PTE_D), PTE_A, "its A is set by that use, its D is not");
    store32(window(20), 9);
    check_equal(*(volatile uint64_t *)at & (PTE_A | PTE_D), PTE_A | PTE_D, "D by a write");
    at = self(WINDOW, 4); /* the root through itself four times */
    check_equal(*(volatile uint64_t *)at & ADDRESS, *paging_entry(WINDOW, 4) & ADDRESS, "four times round is the root");
    *(volatile uint64_t *)self(window(20), 1) = 0;
    tlb_invalidate(window(20));
    check(exception_try(read_at, (void *)window(20)).vector == EXC_PF, "an entry cleared through it is gone");
    pages[5][0] = 0x1005;
}

/* One frame as page directory of 1G and as page table of 2M. */
static void two_levels(void)
{
    uint64_t *both = spare[0], at = WINDOW + 0x40000000;

    memset(both, 0, 4096);
    both[1] = frame_of(pages[6]) | ENTRY;        /* as a table: the second page of whatever it maps */
    both[0] = frame_of(both) | ENTRY;            /* as a directory: itself is the table of the first 2M */
    *paging_entry(at, 3) = frame_of(both) | ENTRY;
    cr3_write(cr3_read());
    check_equal(load32(at + 4096), 0x1006, "a frame that is directory and table at once maps its page");
    check_equal(load32(at) & 0xFFFFF000, frame_of(both), "and itself");
    store32(at + 8, (uint32_t)(frame_of(pages[7]) | ENTRY));
    tlb_invalidate(at + 4096);
    check_equal(load32(at + 4096), 0x1007, "written through its own mapping it maps another");
    check_equal(both[0] & PTE_D, PTE_D, "D of the entry that maps itself");
    *paging_entry(at, 3) = 0;
    cr3_write(cr3_read());
    check(exception_try(read_at, (void *)(at + 4096)).vector == EXC_PF, "gone with the entry above it");
}

static void two_rights(void)
{
    uint64_t *shared = spare[1], first = WINDOW + 0x400000, second = WINDOW + 0x600000;

    memset(shared, 0, 4096);
    shared[0] = frame_of(pages[8]) | ENTRY;
    cr0_write(cr0_read() | 0x10000);
    *paging_entry(first, 2) = frame_of(shared) | PTE_P;
    *paging_entry(second, 2) = frame_of(shared) | ENTRY;
    cr3_write(cr3_read());
    check_equal(load32(first), 0x1008, "one table under a read-only directory entry");
    check(exception_try(write_at, (void *)first).error_code == 3, "cannot be written through it");
    check_equal(shared[0] & PTE_D, 0, "and D stays clear");
    check(exception_try(write_at, (void *)second).vector == EXC_NONE, "but through another");
    check_equal(shared[0] & PTE_D, PTE_D, "which sets D");
    check(exception_try(write_at, (void *)first).error_code == 3, "the first still refuses");
    *paging_entry(first, 2) |= PTE_RW;
    check(exception_try(write_at, (void *)first).vector == EXC_NONE, "until it is made writable");
    pages[8][0] = 0x1008;
    *paging_entry(first, 2) = *paging_entry(second, 2) = 0;
    cr3_write(cr3_read());
}

/* ---- Accessed and dirty ----------------------------------------------------------------------------------- */

static void bits_again_and_again(void)
{
    bool right = true;

    set(30, frame_of(pages[9]) | ENTRY);
    for (unsigned i = 0; i < 20; i++) {
        load32(window(30));
        right &= (table()[30] & (PTE_A | PTE_D)) == PTE_A;
        store32(window(30), i);
        right &= (table()[30] & (PTE_A | PTE_D)) == (PTE_A | PTE_D);
        table()[30] &= ~(PTE_A | PTE_D);
        tlb_invalidate(window(30));
    }
    check(right, "A and D are set anew after each clearing");
    set(31, frame_of(pages[9]) | ENTRY);
    set(30, frame_of(pages[9]) | ENTRY);
    store32(window(30), 1);
    check_equal(table()[31] & (PTE_A | PTE_D), 0, "an alias has its own A and D");
    check_equal(load32(window(31)), 1, "and shows what was written");
    check_equal(table()[31] & (PTE_A | PTE_D), PTE_A, "A by that read");
    *paging_entry(WINDOW, 2) &= ~PTE_A;
    *paging_entry(WINDOW, 3) &= ~PTE_A;
    cr3_write(cr3_read());
    load32(window(31));
    check(*paging_entry(WINDOW, 2) & PTE_A && *paging_entry(WINDOW, 3) & PTE_A, "upper levels' A comes back");
    pages[9][0] = 0x1009;
}

/* ---- Memory becomes a table, a table becomes memory ------------------------------------------------------- */

static void changes_of_use(void)
{
    uint64_t *frame = spare[2], at = WINDOW + 0x800000;
    bool right = true;

    set(40, frame_of(frame) | ENTRY | PTE_A | PTE_D);
    for (unsigned round = 0; round < 6; round++) {
        memset(frame, 0, 4096); /* through the identity mapping, and then through the window's */
        for (unsigned i = 0; i < 512; i++)
            *(volatile uint64_t *)(window(40) + 8 * i) = i;
        for (unsigned i = 0; i < 512; i++)
            right &= frame[i] == i;
        memset(frame, 0, 4096);
        frame[round] = frame_of(pages[round]) | ENTRY;
        *paging_entry(at, 2) = frame_of(frame) | ENTRY;
        cr3_write(cr3_read());
        right &= load32(at + 4096ull * round) == 0x1000 + round;
        *(volatile uint64_t *)(window(40) + 8 * round) = frame_of(pages[round + 1]) | ENTRY; /* it is writable there */
        tlb_invalidate(at + 4096ull * round);
        right &= load32(at + 4096ull * round) == 0x1001 + round;
        *paging_entry(at, 2) = 0;
        cr3_write(cr3_read());
    }
    check(right, "a frame is memory and table in turn, and shows what was written last");
}

/* ---- Address spaces --------------------------------------------------------------------------------------- */

#define PRIVATE 32u

static uint64_t tree[4][512] __attribute__((aligned(4096)));

/* A copy of the root with tables of its own for WINDOW; entries of both are read-only from then on. */
static void fork_into(uint64_t *root)
{
    uint64_t *parent = (uint64_t *)(cr3_read() & ADDRESS);

    memcpy(root, parent, 4096);
    memset(tree[1], 0, 4096);
    memset(tree[2], 0, 4096);
    memcpy(tree[3], table(), 4096);
    root[WINDOW >> 39 & 511] = frame_of(tree[1]) | ENTRY;
    tree[1][0] = frame_of(tree[2]) | ENTRY;
    tree[2][0] = frame_of(tree[3]) | ENTRY;
    for (unsigned i = 0; i < PRIVATE; i++) {
        tree[3][i] &= ~PTE_RW;
        table()[i] &= ~PTE_RW;
    }
    cr3_write(cr3_read());
}

static void address_spaces(void)
{
    static uint64_t copies[PRIVATE][512] __attribute__((aligned(4096)));
    uint64_t parent = cr3_read();
    bool right = true;

    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < PRIVATE; i++)
            set(i, frame_of(pages[i % PAGES]) | ENTRY);
        fork_into(tree[0]);
        cr3_write(frame_of(tree[0]));
        for (unsigned i = 0; i < PRIVATE; i++) {
            right &= exception_try(write_at, (void *)window(i)).error_code == 3;
            memcpy(copies[i], pages[i % PAGES], 4096);
            tree[3][i] = frame_of(copies[i]) | ENTRY;
            tlb_invalidate(window(i));
            store32(window(i), 0x2000 + i);
        }
        cr3_write(parent);
        for (unsigned i = 0; i < PRIVATE; i++) {
            right &= load32(window(i)) == 0x1000 + i % PAGES;
            right &= copies[i][0] == 0x2000 + i;
        }
        memset(tree, 0, sizeof(tree)); /* exit: the tables are memory again */
        for (unsigned i = 0; i < 512; i++)
            right &= tree[3][i] == 0;
    }
    check(right, "address spaces share pages until one is written, four times over");
}

/* A word in each 2M of memory: more tables than a small pool of shadow pages holds. */
static void all_memory(void)
{
    bool right = true;

    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t at = 0x800000; at < guest_memory_end; at += 0x200000)
            store32(at, (uint32_t)(at >> 20) + round);
        for (uint64_t at = 0x800000; at < guest_memory_end; at += 0x200000)
            right &= load32(at) == (uint32_t)(at >> 20) + round;
    }
    check(right, "a word in each 2M of memory keeps its value");
}

void guest_main(void)
{
    exceptions_init();
    fill_pages();
    paging_entry(WINDOW, 1);
    every_writer();
    under_a_debugger();
    odd_places();
    self_mapped();
    two_levels();
    two_rights();
    bits_again_and_again();
    changes_of_use();
    address_spaces();
    all_memory();
    check_end();
}
