/* SPDX-License-Identifier: MIT */
/*
 * sums: every vCPU of the guest fills its share of the blocks with pseudo-random words and sums their CRC-32s.
 * The result does not depend on the number of vCPUs, on their order, or on the width (sums32, sums64).
 *
 *     blocks=N   pages of 4 KiB to fill, from 8 MiB upwards (256)
 *     rounds=N   how often (1); the blocks differ from round to round
 *     expect=X   fail if the result is another
 *
 * The default's result is 3CB078E4h: block b of round r is 1024 little-endian words x' = 1664525 x + 1013904223
 * from x = r * 65536 + b (the first word is the first x'); the CRC is zlib's.
 */
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"

#define AREA 0x800000u
#define BLOCK 4096u
#define VCPUS_MAX 8
#define STACK 4096

static uint32_t crc_table[256];
static uint32_t blocks, rounds;
static unsigned workers;
static uint32_t partial[VCPUS_MAX];
static bool finished[VCPUS_MAX];
static uint8_t stacks[VCPUS_MAX][STACK] __attribute__((aligned(16)));

static void crc_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (unsigned bit = 0; bit < 8; bit++)
            c = c & 1 ? 0xEDB88320 ^ c >> 1 : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc_of(const uint8_t *bytes, uint32_t size)
{
    uint32_t c = 0xFFFFFFFF;

    while (size--)
        c = crc_table[(c ^ *bytes++) & 0xFF] ^ c >> 8;
    return ~c;
}

static void fill(uint32_t *words, uint32_t x)
{
    for (unsigned i = 0; i < BLOCK / 4; i++) {
        x = 1664525 * x + 1013904223;
        words[i] = x;
    }
}

static void work(unsigned id)
{
    uint32_t sum = 0;

    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t block = id; block < blocks; block += workers) {
            uint8_t *at = (uint8_t *)(uintptr_t)(AREA + block * BLOCK);

            fill((uint32_t *)at, round * 65536 + block);
            sum += crc_of(at, BLOCK);
        }
    }
    partial[id] = sum;
    __atomic_store_n(&finished[id], true, __ATOMIC_RELEASE);
}

static void worker_main(unsigned id)
{
    work(id);
    for (;;)
        cpu_halt();
}

static uint32_t number(const char *name, uint32_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(guest_options, name, fallback, &bad);

    if (bad || value > UINT32_MAX)
        guest_fail("sums: %s= wants a number", name);
    return (uint32_t)value;
}

void guest_main(void)
{
    uint32_t sum = 0, expected;

    blocks = number("blocks", 256);
    rounds = number("rounds", 1);
    workers = vcpu_count();
    if (workers > VCPUS_MAX || blocks > 65536 || AREA + (uint64_t)blocks * BLOCK > guest_memory_end)
        guest_fail("sums: too many vCPUs or blocks");
    crc_init();
    guest_mark(MARK_BEGIN, workers);
    for (unsigned id = 1; id < workers; id++)
        if (!vcpu_start(id, worker_main, stacks[id] + STACK))
            guest_fail("sums: vCPU %u does not start", id);
    work(0);
    for (unsigned id = 0; id < workers; id++) {
        while (!__atomic_load_n(&finished[id], __ATOMIC_ACQUIRE))
            vcpu_yield();
        sum += partial[id];
    }
    guest_mark(MARK_END, workers);
    guest_print("sums: %u vCPUs, %u blocks, %u rounds: %08x", workers, blocks, rounds, sum);
    expected = number("expect", sum);
    if (sum != expected)
        guest_fail("sums: expected %08x", expected);
    guest_exit(sum);
}
