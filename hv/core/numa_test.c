/* SPDX-License-Identifier: MIT */
#include "hv/core/numa.h"

#include <string.h>

#include "sim/unit_test.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* The example machine of the slides: 8 GiB, a hole of 512 MiB below 4 GiB, two nodes of two cores. */
static const struct numa_range example_ram[] = { { 0, 3 * GIB + 512 * MIB }, { 4 * GIB, 8 * GIB + 512 * MIB } };
static const struct acpi_topology example = {
    .core_count = 4, .range_count = 3, .domain_count = 2, .domains = { 7, 3 },
    .cores = { { 0, 7, true }, { 1, 7, true }, { 4, 3, true }, { 5, 3, true } },
    .ranges = { { 0, 3 * GIB + 512 * MIB, 7 }, { 4 * GIB, 512 * MIB, 7 }, { 4 * GIB + 512 * MIB, 4 * GIB, 3 } },
};
static struct acpi_topology topology;
static struct numa_map map;

static void build(enum numa_choice choice, unsigned fake)
{
    numa_build(&map, &topology, example_ram, 2, choice, fake);
}

static void expect_one_node(const char *because)
{
    ck_assert_uint_eq(map.nodes, 1);
    ck_assert_uint_eq(map.node[0].start, 0);
    ck_assert_uint_eq(map.node[0].end, 8 * GIB + 512 * MIB);
    ck_assert_uint_eq(map.shift, 63);
    if (because)
        ck_assert_str_eq(map.rejected, because);
    else
        ck_assert_ptr_null(map.rejected);
    for (unsigned i = 0; i < topology.core_count; i++)
        ck_assert_uint_eq(map.core_node[i], 0);
}

START_TEST(domains_become_nodes_in_the_order_of_the_table_and_spans_have_holes)
{
    topology = example;
    build(NUMA_ON, 0);
    ck_assert_ptr_null(map.rejected);
    ck_assert_uint_eq(map.nodes, 2);
    ck_assert_uint_eq(map.node[0].end >> 12, 1179648); /* 4.5 GiB, the hole included */
    ck_assert_uint_eq(map.ram[0] >> 12, 1048576);
    ck_assert_uint_eq((map.node[1].end - map.node[1].start) >> 12, 1048576);
    ck_assert_uint_eq(map.ram[1] >> 12, 1048576);
    ck_assert_uint_eq(map.shift, 29); /* 4.5 GiB is no multiple of 1 GiB */
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(map.core_node[i], i / 2);
    ck_assert_uint_eq(numa_node_of(&map, 4 * GIB + 512 * MIB - 1), 0);
    ck_assert_uint_eq(numa_node_of(&map, 4 * GIB + 512 * MIB), 1);
    ck_assert_uint_eq(numa_node_of(&map, 9 * GIB), 1); /* behind all: the last one */
}
END_TEST

START_TEST(a_table_with_a_defect_is_not_believed)
{
    topology = example;
    topology.srat_wrong = "a core's entry is not 16 bytes long";
    build(NUMA_ON, 0);
    expect_one_node(topology.srat_wrong);
    topology = example;
    topology.ranges[2].base -= 1;
    build(NUMA_ON, 0);
    expect_one_node("memory of two domains overlaps");
    topology = example;
    topology.range_count = 0;
    build(NUMA_ON, 0);
    expect_one_node("there is none, or it names no memory");
    topology = example;
    topology.domain_count = 9;
    build(NUMA_ON, 0);
    expect_one_node("it has more than 8 domains");
}
END_TEST

START_TEST(overlaps_within_one_domain_do_no_harm)
{
    topology = example;
    topology.ranges[1].base -= 64 * MIB; /* of the hole */
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.nodes, 2);
    ck_assert_uint_eq(map.node[0].end, 4 * GIB + 448 * MIB);
}
END_TEST

START_TEST(ram_that_no_entry_covers_is_tolerated_below_4_gib)
{
    topology = example;
    topology.range_count = 2; /* node 1's 4 GiB have no entry: exactly too much */
    topology.domain_count = 1;
    build(NUMA_ON, 0);
    expect_one_node("it leaves out 4 GiB of RAM or more");
    topology = example;
    topology.ranges[2].size = 4096; /* below 4 MiB: no node, and its RAM is uncovered */
    build(NUMA_ON, 0);
    expect_one_node("it leaves out 4 GiB of RAM or more");
    topology.ranges[2].size = 4 * GIB;
    topology.ranges[2].base += 4096;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.nodes, 2); /* 4 KiB uncovered, and the span clipped to the RAM */
    ck_assert_uint_eq(map.node[1].end, 8 * GIB + 512 * MIB);
}
END_TEST

START_TEST(a_node_of_less_than_4_mib_is_none_and_its_cores_go_round)
{
    topology = example;
    topology.ranges[1] = (struct acpi_range){ 4 * GIB, 4 * GIB + 508 * MIB, 7 };
    topology.ranges[2] = (struct acpi_range){ 8 * GIB + 508 * MIB, 4 * MIB - 4096, 3 };
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.nodes, 2);
    ck_assert_uint_eq(map.node[1].end, 0);
    ck_assert_uint_eq(map.core_node[2], 0);
    ck_assert_uint_eq(map.core_node[3], 0);
    topology.ranges[2].size = 4 * MIB;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.core_node[2], 1);
}
END_TEST

START_TEST(nodes_that_no_megabyte_keeps_apart_are_not_believed)
{
    topology = example;
    topology.ranges[1].size -= 512 * 1024;
    topology.ranges[2].base -= 512 * 1024;
    build(NUMA_ON, 0);
    expect_one_node("no piece of 1 MiB or more keeps its nodes apart");
    topology.ranges[1].size -= 512 * 1024;
    topology.ranges[2].base -= 512 * 1024;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.shift, 20);
}
END_TEST

START_TEST(cores_without_a_node_get_nodes_in_turn)
{
    topology = example;
    topology.cores[0].on_node = topology.cores[1].on_node = topology.cores[3].on_node = false;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.core_node[0], 0);
    ck_assert_uint_eq(map.core_node[1], 1);
    ck_assert_uint_eq(map.core_node[2], 1);
    ck_assert_uint_eq(map.core_node[3], 0);
}
END_TEST

START_TEST(fake_nodes_are_equal_powers_of_two_and_the_last_takes_the_rest)
{
    topology = example;
    build(NUMA_FAKE, 4);
    ck_assert_uint_eq(map.nodes, 4);
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(map.node[n].start, n * 2 * GIB);
        ck_assert_uint_eq(map.node[n].end, n == 3 ? 8 * GIB + 512 * MIB : (n + 1) * 2 * GIB);
        ck_assert_uint_eq(map.core_node[n], n);
    }
    ck_assert_uint_eq(map.ram[1], GIB + 512 * MIB);
    ck_assert_uint_eq(map.shift, 31);
}
END_TEST

START_TEST(without_the_option_or_the_table_there_is_one_node)
{
    topology = example;
    build(NUMA_OFF, 0);
    expect_one_node(NULL);
    build(NUMA_NOACPI, 0);
    expect_one_node(NULL);
    numa_build(&map, NULL, example_ram, 2, NUMA_ON, 0);
    expect_one_node("the firmware has no tables");
}
END_TEST

START_TEST(distances_are_slits_or_10_and_20)
{
    topology = example;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.distance[0][0], 10);
    ck_assert_uint_eq(map.distance[0][1], 20);
    topology.domains[0] = 1;
    topology.domains[1] = 0;
    for (unsigned i = 0; i < 3; i++)
        topology.ranges[i].node = i == 2 ? 0 : 1;
    topology.slit_count = 2;
    topology.slit[0][0] = topology.slit[1][1] = 10;
    topology.slit[0][1] = 16;
    topology.slit[1][0] = 13;
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.distance[0][1], 13); /* from domain 1, which is node 0 */
    ck_assert_uint_eq(map.distance[1][0], 16);
    topology.slit[0][1] = 10; /* not farther than itself: SLIT is not believed */
    build(NUMA_ON, 0);
    ck_assert_uint_eq(map.distance[0][1], 20);
    ck_assert_uint_eq(map.distance[1][0], 20);
}
END_TEST

START_TEST(the_option_is_read_as_xen_spells_it)
{
    static const struct {
        const char *line;
        bool good;
        enum numa_choice choice;
        unsigned fake;
    } rows[] = {
        { "", true, NUMA_OFF, 0 }, { "numa=on", true, NUMA_ON, 0 }, { "numa=off", true, NUMA_OFF, 0 },
        { "x numa=noacpi y", true, NUMA_NOACPI, 0 }, { "numa=fake=8", true, NUMA_FAKE, 8 },
        { "numa=fake=9", false, NUMA_FAKE, 9 }, { "numa=fake=0", false, NUMA_FAKE, 0 },
        { "numa=fake=two", false, NUMA_FAKE, 0 }, { "numa=yes", false, NUMA_OFF, 0 },
        { "numa=only", false, NUMA_OFF, 0 }, { "numa=aaaaaaaaaaaaaaaaaaaaaaaaaaa", false, NUMA_OFF, 0 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum numa_choice choice;
        unsigned fake;

        ck_assert_msg(numa_choose(rows[i].line, &choice, &fake) == rows[i].good, "%s", rows[i].line);
        ck_assert_msg(!rows[i].good || (choice == rows[i].choice && fake == rows[i].fake), "%s", rows[i].line);
    }
}
END_TEST

UNIT_TESTS("hv numa", domains_become_nodes_in_the_order_of_the_table_and_spans_have_holes,
           a_table_with_a_defect_is_not_believed, overlaps_within_one_domain_do_no_harm,
           ram_that_no_entry_covers_is_tolerated_below_4_gib, a_node_of_less_than_4_mib_is_none_and_its_cores_go_round,
           nodes_that_no_megabyte_keeps_apart_are_not_believed, cores_without_a_node_get_nodes_in_turn,
           fake_nodes_are_equal_powers_of_two_and_the_last_takes_the_rest,
           without_the_option_or_the_table_there_is_one_node, distances_are_slits_or_10_and_20,
           the_option_is_read_as_xen_spells_it)
