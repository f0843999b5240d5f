/* SPDX-License-Identifier: MIT */
/*
 * The paging permission cube of long mode (APM2 5.4 to 5.6, 8.4.2): every combination of page size 4K, 2M, 1G; the
 * level whose entry is special; its P, R/W, U/S, NX and a reserved bit; supervisor or user access; read, write or
 * fetch; CR0.WP; EFER.NXE. What does each raise, and which accessed and dirty bits does it leave?
 *
 * Simulators differ where rules meet: NX with NXE=0 is a reserved bit, and RSVD comes with P, which QEMU leaves
 * out; Bochs has the error codes, but other A and D bits (doc/conformance.md).
 *
 * The page lies at 170_0000_0000h behind a PML4E of its own. The other levels' entries permit everything; CR3 is
 * loaded for each case. The user's code is reached by IRETQ; INT 80h, behind the access or in the page fetched from,
 * says that it passed.
 *
 * The outcome is computed from the rules (`expected`): no fault, or #PF with this error code and address. W, U and
 * I/D say what the access was, I/D only with NXE=1. P=0 adds nothing; a reserved bit (51, or 13 in a large leaf
 * that is read) and NX with NXE=0 add P and RSVD; what U/S, R/W and NX forbid adds P, R/W for the supervisor only
 * with WP=1. A is set at every level that was walked, D on the last for a write only, and neither in or below the
 * entry that faults for P=0 or a reserved bit. A permission fault may set A or not (APM2 5.4.2), but not D.
 *
 * Each of nine pairs of page size and level makes two checks, of 768 outcomes and of their bits; the four of 1G pages
 * may be skipped. It runs on the bare machine and, with 256M since the page shows 192 MiB, under hv in both paging
 * modes (workloads/tests/paging-modes).
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"

#define MSR_EFER 0xC0000080
#define EFER_NXE 0x800u
#define CR0_WP 0x10000u
#define CPUID_EDX_PAGE1GB (1u << 26)
#define BASE 0x17000000000ull   /* its own PML4E */
#define TARGET 0x0C000000ull    /* physical: 192 MiB, 2 MiB aligned; 1G pages show it at the same offset */
#define RESERVED_BIT (1ull << 51)
#define LARGE_RESERVED (1ull << 13)
#define LEVELS 4

enum access { READ, WRITE, FETCH, ACCESSES };

struct state {
    unsigned leaf;      /* level of the last entry: 1, 2, 3 */
    unsigned level;     /* of the special entry */
    bool present, writable, user, nx, reserved;
    enum access access;
    bool as_user, wp, nxe;
};

static uint64_t tables[LEVELS][512] __attribute__((aligned(4096)));
static uint64_t linear;

void cube_access(void *state);
void user_access(uint64_t linear, unsigned access);

/* ---- CPL 3 ------------------------------------------------------------------------------------------------------ */

/*
 * The access, then (in user mode) INT 80h back. A fetch jumps to the page, where a RET of the supervisor's or an
 * INT 80h of the user's stands. The user's code page is mapped below by `user_code`.
 */
#define USER_CODE 0x20000000000ull
static const uint8_t user_code[] = {
    0x8B, 0x07, 0xCD, 0x80,             /* 00: mov (%rdi), %eax; int $0x80 */
    0x90, 0x90, 0x90, 0x90,
    0x89, 0x07, 0xCD, 0x80,             /* 08: mov %eax, (%rdi); int $0x80 */
    0x90, 0x90, 0x90, 0x90,
    0xFF, 0xE7,                         /* 10: jmp *%rdi */
};

__asm__(".text\n.globl user_access\nuser_access:\n"
        "movabsq $0x20000000000, %rax\n"
        "leaq (%rax, %rsi, 8), %rax\n"
        "pushq $0x33\n"                 /* SS */
        "movabsq $0x20000000F00, %rcx\n"
        "pushq %rcx\n"
        "pushq $2\n"
        "pushq $0x2B\n"                 /* CS */
        "pushq %rax\n"
        "iretq\n");

static struct {
    uint64_t entries[9];
} gdt = { { 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF, 0, 0x00AFFB000000FFFF,
            0x00CFF3000000FFFF } };
static uint32_t tss[26];
static uint8_t tss_stack[8192] __attribute__((aligned(16)));

static void user_setup(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(gdt) - 1, (uintptr_t)&gdt };
    uint64_t stack = (uintptr_t)tss_stack + sizeof(tss_stack);

    memcpy(page, user_code, sizeof(user_code));
    *paging_entry(USER_CODE, 1) = (uintptr_t)page | PTE_P | PTE_RW | PTE_US;
    tss[1] = (uint32_t)stack;
    gdt.entries[7] = 0x0000890000000067 | ((uintptr_t)tss & 0xFFFFFF) << 16 | ((uintptr_t)tss & 0xFF000000) << 32;
    gdt_load(&pointer);
    __asm__ volatile("ltr %w0" : : "r"(0x38));
}

void cube_access(void *argument)
{
    const struct state *s = argument;

    if (s->as_user) {
        user_access(linear, s->access);
        return;
    }
    if (s->access == READ)
        load32(linear);
    else if (s->access == WRITE)
        store32(linear, 0x80CDC3);
    else
        ((void (*)(void))(uintptr_t)linear)();
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* Error code, or -1 for no fault. */
static int expected(const struct state *s)
{
    int code = (s->access == WRITE ? PF_W : 0) | (s->as_user ? PF_U : 0) |
               (s->access == FETCH && s->nxe ? PF_ID : 0);

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

/* ---- One case --------------------------------------------------------------------------------------------------- */

static uint64_t entry_bits(const struct state *s, unsigned level)
{
    uint64_t large = level == s->leaf && level > 1 ? PTE_PS : 0;

    if (level != s->level)
        return PTE_P | PTE_RW | PTE_US | large;
    if (s->reserved)
        large |= large && s->access == READ ? LARGE_RESERVED : RESERVED_BIT;
    return (s->present ? PTE_P : 0) | (s->writable ? PTE_RW : 0) | (s->user ? PTE_US : 0) |
           (s->nx ? PTE_NX : 0) | large;
}

static uint64_t *entry_at(unsigned level)
{
    return &tables[level - 1][linear >> (3 + 9 * level) & 511];
}

static void map(const struct state *s)
{
    uint64_t *root = (uint64_t *)cr3_read();

    linear = BASE + (s->leaf == 3 ? TARGET : 0);
    for (unsigned level = 4; level >= s->leaf; level--) {
        uint64_t to = level > s->leaf ? (uintptr_t)tables[level - 2] : s->leaf == 3 ? 0 : TARGET;

        *entry_at(level) = to | entry_bits(s, level);
    }
    root[linear >> 39 & 511] = *entry_at(4);
}

static bool walked_right(const struct state *s, int code)
{
    uint64_t *root = (uint64_t *)cr3_read();
    bool walk_fails = !s->present || code == -1 ? !s->present : (code & PF_RSVD) != 0, right = true;

    for (unsigned level = 4; level >= s->leaf; level--) {
        uint64_t entry = level == 4 ? root[linear >> 39 & 511] : *entry_at(level);
        bool reached = !walk_fails || level > s->level;

        /* A permission fault may or may not set A (APM2 5.4.2); D only a write sets, and in the leaf alone. */
        if (code == -1 || walk_fails)
            right &= !(entry & PTE_A) == !reached;
        right &= !(entry & PTE_D) == !(level == s->leaf && code == -1 && s->access == WRITE);
    }
    return right;
}

static unsigned wrong, wrong_bits, cases;

static void one(struct state *s)
{
    int want = expected(s);
    struct exception got;
    bool right;

    map(s);
    *(volatile uint32_t *)TARGET = s->as_user ? 0x9080CD : 0x9090C3; /* INT 80h or RET */
    cr3_write(cr3_read());
    got = exception_try(cube_access, s);
    cases++;
    if (want == -1)
        right = got.vector == (s->as_user ? 0x80 : EXC_NONE);
    else
        right = got.vector == EXC_PF && (int)got.error_code == want && got.cr2 == linear;
    if (!right && wrong++ < 4)
        guest_print("# leaf %u level %u P%u W%u U%u NX%u R%u access %u user %u wp %u nxe %u: vector %u code %lx, "
                    "want %d", s->leaf, s->level, s->present, s->writable, s->user, s->nx, s->reserved, s->access,
                    s->as_user, s->wp, s->nxe, got.vector, (unsigned long)got.error_code, want);
    if (right && !walked_right(s, want) && wrong_bits++ < 4)
        guest_print("# A/D: leaf %u level %u P%u R%u access %u user %u code %d", s->leaf, s->level, s->present,
                    s->reserved, s->access, s->as_user, want);
}

static void every_entry(struct state *s)
{
    for (unsigned bits = 0; bits < 32; bits++) {
        s->present = bits & 1;
        s->writable = bits & 2;
        s->user = bits & 4;
        s->nx = bits & 8;
        s->reserved = bits & 16;
        for (unsigned access = 0; access < ACCESSES; access++) {
            s->access = access;
            s->as_user = false;
            one(s);
            s->as_user = true;
            one(s);
        }
    }
}

void guest_main(void)
{
    struct state s = { 0 };
    unsigned leaves = cpuid(0x80000001, 0).edx & CPUID_EDX_PAGE1GB ? 3 : 2;
    uint64_t efer = msr_read(MSR_EFER), cr0 = cr0_read();

    exceptions_init();
    user_setup();
    for (s.leaf = 1; s.leaf <= leaves; s.leaf++)
        for (s.level = s.leaf; s.level <= 4; s.level++) {
            wrong = wrong_bits = cases = 0;
            for (unsigned mode = 0; mode < 4; mode++) {
                s.wp = mode & 1;
                s.nxe = mode & 2;
                cr0_write(s.wp ? cr0 | CR0_WP : cr0 & ~(uint64_t)CR0_WP);
                msr_write(MSR_EFER, s.nxe ? efer | EFER_NXE : efer & ~(uint64_t)EFER_NXE);
                every_entry(&s);
            }
            check_format(wrong == 0, "leaf at level %u, level %u's entry varied: %u outcomes", s.leaf, s.level, cases);
            check_format(wrong_bits == 0, "leaf at level %u, level %u's entry varied: A and D bits", s.leaf, s.level);
        }
    if (leaves < 3)
        check_skip("leaf at level 3", "no 1G pages");
    check_end();
}
