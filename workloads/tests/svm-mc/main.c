/* SPDX-License-Identifier: MIT */
/*
 * Machine checks of a guest: #MC that is intercepted (exit code 052h), taken by the guest, fatal to it, injected,
 * or only called by INT 18 (APM2 15.12, 15.17, 15.20).
 *
 * The host must learn of an error that comes while a guest runs from an exit with the banks already written, or the
 * guest by its own vector 18. A hypervisor that passes an error on to a guest injects it, and that must not look like
 * an error of the machine.
 *
 * The host makes a link CRC error by the northbridge (BKDG10 F3x44) under GIF = 0, where it waits; VMRUN sets GIF,
 * and it comes at the boundary before the guest's first instruction. The guest is 64-bit code at CPL 0; each vector
 * of its IDT leads to a VMMCALL of its own, so the exit's rIP tells which vector it took.
 *
 * Intercepted, it exits with 052h: rIP and RSP are the guest's own, EXITINFO1 and EXITINFO2 are 0, and MC4_STATUS
 * and MCG_STATUS (MCIP alone, because of PCC) are written before. With every intercept but its own and SMI's the
 * guest takes vector 18, without an error code, and the banks are written too. A guest with CR4.MCE = 0 shuts down
 * (07Fh), with MCG_STATUS left 0; so does one that gets a second #MC while MCIP is set, which stays; bank 4 has either
 * error. With the intercept and CR4.MCE = 0 some processors exit with 052h and some shut down (15.12.18): either is
 * right. EVENTINJ of vector 18 needs no error and is not intercepted. INT 18 is no machine check and does not match
 * the intercept. Neither changes a bank's status or MCG_STATUS.
 *
 * An #MC that interrupts a delivery is not asked. Without SVM there is one skipped check. mce asks what the banks hold.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/machine_check.h"
#include "workloads/lib/svm64.h"

#define VMEXIT_MC 0x52
#define VMEXIT_SHUTDOWN_CODE 0x7F
#define VMEXIT_VMMCALL_CODE 0x81
#define EVENT_VALID 0x80000000ull
#define EVENT_EXCEPTION 0x300ull

SVM_CODE64(nops, "nop\nnop") SVM_CODE64(int18, "int $18")

/* The error, pending; then the guest. */
static uint64_t run_with_error(void)
{
    uint64_t code;

    __asm__ volatile("clgi");
    machine_check_make();
    code = svm_run();
    return code;
}

static void begin(const char *code, bool mce)
{
    machine_check_begin();
    svm_prepare(code);
    svm_vmcb.cr4 = mce ? svm_vmcb.cr4 | CR4_MCE : svm_vmcb.cr4 & ~(uint64_t)CR4_MCE;
}

static void check_banks(const char *what)
{
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR, what);
    check_equal(msr_read(MSR_MCG_STATUS), MCG_MCIP, "MCG_STATUS: MCIP alone, because of PCC");
}

static void intercepted(void)
{
    begin(at_nops, true);
    svm_intercept_exceptions(1u << EXC_MC);
    check_equal(run_with_error(), VMEXIT_MC, "an intercepted #MC exits with 052h");
    check_equal(svm_vmcb.rip, (uintptr_t)at_nops, "rIP is the instruction that it came before");
    check_equal(svm_vmcb.rsp, SVM_STACK_TOP, "nothing was pushed");
    check_equal(svm_vmcb.exitinfo1 | svm_vmcb.exitinfo2, 0, "EXITINFO1 and 2 are 0");
    check_banks("the bank was written before the exit");
    machine_check_end();
}

static void not_intercepted(void)
{
    begin(at_nops, true);
    svm_intercept_all();
    svm_intercept_exceptions(~(1u << EXC_MC));
    check_equal(run_with_error(), VMEXIT_VMMCALL_CODE, "without its intercept #MC does not exit");
    check_equal(svm_vmcb.rip, svm_vector(EXC_MC), "the guest takes vector 18");
    check_equal(svm_frame(0), (uintptr_t)at_nops, "the frame has no error code and the guest's rIP");
    check_banks("the bank was written");
    machine_check_end();
}

static void shuts_down(void)
{
    uint64_t code;

    begin(at_nops, false);
    check_equal(run_with_error(), VMEXIT_SHUTDOWN_CODE, "with CR4.MCE = 0 the guest shuts down");
    check_equal(msr_read(MSR_MCG_STATUS), 0, "and MCG_STATUS says nothing");
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR, "but the bank has the error");
    machine_check_end();
    begin(at_nops, true);
    msr_write(MSR_MCG_STATUS, MCG_MCIP);
    check_equal(run_with_error(), VMEXIT_SHUTDOWN_CODE, "with MCIP set the guest shuts down");
    check_banks("the bank has the second error");
    machine_check_end();
    begin(at_nops, false);
    svm_intercept_exceptions(1u << EXC_MC);
    code = run_with_error();
    check(code == VMEXIT_MC || code == VMEXIT_SHUTDOWN_CODE,
          "intercepted with CR4.MCE = 0: it exits, by 052h or the shutdown");
    check_equal(svm_vmcb.rip, (uintptr_t)at_nops, "rIP is the instruction that it came before");
    check_equal(msr_read(MSR_MC_STATUS(4)), MC4_CRC_ERROR, "the bank has the error");
    machine_check_end();
}

/* Every bank's status, and MCG_STATUS. */
static bool no_trace(void)
{
    uint64_t all = msr_read(MSR_MCG_STATUS);

    for (unsigned bank = 0; bank < MCA_BANKS; bank++)
        all |= msr_read(MSR_MC_STATUS(bank));
    return all == 0;
}

static void injected(void)
{
    begin(at_nops, true);
    svm_intercept_exceptions(1u << EXC_MC);
    svm_vmcb.eventinj = EVENT_VALID | EVENT_EXCEPTION | EXC_MC;
    check_equal(svm_run(), VMEXIT_VMMCALL_CODE, "an injected #MC is not intercepted");
    check_equal(svm_vmcb.rip, svm_vector(EXC_MC), "it goes to the guest's vector 18");
    check(no_trace(), "and leaves no trace in MCG_STATUS and the banks");
    begin(at_int18, true);
    svm_intercept_exceptions(1u << EXC_MC);
    check_equal(svm_run(), VMEXIT_VMMCALL_CODE, "INT 18 does not match the #MC intercept");
    check_equal(svm_vmcb.rip, svm_vector(EXC_MC), "it calls the guest's vector 18");
    check(no_trace(), "and leaves no trace either");
    machine_check_end();
}

void guest_main(void)
{
    svm_begin();
    intercepted();
    not_intercepted();
    shuts_down();
    injected();
    check_end();
}
