/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual kernel that means harm (attack=, rounds=, seed=); pv64-storm makes hypercalls without sense, this one
 * uses what it was given:
 *
 *   tables       random entries of tables that are part of the tree it runs on, then accesses through them
 *   segments     random descriptors in its GDT and LDT, their selectors loaded
 *   privileged   MOV CR and DR, MSRs, descriptor tables, ports, at random
 *   debug        breakpoints on hv's addresses, single steps through hypercalls
 *   traps        trap handlers in hv's memory, and then a trap
 *   stacks       a kernel stack in hv's memory, and then a trap of its user code
 *   irets        the iret hypercall with a random frame
 *   peek         words that are not zero in memory that it was given and nothing was put into; fills it then
 *
 * Of the first four it says how many of its instructions trapped, of the last how many words; the others end it, at a
 * draw or another.
 */
#include "hv/core/options.h"
#include "workloads/pv64/kernel.h"

#define REGION 0x20000000ull /* in the L3 of VIRT_BASE; nobody else's */
#define HV_ALIAS 0xFFFF830000000000ull
#define TABLES 4
#define TRY_AT(instruction, address) TRY(instruction, : : "r"(address) : "rax", "memory")

static uint64_t state, caught_traps;

static uint64_t next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 16;
}

static void count(void)
{
    caught_traps += seen.vector != NO_TRAP;
}

static uint64_t machine(const void *page)
{
    return frame_of(page) * PAGE;
}

/* An address in hv's part of every tree, or one that is none. */
static uint64_t hv_address(void)
{
    uint64_t r = next();

    return r & 1 ? HV_ALIAS + (next() & 0xFFFFFFF8) : PV_M2P_START + (r << 8 & 0x7FFFFFFFFFull);
}

/* ---- Tables ---------------------------------------------------------------------------------------------- */

static uint64_t *tables[TABLES], *data;

static void begin_tables(void)
{
    uint64_t l3 = ((uint64_t *)start->pt_base)[0] & PTE_ADDRESS;

    data = new_page();
    for (unsigned i = 0; i < TABLES; i++)
        tables[i] = new_page();
    for (unsigned i = 0; i < TABLES; i++)
        map(tables[i], machine(tables[i]) | RO);
    write_entry(machine(tables[0]), machine(tables[1]) | RW); /* an L2 with an L1, still plain memory */
    extended(MMUEXT_PIN_L1_TABLE + 1, frame_of(tables[0]), 0);
    write_entry(l3 + (REGION >> 30) * 8, machine(tables[0]) | RW);
}

static uint64_t any_entry(void)
{
    uint64_t r = next();
    uint64_t frames[] = { frame_of(data), frame_of(tables[r >> 8 & 3]), r >> 8 & 0xFFFFF, start->shared_info / PAGE,
                          frame_of((void *)start->pt_base), frame_of(data) ^ (1 << (r >> 8 & 7)) };

    return frames[(r >> 40) % 6] * PAGE | (next() & (r >> 50 & 7 ? 7 : 0xFFF)) | (r >> 53 & 15 ? 0 : next() << 40);
}

static void attack_tables(void)
{
    uint64_t at = REGION + (next() & 0x3FFFF8);

    write_entry(machine(tables[next() & 3]) + (next() & 0x18), any_entry());
    CALL(HYPERCALL_UPDATE_VA_MAPPING, at, any_entry(), next() & 3);
    extended((uint32_t)next() % 6, frame_of(tables[next() & 3]), 0);
    TRY_AT("movq (%0), %%rax", at & 0x203FF8ull ? at : REGION);
    count();
    TRY_AT("movq %%rax, (%0)", REGION | (next() & 0x3FF8));
    count();
    TRY_AT("movq %%rax, (%0)", hv_address());
    count();
    TRY_AT("movq %%rax, (%0)", tables[next() & 3]);
    count();
}

/* ---- Segments -------------------------------------------------------------------------------------------- */

static uint64_t *gdt, *ldt;

static void begin_segments(void)
{
    uint64_t frame;

    gdt = new_page();
    ldt = new_page();
    map(gdt, machine(gdt) | RO);
    map(ldt, machine(ldt) | RO);
    frame = frame_of(gdt);
    CALL(HYPERCALL_SET_GDT, &frame, 512);
    extended(MMUEXT_SET_LDT, (uintptr_t)ldt, 512);
}

static void attack_segments(void)
{
    uint64_t descriptor = next() << 16 ^ next(), index = next() & 511;
    uint32_t selector = (uint32_t)(next() & 3 ? index * 8 | (next() & 7) : next() & 0xFFFF);

    CALL(HYPERCALL_UPDATE_DESCRIPTOR, machine(next() & 1 ? gdt : ldt) + index * 8 + (next() & 31 ? 0 : 4), descriptor);
    TRY("movl %0, %%fs", : : "r"(selector));
    count();
    TRY("movl %0, %%gs", : : "r"(selector));
    count();
    TRY("movq %%fs:(%0), %%rax", : : "r"(next() & 0xFFFFFFFF) : "rax", "memory");
    count();
    TRY("ltr %%ax", : : "a"(selector));
    count();
    TRY("lldt %%ax", : : "a"(selector));
    count();
}

/* ---- Privileged instructions ------------------------------------------------------------------------------ */

static void attack_privileged(void)
{
    uint64_t value = next() << 16 ^ next();
    uint32_t index = (uint32_t)(next() & 1 ? 0xC0000080 + (next() & 0x1FF) : next());

    TRY("wrmsr", : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
    count();
    TRY("rdmsr", : : "c"(index) : "rax", "rdx");
    count();
    TRY("movq %0, %%cr4", : : "r"(value));
    count();
    TRY("movq %0, %%cr0", : : "r"(value | 1));
    count();
    TRY("movq %0, %%cr3", : : "r"(value & PTE_ADDRESS));
    count();
    TRY("inb %%dx, %%al", : : "d"(index) : "rax");
    count();
    TRY("outb %%al, %%dx", : : "d"(index));
    count();
    TRY_AT("lidt (%0)", data);
    count();
    TRY_AT("invlpg (%0)", hv_address());
    count();
    TRY("movq %0, %%rax; vmload %%rax", : : "r"(value & PTE_ADDRESS) : "rax", "memory");
    count();
}

static void attack_debug(void)
{
    uint64_t at = next() & 1 ? hv_address() : (uintptr_t)data;

    CALL(HYPERCALL_SET_DEBUGREG, next() & 7, at);
    CALL(HYPERCALL_SET_DEBUGREG, 7, next() & 0xFFFF07FF);
    TRY("movq %0, %%dr0", : : "r"(at));
    count();
    TRY("movq %0, %%dr7", : : "r"(next()));
    count();
    TRY("pushfq; orq $0x100, (%%rsp); popfq; movl $17, %%eax; xorl %%edi, %%edi; syscall", : : : "rax", "rcx", "rdx",
        "rdi", "r11", "memory");
    count();
}

/* ---- What ends it ---------------------------------------------------------------------------------------- */

static void attack_traps(void)
{
    static struct pv_trap_info table[2];

    table[0] = (struct pv_trap_info){ .vector = 6, .cs = (uint16_t)next(), .address = hv_address() };
    CALL(HYPERCALL_SET_TRAP_TABLE, table);
    table[0] = (struct pv_trap_info){ .vector = 14, .cs = (uint16_t)next(), .address = hv_address() };
    CALL(HYPERCALL_SET_TRAP_TABLE, table);
    __asm__ volatile("ud2");
}

static void attack_stacks(void)
{
    CALL(HYPERCALL_STACK_SWITCH, next(), hv_address());
    CALL(HYPERCALL_SET_CALLBACKS, hv_address(), hv_address(), hv_address());
    extended(MMUEXT_NEW_USER_BASEPTR, frame_of((void *)start->pt_base), 0);
    pv_to_user((uintptr_t)data, hv_address(), 0);
}

static void attack_irets(void)
{
    static uint64_t frame[9];

    for (unsigned i = 0; i < 9; i++)
        frame[i] = next() & 1 ? hv_address() : next();
    frame[3] &= next() & 1 ? VGCF_IN_SYSCALL : 0;
    if (next() & 1)
        frame[4] = (uintptr_t)attack_traps;
    if (next() & 3) {
        frame[5] = PV_FLAT_CS64;
        frame[8] = PV_FLAT_DS;
    }
    __asm__ volatile("movq %0, %%rsp; movl %1, %%eax; syscall" : : "r"(frame), "i"(HYPERCALL_IRET));
}

/* ---- What others left ------------------------------------------------------------------------------------ */

#define SLACK 0x80000ull /* mapped behind the first tables and the stack's page, at least (Xen's xen.h) */

static void begin_peek(void)
{
    volatile uint64_t *slack = (uint64_t *)(start->pt_base + (start->nr_pt_frames + 1) * PAGE);

    for (unsigned i = 0; i < SLACK / sizeof(*slack); i++) {
        caught_traps += slack[i] != 0;
        slack[i] = ~0ull;
    }
}

/* ---------------------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void begin_data(void)
{
    data = new_page();
}

static const struct attack {
    const char *name;
    void (*begin)(void), (*attack)(void);
} attacks[] = {
    { "tables", begin_tables, attack_tables },    { "segments", begin_segments, attack_segments },
    { "privileged", begin_data, attack_privileged }, { "debug", begin_data, attack_debug },
    { "traps", nothing, attack_traps },           { "stacks", begin_data, attack_stacks },
    { "irets", nothing, attack_irets },           { "peek", begin_peek, nothing },
};

static bool is_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

void pv_main(void)
{
    char wanted[16] = "";
    bool bad = false;
    uint64_t rounds = option_size(guest_options, "rounds", 100, &bad);

    state = option_size(guest_options, "seed", 1, &bad) * 0x9E3779B97F4A7C15ull;
    option_text(guest_options, "attack", wanted, sizeof(wanted));
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (!is_same(attacks[i].name, wanted))
            continue;
        attacks[i].begin();
        for (uint64_t round = 0; round < rounds; round++)
            attacks[i].attack();
        guest_print("pv-%s: %lu rounds, %lu exceptions", wanted, (unsigned long)rounds, (unsigned long)caught_traps);
        guest_exit(0);
    }
    guest_fail("attack=%s: there is none", wanted);
}
