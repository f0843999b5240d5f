/* SPDX-License-Identifier: MIT */
/* The coherent HyperTransport fabric: which node is linked to which, distances and routes (BKDG10 2.12, F0x40-5C). */
#ifndef FAM10H_PLATFORM_FABRIC_H
#define FAM10H_PLATFORM_FABRIC_H

#include <stdint.h>

#include "sim/platform/platform.h"

#define FABRIC_LINKS 3      /* socket F (1207): links 0, 1 and 2 */
#define FABRIC_NOBODY 0xff

struct fabric {
    unsigned nodes;
    uint8_t neighbour[MAX_NODES][FABRIC_LINKS]; /* the node at the other end; FABRIC_NOBODY if not coherent */
    uint8_t hops[MAX_NODES][MAX_NODES];
    unsigned io_link;                           /* of node 0: leads to the south bridge */
};

void fabric_init(struct fabric *fabric, unsigned nodes);
/* Node's F0x40 + 4 * to: request, response and broadcast routes. */
uint32_t fabric_route(const struct fabric *fabric, unsigned node, unsigned to);

#endif
