/* SPDX-License-Identifier: MIT */
/*
 * Nested page faults (APM2 15.25.6; the values measured on real parts). A 64-bit guest reads, writes or fetches
 * from a page; one entry of the nested tables is changed. When does VMEXIT_NPF come, and what does it say?
 *
 * A hypervisor goes by this when it backs memory on demand. QEMU reports reserved bits without P, Bochs I/D with
 * the host's EFER.NXE=0 (doc/conformance.md).
 *
 * Host and guest are in long mode on the same page tables. Nested tables map 1 GiB one to one, by 4K pages where
 * the guest's data, code and page table of both lie. The guest makes one access, and VMMCALL if nothing stops it.
 *
 * The rows compare EXITINFO1 (0 P, 1 W, 2 U, always, 3 RSVD, 4 I/D, 32 final address, 33 guest table), the gPA in
 * EXITINFO2, and CR2, which #NPF does not touch. A guest's table is reached by a user's write, whatever the guest
 * does. Reserved bits count only in entries with P=1. The host's EFER.NXE rules nested NX: with 0, NX is a reserved
 * bit and a fetch has no I/D. A bad nested PDPE or PML4E shows when the guest's PML4E of its code is read.
 *
 * Then what passes, NX on a guest's table included. Nested A and D: D for a guest's write and for every use of a
 * page as a guest's table; at the final #NPF the guest's A is set, the absent nested entry untouched. The guest's
 * own #PF comes before the final #NPF; its WP=0 passes its own entry only; EXITINTINFO tells of an interrupt whose
 * delivery faulted. Without paging the linear address is the gPA, and a PAE guest's bad PDPTE is #PF at its use
 * alone (APM2 15.25.10).
 *
 * Without nested paging one check is skipped. Every combination: svm-npf-cube; other hosts: svm-npf-hosts.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/svm64.h"

#define MSR_EFER 0xC0000080
#define EFER_NXE 0x800u
#define CR0_WP 0x10000u
#define WINDOW 0x40000000000ull /* guest: page 0 data, 1 code; its table is R_TABLE */
#define REGION 0x0E000000ull    /* 2 MiB that the nested tables map with 4K pages */
#define R_DATA (REGION + 0x1000)
#define R_CODE (REGION + 0x2000)
#define R_TABLE (REGION + 0x3000)
#define BIT_51 (1ull << 51)
#define FINAL NPF_FINAL
#define TABLE NPF_GUEST_TABLE

SVM_CODE64(read, "movl (%rdx), %ecx") SVM_CODE64(write, "movl %ecx, (%rdx)") SVM_CODE64(fetch, "jmp *%rdx")
SVM_CODE64(nop, "nop")
SVM_CODE(32, read32, "movl (%edx), %ecx")

static uint64_t pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096))),
    pd[512] __attribute__((aligned(4096))), pt[512] __attribute__((aligned(4096)));
static uint64_t guest_pdpt[4] __attribute__((aligned(32))), guest_pd[512] __attribute__((aligned(4096)));

#define ALL (PTE_P | PTE_RW | PTE_US)
static uint64_t *nested(uint64_t gpa) { return &pt[gpa >> 12 & 511]; }

static void build(void)
{
    uint64_t *table = (uint64_t *)R_TABLE;

    pml4[0] = (uintptr_t)pdpt | ALL;
    pdpt[0] = (uintptr_t)pd | ALL;
    for (unsigned i = 0; i < 512; i++) {
        pd[i] = (uint64_t)i << 21 | ALL | PTE_PS;
        pt[i] = (REGION + 0x1000 * i) | ALL;
        table[i] = 0;
    }
    pd[REGION >> 21] = (uintptr_t)pt | ALL;
    table[0] = R_DATA | ALL;
    table[1] = R_CODE | ALL;
    *paging_entry(WINDOW, 2) = R_TABLE | ALL;
    *(volatile uint8_t *)R_CODE = 0x0F; /* VMMCALL */
    *(volatile uint8_t *)(R_CODE + 1) = 0x01;
    *(volatile uint8_t *)(R_CODE + 2) = 0xD9;
}

enum access { READ, WRITE, FETCH };

static void prepare(enum access access)
{
    static const char *const code[] = { at_read, at_write, at_fetch };

    svm_prepare(code[access]);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)pml4;
    svm_vmcb.cr2 = 0x5A5A;
    svm_registers.rdx = access == FETCH ? WINDOW + 0x1000 : WINDOW;
}

struct row {
    const char *what;
    enum access access;
    uint64_t *entry, set, clear;    /* the change of a nested entry */
    uint64_t info1, info2;
    bool no_nxe;
};

#define LEAF(gpa) &pt[(gpa) >> 12 & 511]
#define PDE &pd[REGION >> 21]
#define GUEST_ROOT 0 /* EXITINFO2: the guest's PML4E of its code, which is fetched first */
static const struct row rows[] = {
    { "a page not present, read", READ, LEAF(R_DATA), 0, PTE_P, FINAL | 0x04, R_DATA, false },
    { "a page not present, write", WRITE, LEAF(R_DATA), 0, PTE_P, FINAL | 0x06, R_DATA, false },
    { "a page not present, fetch", FETCH, LEAF(R_CODE), 0, PTE_P, FINAL | 0x14, R_CODE, false },
    { "a page not present, fetch, host NXE=0", FETCH, LEAF(R_CODE), 0, PTE_P, FINAL | 0x04, R_CODE, true },
    { "a supervisor's page, read", READ, LEAF(R_DATA), 0, PTE_US, FINAL | 0x05, R_DATA, false },
    { "a read-only page, write", WRITE, LEAF(R_DATA), 0, PTE_RW, FINAL | 0x07, R_DATA, false },
    { "an NX page, fetch", FETCH, LEAF(R_CODE), PTE_NX, 0, FINAL | 0x15, R_CODE, false },
    { "a reserved bit, read", READ, LEAF(R_DATA), BIT_51, 0, FINAL | 0x0D, R_DATA, false },
    { "a reserved bit, write", WRITE, LEAF(R_DATA), BIT_51, 0, FINAL | 0x0F, R_DATA, false },
    { "a reserved bit, fetch", FETCH, LEAF(R_CODE), BIT_51, 0, FINAL | 0x1D, R_CODE, false },
    { "a reserved bit, fetch, host NXE=0", FETCH, LEAF(R_CODE), BIT_51, 0, FINAL | 0x0D, R_CODE, true },
    { "a reserved bit and P=0, read", READ, LEAF(R_DATA), BIT_51, PTE_P, FINAL | 0x04, R_DATA, false },
    { "NX with host NXE=0 is reserved, read", READ, LEAF(R_DATA), PTE_NX, 0, FINAL | 0x0D, R_DATA, true },
    { "a guest's table in a read-only page", READ, LEAF(R_TABLE), 0, PTE_RW, TABLE | 0x07, R_TABLE, false },
    { "a guest's table in a page not present", READ, LEAF(R_TABLE), 0, PTE_P, TABLE | 0x06, R_TABLE, false },
    { "a guest's table in a supervisor's page", READ, LEAF(R_TABLE), 0, PTE_US, TABLE | 0x07, R_TABLE, false },
    { "a guest's table, reserved bit", READ, LEAF(R_TABLE), BIT_51, 0, TABLE | 0x0F, R_TABLE, false },
    { "a guest's table, for a fetch", FETCH, LEAF(R_TABLE), 0, PTE_P, TABLE | 0x06, R_TABLE + 8, false },
    { "a nested PDE not present", READ, PDE, 0, PTE_P, TABLE | 0x06, R_TABLE, false },
    { "a nested PDE, reserved bit", READ, PDE, BIT_51, 0, TABLE | 0x0F, R_TABLE, false },
    { "a nested PDPE, reserved bit", READ, &pdpt[0], BIT_51, 0, TABLE | 0x0F, GUEST_ROOT, false },
    { "a nested PML4E, reserved bit 7", READ, &pml4[0], PTE_PS, 0, TABLE | 0x0F, GUEST_ROOT, false },
    { "a nested PML4E not present", WRITE, &pml4[0], 0, PTE_P, TABLE | 0x06, GUEST_ROOT, false },
};

static void run_row(const struct row *row)
{
    uint64_t old = *row->entry, efer = msr_read(MSR_EFER), code, info2 = row->info2;

    prepare(row->access);
    if (info2 == GUEST_ROOT)
        info2 = cr3_read() + 8 * (svm_vmcb.rip >> 39 & 511);
    *row->entry = (old | row->set) & ~row->clear;
    if (row->no_nxe)
        msr_write(MSR_EFER, efer & ~(uint64_t)EFER_NXE);
    code = svm_run();
    msr_write(MSR_EFER, efer);
    *row->entry = old;
    check_format(code == VMEXIT_NPF && svm_vmcb.exitinfo1 == row->info1, "%s: VMEXIT_NPF with %llx", row->what,
                 (unsigned long long)row->info1);
    check_format(svm_vmcb.exitinfo2 == info2 && svm_vmcb.cr2 == 0x5A5A, "%s: the gPA is %llx, CR2 stays", row->what,
                 (unsigned long long)info2);
    if (code != VMEXIT_NPF || svm_vmcb.exitinfo1 != row->info1 || svm_vmcb.exitinfo2 != info2)
        guest_print("# got %llx, %llx, %llx at %llx", (unsigned long long)code,
                    (unsigned long long)svm_vmcb.exitinfo1, (unsigned long long)svm_vmcb.exitinfo2,
                    (unsigned long long)svm_vmcb.rip);
}

static void passes(void)
{
    prepare(READ);
    check_equal(svm_run(), VMEXIT_VMMCALL, "with the entry as it should be the read passes");
    prepare(WRITE);
    check_equal(svm_run(), VMEXIT_VMMCALL, "so does the write");
    prepare(FETCH);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == WINDOW + 0x1000, "and the fetch");
    *nested(R_TABLE) |= PTE_NX;
    prepare(FETCH);
    check(svm_run() == VMEXIT_VMMCALL, "NX on a guest's table does not matter");
    *nested(R_TABLE) &= ~PTE_NX;
    *nested(R_DATA) |= PTE_NX;
    prepare(READ);
    check(svm_run() == VMEXIT_VMMCALL, "nor NX on a page that is read");
    *nested(R_DATA) &= ~PTE_NX;
}

static void accessed_and_dirty(void)
{
    uint64_t *table = (uint64_t *)R_TABLE;

    *nested(R_DATA) = R_DATA | ALL;
    *nested(R_TABLE) = R_TABLE | ALL;
    table[0] = R_DATA | ALL;
    prepare(READ);
    svm_run();
    check_equal(*nested(R_DATA), R_DATA | ALL | PTE_A, "a read sets nested A");
    check_equal(*nested(R_TABLE), R_TABLE | ALL | PTE_A | PTE_D, "a guest's table gets nested A and D");
    check_equal(table[0], R_DATA | ALL | PTE_A, "the guest's entry gets A");
    prepare(WRITE);
    svm_run();
    check(*nested(R_DATA) == (R_DATA | ALL | PTE_A | PTE_D) && table[0] == (R_DATA | ALL | PTE_A | PTE_D),
          "a write sets D in both");
    table[0] = R_DATA | ALL;
    *nested(R_DATA) = R_DATA | (ALL & ~PTE_P);
    prepare(READ);
    check(svm_run() == VMEXIT_NPF && table[0] == (R_DATA | ALL | PTE_A) && *nested(R_DATA) == (R_DATA | (ALL & ~PTE_P)),
          "at the final #NPF the guest's A is set, the nested entry untouched");
    *nested(R_DATA) = R_DATA | ALL;
}

static void orders(void)
{
    uint64_t *table = (uint64_t *)R_TABLE;

    *nested(R_DATA) = 0;
    table[0] = R_DATA | PTE_RW | PTE_US;
    prepare(READ);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_PF) && svm_frame(0) == 0 &&
          svm_vmcb.cr2 == WINDOW, "the guest's own #PF (not present) comes before the final #NPF");
    table[0] = R_DATA | PTE_P | PTE_US;
    prepare(WRITE);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_PF) && svm_frame(0) == (PF_P | PF_W),
          "so does its permission");
    *nested(R_DATA) = R_DATA | PTE_P | PTE_US;
    prepare(WRITE);
    svm_vmcb.cr0 &= ~(uint64_t)CR0_WP;
    check(svm_run() == VMEXIT_NPF && svm_vmcb.exitinfo1 == (FINAL | 0x07),
          "the guest's WP=0 passes its own entry, not the nested one");
    table[0] = R_DATA | ALL | BIT_51;
    prepare(READ);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_PF) && svm_frame(0) == (PF_P | PF_RSVD),
          "a reserved bit of the guest's entry is the guest's #PF");
    table[0] = R_DATA | ALL;
    *nested(R_DATA) = R_DATA | (ALL & ~PTE_P);
    prepare(READ);
    svm_vmcb.rip = (uintptr_t)at_nop;
    svm_vmcb.rsp = WINDOW + 0x800;
    svm_vmcb.eventinj = EVENT_V | EVENT_TYPE_INTR << 8 | 0x41;
    check(svm_run() == VMEXIT_NPF && svm_vmcb.exitinfo1 == (FINAL | 0x06) &&
          svm_vmcb.exitintinfo == (EVENT_V | 0x41), "#NPF while an event is delivered: EXITINTINFO tells of it");
    *nested(R_DATA) = R_DATA | ALL;
}

/* Guests without paging and with PAE. */
static void other_guests(void)
{
    *nested(R_DATA) = R_DATA | (ALL & ~PTE_P);
    svm_prepare32(at_read32);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)pml4;
    svm_registers.rdx = R_DATA + 8;
    check(svm_run() == VMEXIT_NPF && svm_vmcb.exitinfo1 == (FINAL | 0x04) && svm_vmcb.exitinfo2 == R_DATA + 8,
          "a guest without paging: its linear address is the gPA");
    *nested(R_DATA) = R_DATA | ALL;
    guest_pdpt[0] = (uintptr_t)guest_pd | PTE_P;
    guest_pdpt[3] = PTE_P | PTE_RW;
    for (unsigned i = 0; i < 512; i++)
        guest_pd[i] = (uint64_t)i << 21 | PTE_P | PTE_RW | PTE_PS;
    for (unsigned i = 0; i < 2; i++) {
        svm_prepare32(at_read32);
        svm_vmcb.np_enable = 1;
        svm_vmcb.n_cr3 = (uintptr_t)pml4;
        svm_vmcb.cr3 = (uintptr_t)guest_pdpt;
        svm_vmcb.cr4 = 0x20;
        svm_vmcb.cr0 |= 1u << 31;
        svm_registers.rdx = i ? 0xC0000000 : R_DATA;
        if (i == 0)
            check_equal(svm_run(), VMEXIT_VMMCALL, "a PAE guest: a bad PDPTE does not matter while it is not used");
        else
            check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_PF) &&
                  *(uint32_t *)svm_vmcb.rsp == (PF_P | PF_RSVD), "its use is #PF with RSVD in the guest");
    }
}

void guest_main(void)
{
    svm_begin();
    if (!(cpuid(0x8000000A, 0).edx & 1)) {
        check_skip("nested paging", "this processor has none");
        check_end();
    }
    build();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run_row(&rows[i]);
    passes();
    accessed_and_dirty();
    orders();
    other_guests();
    check_end();
}
