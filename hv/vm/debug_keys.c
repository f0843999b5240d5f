/* SPDX-License-Identifier: MIT */
#include "hv/vm/debug_keys.h"

#include "hv/core/console.h"
#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/vm/guest.h"

/* Both ends of the span, looked up. */
static bool node_checks(const struct numa_map *map, unsigned node)
{
    const struct numa_range *span = &map->node[node];

    return !span->end || (numa_node_of(map, span->start) == node && numa_node_of(map, span->end - 1) == node);
}

static void print_nodes(const struct numa_map *map)
{
    for (unsigned n = 0; n < map->nodes; n++) {
        const struct numa_range *span = &map->node[n];

        console_print("hv: u: node %u start=%lu frames=%lu ram=%lu free=%lu check=%s", n,
                      (unsigned long)(span->start >> PAGE_SHIFT),
                      (unsigned long)((span->end - span->start) >> PAGE_SHIFT),
                      (unsigned long)(map->ram[n] >> PAGE_SHIFT), (unsigned long)memory_free_frames_on(n),
                      node_checks(map, n) ? "ok" : "wrong");
    }
    console_print("hv: u: shift=%u", map->shift);
    for (unsigned a = 0; a < map->nodes; a++)
        for (unsigned b = 0; b < map->nodes; b++)
            console_print("hv: u: distance %u %u %u", a, b, map->distance[a][b]);
    for (unsigned i = 0; i < percore_count; i++)
        console_print("hv: u: core %u node %u", i, map->core_node[i]);
}

/* Frames that the domain's own tables show it, by node. */
static void print_domain(const struct numa_map *map, struct guest *guest)
{
    uint64_t frames[NUMA_NODES_MAX] = { 0 }, total = 0, bytes;
    struct npt_page page;

    lock_acquire(&guest->memory_lock);
    for (uint64_t gpa = 0; gpa < guest_top(guest); gpa += bytes) {
        bytes = PAGE_SIZE;
        if (!npt_find(&guest->npt, gpa, &page) || !npt_is_present(page.type))
            continue;
        bytes = npt_bytes(page.size) - (gpa & (npt_bytes(page.size) - 1));
        frames[numa_node_of(map, page.spa)] += bytes >> PAGE_SHIFT;
        total += bytes >> PAGE_SHIFT;
    }
    lock_release(&guest->memory_lock);
    console_print("hv: u: domain %u total=%lu", guest->domid, (unsigned long)total);
    for (unsigned n = 0; n < map->nodes; n++)
        console_print("hv: u: domain %u node %u pages=%lu", guest->domid, n, (unsigned long)frames[n]);
}

static void print_usage(void)
{
    const struct numa_map *map = memory_numa();

    print_nodes(map);
    for (unsigned i = 0; i < guest_count; i++)
        if (guest_is_alive(&guests[i]) && !guests[i].pv)
            print_domain(map, &guests[i]);
}

static void print_heap(void)
{
    for (unsigned n = 0; n < memory_numa()->nodes; n++)
        console_print("hv: H: node %u zone 0 free=%lu", n, (unsigned long)memory_free_frames_on(n));
}

void debug_keys_run(void)
{
    for (char key = console_key(); key; key = console_key()) {
        if (key == CONSOLE_SWITCH)
            console_print("hv: serial input -> %s", console_input_is_hvs() ? "hv" : "dom0");
        else if (key == 'u')
            print_usage();
        else if (key == 'H')
            print_heap();
        else if (key == 'h')
            console_print("hv: keys: h this, H free memory, u memory of nodes and domains");
    }
}
