/* SPDX-License-Identifier: MIT */
#include "sim/platform/fabric.h"

#include <string.h>

#include "sim/bits.h"

#define ROUTE_REQUEST 8, 0
#define ROUTE_RESPONSE 17, 9
#define ROUTE_BROADCAST 26, 18

struct fabric_edge {
    uint8_t a, b;
};

/*
 * Two, three: fully connected. Four: a square. More: the first nodes of the eight-node twisted ladder whose distances
 * the fact sheet's section 7.5 lists.
 */
static const struct fabric_edge fabric_triangle[] = { { 0, 1 }, { 0, 2 }, { 1, 2 } };
static const struct fabric_edge fabric_square[] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 2, 3 } };
static const struct fabric_edge fabric_ladder[] = {
    { 0, 1 }, { 0, 2 }, { 1, 4 }, { 2, 3 }, { 3, 4 }, { 1, 6 }, { 3, 6 }, { 4, 5 }, { 5, 7 }, { 6, 7 },
};

static unsigned fabric_free_link(const struct fabric *fabric, unsigned node)
{
    unsigned link = 0;

    while (link < FABRIC_LINKS - 1 && fabric->neighbour[node][link] != FABRIC_NOBODY)
        link++;
    return link;
}

static void fabric_connect(struct fabric *fabric, const struct fabric_edge *edge, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned a = edge[i].a, b = edge[i].b;

        if (a >= fabric->nodes || b >= fabric->nodes)
            continue;
        fabric->neighbour[a][fabric_free_link(fabric, a)] = (uint8_t)b;
        fabric->neighbour[b][fabric_free_link(fabric, b)] = (uint8_t)a;
    }
}

/* Distances from one node to all, by rounds: whoever has a neighbour at distance d is at most at d + 1. */
static void fabric_measure(struct fabric *fabric, unsigned from)
{
    uint8_t *hops = fabric->hops[from];

    memset(hops, FABRIC_NOBODY, MAX_NODES);
    hops[from] = 0;
    for (unsigned round = 0; round < fabric->nodes; round++) {
        for (unsigned node = 0; node < fabric->nodes; node++) {
            for (unsigned link = 0; link < FABRIC_LINKS; link++) {
                unsigned next = fabric->neighbour[node][link];

                if (hops[node] == round && next != FABRIC_NOBODY && hops[next] > round + 1)
                    hops[next] = (uint8_t)(round + 1);
            }
        }
    }
}

void fabric_init(struct fabric *fabric, unsigned nodes)
{
    fabric->nodes = nodes;
    memset(fabric->neighbour, FABRIC_NOBODY, sizeof fabric->neighbour);
    if (nodes <= 3)
        fabric_connect(fabric, fabric_triangle, sizeof fabric_triangle / sizeof fabric_triangle[0]);
    else if (nodes == 4)
        fabric_connect(fabric, fabric_square, sizeof fabric_square / sizeof fabric_square[0]);
    else
        fabric_connect(fabric, fabric_ladder, sizeof fabric_ladder / sizeof fabric_ladder[0]);
    for (unsigned node = 0; node < nodes; node++)
        fabric_measure(fabric, node);
    fabric->io_link = fabric_free_link(fabric, 0);
}

/* The link of a shortest path; of several the lowest, so that all packets of a pair keep their order. */
static unsigned fabric_next_link(const struct fabric *fabric, unsigned node, unsigned to)
{
    for (unsigned link = 0; link < FABRIC_LINKS; link++) {
        unsigned next = fabric->neighbour[node][link];

        if (next != FABRIC_NOBODY && fabric->hops[next][to] < fabric->hops[node][to])
            return link;
    }
    return 0;
}

/* In each field: bit 0 this node, bit 1 + n link n. */
static unsigned fabric_point_to_point(const struct fabric *fabric, unsigned node, unsigned to)
{
    return node == to ? 1 : 2u << fabric_next_link(fabric, node, to);
}

/* A broadcast of `source` goes on along the tree of shortest paths: to neighbours whose own path comes through here. */
static unsigned fabric_broadcast(const struct fabric *fabric, unsigned node, unsigned source)
{
    unsigned route = 1;

    for (unsigned link = 0; link < FABRIC_LINKS; link++) {
        unsigned next = fabric->neighbour[node][link];

        if (next == FABRIC_NOBODY || next == source)
            continue;
        if (fabric->neighbour[next][fabric_next_link(fabric, next, source)] == node)
            route |= 2u << link;
    }
    return route;
}

uint32_t fabric_route(const struct fabric *fabric, unsigned node, unsigned to)
{
    uint64_t route = 0;

    route = bits_put(route, ROUTE_REQUEST, fabric_point_to_point(fabric, node, to));
    route = bits_put(route, ROUTE_RESPONSE, fabric_point_to_point(fabric, node, to));
    return (uint32_t)bits_put(route, ROUTE_BROADCAST, fabric_broadcast(fabric, node, to));
}
