/* SPDX-License-Identifier: MIT */
#include "hv/core/clock.h"

#include "hv/x86/cpu.h"

#define MSR_PSTATE0 0xC0010064
#define PSTATE_ENABLED (1ull << 63)
#define PSTATE_FID 0x3Fu     /* bits 5:0 */
#define PSTATE_DID_SHIFT 6
#define PSTATE_DID 7u
#define KHZ_100MHZ 100000u
#define FID_OFFSET 0x10u
#define NS_PER_MS 1000000u

static uint64_t epoch;
static uint32_t khz;
static struct clock_scale scale;

uint32_t clock_pstate_khz(uint64_t pstate)
{
    unsigned fid = pstate & PSTATE_FID, did = pstate >> PSTATE_DID_SHIFT & PSTATE_DID;

    return KHZ_100MHZ * (fid + FID_OFFSET) >> did;
}

/* mul keeps its highest bit set, for precision. */
struct clock_scale clock_scale_of(uint32_t of_khz)
{
    struct clock_scale result = { 0, 0 };
    uint64_t divisor = of_khz, dividend = (uint64_t)NS_PER_MS << 32;

    while (dividend / divisor >> 32) {
        divisor <<= 1;
        result.shift++;
    }
    while (!(dividend / divisor >> 31)) {
        dividend <<= 1;
        result.shift--;
    }
    result.mul = (uint32_t)(dividend / divisor);
    return result;
}

uint64_t clock_scaled(uint64_t cycles, struct clock_scale by)
{
    cycles = by.shift < 0 ? cycles >> -by.shift : cycles << by.shift;
    return (uint64_t)((unsigned __int128)cycles * by.mul >> 32);
}

static bool is_family_10h(void)
{
    uint32_t eax = cpuid(1, 0).eax;

    return (eax >> 8 & 0xF) + (eax >> 20 & 0xFF) == 0x10;
}

void clock_init(uint32_t measured_khz)
{
    uint64_t pstate = is_family_10h() ? msr_read(MSR_PSTATE0) : 0;

    khz = pstate & PSTATE_ENABLED ? clock_pstate_khz(pstate) : measured_khz;
    scale = clock_scale_of(khz);
    epoch = tsc_read();
}

uint32_t clock_khz(void)
{
    return khz;
}

uint64_t clock_epoch(void)
{
    return epoch;
}

struct clock_scale clock_scale(void)
{
    return scale;
}

uint64_t clock_now(void)
{
    return clock_scaled(tsc_read() - epoch, scale);
}
