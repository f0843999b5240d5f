/* SPDX-License-Identifier: MIT */
/* Addresses to chip-selects by registers as BKDG10 2.8 gives them (fact sheet 6.3, 6.4, 6.6). */
#include "hv/mca/dram_map.h"

#include <string.h>

#include "sim/unit_test.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Function 1 and 2 of two nodes. */
static uint32_t registers[2][3][0x200 / 4];

static uint32_t read(void *ctx, unsigned node, unsigned function, unsigned reg)
{
    ck_assert_ptr_null(ctx);
    ck_assert(node < 2 && function >= 1 && function <= 2 && reg < 0x200);
    return registers[node][function][reg / 4];
}

static void set(unsigned node, unsigned function, unsigned reg, uint32_t value)
{
    registers[node][function][reg / 4] = value;
}

/* Range n: RE and WE, base and limit in 16 MiB, to a node. */
static void range(unsigned n, uint64_t base, uint64_t end, unsigned node, unsigned interleave, unsigned select)
{
    set(0, 1, 0x40 + 8 * n, (uint32_t)(base >> 24 << 16) | interleave << 8 | 3);
    set(0, 1, 0x44 + 8 * n, (uint32_t)((end - 1) >> 24 << 16) | select << 8 | node);
}

/* "contiguous 256 MB CS: base 00000001h, 00100001h...; mask 00083FE0h" (fact sheet 6.4). */
static void chip_selects(unsigned node, unsigned dct, unsigned count)
{
    for (unsigned cs = 0; cs < count; cs++)
        set(node, 2, 0x100 * dct + 0x40 + 4 * cs, cs << 20 | 1);
    for (unsigned k = 0; k < 4; k++)
        set(node, 2, 0x100 * dct + 0x60 + 4 * k, 0x00083FE0);
}

static void check(uint64_t address, unsigned node, unsigned dct, unsigned cs)
{
    struct dram_place place;

    ck_assert(dram_map_find(address, read, NULL, &place));
    ck_assert_uint_eq(place.node, node);
    ck_assert_uint_eq(place.dct, dct);
    ck_assert_uint_eq(place.chip_select, cs);
}

START_TEST(contiguous_chip_selects_of_256_mib_lie_one_behind_the_other)
{
    struct dram_place place;

    memset(registers, 0, sizeof(registers));
    range(0, 0, 768 * MIB, 0, 0, 0);
    chip_selects(0, 0, 3);
    check(0, 0, 0, 0);
    check(256 * MIB - 1, 0, 0, 0);
    check(300 * MIB, 0, 0, 1);
    check(767 * MIB, 0, 0, 2);
    ck_assert(!dram_map_find(768 * MIB, read, NULL, &place));
    set(0, 2, 0x44, 0x00100000); /* not enabled */
    ck_assert(!dram_map_find(300 * MIB, read, NULL, &place));
}
END_TEST

START_TEST(each_node_counts_from_its_own_base)
{
    memset(registers, 0, sizeof(registers));
    range(0, 0, 512 * MIB, 0, 0, 0);
    range(1, 512 * MIB, GIB, 1, 0, 0);
    chip_selects(0, 0, 2);
    chip_selects(1, 0, 2);
    check(300 * MIB, 0, 0, 1);
    check(600 * MIB, 1, 0, 0);
    check(800 * MIB, 1, 0, 1);
}
END_TEST

/* F1xF0: memory from 4 GiB on begins behind the hole: 1 GiB at C0000000h is hoisted. */
START_TEST(what_is_hoisted_above_4_gib_follows_what_lies_below_the_hole)
{
    memset(registers, 0, sizeof(registers));
    range(0, 0, 5 * GIB, 0, 0, 0);
    set(0, 1, 0xF0, 0xC0000001 | (uint32_t)(GIB >> 23) << 7);
    for (unsigned cs = 0; cs < 4; cs++) /* four of 1 GiB: base bits 36:27 in 28:19, mask 3FFFFFFFh */
        set(0, 2, 0x40 + 4 * cs, cs << 22 | 1);
    for (unsigned k = 0; k < 4; k++)
        set(0, 2, 0x60 + 4 * k, 0x00383FE0);
    check(GIB + 5, 0, 0, 1);
    check(3 * GIB - 1, 0, 0, 2);
    check(4 * GIB, 0, 0, 3);
    check(5 * GIB - 1, 0, 0, 3);
}
END_TEST

/* DctSelIntLvEn: by A[6]; each DCT has half, so that 512 MiB are one chip-select of 256 MiB on each. */
START_TEST(interleaved_dcts_take_turns_and_the_bit_is_left_out)
{
    memset(registers, 0, sizeof(registers));
    range(0, 0, GIB, 0, 0, 0);
    chip_selects(0, 0, 2);
    chip_selects(0, 1, 2);
    set(0, 2, 0x110, 1u << 2);
    check(0, 0, 0, 0);
    check(0x40, 0, 1, 0);
    check(512 * MIB - 0x80, 0, 0, 0);
    check(512 * MIB - 0x40, 0, 1, 0);
    check(512 * MIB, 0, 0, 1);
    set(0, 2, 0x110, 1u << 2 | 2u << 6); /* A[6] ^ parity of A[20:16] */
    check(0x10000, 0, 1, 0);
    check(0x10040, 0, 0, 0);
    check(0x30040, 0, 1, 0);
    set(0, 2, 0x110, 1u << 2 | 1u << 6); /* A[12] */
    check(0x1000, 0, 1, 0);
    set(0, 2, 0x110, 1u << 4); /* ganged: DCT 0's registers alone */
    check(0x40, 0, 0, 0);
}
END_TEST

/* Two nodes by A[12]: each has every other page. */
START_TEST(interleaved_nodes_are_chosen_by_the_bits_above_the_page)
{
    memset(registers, 0, sizeof(registers));
    range(0, 0, 512 * MIB, 0, 1, 0);
    range(1, 0, 512 * MIB, 1, 1, 1);
    chip_selects(0, 0, 1);
    chip_selects(1, 0, 1);
    check(0x0000, 0, 0, 0);
    check(0x1000, 1, 0, 0);
    check(512 * MIB - 0x1000, 1, 0, 0);
    check(512 * MIB - 0x2000, 0, 0, 0);
}
END_TEST

UNIT_TESTS("hv dram map", contiguous_chip_selects_of_256_mib_lie_one_behind_the_other,
           each_node_counts_from_its_own_base, what_is_hoisted_above_4_gib_follows_what_lies_below_the_hole,
           interleaved_dcts_take_turns_and_the_bit_is_left_out,
           interleaved_nodes_are_chosen_by_the_bits_above_the_page)
