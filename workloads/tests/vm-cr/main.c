/* SPDX-License-Identifier: MIT */
/*
 * VM_CR and SVM_KEY (APM2 15.30.1, 15.31) on the bare machine, in both states that firmware may leave: what
 * disables SVM, what enables it again, and what INIT does to both.
 *
 * A hypervisor reads VM_CR before it sets EFER.SVME, for SVMDIS does not show in CPUID; hv does not start where it
 * is set. R_INIT lets it see an INIT that would otherwise take the core away from it.
 *
 * There is no guest. What a write raises is caught, then VM_CR is read back. For INIT the second core sets its own
 * VM_CR, is sent INIT and STARTUP, and tells what is left.
 *
 * In both states VM_CR 31:5 must be zero, else #GP; DPD, R_INIT and DIS_A20M can be written; SVM_KEY reads 0; while
 * EFER.SVME is set, CLGI and STGI work and SVMDIS cannot be set (#GP), and without it CLGI is #UD. With R_INIT a
 * running core gets #SX(1) instead of INIT (APM2 15.28); a core that has no R_INIT is reset. INIT keeps Lock and
 * the key, keeps SVMDIS under Lock, and clears all else.
 *
 * Locked (BKDG10 2.14.1, what firmware does by default): SVM is enabled and stays so, Lock and SVMDIS are read-only
 * without a fault, no key opens a lock that was closed without one. Unlocked: SVMDIS makes setting EFER.SVME #GP,
 * so that SVM's instructions are #UD, leaves CPUID alone, and can be cleared again until Lock is set; Lock then
 * keeps itself and SVMDIS, while DPD, R_INIT and DIS_A20M are written; a wrong key is ignored without a fault, and
 * only the key that was set before opens it.
 *
 * The program takes the part of the state that it finds; it is run as firmware leaves it and with --no-svm-lock, on
 * two cores. Without SVM it is one skipped check. VM_CR 63:32 are not asked.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_CR 0xC0010114
#define MSR_SVM_KEY 0xC0010118
#define EFER_SVME 0x1000u
#define CPUID_ECX_SVM 4u
#define DPD 1u
#define R_INIT 2u
#define DIS_A20M 4u
#define FREE (DPD | R_INIT | DIS_A20M)
#define LOCK 8u
#define SVMDIS 0x10u
#define EXC_SX 30
#define KEY 0x0123456789ABCDEFull

struct write {
    uint32_t msr;
    uint64_t value;
};

static void do_write(void *argument)
{
    const struct write *write = argument;

    msr_write(write->msr, write->value);
}

static struct exception write(uint32_t msr, uint64_t value)
{
    struct write w = { msr, value };

    return exception_try(do_write, &w);
}

static void set_svme(bool on)
{
    msr_write(MSR_EFER, on ? msr_read(MSR_EFER) | EFER_SVME : msr_read(MSR_EFER) & ~(uint64_t)EFER_SVME);
}

static void clgi_stgi(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\nstgi");
}

static void vmrun(void *page)
{
    __asm__ volatile("vmrun %%rax" : : "a"(page) : "memory");
}

static void vmload(void *page)
{
    __asm__ volatile("vmload %%rax" : : "a"(page) : "memory");
}

static void vmsave(void *page)
{
    __asm__ volatile("vmsave %%rax" : : "a"(page) : "memory");
}

static void invlpga(void *page)
{
    __asm__ volatile("invlpga %%rax, %%ecx" : : "a"(page), "c"(1) : "memory");
}

/* STGI is not among them: it works without EFER.SVME where there is SKINIT. */
static void expect_no_svm(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    static const struct {
        const char *what;
        void (*run)(void *page);
    } rows[] = {
        { "VMRUN", vmrun }, { "VMLOAD", vmload }, { "VMSAVE", vmsave }, { "CLGI", clgi_stgi }, { "INVLPGA", invlpga },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_format(exception_try(rows[i].run, page).vector == EXC_UD, "%s is #UD", rows[i].what);
}

/* ---- Both states ------------------------------------------------------------------------------------------------ */

static void both(void)
{
    uint64_t before = msr_read(MSR_VM_CR);
    unsigned refused = 0;

    for (unsigned n = 5; n < 32; n++)
        refused += write(MSR_VM_CR, before | 1u << n).vector == EXC_GP;
    check_equal(refused, 27, "each of VM_CR 31:5 must be zero: #GP");
    check_raised(write(MSR_VM_CR, before | DPD | DIS_A20M), EXC_NONE, 0, "DPD and DIS_A20M may be written");
    check_equal(msr_read(MSR_VM_CR), before | DPD | DIS_A20M, "and are read back");
    msr_write(MSR_VM_CR, before);
    check_equal(msr_read(MSR_VM_CR), before, "and cleared again");
    check_equal(msr_read(MSR_SVM_KEY), 0, "SVM_KEY reads 0");
    set_svme(true);
    check_raised(exception_try(clgi_stgi, NULL), EXC_NONE, 0, "with EFER.SVME the SVM instructions work");
    check_raised(write(MSR_VM_CR, before | SVMDIS), EXC_GP, 0, "SVMDIS cannot be written 1 while EFER.SVME is: #GP");
    check_equal(msr_read(MSR_VM_CR), before, "which leaves VM_CR");
    set_svme(false);
    check_raised(exception_try(clgi_stgi, NULL), EXC_UD, 0, "without it CLGI is #UD");
}

static void init_self(void *unused)
{
    (void)unused;
    apic_send_self(APIC_ICR_INIT);
    for (unsigned i = 0; i < 1000; i++)
        cpu_pause();
}

static void redirected_init(void)
{
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) | R_INIT);
    check_raised(exception_try(init_self, NULL), EXC_SX, 1, "R_INIT: INIT becomes #SX, error code 1");
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) & ~(uint64_t)R_INIT);
}

/* ---- Locked by firmware ----------------------------------------------------------------------------------------- */

static void locked(void)
{
    check_equal(msr_read(MSR_VM_CR), LOCK, "firmware left SVM enabled and locked");
    check_raised(write(MSR_VM_CR, 0), EXC_NONE, 0, "a write of Lock = 0 does not fault");
    check_equal(msr_read(MSR_VM_CR), LOCK, "nor open it");
    check_raised(write(MSR_VM_CR, SVMDIS), EXC_NONE, 0, "a write of SVMDIS = 1 does not fault");
    check_equal(msr_read(MSR_VM_CR), LOCK, "nor disable SVM");
    msr_write(MSR_SVM_KEY, 0);
    check_equal(msr_read(MSR_VM_CR), LOCK, "key 0 opens nothing");
    msr_write(MSR_SVM_KEY, KEY);
    msr_write(MSR_SVM_KEY, KEY);
    check_equal(msr_read(MSR_VM_CR), LOCK, "no key can be set any more");
}

/* ---- Unlocked --------------------------------------------------------------------------------------------------- */

static void unlocked(void)
{
    uint32_t features = cpuid(0x80000001, 0).ecx;

    check_equal(msr_read(MSR_VM_CR), 0, "firmware left VM_CR open");
    msr_write(MSR_VM_CR, SVMDIS);
    check_raised(write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME), EXC_GP, 0, "SVMDIS: EFER.SVME cannot be set, #GP");
    check_equal(cpuid(0x80000001, 0).ecx, features, "CPUID does not tell");
    check(!(msr_read(MSR_EFER) & EFER_SVME), "EFER.SVME stays 0");
    expect_no_svm();
    msr_write(MSR_VM_CR, 0);
    check_raised(write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME), EXC_NONE, 0, "without Lock SVMDIS can be cleared");
    set_svme(false);
    msr_write(MSR_SVM_KEY, KEY);
    msr_write(MSR_VM_CR, LOCK | SVMDIS);
    msr_write(MSR_VM_CR, FREE);
    check_equal(msr_read(MSR_VM_CR), LOCK | SVMDIS | FREE, "Lock keeps itself and SVMDIS, the others are written");
    msr_write(MSR_VM_CR, 0);
    check_equal(msr_read(MSR_VM_CR), LOCK | SVMDIS, "in both directions");
    check_raised(write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME), EXC_GP, 0, "SVM stays disabled");
    check_raised(write(MSR_SVM_KEY, KEY + 1), EXC_NONE, 0, "a wrong key does not fault");
    check_equal(msr_read(MSR_VM_CR), LOCK | SVMDIS, "and opens nothing");
    msr_write(MSR_SVM_KEY, KEY);
    check_equal(msr_read(MSR_VM_CR), SVMDIS, "the key clears Lock, SVMDIS stays");
    msr_write(MSR_VM_CR, 0);
    set_svme(true);
    check_raised(exception_try(clgi_stgi, NULL), EXC_NONE, 0, "SVM is back");
    set_svme(false);
}

/* ---- INIT, on the second core ----------------------------------------------------------------------------------- */

static uint64_t other_vm_cr;

static void read_other(void *unused)
{
    (void)unused;
    other_vm_cr = msr_read(MSR_VM_CR);
}

static void write_other(void *value)
{
    msr_write(MSR_VM_CR, (uintptr_t)value);
}

static void key_other(void *unused)
{
    (void)unused;
    msr_write(MSR_SVM_KEY, KEY);
}

static uint64_t after_init(uint64_t value)
{
    smp_run(write_other, (void *)value);
    if (!smp_wait() || !smp_start(1))
        return ~0ull;
    smp_run(read_other, NULL);
    return smp_wait() ? other_vm_cr : ~0ull;
}

static void init(bool open)
{
    smp_prepare();
    if (!smp_start(1)) {
        check(false, "the second core starts");
        return;
    }
    if (!open) {
        check_equal(after_init(LOCK | DPD | DIS_A20M), LOCK, "INIT keeps Lock and clears the rest");
        return;
    }
    check_equal(after_init(SVMDIS | DPD | DIS_A20M), 0, "INIT clears SVMDIS, DPD and DIS_A20M without Lock");
    smp_run(key_other, NULL);
    check(smp_wait(), "the second core sets a key");
    check_equal(after_init(LOCK | SVMDIS | DIS_A20M), LOCK | SVMDIS, "INIT keeps Lock, and SVMDIS with it");
    smp_run(key_other, NULL);
    check(smp_wait(), "the second core writes the key again");
    smp_run(read_other, NULL);
    check(smp_wait() && other_vm_cr == SVMDIS, "which opens the lock: INIT left it (APM2 table 14-1)");
}

void guest_main(void)
{
    bool open;

    exceptions_init();
    apic_enable();
    if (!(cpuid(0x80000001, 0).ecx & CPUID_ECX_SVM)) {
        check_skip("VM_CR", "this processor has no SVM");
        check_end();
    }
    open = !(msr_read(MSR_VM_CR) & LOCK);
    both();
    redirected_init();
    init(open);
    if (open)
        unlocked();
    else
        locked();
    check_end();
}
