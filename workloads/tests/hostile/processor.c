/* SPDX-License-Identifier: MIT */
/* The hypervisor's own instructions and MSRs, from a guest. */
#include "workloads/tests/hostile/hostile.h"

#define MSR_EFER 0xC0000080

static uint64_t operand;

static void vmrun(void *argument) { __asm__ volatile("vmrun" : : "a"(argument) : "memory"); }
static void vmload(void *argument) { __asm__ volatile("vmload" : : "a"(argument) : "memory"); }
static void vmsave(void *argument) { __asm__ volatile("vmsave" : : "a"(argument) : "memory"); }
static void clgi(void *argument) { __asm__ volatile("clgi" : : "a"(argument) : "memory"); }
static void stgi(void *argument) { __asm__ volatile("stgi" : : "a"(argument) : "memory"); }
static void skinit(void *argument) { __asm__ volatile("skinit" : : "a"(argument) : "memory"); }
static void invlpga(void *argument) { __asm__ volatile("invlpga" : : "a"(argument), "c"(operand) : "memory"); }
static void svme(void *argument)
{
    (void)argument;
    msr_write(MSR_EFER, msr_read(MSR_EFER) | 1u << 12);
}

/*
 * To the guest EFER.SVME is 0 whatever it does: each is #UD (APM2 15.4). hv keeps the true bit set, so that the
 * processor may find an operand that is no address first, before the intercept: #GP.
 */
uint64_t attack_svm(uint64_t rounds)
{
    static void (*const instructions[])(void *) = { vmrun, vmload, vmsave, clgi, stgi, skinit, invlpga };
    uint64_t raised = 0;

    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t address = random_below(4) ? wild_address() & ~0xFFFull : wild_address();
        struct exception e;

        operand = random64();
        exception_try(svme, NULL);
        e = exception_try(instructions[random_below(7)], (void *)address);
        if (e.vector != EXC_UD && e.vector != EXC_GP)
            guest_fail("an SVM instruction at %lx came to vector %u", (unsigned long)e.ip, e.vector);
        raised++;
    }
    return raised;
}

struct msr {
    uint32_t number;
    uint64_t value;
    bool write;
};

static void msr_once(void *argument)
{
    const struct msr *msr = argument;

    if (msr->write)
        msr_write(msr->number, msr->value);
    else
        msr_read(msr->number);
}

uint64_t attack_msrs(uint64_t rounds)
{
    static const uint32_t bases[] = { 0, 0x200, 0x400, 0xC0000080, 0xC0000100, 0xC0010000, 0xC0010110, 0xC0011000,
                                      0x46310000 };
    uint64_t raised = 0;

    for (uint64_t i = 0; i < rounds; i++) {
        struct msr msr = { .value = random_below(2) ? random64() : wild_address(), .write = random_below(2) };

        msr.number = bases[random_below(9)] + (uint32_t)random_below(0x60);
        if (random_below(8) == 0)
            msr.number = (uint32_t)random64();
        if (msr.write && (msr.number == MSR_EFER || msr.number == 0x1B || msr.number == 0x1D9))
            continue; /* this program needs its paging; the APIC at another place is a crash that proves nothing */
        raised += exception_try(msr_once, &msr).vector != EXC_NONE;
    }
    return raised;
}
