/* SPDX-License-Identifier: MIT */
/*
 * Machine checks of a guest (APM2 15.12; exit code 052h). A link CRC error that the host makes under GIF = 0 waits
 * until VMRUN sets GIF, and comes at the guest's first boundary:
 *
 * - intercepted it exits with 052h; MCG_STATUS and the bank are written before, the guest is as it was;
 * - with every intercept but its own the guest's handler gets it, through vector 18 without an error code;
 * - a guest with CR4.MCE = 0 shuts down, and so does one that takes a second #MC while MCIP is set;
 * - EVENTINJ of vector 18 needs no error: no bank and not MCG_STATUS changes;
 * - INT 18 is no machine check and does not match the intercept.
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
    begin(at_nops, false);
    check_equal(run_with_error(), VMEXIT_SHUTDOWN_CODE, "with CR4.MCE = 0 the guest shuts down");
    check_equal(msr_read(MSR_MCG_STATUS), 0, "and MCG_STATUS says nothing");
    machine_check_end();
    begin(at_nops, true);
    msr_write(MSR_MCG_STATUS, MCG_MCIP);
    check_equal(run_with_error(), VMEXIT_SHUTDOWN_CODE, "with MCIP set the guest shuts down");
    machine_check_end();
}

static void injected(void)
{
    begin(at_nops, true);
    svm_intercept_exceptions(1u << EXC_MC);
    svm_vmcb.eventinj = EVENT_VALID | EVENT_EXCEPTION | EXC_MC;
    check_equal(svm_run(), VMEXIT_VMMCALL_CODE, "an injected #MC is not intercepted");
    check_equal(svm_vmcb.rip, svm_vector(EXC_MC), "it goes to the guest's vector 18");
    check_equal(msr_read(MSR_MCG_STATUS) | msr_read(MSR_MC_STATUS(4)), 0, "and leaves no trace in the banks");
    begin(at_int18, true);
    svm_intercept_exceptions(1u << EXC_MC);
    check_equal(svm_run(), VMEXIT_VMMCALL_CODE, "INT 18 does not match the #MC intercept");
    check_equal(svm_vmcb.rip, svm_vector(EXC_MC), "it calls the guest's vector 18");
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
