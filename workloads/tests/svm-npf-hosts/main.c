/* SPDX-License-Identifier: MIT */
/*
 * Nested tables of hosts outside long mode (APM2 15.25.3): their format is that of the host's own paging when it
 * executes VMRUN: 32-bit with CR4.PSE (4K, 4M), without it, or PAE (4K, 2M, NX if the host's EFER.NXE).
 *
 * A hypervisor of 32 bits has one of these. Under QEMU nested permissions do not count here, Bochs shows
 * I/D without the host's NXE and sets A with P=0 (doc/conformance.md).
 *
 * The program is the host, in 32-bit code, and changes its own paging between rounds. Nested tables map low memory
 * one to one, and the page under test at gPA C000_0000h. The root of PAE's is aligned to 32 bytes and no more.
 *
 * For each format first the cube of svm-npf-cube: the level whose entry is special, its P, R/W, U/S, NX and
 * reserved bits, a guest's read, write, fetch and the walk of its own table, from CPL 0 and 3; EXITINFO1 and 2 bit
 * for bit, nested A and D. Reserved are bit 21 of a 4M PDE; with PAE bit 52, or 13 of a 2M page that is read; in a
 * PDPTE also R/W, U/S and NX, since it has no permissions, nor A and D. Then guest AND nested permissions for
 * guests without paging, with 32-bit paging, PAE, and in long mode, which a host of 32 bits may run. A gPA beyond 4
 * GiB, which such tables cannot name, is not present (an assumption).
 *
 * A #VMEXIT reads a PAE host's PDPTEs anew (APM2 15.6): one changed in memory counts after the exit, not before.
 * Without PSE a nested PDE's PS is ignored. Without paging in the host there is no nested paging: NP_ENABLE is
 * VMEXIT_INVALID, and without it the guest runs.
 *
 * Without SVM or nested paging one check is skipped. Hosts in long mode: svm-npf, svm-npf-cube.
 */
#include "hv/svm/vmcb.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_HSAVE_PA 0xC0010117
#define EFER_SVME 0x1000u
#define EFER_NXE 0x800u
#define EFER_LMA_LME 0x500u
#define CR0_PG 0x80000000u
#define CR0_WP 0x10000u
#define CR0_PE_ET 0x11u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define P 1ull
#define RW 2ull
#define US 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define ALL (P | RW | US)
#define PF_P 1
#define PF_W 2
#define PF_U 4
#define PF_RSVD 8
#define PF_ID 16
#define PF_EXIT (VMEXIT_EXCEPTION + EXC_PF)
#define DPL3 0x60u

#define LINEAR 0x40000000u          /* the guest's: shows the subject */
#define LINEAR_TABLE 0x50000000u    /* the guest's: its page table is the subject */
#define SUBJECT 0xC0000000u         /* gPA: entries of its own in each nested table */
#define TARGET 0x00C00000u          /* sPA, on a boundary of every page size */
#define OTHER 0x00E00000u           /* sPA: the 2M behind it */
#define UNREACHABLE 0x1C0000000ull  /* gPA: the subject's, and bit 32 */

enum format { HOST_PSE, HOST_32, HOST_PAE };
static const char *const format_names[] = { "32-bit", "32-bit without PSE", "PAE" };
enum access { READ, WRITE, FETCH, TABLE, ACCESSES };
enum guest_mode { UNPAGED, GUEST_32, GUEST_PAE, GUEST_LONG, GUEST_MODES };
static const char *const guest_names[] = { "without paging", "32-bit", "PAE", "in long mode" };

/* The same bytes in 32- and 64-bit code; rDX is where to. */
__asm__(".text\nat_read: movl (%edx), %ecx\nvmmcall\n.balign 8\nat_write: movl %ecx, (%edx)\nvmmcall\n.balign 8\n"
        "at_fetch: jmp *%edx\nvmmcall\n");
extern const char at_read[], at_write[], at_fetch[];
static const char *const code[] = { at_read, at_write, at_fetch, at_read };

/* VMRUN with GIF = 0 around it; of the guest's registers only EDX has a value, and only ECX is looked at. */
extern uint32_t guest_edx, guest_ecx;
void switch_to_guest(void);
__asm__(".text\nswitch_to_guest: pushal\nclgi\nmovl $host_vmcb, %eax\nvmsave\nmovl $vmcb, %eax\nvmload\n"
        "movl guest_edx, %edx\nxorl %ecx, %ecx\nvmrun\nmovl %ecx, guest_ecx\n"
        "movl $host_vmcb, %eax\nvmload\nstgi\npopal\nret\n");
uint32_t guest_edx, guest_ecx;
struct vmcb vmcb __attribute__((aligned(4096))), host_vmcb __attribute__((aligned(4096)));
static uint8_t host_save[4096] __attribute__((aligned(4096)));

#define TABLE32(name) static uint32_t name[1024] __attribute__((aligned(4096)))
#define TABLE64(name) static uint64_t name[512] __attribute__((aligned(4096)))
/* The host's own, one to one. */
TABLE32(host_pd);
static uint32_t host_pt[4][1024] __attribute__((aligned(4096)));
static uint64_t host_pdpt[4] __attribute__((aligned(32))), host_pae_pd[4][512] __attribute__((aligned(4096)));
/* Nested: low memory one to one, and the subject's. */
TABLE32(nested_pd);
TABLE32(nested_pt);
static uint32_t low_pt[4][1024] __attribute__((aligned(4096)));
static uint64_t nested_pdpts[8] __attribute__((aligned(64)));
static uint64_t *const nested_pdpt = nested_pdpts + 4; /* aligned to 32 bytes and no more */
TABLE64(nested_low_pd);
TABLE64(nested_pae_pd);
TABLE64(nested_pae_pt);
/* The guest's. */
TABLE32(guest_pd);
TABLE32(guest_pt);
static uint64_t guest_pdpt[4] __attribute__((aligned(32))), guest_pae_pd[2][512] __attribute__((aligned(4096)));
TABLE64(guest_pae_pt);
TABLE64(guest_pml4);
TABLE64(guest_long_pdpt);
static uint8_t spare[4096] __attribute__((aligned(4096)));

struct entry {
    bool present, writable, user, nx, reserved;
};

static struct entry entry_of(unsigned bits)
{
    return (struct entry){ bits & 1, bits & 2, bits & 4, bits & 8, bits & 16 };
}

static uint64_t entry_bits(const struct entry *e)
{
    return (e->present ? P : 0) | (e->writable ? RW : 0) | (e->user ? US : 0) | (e->nx ? NX : 0);
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* The error code of one walk's last entry, or -1: no fault. */
static int walk_rule(const struct entry *e, bool write, bool fetch, bool as_user, bool wp, bool nxe)
{
    int fault = (write ? PF_W : 0) | (as_user ? PF_U : 0) | (fetch && nxe ? PF_ID : 0);

    if (!e->present)
        return fault;
    if (e->reserved || (e->nx && !nxe))
        return fault | PF_P | PF_RSVD;
    if ((as_user && !e->user) || (write && !e->writable && (as_user || wp)) || (fetch && e->nx))
        return fault | PF_P;
    return -1;
}

static int nested_rule(const struct entry *e, enum access access, bool nxe)
{
    return walk_rule(e, access == WRITE || access == TABLE, access == FETCH, true, false, nxe);
}

/* A PDPTE has no permissions: R/W and U/S are reserved, as NX and bit 52 are. */
static int pdpte_rule(const struct entry *e, enum access access, bool nxe)
{
    struct entry all = { e->present, true, true, false, e->writable || e->user || e->nx || e->reserved };

    return nested_rule(&all, access, nxe);
}

/* ---- Host ------------------------------------------------------------------------------------------------------- */

static void build(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        nested_pd[i] = i << 22 | ALL | PS;
        guest_pd[i] = i << 22 | ALL | PS;
        for (unsigned n = 0; n < 4; n++)
            host_pt[n][i] = low_pt[n][i] = n << 22 | i << 12 | ALL;
    }
    for (uint32_t i = 0; i < 2048; i++)
        host_pae_pd[i >> 9][i & 511] = (uint64_t)i << 21 | ALL | PS;
    for (uint32_t i = 0; i < 512; i++)
        nested_low_pd[i] = guest_pae_pd[0][i] = (uint64_t)i << 21 | ALL | PS;
    for (unsigned i = 0; i < 4; i++)
        host_pdpt[i] = (uintptr_t)host_pae_pd[i] | P;
    nested_pdpt[0] = (uintptr_t)nested_low_pd | P;
    guest_pdpt[0] = (uintptr_t)guest_pae_pd[0] | P;
    guest_pdpt[LINEAR >> 30] = (uintptr_t)guest_pae_pd[1] | P;
    guest_pml4[0] = (uintptr_t)guest_long_pdpt | ALL;
    guest_long_pdpt[0] = (uintptr_t)guest_pae_pd[0] | ALL;
    guest_long_pdpt[LINEAR >> 30] = (uintptr_t)guest_pae_pd[1] | ALL;
}

static void host_paging_off(void)
{
    cr0_write(cr0_read() & ~CR0_PG);
    cr4_write(cr4_read() & ~(CR4_PSE | CR4_PAE));
}

static void host_enter(enum format format)
{
    host_paging_off();
    for (uint32_t i = 0; i < 1024; i++)
        host_pd[i] = i << 22 | ALL | PS;
    for (unsigned n = 0; n < 4 && format == HOST_32; n++) /* 16 MiB, and the local APIC is not used */
        host_pd[n] = (uintptr_t)host_pt[n] | ALL;
    if (format != HOST_32)
        cr4_write(cr4_read() | (format == HOST_PAE ? CR4_PAE : CR4_PSE));
    cr3_write(format == HOST_PAE ? (uintptr_t)host_pdpt : (uintptr_t)host_pd);
    cr0_write(cr0_read() | CR0_PG);
    for (unsigned n = 0; n < 4; n++)
        nested_pd[n] = format == HOST_32 ? (uint32_t)((uintptr_t)low_pt[n] | ALL) : (uint32_t)(n << 22 | ALL | PS);
}

static void set_nxe(bool nxe)
{
    msr_write(MSR_EFER, nxe ? msr_read(MSR_EFER) | EFER_NXE : msr_read(MSR_EFER) & ~(uint64_t)EFER_NXE);
}

/* ---- Guest ------------------------------------------------------------------------------------------------------ */

/* Every field that is not 0 in all guests. */
static void guest_prepare(enum format format, enum guest_mode mode, const char *at)
{
    vmcb.intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
    vmcb.intercept_1 = INTERCEPT_SHUTDOWN;
    vmcb.intercept_exceptions = 1u << EXC_PF;
    vmcb.asid = 1;
    vmcb.tlb_control = 1;
    vmcb.np_enable = 1;
    vmcb.n_cr3 = format == HOST_PAE ? (uintptr_t)nested_pdpt : (uintptr_t)nested_pd;
    vmcb.cs = (struct vmcb_segment){ 8, mode == GUEST_LONG ? SEGMENT_CODE64 : SEGMENT_CODE32, 0xFFFFFFFF, 0 };
    vmcb.ds = vmcb.es = vmcb.ss = vmcb.fs = vmcb.gs = (struct vmcb_segment){ 16, SEGMENT_DATA32, 0xFFFFFFFF, 0 };
    vmcb.dr6 = 0xFFFF0FF0;
    vmcb.dr7 = 0x400;
    vmcb.rflags = 2;
    vmcb.rip = (uintptr_t)at;
    vmcb.cpl = 0;
    vmcb.g_pat = 0x0007040600070406ull;
    vmcb.efer = EFER_SVME | EFER_NXE | (mode == GUEST_LONG ? EFER_LMA_LME : 0);
    vmcb.cr0 = CR0_PE_ET | (mode != UNPAGED ? CR0_PG : 0);
    vmcb.cr4 = mode == GUEST_32 ? CR4_PSE : mode != UNPAGED ? CR4_PAE : 0;
    vmcb.cr3 = mode == GUEST_32 ? (uintptr_t)guest_pd :
               mode == GUEST_PAE ? (uintptr_t)guest_pdpt : (uintptr_t)guest_pml4;
}

static void guest_becomes_user(void)
{
    vmcb.cpl = 3;
    vmcb.cs.attributes |= DPL3;
    vmcb.cs.selector |= 3;
    vmcb.ss.attributes |= DPL3;
    vmcb.ss.selector |= 3;
}

/* The guest's leaf entry for LINEAR. */
static void guest_map(uint64_t gpa, uint64_t bits)
{
    guest_pd[LINEAR >> 22] = (uintptr_t)guest_pt | ALL;
    guest_pt[0] = (uint32_t)(gpa | bits);
    guest_pae_pd[1][0] = (uintptr_t)guest_pae_pt | ALL;
    guest_pae_pt[0] = gpa | bits;
}

/* What the target holds: VMMCALL for a fetch, an entry for a table. */
static void fill_target(enum access access)
{
    *(volatile uint32_t *)TARGET = access == TABLE ? (uint32_t)((uintptr_t)spare | ALL) : 0xD9010F;
}

/* ---- Nested entries --------------------------------------------------------------------------------------------- */

static unsigned cases, wrong, wrong_bits;

static uint64_t nested_get(enum format format, unsigned level)
{
    if (format == HOST_PAE)
        return level == 3 ? nested_pdpt[SUBJECT >> 30] : level == 2 ? nested_pae_pd[0] : nested_pae_pt[0];
    return level == 2 ? nested_pd[SUBJECT >> 22] : nested_pt[0];
}

static void nested_set(enum format format, unsigned level, uint64_t value)
{
    if (format != HOST_PAE && level == 2)
        nested_pd[SUBJECT >> 22] = (uint32_t)value;
    else if (format != HOST_PAE)
        nested_pt[0] = (uint32_t)value;
    else if (level == 3)
        nested_pdpt[SUBJECT >> 30] = value;
    else if (level == 2)
        nested_pae_pd[0] = value;
    else
        nested_pae_pt[0] = value;
}

/* What is reserved: bit 21 of a 4M PDE; with PAE the bits above the physical address, or below that of a 2M page. */
static uint64_t reserved_bit(enum format format, bool large, enum access access)
{
    if (format != HOST_PAE)
        return 1u << 21;
    return large && access == READ ? 1u << 13 : 1ull << 52;
}

/* The chain to the subject, with the special entry at `level`. A PDPTE has P alone. */
static void map_subject(enum format format, unsigned leaf, unsigned level, const struct entry *special,
                        enum access access)
{
    unsigned top = format == HOST_PAE ? 3 : 2;
    uint64_t below[4] = { 0, 0, format == HOST_PAE ? (uintptr_t)nested_pae_pt : (uintptr_t)nested_pt,
                          (uintptr_t)nested_pae_pd };

    for (unsigned at = top; at >= leaf; at--) {
        bool large = at == leaf && at == 2;
        uint64_t bits = at == level ? entry_bits(special) : at == 3 ? P : ALL;

        if (at == level && special->reserved)
            bits |= reserved_bit(format, large, access);
        nested_set(format, at, bits | (at == leaf ? TARGET : below[at]) | (large ? PS : 0));
    }
}

static bool nested_bits_right(enum format format, unsigned leaf, unsigned level, int fault, enum access access)
{
    bool fails = fault != -1 && (!(fault & PF_P) || (fault & PF_RSVD)), right = true;

    for (unsigned at = 2; at >= leaf; at--) {
        uint64_t entry = nested_get(format, at);
        bool reached = !fails || at > level;

        if (fault == -1 || fails) /* a permission fault may or may not set A (APM2 5.4.2) */
            right &= !(entry & A) == !reached;
        right &= !(entry & D) == !(at == leaf && fault == -1 && (access == WRITE || access == TABLE));
    }
    return right && (format != HOST_PAE || !(nested_get(format, 3) & (A | D)));
}

static void report(const char *what, const struct entry *e, enum access access, int want)
{
    guest_print("# %s P%u W%u U%u NX%u R%u access %u: exit %llx INFO1 %llx INFO2 %llx, want %d", what, e->present,
                e->writable, e->user, e->nx, e->reserved, access, (unsigned long long)vmcb.exitcode,
                (unsigned long long)vmcb.exitinfo1, (unsigned long long)vmcb.exitinfo2, want);
}

static bool exit_is(int fault, uint64_t kind, uint64_t gpa)
{
    if (fault == -1)
        return vmcb.exitcode == VMEXIT_VMMCALL;
    return vmcb.exitcode == VMEXIT_NPF && vmcb.exitinfo1 == ((uint64_t)fault | kind) && vmcb.exitinfo2 == gpa;
}

static void one(enum format format, unsigned leaf, unsigned level, unsigned bits, enum access access, bool as_user,
                bool nxe)
{
    struct entry special = entry_of(bits);
    int want;
    bool right;

    want = level == 3 ? pdpte_rule(&special, access, nxe) : nested_rule(&special, access, nxe);
    map_subject(format, leaf, level, &special, access);
    guest_map(SUBJECT, ALL);
    guest_pd[LINEAR_TABLE >> 22] = SUBJECT | ALL;
    fill_target(access);
    guest_prepare(format, GUEST_32, code[access]);
    guest_edx = access == TABLE ? LINEAR_TABLE : LINEAR;
    if (as_user)
        guest_becomes_user();
    switch_to_guest();
    cases++;
    right = exit_is(want, access == TABLE ? NPF_GUEST_TABLE : NPF_FINAL, SUBJECT);
    if (!right && wrong++ < 3)
        report("nested", &special, access, want);
    if (right && !nested_bits_right(format, leaf, level, want, access) && wrong_bits++ < 3)
        report("A/D", &special, access, want);
}

static void cube(enum format format, unsigned leaf, unsigned level)
{
    const char *size = leaf == 1 ? "4K" : format == HOST_PAE ? "2M" : "4M";
    bool reserved = format == HOST_PAE || (format == HOST_PSE && leaf == 2 && level == 2);

    cases = wrong = wrong_bits = 0;
    for (unsigned n = 0; n < 32 * ACCESSES * 4; n++) {
        if ((n & 8 || n & 256) && format != HOST_PAE)
            continue; /* no NX */
        if (n & 16 && !reserved)
            continue; /* entries of 32 bits have no other reserved bit */
        set_nxe(n & 256);
        one(format, leaf, level, n & 31, n >> 5 & 3, n & 128, n & 256);
    }
    set_nxe(false);
    check_format(wrong == 0, "%s host, nested %s pages, level %u's entry varied: %u outcomes", format_names[format],
                 size, level, cases);
    check_format(wrong_bits == 0, "%s host, nested %s pages, level %u's entry varied: A and D bits",
                 format_names[format], size, level);
}

/* ---- Guest AND nested ------------------------------------------------------------------------------------------- */

static void both_one(enum format format, enum guest_mode mode, unsigned n)
{
    struct entry guest = entry_of(n & 15), host = entry_of(n >> 4 & 15);
    enum access access = n / 256 % 3;
    bool as_user = n / 768 & 1, wp = n / 1536 & 1, right;
    int guest_fault = mode == UNPAGED ? -1 : walk_rule(&guest, access == WRITE, access == FETCH, as_user, wp,
                                                       mode != GUEST_32);
    int host_fault = nested_rule(&host, access, format == HOST_PAE);

    map_subject(format, 1, 1, &host, access);
    guest_map(SUBJECT, entry_bits(&guest));
    fill_target(access);
    guest_prepare(format, mode, code[access]);
    guest_edx = mode == UNPAGED ? SUBJECT : LINEAR;
    vmcb.cr0 |= wp ? CR0_WP : 0;
    if (as_user)
        guest_becomes_user();
    switch_to_guest();
    cases++;
    if (guest_fault != -1)
        right = vmcb.exitcode == PF_EXIT && (int)vmcb.exitinfo1 == guest_fault && vmcb.exitinfo2 == LINEAR;
    else
        right = exit_is(host_fault, NPF_FINAL, SUBJECT);
    if (!right && wrong++ < 3)
        report("both, nested", &host, access, guest_fault != -1 ? guest_fault : host_fault);
}

static void both(enum format format, enum guest_mode mode)
{
    cases = wrong = 0;
    for (unsigned n = 0; n < 256 * 3 * 4; n++) {
        if (((n & 8) && mode == GUEST_32) || (mode == UNPAGED && (n & 15)) || ((n & 128) && format != HOST_PAE))
            continue; /* entries of 32 bits have no NX */
        both_one(format, mode, n);
    }
    check_format(wrong == 0, "%s host, guest %s: %u combinations of its entry and the nested one", format_names[format],
                 guest_names[mode], cases);
}

/* ---- Beyond the cube -------------------------------------------------------------------------------------------- */

static void run_read(enum format format, enum guest_mode mode)
{
    guest_prepare(format, mode, at_read);
    guest_edx = LINEAR;
    switch_to_guest();
}

static void beyond_reach(enum format format)
{
    static const struct entry all = { true, true, true, false, false };

    map_subject(format, 1, 1, &all, READ);
    guest_map(UNREACHABLE, ALL);
    run_read(format, GUEST_PAE);
    check_format(exit_is(PF_U, NPF_FINAL, UNREACHABLE), "%s host: a gPA beyond 4 GiB is not present",
                 format_names[format]);
}

static void no_pse(void)
{
    static const struct entry all = { true, true, true, false, false };

    map_subject(HOST_32, 1, 1, &all, READ);
    nested_pd[SUBJECT >> 22] |= PS;
    guest_map(SUBJECT, ALL);
    *(volatile uint32_t *)TARGET = 0x1234;
    run_read(HOST_32, GUEST_32);
    check(exit_is(-1, 0, 0) && guest_ecx == 0x1234, "32-bit host without PSE: a nested PDE's PS is ignored");
}

static void no_paging(void)
{
    host_paging_off();
    run_read(HOST_32, UNPAGED);
    check(vmcb.exitcode == VMEXIT_INVALID, "a host without paging: NP_ENABLE is VMEXIT_INVALID");
    guest_prepare(HOST_32, UNPAGED, at_read);
    vmcb.np_enable = 0;
    guest_edx = TARGET;
    switch_to_guest();
    check(vmcb.exitcode == VMEXIT_VMMCALL, "without NP_ENABLE its guest runs");
}

static void host_pdptes(void)
{
    volatile uint32_t *moved = (volatile uint32_t *)(uintptr_t)(0x40000000u + TARGET);

    uint64_t *const old = &host_pae_pd[1][TARGET >> 21], was = *old;

    host_enter(HOST_PAE);
    *(volatile uint32_t *)TARGET = 0x1234;
    *(volatile uint32_t *)OTHER = 0x5678;
    *old = OTHER | ALL | PS;
    cr3_write((uintptr_t)host_pdpt);
    host_pdpt[1] = host_pdpt[0]; /* 1 GiB to 2 GiB shows what lies below; not yet loaded */
    check(*moved == 0x5678, "a PAE host's PDPTE changed in memory is not looked at");
    guest_prepare(HOST_PAE, UNPAGED, at_read);
    guest_edx = TARGET;
    switch_to_guest(); /* TLB_CONTROL takes the translation away */
    check(*moved == 0x1234, "#VMEXIT reads a PAE host's PDPTEs anew");
    host_pdpt[1] = (uintptr_t)host_pae_pd[1] | P;
    *old = was;
    cr3_write((uintptr_t)host_pdpt);
}

void guest_main(void)
{
    exceptions_init();
    if (!(cpuid(0x80000001, 0).ecx & 4) || !(cpuid(0x8000000A, 0).edx & 1)) {
        check_skip("nested paging", "this processor has none");
        check_end();
    }
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, (uintptr_t)host_save);
    build();
    for (enum format format = HOST_PSE; format <= HOST_PAE; format++) {
        host_enter(format);
        for (unsigned leaf = 1; leaf <= (format == HOST_32 ? 1 : 2); leaf++)
            for (unsigned level = leaf; level <= (format == HOST_PAE ? 3 : 2); level++)
                cube(format, leaf, level);
        set_nxe(format == HOST_PAE);
        for (unsigned mode = 0; mode < GUEST_MODES; mode++)
            both(format, mode);
        beyond_reach(format);
        set_nxe(false);
    }
    host_pdptes();
    host_enter(HOST_32);
    no_pse();
    no_paging();
    check_end();
}
