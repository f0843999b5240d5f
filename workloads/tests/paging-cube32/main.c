/* SPDX-License-Identifier: MIT */
/*
 * The cube of paging-cube for the legacy modes (APM2 5.2, 5.4 to 5.6): 32-bit paging with 4K and 4M pages, PAE with
 * 4K and 2M pages; every combination of the level whose entry is special, its P, R/W, U/S, a reserved bit and (PAE)
 * NX; CPL 0 or 3; read, write or fetch; CR0.WP; (PAE) EFER.NXE. Then CR4.PSE=0, and PDPTEs, which are checked when
 * CR3 is loaded and have no permissions.
 *
 * QEMU reports reserved bits without P, Bochs sets A in entries with P=0 (doc/conformance.md).
 *
 * The page lies at 4000_0000h. For each case CR3 is loaded and one instruction entered by IRET. INT 71h, behind it
 * or in the page fetched from, says that it passed; else #PF has the error code of `expected`, and CR2 the address.
 *
 * W, U and (with NXE=1) I/D say what the access was. A reserved bit (21 of a 4M PDE; with PAE 52, or 13 of a 2M PDE
 * that is read) and NX with NXE=0 add P and RSVD; forbidden accesses add P. A completed or failed walk sets A in
 * each entry that it got past, only a write that passes D, in the leaf; a permission fault may set A (APM2 5.4.2).
 *
 * Without PSE, PS of a PDE is ignored. MOV to CR3 is #GP(0) if a present PDPTE has one of bits 2:1, 8:5, 52 or 63;
 * PWT, PCD and bit 9 do not matter, nor any with P=0. A PDPTE changed in memory is not looked at, the use of an
 * absent one is #PF without P. Setting CR0.PG with a bad one is #GP.
 *
 * It runs on the bare machine and under hv (workloads/tests/paging-modes), where the checks that name PDPTEs do not
 * count under nested paging, which reads them in each walk (APM2 15.25.10).
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/world32.h"

#define MSR_EFER 0xC0000080
#define EFER_NXE 0x800u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define PTE_P 1u
#define PTE_RW 2u
#define PTE_US 4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PS 0x80u
#define PTE_NX (1ull << 63)
#define PF_P 1
#define PF_W 2
#define PF_U 4
#define PF_RSVD 8
#define PF_ID 16
#define LINEAR 0x40000000u
#define TARGET 0x0C000000u
#define RESERVED_4M (1u << 21)
#define RESERVED_2M (1u << 13)
#define RESERVED_PAE (1ull << 52)

WORLD_FRAGMENT(read, "movl (%ebx), %ecx") WORLD_FRAGMENT(write, "movl %ecx, (%ebx)")
WORLD_FRAGMENT(fetch, "jmp *%ebx")
enum access { READ, WRITE, FETCH, ACCESSES };

struct state {
    bool pae, nxe, wp;
    unsigned leaf, level;   /* 1: PTE, 2: PDE */
    bool present, writable, user, nx, reserved;
    enum access access;
    bool as_user;
};

static uint32_t directory32[1024] __attribute__((aligned(4096))), table32[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32))), directories[4][512] __attribute__((aligned(4096)));
static uint64_t table64[512] __attribute__((aligned(4096)));

/* ---- The tables ------------------------------------------------------------------------------------------------- */

/* All memory one to one in large pages that CPL 3 may use: the test's own code and tables. */
static void identity(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        directory32[i] = i << 22 | PTE_PS | 0x67;
    for (uint32_t i = 0; i < 2048; i++)
        directories[i >> 9][i & 511] = (uint64_t)i << 21 | PTE_PS | 0x67;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (uintptr_t)directories[i] | PTE_P;
}

static void paging_off(void)
{
    cr0_write(cr0_read() & ~(CR0_PG | CR0_WP));
    cr4_write(cr4_read() & ~(CR4_PSE | CR4_PAE));
    msr_write(MSR_EFER, msr_read(MSR_EFER) & ~(uint64_t)EFER_NXE);
}

static void paging_on(bool pae, bool nxe, bool wp)
{
    paging_off();
    if (nxe)
        msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
    cr4_write(cr4_read() | (pae ? CR4_PAE : CR4_PSE));
    cr3_write(pae ? (uintptr_t)pdpt : (uintptr_t)directory32);
    cr0_write(cr0_read() | CR0_PG | (wp ? CR0_WP : 0));
}

static uint64_t entry_bits(const struct state *s, unsigned level)
{
    uint64_t bits = level == 2 && s->leaf == 2 ? PTE_PS : 0;

    if (level != s->level)
        return bits | PTE_P | PTE_RW | PTE_US;
    bits |= (s->present ? PTE_P : 0) | (s->writable ? PTE_RW : 0) | (s->user ? PTE_US : 0) | (s->nx ? PTE_NX : 0);
    if (s->reserved && !s->pae)
        return bits | RESERVED_4M;
    if (s->reserved) /* both kinds of reserved bits get their turn */
        return bits | (bits & PTE_PS && s->access == READ ? RESERVED_2M : RESERVED_PAE);
    return bits;
}

static void set_entry(const struct state *s, unsigned level, uint64_t value)
{
    if (s->pae && level == 2)
        directories[LINEAR >> 30][LINEAR >> 21 & 511] = value;
    else if (s->pae)
        table64[0] = value;
    else if (level == 2)
        directory32[LINEAR >> 22] = (uint32_t)value;
    else
        table32[0] = (uint32_t)value;
}

static uint64_t get_entry(const struct state *s, unsigned level)
{
    if (s->pae)
        return level == 2 ? directories[LINEAR >> 30][LINEAR >> 21 & 511] : table64[0];
    return level == 2 ? directory32[LINEAR >> 22] : table32[0];
}

static void map(const struct state *s)
{
    uint32_t table = s->pae ? (uintptr_t)table64 : (uintptr_t)table32;

    set_entry(s, 2, (s->leaf == 2 ? TARGET : table) | entry_bits(s, 2));
    if (s->leaf == 1)
        set_entry(s, 1, TARGET | entry_bits(s, 1));
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* Error code, or -1 for no fault. */
static int expected(const struct state *s)
{
    int code = (s->access == WRITE ? PF_W : 0) | (s->as_user ? PF_U : 0) |
               (s->access == FETCH && s->pae && s->nxe ? PF_ID : 0);

    if (!s->present)
        return code;
    if (s->reserved || (s->nx && !s->nxe))
        return code | PF_P | PF_RSVD;
    if (s->as_user && !s->user)
        return code | PF_P;
    if (s->access == WRITE && !s->writable && (s->as_user || s->wp))
        return code | PF_P;
    if (s->access == FETCH && s->nx)
        return code | PF_P;
    return -1;
}

/* A at every level that a completed or failed walk reached, D on the leaf of a write; a permission fault may set A. */
static bool walked_right(const struct state *s, int code)
{
    bool walk_fails = !s->present || (code != -1 && (code & PF_RSVD)), right = true;

    for (unsigned level = 2; level >= s->leaf; level--) {
        uint64_t entry = get_entry(s, level);
        bool reached = !walk_fails || level > s->level;

        if (code == -1 || walk_fails)
            right &= !(entry & PTE_A) == !reached;
        right &= !(entry & PTE_D) == !(level == s->leaf && code == -1 && s->access == WRITE);
    }
    return right;
}

/* ---- Cases ------------------------------------------------------------------------------------------------------ */

static unsigned cases, wrong, wrong_bits;

static void one(const struct state *s)
{
    static const char *const code[ACCESSES] = { at_read, at_write, at_fetch };
    struct world_state state = world_state_at(code[s->access], s->as_user ? 3 : 0);
    const struct world_event *e;
    int want = expected(s);
    bool right;

    map(s);
    cr3_write(cr3_read());
    *(volatile uint16_t *)TARGET = 0x71CD; /* INT 71h: a fetch passes */
    state.ebx = LINEAR;
    state.ecx = 0x71CD;
    e = world_run(&state);
    cases++;
    right = want == -1 ? e->vector == WORLD_PASSED : e->vector == EXC_PF && (int)e->error == want &&
            cr2_read() == LINEAR;
    if (!right && wrong++ < 3)
        guest_print("# level %u P%u W%u U%u NX%u R%u access %u user %u wp %u nxe %u: vector %u code %x, want %d",
                    s->level, s->present, s->writable, s->user, s->nx, s->reserved, s->access, s->as_user, s->wp,
                    s->nxe, e->vector, e->error, want);
    if (right && !walked_right(s, want) && wrong_bits++ < 3)
        guest_print("# A/D: level %u P%u R%u access %u user %u code %d", s->level, s->present, s->reserved, s->access,
                    s->as_user, want);
}

static void every_entry(struct state *s)
{
    for (unsigned n = 0; n < 32 * 2 * ACCESSES; n++) {
        s->present = n & 1;
        s->writable = n & 2;
        s->user = n & 4;
        s->reserved = n & 8;
        s->nx = n & 16;
        s->as_user = n & 32;
        s->access = n >> 6;
        if (s->nx && !s->pae)
            continue;
        if (s->reserved && !s->pae && !(s->leaf == 2 && s->level == 2))
            continue; /* entries of 32 bits have no other reserved bit */
        one(s);
    }
}

static void cube(bool pae, unsigned leaf, unsigned level)
{
    static const char *const names[2][2] = { { "4K", "4M" }, { "PAE 4K", "PAE 2M" } };
    struct state s = { .pae = pae, .leaf = leaf, .level = level };

    cases = wrong = wrong_bits = 0;
    world_reset();
    identity();
    for (unsigned mode = 0; mode < (pae ? 4u : 2u); mode++) {
        s.wp = mode & 1;
        s.nxe = mode & 2;
        paging_on(pae, s.nxe, s.wp);
        every_entry(&s);
    }
    paging_off();
    check_format(wrong == 0, "%s pages, the %s varied: %u outcomes", names[pae][leaf - 1], level == 2 ? "PDE" : "PTE",
                 cases);
    check_format(wrong_bits == 0, "%s pages, the %s varied: A and D bits", names[pae][leaf - 1],
                 level == 2 ? "PDE" : "PTE");
}

/* ---- Beyond the cube -------------------------------------------------------------------------------------------- */

WORLD_FRAGMENT(load_cr3, "movl %ebx, %cr3") WORLD_FRAGMENT(enable, "movl %ebx, %cr0")

static void no_pse(void)
{
    static volatile uint32_t word[1024] __attribute__((aligned(4096)));
    static uint32_t window[1024] __attribute__((aligned(4096)));
    struct world_state state = world_state_at(at_read, 0);
    const struct world_event *e;

    /* Without PSE bit 7 means nothing: every identity entry needs a table, so all memory below 4M gets one. */
    world_reset();
    identity();
    for (uint32_t i = 0; i < 1024; i++)
        table32[i] = i << 12 | 7;
    directory32[0] = (uintptr_t)table32 | 7;
    /* The window shows this page, which a page of 4M at this entry, at a multiple of 4M, would not. */
    window[0] = (uintptr_t)word | 7;
    word[1] = 0x2468ACE1;
    directory32[LINEAR >> 22] = (uintptr_t)window | PTE_PS | 7;
    paging_on(false, false, false);
    cr4_write(cr4_read() & ~CR4_PSE);
    cr3_write(cr3_read());
    state.ebx = LINEAR + 4;
    e = world_run(&state);
    check(e->vector == WORLD_PASSED && e->ecx == word[1], "CR4.PSE=0: PS is ignored, the PDE names a table");
    paging_off();
}

static void pdptes(void)
{
    static const struct {
        const char *what;
        uint64_t bit;
        bool faults;
    } rows[] = {
        { "R/W", 2, true }, { "U/S", 4, true }, { "bit 5", 0x20, true }, { "bit 6", 0x40, true },
        { "bit 7", 0x80, true }, { "bit 8", 0x100, true }, { "bit 52", 1ull << 52, true }, { "NX", PTE_NX, true },
        { "PWT", 8, false }, { "PCD", 0x10, false }, { "bit 9", 0x200, false },
    };
    struct world_state state = world_state_at(at_load_cr3, 0);
    const struct world_event *e;

    world_reset();
    identity();
    paging_on(true, true, false);
    state.ebx = cr3_read();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pdpt[1] |= rows[i].bit;
        e = world_run(&state);
        check_format(rows[i].faults ? e->vector == EXC_GP && e->error == 0 : e->vector == WORLD_PASSED,
                     "PAE: MOV to CR3 with %s set in a PDPTE%s", rows[i].what, rows[i].faults ? ": #GP(0)" : "");
        pdpt[1] &= ~(PTE_P | rows[i].bit);
        pdpt[1] |= rows[i].bit;
        check_format(world_run(&state)->vector == WORLD_PASSED, "with P=0 %s does not matter", rows[i].what);
        pdpt[1] = (uintptr_t)directories[1] | PTE_P;
    }
    world_run(&state);
    pdpt[1] = 0;
    state = world_state_at(at_read, 0);
    state.ebx = LINEAR;
    check_equal(world_run(&state)->vector, WORLD_PASSED, "a PDPTE changed in memory is not looked at");
    state = world_state_at(at_load_cr3, 0);
    state.ebx = cr3_read();
    check_equal(world_run(&state)->vector, WORLD_PASSED, "an absent PDPTE may be loaded");
    state = world_state_at(at_write, 3);
    state.ebx = LINEAR;
    e = world_run(&state);
    check(e->vector == EXC_PF && e->error == (PF_W | PF_U) && cr2_read() == LINEAR, "its use is #PF without P");
    paging_off();
    pdpt[1] = (uintptr_t)directories[1] | PTE_P | PTE_RW;
    cr4_write(cr4_read() | CR4_PAE);
    cr3_write((uintptr_t)pdpt);
    state = world_state_at(at_enable, 0);
    state.ebx = cr0_read() | CR0_PG;
    e = world_run(&state);
    check(e->vector == EXC_GP && !(cr0_read() & CR0_PG), "setting CR0.PG with a bad PDPTE is #GP and leaves CR0");
    paging_off();
}

void guest_main(void)
{
    world_begin();
    for (unsigned pae = 0; pae < 2; pae++)
        for (unsigned leaf = 1; leaf <= 2; leaf++)
            for (unsigned level = leaf; level <= 2; level++)
                cube(pae, leaf, level);
    no_pse();
    pdptes();
    check_end();
}
