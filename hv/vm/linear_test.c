/* SPDX-License-Identifier: MIT */
#include "hv/vm/linear.h"

#include <string.h>

#include "sim/unit_test.h"

#define CR0_PG (1ull << 31)
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define EFER_LMA 0x400

static uint8_t memory[0x8000];

static bool read_memory(void *ctx, uint64_t gpa, void *data, uint64_t size)
{
    (void)ctx;
    if (gpa + size > sizeof(memory))
        return false;
    memcpy(data, memory + gpa, size);
    return true;
}

static void put(uint64_t at, uint64_t value, unsigned bytes)
{
    memcpy(memory + at, &value, bytes);
}

static uint64_t walk(uint64_t cr4, uint64_t efer, uint64_t linear)
{
    struct linear_paging paging = { CR0_PG, 0x1000, cr4, efer };
    uint64_t gpa;

    return linear_to_gpa(&paging, read_memory, NULL, linear, &gpa) ? gpa : UINT64_MAX;
}

START_TEST(without_paging_linear_is_physical)
{
    struct linear_paging paging = { 0x11, 0, 0, 0 };
    uint64_t gpa;

    ck_assert(linear_to_gpa(&paging, read_memory, NULL, 0x12345678, &gpa));
    ck_assert_uint_eq(gpa, 0x12345678);
}
END_TEST

/* linear 8080604567h: indexes 1, 2, 3, 4 */
START_TEST(long_mode_walks_four_levels_and_stops_at_large_pages)
{
    memset(memory, 0, sizeof(memory));
    put(0x1000 + 8, 0x2003, 8);
    put(0x2000 + 16, 0x3003, 8);
    put(0x3000 + 24, 0x4003, 8);
    put(0x4000 + 32, 0x8000000ABCDE003, 8); /* software bits above 52 do not count */
    ck_assert_uint_eq(walk(CR4_PAE, EFER_LMA, 0x8080604567), 0xABCDE567);
    put(0x3000 + 24, 0x40200083, 8);
    ck_assert_uint_eq(walk(CR4_PAE, EFER_LMA, 0x8080604567), 0x40204567);
    put(0x2000 + 16, 0x80000083, 8);
    ck_assert_uint_eq(walk(CR4_PAE, EFER_LMA, 0x8080604567), 0x80604567);
    put(0x2000 + 16, 0x80000082, 8);
    ck_assert_uint_eq(walk(CR4_PAE, EFER_LMA, 0x8080604567), UINT64_MAX);
}
END_TEST

/* linear 80604567h: indexes 2, 3, 4 */
START_TEST(pae_walks_three_levels)
{
    memset(memory, 0, sizeof(memory));
    put(0x1000 + 16, 0x2001, 8);
    put(0x2000 + 24, 0x3003, 8);
    put(0x3000 + 32, 0x7003, 8);
    ck_assert_uint_eq(walk(CR4_PAE, 0, 0x80604567), 0x7567);
    put(0x2000 + 24, 0x200083, 8);
    ck_assert_uint_eq(walk(CR4_PAE, 0, 0x80604567), 0x204567);
}
END_TEST

/* linear 00C04567h: indexes 3, 4 */
START_TEST(legacy_walks_two_levels_and_has_4m_pages_with_pse)
{
    memset(memory, 0, sizeof(memory));
    put(0x1000 + 12, 0x2003, 4);
    put(0x2000 + 16, 0x7003, 4);
    ck_assert_uint_eq(walk(0, 0, 0xC04567), 0x7567);
    put(0x1000 + 12, 0x2083, 4); /* PS without CR4.PSE is ignored */
    ck_assert_uint_eq(walk(0, 0, 0xC04567), 0x7567);
    put(0x1000 + 12, 0x80002083, 4); /* address bit 32 in bit 13 */
    ck_assert_uint_eq(walk(CR4_PSE, 0, 0xC04567), 0x180004567);
}
END_TEST

START_TEST(tables_outside_memory_end_the_walk)
{
    memset(memory, 0, sizeof(memory));
    put(0x1000, 0x10000003, 4);
    ck_assert_uint_eq(walk(0, 0, 0x1000), UINT64_MAX);
}
END_TEST

UNIT_TESTS("hv linear", without_paging_linear_is_physical, long_mode_walks_four_levels_and_stops_at_large_pages,
           pae_walks_three_levels, legacy_walks_two_levels_and_has_4m_pages_with_pse,
           tables_outside_memory_end_the_walk)
