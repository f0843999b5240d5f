/* SPDX-License-Identifier: MIT */
/*
 * Which memory and which cores lie on which node, as Xen 3.2 made it of the firmware's SRAT and SLIT. Pure. Seven
 * rules:
 *
 * 1. Proximity domains become nodes 0, 1, ... in the order in which SRAT first names them.
 * 2. A node is one span of memory, holes included. Entries of two domains that overlap, too many domains, or an entry
 *    of the wrong length: SRAT is not believed.
 * 3. Spans end with the RAM; a node of less than 4 MiB is none.
 * 4. SRAT must cover all RAM but 1 Mi pages, or it is not believed.
 * 5. There must be a size 2^shift, 1 MiB or more, of which no aligned piece holds two nodes; the largest is taken.
 * 6. Cores without a node get nodes in turn.
 * 7. Not believed, absent or not wanted: everything is node 0.
 */
#ifndef HV_CORE_NUMA_H
#define HV_CORE_NUMA_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/core/acpi.h"

#define NUMA_NODES_MAX 8
#define NUMA_SHIFT_MIN 20
#define NUMA_DISTANCE_LOCAL 10
#define NUMA_DISTANCE_REMOTE 20

/* The option numa=: off (the default) and noacpi ask nobody, fake=N cuts memory in N nodes of equal size. */
enum numa_choice { NUMA_OFF, NUMA_ON, NUMA_NOACPI, NUMA_FAKE };

struct numa_range {
    uint64_t start, end;
};

struct numa_map {
    unsigned nodes;             /* 1 or more; a node without memory has an empty span */
    const char *rejected;       /* why SRAT is not believed; NULL: it is, or was not asked */
    unsigned shift;             /* rule 5; 63 with one node */
    struct numa_range node[NUMA_NODES_MAX];
    uint64_t ram[NUMA_NODES_MAX];           /* bytes of RAM in the span */
    uint8_t core_node[ACPI_CORES_MAX];      /* by place in the topology */
    uint8_t distance[NUMA_NODES_MAX][NUMA_NODES_MAX];
};

/* False: numa= has a value that means nothing. */
bool numa_choose(const char *options, enum numa_choice *choice, unsigned *fake);
/* `topology` NULL: the firmware says nothing. */
void numa_build(struct numa_map *map, const struct acpi_topology *topology, const struct numa_range *ram,
                unsigned ram_count, enum numa_choice choice, unsigned fake);
/* The node whose span holds the address, else the one whose span ends last below it, else node 0. */
unsigned numa_node_of(const struct numa_map *map, uint64_t address);

#endif
