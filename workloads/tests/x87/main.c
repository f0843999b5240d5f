/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's x87, MMX and SSE registers are its own, whether or not it has set CR4.OSFXSR: they begin as FNINIT and
 * reset leave them, not as another guest left them, and keep over many slices what this guest put in.
 *
 * VMRUN and #VMEXIT exchange none of these registers, so hv has to, for each vCPU that comes to a core. It does so
 * by FXSAVE and FXRSTOR (image: APM2 11.4.4), where the host's OSFXSR, not the guest's, decides whether XMM is
 * included. A hypervisor that forgets them shows one guest the data of another.
 *
 * The program is run as two guests on one core (seed=1, seed=2; workloads/tests/x87-guests), which also checks that
 * they took turns. The values that it loads are made of the seed and of the register's number, so that all differ. One
 * that must stay is looked at 400 times, with a loop of waiting before each.
 *
 * With OSFXSR clear: FNSTENV finds control word 037Fh, status 0 and all tags empty, and the eight MMX registers are
 * 0. Then they are loaded, and stay. With OSFXSR set: XMM0, 7, 8 and 15 are 0 at first; they are loaded and stay,
 * and so do the MMX registers all that time.
 *
 * There is one skipped check if hv is not below: alone on the machine there is no other guest. MXCSR, the other XMM
 * registers and the exponents of the x87 registers are not looked at.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define CR4_OSFXSR 0x200u
#define REGISTERS 8
#define ROUNDS 400
#define SPIN 10000

struct environment {
    uint32_t control, status, tag, rest[4];
};

static uint64_t value(uint64_t seed, unsigned n)
{
    return seed << 56 | (uint64_t)n << 32 | (~seed & 0xFF) << 8;
}

static void load_mmx(const uint64_t *from)
{
    __asm__ volatile("movq (%0), %%mm0\nmovq 8(%0), %%mm1\nmovq 16(%0), %%mm2\nmovq 24(%0), %%mm3\n"
                     "movq 32(%0), %%mm4\nmovq 40(%0), %%mm5\nmovq 48(%0), %%mm6\nmovq 56(%0), %%mm7"
                     : : "r"(from) : "memory");
}

static void store_mmx(uint64_t *to)
{
    __asm__ volatile("movq %%mm0, (%0)\nmovq %%mm1, 8(%0)\nmovq %%mm2, 16(%0)\nmovq %%mm3, 24(%0)\n"
                     "movq %%mm4, 32(%0)\nmovq %%mm5, 40(%0)\nmovq %%mm6, 48(%0)\nmovq %%mm7, 56(%0)"
                     : : "r"(to) : "memory");
}

static void load_sse(const uint64_t *from)
{
    __asm__ volatile("movups (%0), %%xmm0\nmovups 16(%0), %%xmm7\nmovups 32(%0), %%xmm8\nmovups 48(%0), %%xmm15"
                     : : "r"(from) : "memory");
}

static void store_sse(uint64_t *to)
{
    __asm__ volatile("movups %%xmm0, (%0)\nmovups %%xmm7, 16(%0)\nmovups %%xmm8, 32(%0)\nmovups %%xmm15, 48(%0)"
                     : : "r"(to) : "memory");
}

static bool kept(const uint64_t *want, void (*store)(uint64_t *to))
{
    uint64_t found[REGISTERS];

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (volatile unsigned i = 0; i < SPIN / 4; i++)
            continue;
        store(found);
        if (memcmp(found, want, sizeof(found)) != 0)
            return false;
    }
    return true;
}

void guest_main(void)
{
    uint64_t seed, want[REGISTERS], found[REGISTERS], zero[REGISTERS] = { 0 };
    struct environment fresh;
    bool bad = false;

    exceptions_init();
    if (!guest_under_hv) {
        check_skip("registers that another guest uses, too", "hv is not below");
        check_end();
    }
    seed = option_size(guest_options, "seed", 1, &bad);
    for (unsigned n = 0; n < REGISTERS; n++)
        want[n] = value(seed, n);
    cr4_write(cr4_read() & ~(uint64_t)CR4_OSFXSR);
    __asm__ volatile("fnstenv %0" : "=m"(fresh));
    check((fresh.control & 0xFFFF) == 0x037F && !(fresh.status & 0xFFFF) && (fresh.tag & 0xFFFF) == 0xFFFF,
          "x87 begins as FNINIT leaves it");
    store_mmx(found);
    check(memcmp(found, zero, sizeof(found)) == 0, "with nothing in its registers");
    load_mmx(want);
    check(kept(want, store_mmx), "MMX registers stay without CR4.OSFXSR");
    cr4_write(cr4_read() | CR4_OSFXSR);
    store_sse(found);
    check(memcmp(found, zero, sizeof(found)) == 0, "SSE registers begin with nothing in them");
    load_sse(want);
    check(kept(want, store_sse), "and stay");
    store_mmx(found);
    check(memcmp(found, want, sizeof(found)) == 0, "and so do MMX registers");
    check_end();
}
