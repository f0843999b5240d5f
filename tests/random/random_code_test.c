/* SPDX-License-Identifier: MIT */
/* Seeded random code on whole machines, in every world of guest_fuzz.c: nothing crashes, both engines agree. */
#include <string.h>

#include "sim/machine/machine.h"
#include "sim/unit_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEEDS 60 /* of each world; FAM10H_SEEDS overrides, FAM10H_FIRST_SEED starts elsewhere */

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = g_getenv(name);

    return text ? g_ascii_strtoull(text, NULL, 0) : otherwise;
}

/* `world` as byte 0 of guest_fuzz.c's input; all else comes from the seed. */
static void run_world(unsigned world)
{
    uint64_t first = setting("FAM10H_FIRST_SEED", 1), count = setting("FAM10H_SEEDS", SEEDS);

    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t mixed = seed * UINT64_C(0x9E3779B97F4A7C15);
        uint8_t input[9] = { (uint8_t)(world | (seed % 4 ? 0 : 0x20)) };

        memcpy(input + 1, &mixed, sizeof(mixed));
        if (g_getenv("FAM10H_FUZZ_PRINT"))
            g_print("# world %#x seed %" G_GUINT64_FORMAT "\n", world, seed);
        LLVMFuzzerTestOneInput(input, sizeof(input));
    }
}

START_TEST(random_code_in_real_mode) { run_world(0x00); } END_TEST
START_TEST(random_code_in_flat_32_bit_mode) { run_world(0x01); } END_TEST
START_TEST(random_code_in_paged_32_bit_mode) { run_world(0x02); } END_TEST
START_TEST(random_code_in_long_mode) { run_world(0x03); } END_TEST
START_TEST(random_code_in_a_real_mode_guest) { run_world(0x10); } END_TEST
START_TEST(random_code_in_a_flat_32_bit_guest) { run_world(0x11); } END_TEST
START_TEST(random_code_in_a_paged_32_bit_guest) { run_world(0x12); } END_TEST
START_TEST(random_code_in_a_long_mode_guest) { run_world(0x13); } END_TEST

UNIT_TESTS("random_code", random_code_in_real_mode, random_code_in_flat_32_bit_mode, random_code_in_paged_32_bit_mode,
           random_code_in_long_mode, random_code_in_a_real_mode_guest, random_code_in_a_flat_32_bit_guest,
           random_code_in_a_paged_32_bit_guest, random_code_in_a_long_mode_guest)
