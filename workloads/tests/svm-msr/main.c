/* SPDX-License-Identifier: MIT */
/*
 * MSRs and SVM: the MSR intercept (APM2 15.11, exit code 07Ch), TSC_OFFSET, the guest's PAT (APM2 15.25.4), and
 * VM_CR, VM_HSAVE_PA and SVM_KEY (APM2 15.30, 15.31).
 *
 * Each is a place where a guest may reach what is the host's: hv lets it have PAT only under nested paging, since
 * without it the register would be hv's own. In both peers of doc/conformance.md an MSR that does not exist is no
 * #GP.
 *
 * The guest is one RDMSR, WRMSR or RDTSC in 64-bit code with a VMMCALL behind it; #GP is intercepted, so that a
 * refused access is told from an intercepted one. The last part writes MSRs in the host itself and catches what
 * they raise.
 *
 * Two bits of the MSRPM stand for each MSR of three ranges (from 0, C0000000h and C0010000h, 2000h each). In the
 * ranges, at their edges above all, the read bit alone stops RDMSR (EXITINFO1 0) and the write bit alone WRMSR (1);
 * with all other bits set neither exits; outside the ranges both do while MSR_PROT is set. The intercept comes
 * after CPL's #GP and before that of an MSR that does not exist. RDTSC, RDTSCP and RDMSR of TSC give TSC plus
 * TSC_OFFSET, which may be negative. With nested paging G_PAT is the guest's own PAT, and an illegal type #GP;
 * without it guest and host share one, and G_PAT is not written back. VM_HSAVE_PA takes only pages below the
 * physical limit and outside HyperTransport's range. VM_CR refuses reserved bits, and SVMDIS while EFER.SVME is
 * set. SVM_KEY reads 0; a locked VM_CR keeps Lock and SVMDIS, EFER.SVME cannot be set, and only the key set before
 * opens it.
 *
 * Where firmware has locked VM_CR, the lock is one skipped check; --no-svm-lock runs it, and vm-cr asks more.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_TSC 0x10
#define MSR_PAT 0x277
#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define MSR_VM_CR 0xC0010114
#define MSR_VM_HSAVE_PA 0xC0010117
#define MSR_SVM_KEY 0xC0010118
#define EFER_SVME 0x1000u
#define CPUID_EDX_RDTSCP (1u << 27)
#define CPUID_EDX_NP 1u
#define VM_CR_LOCK 8u
#define VM_CR_SVMDIS 0x10u
#define PAT_RESET 0x0007040600070406ull
#define PAT_OTHER 0x0007040600070401ull
#define GP_EXIT (VMEXIT_EXCEPTION + EXC_GP)

SVM_CODE64(rdmsr, "rdmsr") SVM_CODE64(wrmsr, "wrmsr") SVM_CODE64(rdtsc, "rdtsc") SVM_CODE64(rdtscp, "rdtscp")

static uint64_t nested[3][512] __attribute__((aligned(4096)));

static void prepare(const char *code, uint32_t msr)
{
    svm_prepare(code);
    svm_registers.rcx = msr;
    svm_intercept(VMEXIT_MSR, true);
    svm_intercept_exceptions(1u << EXC_GP);
}

/* ---- MSRPM ------------------------------------------------------------------------------------------------------ */

static const struct row {
    uint32_t msr;
    int byte;       /* of the map; -1: outside */
    unsigned bit;   /* of the read; the write's follows */
} rows[] = {
    { 0x00000000, 0x0000, 0 }, { 0x00000003, 0x0000, 6 }, { 0x00001FFF, 0x07FF, 6 }, { 0x00002000, -1, 0 },
    { 0xBFFFFFFF, -1, 0 }, { 0xC0000000, 0x0800, 0 }, { 0xC0000081, 0x0820, 2 }, { 0xC0001FFF, 0x0FFF, 6 },
    { 0xC0002000, -1, 0 }, { 0xC000FFFF, -1, 0 }, { 0xC0010000, 0x1000, 0 }, { 0xC0010117, 0x1045, 6 },
    { 0xC0011FFF, 0x17FF, 6 }, { 0xC0012000, -1, 0 }, { 0xFFFFFFFF, -1, 0 },
};

static uint64_t run(const struct row *row, bool write)
{
    prepare(write ? at_wrmsr : at_rdmsr, row->msr);
    /* what a write that passes would write: harmless in all of these */
    if (write && row->msr == MSR_VM_HSAVE_PA)
        svm_vmcb.rax = (uint32_t)msr_read(MSR_VM_HSAVE_PA);
    return svm_run();
}

static void permission(const struct row *row)
{
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
    if (row->byte < 0) {
        check_format(run(row, false) == VMEXIT_MSR && svm_vmcb.exitinfo1 == 0, "RDMSR %x, in no range: exits",
                     row->msr);
        check_format(run(row, true) == VMEXIT_MSR && svm_vmcb.exitinfo1 == 1, "WRMSR %x, in no range: exits",
                     row->msr);
        return;
    }
    svm_msrpm[row->byte] = (uint8_t)(1u << row->bit);
    check_format(run(row, false) == VMEXIT_MSR && svm_vmcb.exitinfo1 == 0 && svm_vmcb.rip == (uintptr_t)at_rdmsr,
                 "RDMSR %x exits for its read bit, EXITINFO1 0, rIP its own", row->msr);
    check_format(run(row, true) != VMEXIT_MSR, "WRMSR %x does not", row->msr);
    svm_msrpm[row->byte] = (uint8_t)(2u << row->bit);
    check_format(run(row, false) != VMEXIT_MSR, "RDMSR %x does not exit for its write bit", row->msr);
    check_format(run(row, true) == VMEXIT_MSR && svm_vmcb.exitinfo1 == 1, "WRMSR %x does, EXITINFO1 1", row->msr);
    memset(svm_msrpm, 0xFF, sizeof(svm_msrpm));
    svm_msrpm[row->byte] &= (uint8_t)~(3u << row->bit);
    check_format(run(row, false) != VMEXIT_MSR, "with all other bits set RDMSR %x does not exit", row->msr);
    check_format(run(row, true) != VMEXIT_MSR, "nor does WRMSR %x", row->msr);
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
}

static void orders(void)
{
    memset(svm_msrpm, 0xFF, sizeof(svm_msrpm));
    prepare(at_rdmsr, 0x1234);
    check_equal(svm_run(), VMEXIT_MSR, "an MSR that does not exist: the intercept comes first");
    prepare(at_rdmsr, MSR_STAR);
    svm_vmcb.cpl = 3;
    svm_vmcb.ss.attributes |= 0x60;
    svm_vmcb.efer = EFER_SVME; /* 32-bit without paging: no U/S to mind */
    svm_vmcb.cs.attributes = SEGMENT_CODE32 | 0x60;
    svm_vmcb.cr0 = 0x11;
    check_equal(svm_run(), GP_EXIT, "CPL 3: #GP comes before the intercept");
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
    prepare(at_rdmsr, 0x1234);
    check_equal(svm_run(), GP_EXIT, "with a clear bit it is #GP");
    memset(svm_msrpm, 0xFF, sizeof(svm_msrpm));
    prepare(at_rdmsr, MSR_STAR);
    svm_intercept(VMEXIT_MSR, false);
    svm_vmcb.star = 0x123456789ABCDEF0;
    check(svm_run() == VMEXIT_VMMCALL && svm_registers.rdx == 0x12345678 && (uint32_t)svm_vmcb.rax == 0x9ABCDEF0,
          "without MSR_PROT the map is not looked at: RDMSR reads STAR");
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
}

/* ---- TSC_OFFSET ------------------------------------------------------------------------------------------------- */

static uint64_t guest_tsc(const char *code, uint64_t offset)
{
    prepare(code, MSR_TSC);
    svm_vmcb.tsc_offset = offset;
    svm_run();
    return svm_registers.rdx << 32 | (uint32_t)svm_vmcb.rax;
}

static void tsc(void)
{
    const uint64_t ahead = 1ull << 50;
    uint64_t before = msr_read(MSR_TSC), seen, after;

    seen = guest_tsc(at_rdtsc, ahead);
    after = msr_read(MSR_TSC);
    check(seen - ahead > before && seen - ahead < after, "RDTSC in the guest: TSC plus TSC_OFFSET");
    seen = guest_tsc(at_rdmsr, ahead);
    check(seen - ahead > after && seen - ahead < msr_read(MSR_TSC), "RDMSR of TSC too");
    if (cpuid(0x80000001, 0).edx & CPUID_EDX_RDTSCP) {
        before = msr_read(MSR_TSC);
        seen = guest_tsc(at_rdtscp, ahead);
        check(seen - ahead > before && seen - ahead < msr_read(MSR_TSC), "and RDTSCP");
    } else {
        check_skip("RDTSCP", "this processor has none");
    }
    before = msr_read(MSR_TSC);
    seen = guest_tsc(at_rdtsc, (uint64_t)-1000000000000ll);
    check(seen + 1000000000000ull > before && seen + 1000000000000ull < msr_read(MSR_TSC),
          "the offset may be negative");
    check(msr_read(MSR_TSC) < ahead, "the host's is not touched");
}

/* ---- PAT -------------------------------------------------------------------------------------------------------- */

static void write_pat(uint64_t value, bool np)
{
    prepare(at_wrmsr, MSR_PAT);
    svm_vmcb.np_enable = np;
    svm_vmcb.n_cr3 = (uintptr_t)nested[0];
    svm_vmcb.rax = (uint32_t)value;
    svm_registers.rdx = value >> 32;
    svm_run();
}

static void nested_pat(void)
{
    nested[0][0] = (uintptr_t)nested[1] | 7;
    nested[1][0] = (uintptr_t)nested[2] | 7;
    for (unsigned i = 0; i < 512; i++)
        nested[2][i] = (uint64_t)i << 21 | 0x87;
    write_pat(PAT_OTHER, true);
    check(svm_vmcb.exitcode == VMEXIT_VMMCALL && svm_vmcb.g_pat == PAT_OTHER, "nested: a write goes to G_PAT");
    check_equal(msr_read(MSR_PAT), PAT_RESET, "the host's stays");
    prepare(at_rdmsr, MSR_PAT);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)nested[0];
    svm_vmcb.g_pat = 0x0101010101010101;
    svm_run();
    check(svm_registers.rdx == 0x01010101 && (uint32_t)svm_vmcb.rax == 0x01010101, "a read comes from it");
    write_pat((PAT_RESET & ~0xFFull) | 2, true);
    check_equal(svm_vmcb.exitcode, GP_EXIT, "an illegal type is #GP in the guest");
}

static void pat(void)
{
    check_equal(msr_read(MSR_PAT), PAT_RESET, "the host's PAT at first");
    if (cpuid(0x8000000A, 0).edx & CPUID_EDX_NP)
        nested_pat();
    else
        check_skip("the guest's own PAT", "this processor has no nested paging");
    write_pat(PAT_OTHER, false);
    check_equal(msr_read(MSR_PAT), PAT_OTHER, "not nested: a write reaches the host's PAT");
    check_equal(svm_vmcb.g_pat, PAT_RESET, "G_PAT is not written back");
    msr_write(MSR_PAT, PAT_RESET);
}

/* ---- VM_CR, VM_HSAVE_PA, SVM_KEY -------------------------------------------------------------------------------- */

struct write {
    uint32_t msr;
    uint64_t value;
};

static void do_write(void *argument)
{
    const struct write *write = argument;

    msr_write(write->msr, write->value);
}

static void expect_write(uint32_t msr, uint64_t value, unsigned vector, const char *what)
{
    struct write write = { msr, value };

    check_raised(exception_try(do_write, &write), vector, 0, what);
}

/* HyperTransport's reserved range is none for the save area (BKDG10 MSRC001_0117). */
static void save_area(void)
{
    uint64_t save = msr_read(MSR_VM_HSAVE_PA);

    expect_write(MSR_VM_HSAVE_PA, save | 8, EXC_GP, "VM_HSAVE_PA of an address that is no page's: #GP");
    expect_write(MSR_VM_HSAVE_PA, 1ull << 48, EXC_GP, "above the physical limit: #GP");
    expect_write(MSR_VM_HSAVE_PA, 0xFD00000000, EXC_GP, "of the reserved range's first page: #GP");
    expect_write(MSR_VM_HSAVE_PA, 0xFFFFFFF000, EXC_GP, "of its last: #GP");
    check_equal(msr_read(MSR_VM_HSAVE_PA), save, "which leave it as it was");
    expect_write(MSR_VM_HSAVE_PA, 0xFCFFFFF000, EXC_NONE, "of the page below that range: taken");
    expect_write(MSR_VM_HSAVE_PA, 0x10000000000, EXC_NONE, "of the page above it");
    check_equal(msr_read(MSR_VM_HSAVE_PA), 0x10000000000, "as is read back");
    msr_write(MSR_VM_HSAVE_PA, save);
}

static void registers(void)
{
    uint64_t efer = msr_read(MSR_EFER), cr = msr_read(MSR_VM_CR);

    save_area();
    expect_write(MSR_VM_CR, cr | 1u << 5, EXC_GP, "a reserved bit of VM_CR: #GP");
    expect_write(MSR_VM_CR, cr | VM_CR_SVMDIS, EXC_GP, "VM_CR.SVMDIS while EFER.SVME is set: #GP");
    check_equal(msr_read(MSR_SVM_KEY), 0, "SVM_KEY reads 0");
    if (cr & VM_CR_LOCK) {
        check_skip("VM_CR's lock", "it is set already");
        return;
    }
    msr_write(MSR_SVM_KEY, 0x1122334455667788);
    check_equal(msr_read(MSR_SVM_KEY), 0, "also after a write");
    msr_write(MSR_EFER, efer & ~(uint64_t)EFER_SVME);
    msr_write(MSR_VM_CR, cr | VM_CR_LOCK | VM_CR_SVMDIS);
    check_equal(msr_read(MSR_VM_CR), cr | VM_CR_LOCK | VM_CR_SVMDIS, "SVM is disabled and locked");
    expect_write(MSR_EFER, efer, EXC_GP, "EFER.SVME cannot be set: #GP");
    msr_write(MSR_VM_CR, cr);
    check_equal(msr_read(MSR_VM_CR), cr | VM_CR_LOCK | VM_CR_SVMDIS, "a locked VM_CR keeps Lock and SVMDIS");
    msr_write(MSR_SVM_KEY, 1);
    check(msr_read(MSR_VM_CR) & VM_CR_LOCK, "a wrong key opens nothing");
    msr_write(MSR_SVM_KEY, 0x1122334455667788);
    check(!(msr_read(MSR_VM_CR) & VM_CR_LOCK), "the right one clears Lock");
    msr_write(MSR_VM_CR, cr);
    expect_write(MSR_EFER, efer, EXC_NONE, "and SVM can be enabled again");
    check_equal(msr_read(MSR_VM_CR), cr, "VM_CR is as before");
}

void guest_main(void)
{
    svm_begin();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        permission(&rows[i]);
    orders();
    tsc();
    pat();
    registers();
    check_end();
}
