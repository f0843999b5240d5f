/* SPDX-License-Identifier: MIT */
/* Rows that stay in ring 0 and in the TLB. */
#include "bench.h"

/* Shifts, multiplications, additions and rotations on registers. */
uint64_t row_integer(void)
{
    uint64_t x = 0x9E3779B97F4A7C15u, sum = 0;

    for (uint32_t i = 0; i < 24000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum += x * 0x2545F4914F6CDD1Du;
        sum = sum << 5 | sum >> 59;
        sum -= (uint32_t)x;
    }
    return sum;
}

/* Data-dependent branches: lengths of Collatz sequences. */
uint64_t row_branch(void)
{
    uint64_t sum = 0;

    for (uint32_t n = 1; n < 240000; n++) {
        uint64_t x = n;

        while (x != 1) {
            if (x & 1)
                x = 3 * x + 1;
            else
                x >>= 1;
            sum++;
        }
        sum ^= sum << 1;
    }
    return sum;
}

/* Word copies between streams `distance` bytes apart. */
uint64_t copy_words(uint64_t distance, uint64_t bytes, unsigned rounds)
{
    volatile uint64_t *from = (uint64_t *)(uintptr_t)COPY;
    volatile uint64_t *to = (uint64_t *)(uintptr_t)(COPY + distance);
    uint64_t sum = 0;

    for (uint64_t i = 0; i < bytes / 8; i++)
        from[i] = i * 0x9E3779B97F4A7C15u;
    for (unsigned r = 0; r < rounds; r++)
        for (uint64_t i = 0; i < bytes / 8; i++)
            to[i] = from[i] + r;
    for (uint64_t i = 0; i < bytes / 8; i += 64)
        sum += to[i];
    return sum;
}

/* mov $imm32, %eax; ret: the immediate is rewritten before each call. */
static uint8_t smc_code[16] __attribute__((aligned(64)));

uint64_t row_smc(void)
{
    uint32_t (*call)(void) = (uint32_t (*)(void))(uintptr_t)smc_code;
    uint64_t sum = 0;

    smc_code[0] = 0xB8;
    smc_code[5] = 0xC3;
    for (uint32_t i = 0; i < 50000; i++) {
        *(volatile uint32_t *)(smc_code + 1) = i * 2654435761u;
        sum += call();
    }
    return sum;
}
