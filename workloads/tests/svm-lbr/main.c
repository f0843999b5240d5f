/* SPDX-License-Identifier: MIT */
/*
 * LBR virtualization (APM2 15.23; CPUID 8000_000A EDX[1]): whose are DebugCtl and the four registers that record the
 * last branch and the branch before the last exception, while a guest runs?
 *
 * With bit 0 of VMCB 0B8h they are the guest's own: VMRUN puts the host's five away and loads the VMCB's (670h to
 * 690h), #VMEXIT writes the guest's there and brings the host's back. Without it both sides have the same: a host that
 * records finds its guest's branches, and a guest its host's. A hypervisor that gives recording to a guest, or keeps
 * it from one, relies on the difference.
 *
 * The guest is 64-bit code at CPL 0: an RDMSR or WRMSR with a VMMCALL behind it, or a jump between two WRMSRs that
 * start and stop recording, or one that leads to UD2. The host has recorded a jump and an exception of its own before,
 * and has one of the pins of DebugCtl set (PB, bits 5:2, which control nothing: BKDG10 MSR0000_01D9).
 *
 * With the bit set: the guest reads the VMCB's five; VMRUN and #VMEXIT themselves record nothing; a branch, an
 * exception that the guest takes and all six bits of DebugCtl come to the VMCB; a host that records does not make its
 * guest record; after each exit the host's five are as before. With the bit clear: the guest reads the host's, what it
 * records and writes the host finds, it records where the host does, and the VMCB is not written. In both cases the
 * MSR intercept stops each RDMSR and WRMSR, and without it a write of a record is #GP, as they are read-only.
 *
 * A processor without the feature gets the second half; the first is one skipped check. An intercepted exception, #DB
 * and single step on branches (BTF) are not asked.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_DEBUG_CTL 0x1D9
#define DEBUG_CTL_LBR 1u
#define DEBUG_CTL_PIN 4u
#define DEBUG_CTL_ALL 0x3Fu
#define CPUID_EDX_LBR_VIRTUAL 2u
#define VMCB_LBR 0x670         /* DBGCTL, BR_FROM, BR_TO, LASTEXCPFROM, LASTEXCPTO */
#define UD_HANDLER svm_vector(EXC_UD)
#define GP_EXIT (VMEXIT_EXCEPTION + EXC_GP)

enum { DEBUG_CTL, BR_FROM, BR_TO, LASTEXC_FROM, LASTEXC_TO, REGISTERS };
static const uint32_t msrs[REGISTERS] = { MSR_DEBUG_CTL, 0x1DB, 0x1DC, 0x1DD, 0x1DE };
/* What the VMCB has before each VMRUN, but for DBGCTL: no address of host or guest. */
static const uint64_t loaded[REGISTERS] = { 0, 0x12340, 0x23450, 0x34560, 0x45670 };
static uint64_t host[REGISTERS];

extern const char branch_from[], branch_to[], fault_from[], fault_to[], heir_from[], heir_to[];
SVM_CODE64(rdmsr, "rdmsr") SVM_CODE64(wrmsr, "wrmsr")
/* WRMSR of DebugCtl with EAX; then a jump, and 0 to DebugCtl. */
SVM_CODE64(branch, "wrmsr\nbranch_from: jmp branch_to\nnop\nbranch_to: xorl %eax, %eax\nwrmsr")
SVM_CODE64(fault, "wrmsr\nfault_from: jmp fault_to\nnop\nfault_to: ud2")
SVM_CODE64(heir, "heir_from: jmp heir_to\nnop\nheir_to: wrmsr")

/* ---- The host's side -------------------------------------------------------------------------------------------- */

static void host_jump(void)
{
    __asm__ volatile("movl %0, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\twrmsr\n\t"
                     "jmp 2f\n\tnop\n2:\txorl %%eax, %%eax\n\twrmsr"
                     : : "i"(MSR_DEBUG_CTL) : "eax", "ecx", "edx", "memory");
}

static void host_fault(void *unused)
{
    (void)unused;
    __asm__ volatile("movl %0, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\twrmsr\n\tjmp 2f\n\tnop\n2:\tud2"
                     : : "i"(MSR_DEBUG_CTL) : "eax", "ecx", "edx", "memory");
}

/* Records of the host's own, then `control` in DebugCtl. */
static void host_records(uint32_t control)
{
    exception_try(host_fault, NULL);
    msr_write(MSR_DEBUG_CTL, 0);
    host_jump();
    for (unsigned i = BR_FROM; i < REGISTERS; i++)
        host[i] = msr_read(msrs[i]);
    host[DEBUG_CTL] = control;
    msr_write(MSR_DEBUG_CTL, control);
}

static bool host_as_before(void)
{
    bool same = true;

    for (unsigned i = 0; i < REGISTERS; i++)
        same = same && msr_read(msrs[i]) == host[i];
    return same;
}

/* ---- The guest's side ------------------------------------------------------------------------------------------- */

static uint64_t vmcb_field(unsigned i)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)&svm_vmcb + VMCB_LBR + 8 * i, sizeof(value));
    return value;
}

static void set_field(unsigned i, uint64_t value)
{
    memcpy((uint8_t *)&svm_vmcb + VMCB_LBR + 8 * i, &value, sizeof(value));
}

/* A guest with one MSR in RCX and `value` in EAX; the VMCB has `loaded` and `control` in DBGCTL. */
static void prepare(const char *code, bool virtual, uint32_t control, unsigned reg, uint32_t value)
{
    svm_prepare(code);
    svm_vmcb.lbr_virtualization_enable = virtual;
    for (unsigned i = 0; i < REGISTERS; i++)
        set_field(i, loaded[i]);
    set_field(DEBUG_CTL, control);
    svm_registers.rcx = msrs[reg];
    svm_vmcb.rax = value;
}

static uint64_t result(void)
{
    return svm_registers.rdx << 32 | (uint32_t)svm_vmcb.rax;
}

/* Fields first to last of the VMCB are as they were loaded. */
static bool fields_stay(unsigned first)
{
    bool same = true;

    for (unsigned i = first; i < REGISTERS; i++)
        same = same && vmcb_field(i) == loaded[i];
    return same;
}

static bool fields_are(unsigned first, const char *from, const char *to)
{
    return vmcb_field(first) == (uintptr_t)from && vmcb_field(first + 1) == (uintptr_t)to;
}

static bool msrs_are(unsigned first, const char *from, const char *to)
{
    return msr_read(msrs[first]) == (uintptr_t)from && msr_read(msrs[first + 1]) == (uintptr_t)to;
}

/* ---- Virtual ---------------------------------------------------------------------------------------------------- */

static void virtual_reads(void)
{
    for (unsigned i = 0; i < REGISTERS; i++) {
        prepare(at_rdmsr, true, DEBUG_CTL_PIN << 1, i, 0);
        svm_run();
        check_format(svm_vmcb.exitcode == VMEXIT_VMMCALL && result() == (i ? loaded[i] : DEBUG_CTL_PIN << 1),
                     "bit set: RDMSR %x in the guest reads the VMCB's", msrs[i]);
    }
    check(host_as_before(), "and the host's five are as before");
    prepare(next_rdmsr, true, DEBUG_CTL_LBR, 0, 0);
    svm_run();
    check(fields_stay(BR_FROM) && vmcb_field(DEBUG_CTL) == DEBUG_CTL_LBR,
          "VMRUN and #VMEXIT record nothing in a guest that records");
    check(host_as_before(), "nor in the host");
}

static void virtual_records(void)
{
    prepare(at_branch, true, 0, DEBUG_CTL, DEBUG_CTL_LBR);
    svm_run();
    check(fields_are(BR_FROM, branch_from, branch_to), "the guest's branch is in the VMCB");
    check(fields_stay(LASTEXC_FROM), "the exception's fields stay");
    check_equal(vmcb_field(DEBUG_CTL), 0, "DBGCTL is what the guest wrote last");
    check(host_as_before(), "the host's five are as before");
    prepare(at_fault, true, 0, DEBUG_CTL, DEBUG_CTL_LBR);
    svm_run();
    check_equal(svm_vmcb.rip, UD_HANDLER, "UD2 behind a branch: the guest takes #UD");
    check(fields_are(LASTEXC_FROM, fault_from, fault_to), "the branch before the exception is in LASTEXCPFROM and TO");
    check(fields_are(BR_FROM, fault_to, (const char *)UD_HANDLER), "the exception's own way in BR_FROM and TO");
    check_equal(vmcb_field(DEBUG_CTL), DEBUG_CTL_LBR, "DBGCTL still has LBR");
    check(host_as_before(), "the host's five are as before, and its LBR clear");
    prepare(at_wrmsr, true, 0, DEBUG_CTL, DEBUG_CTL_ALL);
    svm_run();
    check_equal(vmcb_field(DEBUG_CTL), DEBUG_CTL_ALL, "all six bits of DebugCtl come to DBGCTL");
    check(host_as_before(), "and not to the host");
}

static void virtual_host_records(void)
{
    host_records(DEBUG_CTL_LBR);
    prepare(at_heir, true, 0, DEBUG_CTL, 0);
    svm_run();
    check(fields_stay(DEBUG_CTL), "a host that records: its guest does not");
    check_equal(msr_read(MSR_DEBUG_CTL), DEBUG_CTL_LBR, "and the host goes on recording");
    host_records(DEBUG_CTL_PIN);
    prepare(at_heir, true, DEBUG_CTL_LBR, DEBUG_CTL, 0);
    svm_run();
    check(fields_are(BR_FROM, heir_from, heir_to), "a guest records from its first instruction, by the VMCB's LBR");
    check(host_as_before(), "while the host does not");
}

/* ---- Shared ----------------------------------------------------------------------------------------------------- */

static void shared_reads(void)
{
    host_records(DEBUG_CTL_PIN);
    for (unsigned i = 0; i < REGISTERS; i++) {
        prepare(at_rdmsr, false, 0, i, 0);
        svm_run();
        check_format(svm_vmcb.exitcode == VMEXIT_VMMCALL && result() == host[i],
                     "bit clear: RDMSR %x in the guest reads the host's", msrs[i]);
    }
    check(fields_stay(DEBUG_CTL) && host_as_before(), "neither the VMCB nor the host's five have changed");
}

static void shared_records(void)
{
    prepare(at_branch, false, 0, DEBUG_CTL, DEBUG_CTL_LBR);
    svm_run();
    check(msrs_are(BR_FROM, branch_from, branch_to), "the guest's branch is in the host's BR_FROM and TO");
    check(msr_read(msrs[LASTEXC_FROM]) == host[LASTEXC_FROM] && msr_read(msrs[LASTEXC_TO]) == host[LASTEXC_TO],
          "the host's exception stays");
    check_equal(msr_read(MSR_DEBUG_CTL), 0, "DebugCtl is what the guest wrote last");
    check(fields_stay(DEBUG_CTL), "the VMCB is not written");
    prepare(at_fault, false, 0, DEBUG_CTL, DEBUG_CTL_LBR);
    svm_run();
    check_equal(msr_read(MSR_DEBUG_CTL), DEBUG_CTL_LBR, "a guest that leaves LBR set leaves it to the host");
    msr_write(MSR_DEBUG_CTL, 0);
    check(msrs_are(LASTEXC_FROM, fault_from, fault_to), "the branch before its #UD is in the host's LASTEXC");
    check(!msrs_are(BR_FROM, fault_to, (const char *)UD_HANDLER), "and the host has recorded its own branches since");
    check(fields_stay(DEBUG_CTL), "the VMCB is not written");
    msr_write(MSR_DEBUG_CTL, DEBUG_CTL_LBR);
    prepare(at_heir, false, 0, DEBUG_CTL, DEBUG_CTL_PIN);
    svm_run();
    check(msrs_are(BR_FROM, heir_from, heir_to), "a host that records: so does its guest");
    check_equal(msr_read(MSR_DEBUG_CTL), DEBUG_CTL_PIN, "a pin that the guest sets, the host finds");
}

/* ---- Intercepted ------------------------------------------------------------------------------------------------ */

static void access(bool virtual, unsigned reg, bool write)
{
    host_records(DEBUG_CTL_PIN);
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
    svm_msrpm[msrs[reg] / 4] = (uint8_t)((write ? 2u : 1u) << msrs[reg] % 4 * 2);
    prepare(write ? at_wrmsr : at_rdmsr, virtual, 0, reg, DEBUG_CTL_ALL);
    svm_intercept(VMEXIT_MSR, true);
    svm_intercept_exceptions(1u << EXC_GP);
    svm_run();
    check_format(svm_vmcb.exitcode == VMEXIT_MSR && svm_vmcb.exitinfo1 == write && host_as_before() &&
                 fields_stay(DEBUG_CTL), "bit %s: %s %x intercepted exits and does nothing",
                 virtual ? "set" : "clear", write ? "WRMSR" : "RDMSR", msrs[reg]);
    memset(svm_msrpm, 0, sizeof(svm_msrpm));
    if (!write || reg == DEBUG_CTL)
        return;
    prepare(at_wrmsr, virtual, 0, reg, DEBUG_CTL_ALL);
    svm_intercept(VMEXIT_MSR, true);
    svm_intercept_exceptions(1u << EXC_GP);
    svm_run();
    check_format(svm_vmcb.exitcode == GP_EXIT && host_as_before() && fields_stay(DEBUG_CTL),
                 "and not intercepted it is #GP: read-only");
}

static void intercepts(bool virtual)
{
    for (unsigned reg = 0; reg < REGISTERS; reg++) {
        access(virtual, reg, false);
        access(virtual, reg, true);
    }
}

void guest_main(void)
{
    svm_begin();
    host_records(DEBUG_CTL_PIN);
    check(host[BR_TO] == host[BR_FROM] + 3 && host[LASTEXC_TO] == host[LASTEXC_FROM] + 3,
          "the host has records of its own");
    if (cpuid(0x8000000A, 0).edx & CPUID_EDX_LBR_VIRTUAL) {
        virtual_reads();
        virtual_records();
        virtual_host_records();
        intercepts(true);
    } else {
        check_skip("LBR virtualization", "this processor has none");
    }
    shared_reads();
    shared_records();
    intercepts(false);
    msr_write(MSR_DEBUG_CTL, 0);
    check_end();
}
