/* SPDX-License-Identifier: MIT */
/*
 * The paging permission cube under nested paging (APM2 15.25.5 to 15.25.7): first the nested tables alone, then
 * guest AND nested permissions, for a host in long mode.
 *
 * The two walks differ: nested walks are a user's whatever the guest's CPL, a guest's table is read as by a write,
 * and the host's EFER.NXE, not the guest's, rules nested NX. QEMU reports RSVD without P, Bochs I/D
 * with the host's NXE=0, and A set with P=0 (doc/conformance.md).
 *
 * The page is seen at gPA 80_0000_0000h, behind a nested PML4E of its own, as 4K, 2M or 1G; one nested entry is
 * special by its P, R/W, U/S, NX and a reserved bit, at each level. A 64-bit guest reads, writes, fetches, or
 * has its own page table there, at CPL 0 and 3, with the host's NXE and CR0.WP, which has no say (15.25.7), 0 and 1:
 * 1024 outcomes and their nested A and D bits for each of nine pairs of page size and level. A permitted access ends
 * in VMMCALL. Any other is VMEXIT_NPF with EXITINFO1 bit for bit, 32 (final) or 33 (guest table) included, and
 * the gPA in EXITINFO2. A is set at each level that a completed or failed walk got past, D in the leaf for a write or
 * guest's table; permission faults may set A, never D.
 *
 * Then every guest leaf entry (P, R/W, U/S, NX) with every nested one, read, write and fetch, CPL and the guest's
 * WP, for guests in long mode, PAE (4K, 2M), 32-bit paging (4K, 4M), and without paging. The guest's own #PF, which
 * is intercepted, comes with its error code and address before the final nested walk. Not asked: guests' A and D.
 *
 * Without SVM, nested paging or 1G pages one check is skipped. Other hosts: svm-npf-hosts.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/svm64.h"

#define MSR_EFER 0xC0000080
#define EFER_SVME 0x1000u
#define EFER_NXE 0x800u
#define CR0_PG_PE_ET 0x80000011u
#define CR0_WP 0x10000u
#define CPUID_EDX_PAGE1GB (1u << 26)
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define LINEAR 0x28000000000ull         /* long mode: a page at the subject */
#define LINEAR_TABLE 0x29000000000ull   /* long mode: its page table is at the subject */
#define LINEAR32 0x40000000u
#define USER_CODE 0x2A000000000ull
#define SUBJECT 0x8000000000ull         /* gPA: its own nested PML4E */
#define SUBJECT32 0xC0000000u           /* gPA: its own nested PDPE, for guests of 32 bits */
#define TARGET 0x0C000000ull            /* sPA */
#define RESERVED_BIT (1ull << 51)
#define LARGE_RESERVED (1ull << 13)
#define ALL (PTE_P | PTE_RW | PTE_US)
#define DPL3 0x60u
#define PF_EXIT (VMEXIT_EXCEPTION + EXC_PF)

SVM_CODE64(read, "movl (%rdx), %ecx") SVM_CODE64(write, "movl %ecx, (%rdx)") SVM_CODE64(fetch, "jmp *%rdx")
SVM_CODE(32, read32, "movl (%edx), %ecx") SVM_CODE(32, write32, "movl %ecx, (%edx)")
SVM_CODE(32, fetch32, "jmp *%edx")
enum access { READ, WRITE, FETCH, TABLE, ACCESSES };
static const char *const code64[] = { at_read, at_write, at_fetch, at_read };
static const char *const code32[] = { at_read32, at_write32, at_fetch32 };
#define CODE_BYTES 8u

/* nested[level - 1] leads to the subject; the others map low memory one to one. */
static uint64_t nested[4][512] __attribute__((aligned(4096)));
static uint64_t low_pdpt[512] __attribute__((aligned(4096))), low_pd[512] __attribute__((aligned(4096)));
static uint64_t pd32[512] __attribute__((aligned(4096))), pt32[512] __attribute__((aligned(4096)));
/* Of guests of 32 bits. */
static uint32_t legacy_pd[1024] __attribute__((aligned(4096))), legacy_pt[1024] __attribute__((aligned(4096)));
static uint64_t pae_pdpt[4] __attribute__((aligned(32))), pae_pd[2][512] __attribute__((aligned(4096)));
static uint64_t pae_pt[512] __attribute__((aligned(4096))), spare[512] __attribute__((aligned(4096)));

struct entry {
    bool present, writable, user, nx, reserved;
};

static struct entry entry_of(unsigned bits)
{
    return (struct entry){ bits & 1, bits & 2, bits & 4, bits & 8, bits & 16 };
}

static uint64_t entry_bits(const struct entry *e)
{
    return (e->present ? PTE_P : 0) | (e->writable ? PTE_RW : 0) | (e->user ? PTE_US : 0) | (e->nx ? PTE_NX : 0) |
           (e->reserved ? RESERVED_BIT : 0);
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* The error code of one walk's last entry, or -1: no fault. */
static int walk_rule(const struct entry *e, bool write, bool fetch, bool as_user, bool wp, bool nxe)
{
    int code = (write ? PF_W : 0) | (as_user ? PF_U : 0) | (fetch && nxe ? PF_ID : 0);

    if (!e->present)
        return code;
    if (e->reserved || (e->nx && !nxe))
        return code | PF_P | PF_RSVD;
    if ((as_user && !e->user) || (write && !e->writable && (as_user || wp)) || (fetch && e->nx))
        return code | PF_P;
    return -1;
}

static int nested_rule(const struct entry *e, enum access access, bool nxe)
{
    return walk_rule(e, access == WRITE || access == TABLE, access == FETCH, true, false, nxe);
}

/* ---- Set-up ----------------------------------------------------------------------------------------------------- */

static void build(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));

    nested[3][0] = (uintptr_t)low_pdpt | ALL;
    low_pdpt[0] = (uintptr_t)low_pd | ALL;
    low_pdpt[SUBJECT32 >> 30] = (uintptr_t)pd32 | ALL;
    pd32[0] = (uintptr_t)pt32 | ALL;
    for (unsigned i = 0; i < 512; i++)
        low_pd[i] = (uint64_t)i << 21 | ALL | PTE_PS;
    for (unsigned i = 0; i < ACCESSES; i++)
        memcpy(page + i * CODE_BYTES, code64[i], CODE_BYTES);
    *paging_entry(USER_CODE, 1) = (uintptr_t)page | ALL;
    for (uint32_t i = 0; i < 1024; i++)
        legacy_pd[i] = i << 22 | ALL | PTE_PS;
    for (uint32_t i = 0; i < 512; i++)
        pae_pd[0][i] = (uint64_t)i << 21 | ALL | PTE_PS;
    pae_pdpt[0] = (uintptr_t)pae_pd[0] | PTE_P;
    pae_pdpt[LINEAR32 >> 30] = (uintptr_t)pae_pd[1] | PTE_P;
}

/* What the target holds: VMMCALL for a fetch, an entry for a table. */
static void fill_target(enum access access)
{
    *(volatile uint64_t *)TARGET = access == TABLE ? (uintptr_t)spare | ALL : 0xD9010F;
}

static void become_user(void)
{
    svm_vmcb.cpl = 3;
    svm_vmcb.cs.attributes |= DPL3;
    svm_vmcb.cs.selector |= 3;
    svm_vmcb.ss.attributes |= DPL3;
    svm_vmcb.ss.selector |= 3;
}

static void prepare64(enum access access, bool as_user)
{
    svm_prepare(as_user ? (const char *)(USER_CODE + access * CODE_BYTES) : code64[access]);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)nested[3];
    svm_vmcb.efer |= EFER_NXE;
    svm_registers.rdx = access == TABLE ? LINEAR_TABLE : LINEAR;
    svm_intercept_exceptions(1u << EXC_PF);
    if (as_user)
        become_user();
}

static void set_nxe(bool nxe)
{
    msr_write(MSR_EFER, nxe ? msr_read(MSR_EFER) | EFER_NXE : msr_read(MSR_EFER) & ~(uint64_t)EFER_NXE);
}

/* ---- Nested entries --------------------------------------------------------------------------------------------- */

static unsigned cases, wrong, wrong_bits;

/* The chain to the subject, with the special entry at `level`; the gPA that shows TARGET. */
static uint64_t map_subject(unsigned leaf, unsigned level, const struct entry *special, bool large_reserved)
{
    uint64_t gpa = SUBJECT + (leaf == 3 ? TARGET : 0);

    for (unsigned at = 4; at >= leaf; at--) {
        uint64_t to = at > leaf ? (uintptr_t)nested[at - 2] : leaf == 3 ? 0 : TARGET;
        uint64_t bits = at == level ? entry_bits(special) : ALL;

        if (at == leaf && leaf > 1) {
            bits |= PTE_PS;
            if (at == level && special->reserved && large_reserved)
                bits = (bits & ~RESERVED_BIT) | LARGE_RESERVED;
        }
        nested[at - 1][gpa >> (3 + 9 * at) & 511] = to | bits;
    }
    return gpa;
}

static bool nested_bits_right(unsigned leaf, unsigned level, uint64_t gpa, int code, enum access access)
{
    bool fails = code != -1 && (!(code & PF_P) || (code & PF_RSVD)), right = true;

    for (unsigned at = 4; at >= leaf; at--) {
        uint64_t entry = nested[at - 1][gpa >> (3 + 9 * at) & 511];
        bool reached = !fails || at > level;

        if (code == -1 || fails) /* a permission fault may or may not set A (APM2 5.4.2) */
            right &= !(entry & PTE_A) == !reached;
        right &= !(entry & PTE_D) == !(at == leaf && code == -1 && (access == WRITE || access == TABLE));
    }
    return right;
}

static void one(unsigned leaf, unsigned level, unsigned bits, enum access access, bool as_user, bool nxe)
{
    struct entry special = entry_of(bits);
    uint64_t gpa = map_subject(leaf, level, &special, access == READ), exit;
    int want = nested_rule(&special, access, nxe);
    bool right;

    *paging_entry(LINEAR, 1) = gpa | ALL;
    *paging_entry(LINEAR_TABLE, 2) = gpa | ALL;
    fill_target(access);
    prepare64(access, as_user);
    exit = svm_run();
    cases++;
    if (want == -1)
        right = exit == VMEXIT_VMMCALL;
    else
        right = exit == VMEXIT_NPF && svm_vmcb.exitinfo2 == gpa &&
                svm_vmcb.exitinfo1 == ((uint64_t)want | (access == TABLE ? NPF_GUEST_TABLE : NPF_FINAL));
    if (!right && wrong++ < 3)
        guest_print("# P%u W%u U%u NX%u R%u access %u user %u nxe %u: exit %llx INFO1 %llx INFO2 %llx, want %d",
                    special.present, special.writable, special.user, special.nx, special.reserved, access, as_user,
                    nxe, (unsigned long long)exit,
                    (unsigned long long)svm_vmcb.exitinfo1, (unsigned long long)svm_vmcb.exitinfo2, want);
    if (right && !nested_bits_right(leaf, level, gpa, want, access) && wrong_bits++ < 3)
        guest_print("# A/D: P%u R%u access %u code %d", special.present, special.reserved, access, want);
}

static void cube(unsigned leaf, unsigned level)
{
    static const char *const sizes[] = { "4K", "2M", "1G" };
    uint64_t cr0 = cr0_read();

    cases = wrong = wrong_bits = 0;
    for (unsigned n = 0; n < 32 * ACCESSES * 8; n++) {
        set_nxe(n >> 8 & 1);
        cr0_write(n >> 9 & 1 ? cr0 | CR0_WP : cr0 & ~(uint64_t)CR0_WP);
        one(leaf, level, n & 31, n >> 5 & 3, n >> 7 & 1, n >> 8 & 1);
    }
    set_nxe(true);
    cr0_write(cr0);
    check_format(wrong == 0, "nested %s pages, level %u's entry varied: %u outcomes", sizes[leaf - 1], level, cases);
    check_format(wrong_bits == 0, "nested %s pages, level %u's entry varied: A and D bits", sizes[leaf - 1], level);
}

/* ---- Guest AND nested ------------------------------------------------------------------------------------------- */

enum guest_mode { LONG, PAE_4K, PAE_2M, LEGACY_4K, LEGACY_4M, UNPAGED, GUEST_MODES };
static const char *const mode_names[] = { "long mode", "PAE, 4K", "PAE, 2M", "32-bit, 4K", "32-bit, 4M", "no paging" };

/* The guest's leaf entry for LINEAR or LINEAR32, at the 32-bit subject. */
static void map_guest(enum guest_mode mode, uint64_t bits)
{
    *paging_entry(LINEAR, 1) = SUBJECT32 | bits;
    legacy_pd[LINEAR32 >> 22] = mode == LEGACY_4M ? (uint32_t)(SUBJECT32 | bits | PTE_PS) :
                                                    (uint32_t)((uintptr_t)legacy_pt | ALL);
    legacy_pt[0] = (uint32_t)(SUBJECT32 | bits);
    pae_pd[1][0] = mode == PAE_2M ? SUBJECT32 | bits | PTE_PS : (uintptr_t)pae_pt | ALL;
    pae_pt[0] = SUBJECT32 | bits;
}

static void prepare32(enum guest_mode mode, enum access access, bool as_user)
{
    bool pae = mode == PAE_4K || mode == PAE_2M;

    svm_prepare32(code32[access]);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)nested[3];
    svm_vmcb.efer = EFER_SVME | EFER_NXE;
    svm_intercept_exceptions(1u << EXC_PF);
    svm_registers.rdx = mode == UNPAGED ? SUBJECT32 : LINEAR32;
    if (mode != UNPAGED) {
        svm_vmcb.cr0 = CR0_PG_PE_ET;
        svm_vmcb.cr4 = pae ? CR4_PAE : CR4_PSE;
        svm_vmcb.cr3 = pae ? (uintptr_t)pae_pdpt : (uintptr_t)legacy_pd;
    }
    if (as_user)
        become_user();
}

static void both_one(enum guest_mode mode, unsigned guest_bits, unsigned nested_bits, enum access access, bool as_user,
                     bool wp)
{
    struct entry guest = entry_of(guest_bits), host = entry_of(nested_bits);
    uint64_t linear = mode == LONG ? LINEAR : LINEAR32, exit;
    bool has_nx = mode <= PAE_2M, right;
    int guest_code = mode == UNPAGED ? -1 : walk_rule(&guest, access == WRITE, access == FETCH, as_user, wp, has_nx);
    int host_code = nested_rule(&host, access, true);

    map_guest(mode, entry_bits(&guest));
    pt32[0] = TARGET | entry_bits(&host);
    fill_target(access);
    if (mode == LONG)
        prepare64(access, as_user);
    else
        prepare32(mode, access, as_user);
    svm_vmcb.cr0 = wp ? svm_vmcb.cr0 | CR0_WP : svm_vmcb.cr0 & ~(uint64_t)CR0_WP;
    exit = svm_run();
    cases++;
    if (guest_code != -1)
        right = exit == PF_EXIT && (int)svm_vmcb.exitinfo1 == guest_code && svm_vmcb.exitinfo2 == linear;
    else if (host_code != -1)
        right = exit == VMEXIT_NPF && svm_vmcb.exitinfo1 == ((uint64_t)host_code | NPF_FINAL) &&
                svm_vmcb.exitinfo2 == SUBJECT32;
    else
        right = exit == VMEXIT_VMMCALL;
    if (!right && wrong++ < 3)
        guest_print("# guest %x nested %x access %u user %u wp %u: exit %llx INFO1 %llx INFO2 %llx, want %d, %d",
                    guest_bits, nested_bits, access, as_user, wp, (unsigned long long)exit,
                    (unsigned long long)svm_vmcb.exitinfo1,
                    (unsigned long long)svm_vmcb.exitinfo2, guest_code, host_code);
}

static void both(enum guest_mode mode)
{
    cases = wrong = 0;
    for (unsigned n = 0; n < 256 * 3 * 4; n++) {
        unsigned guest_bits = n & 15, access = n / 256 % 3;

        if (((guest_bits & 8) && mode >= LEGACY_4K) || (mode == UNPAGED && guest_bits))
            continue; /* entries of 32 bits have no NX */
        both_one(mode, guest_bits, n >> 4 & 15, access, n / 768 & 1, n / 768 & 2);
    }
    check_format(wrong == 0, "guest in %s: %u combinations of its entry and the nested one", mode_names[mode], cases);
}

void guest_main(void)
{
    unsigned leaves;

    svm_begin();
    if (!(cpuid(0x8000000A, 0).edx & 1)) {
        check_skip("nested paging", "this processor has none");
        check_end();
    }
    build();
    leaves = cpuid(0x80000001, 0).edx & CPUID_EDX_PAGE1GB ? 3 : 2;
    for (unsigned leaf = 1; leaf <= leaves; leaf++)
        for (unsigned level = leaf; level <= 4; level++)
            cube(leaf, level);
    if (leaves < 3)
        check_skip("nested 1G pages", "this processor has none");
    for (unsigned mode = 0; mode < GUEST_MODES; mode++)
        both(mode);
    check_end();
}
