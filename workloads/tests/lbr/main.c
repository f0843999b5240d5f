/* SPDX-License-Identifier: MIT */
/*
 * Last-branch recording (APM2 13.1.1.5 to 13.1.1.8): with DebugCtl.LBR the processor keeps source and target of the
 * last control transfer in BR_FROM and BR_TO, and when an exception comes, those of the transfer before it in
 * LASTEXC_FROM and LASTEXC_TO.
 *
 * A debugger, or a kernel that reports a crash, reads from these registers how the code came to where it failed.
 * That works only if the exception's own transfer, and every branch of its handler, leave the second pair alone.
 * Simulators tend not to record (doc/conformance.md).
 *
 * The program runs in long mode at CPL 0. It switches recording on by WRMSR directly before the jump that it wants
 * to see; behind the jump another WRMSR switches it off before anything else branches, or UD2 raises an exception
 * and the handler runs on, recorded. The addresses expected are those of the labels in the same piece of code, or
 * are counted back from the rIP of the exception.
 *
 * First the jump: DebugCtl reads 0 again afterwards, BR_FROM is the address of the JMP and BR_TO its target, also after
 * other branches, which nobody recorded. Then the jump to UD2: #UD comes, LASTEXC_TO is the rIP of UD2, and
 * LASTEXC_FROM is three bytes below it, where the JMP of two bytes stands before a NOP. The registers are read-only:
 * WRMSR of each is #GP(0).
 *
 * That #DB stops recording and single step on branches (BTF) are not asked here; the virtualization of these registers
 * is in svm-lbr.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define MSR_DEBUG_CTL 0x1D9
#define MSR_BR_FROM 0x1DB
#define MSR_BR_TO 0x1DC
#define MSR_LASTEXC_FROM 0x1DD
#define MSR_LASTEXC_TO 0x1DE
#define DEBUG_CTL_LBR 1

static uintptr_t from, to;

/* A jump, then WRMSR stops recording before anything else branches. */
static void jump(void)
{
    __asm__ volatile("lea 1f(%%rip), %0\n\tlea 2f(%%rip), %1\n\t"
                     "movl %2, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\twrmsr\n"
                     "1:\tjmp 2f\n\tnop\n2:\txorl %%eax, %%eax\n\twrmsr"
                     : "=&r"(from), "=&r"(to) : "i"(MSR_DEBUG_CTL) : "eax", "ecx", "edx", "memory");
}

static void undefined(void *unused)
{
    (void)unused;
    __asm__ volatile("lea 1f(%%rip), %0\n\tlea 2f(%%rip), %1\n\t"
                     "movl %2, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\twrmsr\n"
                     "1:\tjmp 2f\n\tnop\n2:\tud2"
                     : "=&r"(from), "=&r"(to) : "i"(MSR_DEBUG_CTL) : "eax", "ecx", "edx", "memory");
}

static void write_record(void *msr)
{
    msr_write((uint32_t)(uintptr_t)msr, 0);
}

void guest_main(void)
{
    struct exception e;

    exceptions_init();
    jump();
    check_equal(msr_read(MSR_DEBUG_CTL), 0, "recording is off again");
    check_equal(msr_read(MSR_BR_FROM), from, "BR_FROM is the jump, not what has branched since");
    check_equal(msr_read(MSR_BR_TO), to, "BR_TO is its target");
    e = exception_try(undefined, NULL);
    msr_write(MSR_DEBUG_CTL, 0);
    /* The asm's outputs are lost with the exception: the faulting instruction says where they were. */
    check_raised(e, EXC_UD, 0, "UD2 after a recorded jump");
    check_equal(msr_read(MSR_LASTEXC_TO), e.ip, "LASTEXC_TO: the jump that led to the exception went there");
    check_equal(msr_read(MSR_LASTEXC_FROM), e.ip - 3, "LASTEXC_FROM: and came from three bytes before");
    for (uintptr_t msr = MSR_BR_FROM; msr <= MSR_LASTEXC_TO; msr++) {
        e = exception_try(write_record, (void *)msr);
        check_format(e.vector == EXC_GP && e.error_code == 0, "MSR %x is read-only", (unsigned)msr);
    }
    check_end();
}
