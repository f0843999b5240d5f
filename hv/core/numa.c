/* SPDX-License-Identifier: MIT */
#include "hv/core/numa.h"

#include "hv/core/options.h"
#include "hv/core/text.h"

#define NODE_SIZE_MIN (4ull << 20)
#define UNCOVERED_MAX (1ull << (20 + 12)) /* 1 Mi pages */
#define SHIFT_ALL 63

/* ---- The option ------------------------------------------------------------------------------------------------- */

bool numa_choose(const char *options, enum numa_choice *choice, unsigned *fake)
{
    char text[16] = { 0 };
    bool bad = false;
    uint64_t count;

    *choice = NUMA_OFF;
    *fake = 0;
    if (!option_is_given(options, "numa"))
        return true;
    if (!option_text(options, "numa", text, sizeof(text)))
        return false;
    if (text_equal(text, "noacpi")) {
        *choice = NUMA_NOACPI;
    } else if (!memcmp(text, "fake=", 5)) {
        *choice = NUMA_FAKE;
        count = option_size(text, "fake", 0, &bad);
        *fake = (unsigned)count;
        return !bad && count >= 1 && count <= NUMA_NODES_MAX;
    } else if (text_equal(text, "on")) {
        *choice = NUMA_ON;
    } else {
        return text_equal(text, "off");
    }
    return true;
}

/* ---- Rules ------------------------------------------------------------------------------------------------------ */

static uint64_t ram_end(const struct numa_range *ram, unsigned count)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < count; i++)
        end = ram[i].end > end ? ram[i].end : end;
    return end;
}

static uint64_t ram_within(const struct numa_range *span, const struct numa_range *ram, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t start = ram[i].start > span->start ? ram[i].start : span->start;
        uint64_t end = ram[i].end < span->end ? ram[i].end : span->end;

        bytes += end > start ? end - start : 0;
    }
    return bytes;
}

static bool overlap(const struct numa_range *a, const struct numa_range *b)
{
    return a->start < b->end && b->start < a->end;
}

static unsigned node_of_domain(const struct acpi_topology *topology, uint32_t domain)
{
    unsigned node = 0;

    while (node < topology->domain_count && topology->domains[node] != domain)
        node++;
    return node;
}

/* Rules 1 and 2. */
static const char *take_spans(struct numa_map *map, const struct acpi_topology *topology)
{
    if (topology->srat_wrong)
        return topology->srat_wrong;
    if (topology->range_count == 0)
        return "there is none, or it names no memory";
    if (topology->domain_count > NUMA_NODES_MAX)
        return "it has more than 8 domains";
    map->nodes = topology->domain_count;
    for (unsigned i = 0; i < topology->range_count; i++) {
        const struct acpi_range *range = &topology->ranges[i];
        struct numa_range piece = { range->base, range->base + range->size };
        struct numa_range *span = &map->node[node_of_domain(topology, range->node)];

        for (unsigned n = 0; n < i; n++) {
            struct numa_range other = { topology->ranges[n].base, topology->ranges[n].base + topology->ranges[n].size };

            if (topology->ranges[n].node != range->node && overlap(&piece, &other))
                return "memory of two domains overlaps";
        }
        if (span->end == 0)
            *span = piece;
        span->start = piece.start < span->start ? piece.start : span->start;
        span->end = piece.end > span->end ? piece.end : span->end;
    }
    return NULL;
}

/* Rule 3. */
static void clip_spans(struct numa_map *map, uint64_t end)
{
    for (unsigned n = 0; n < map->nodes; n++) {
        struct numa_range *span = &map->node[n];

        span->end = span->end < end ? span->end : end;
        if (span->end <= span->start || span->end - span->start < NODE_SIZE_MIN)
            *span = (struct numa_range){ 0, 0 };
    }
}

static bool is_empty(const struct numa_range *span)
{
    return span->end == 0;
}

static bool pieces_are_apart(const struct numa_map *map, unsigned shift)
{
    for (unsigned a = 0; a < map->nodes; a++)
        for (unsigned b = 0; b < a; b++)
            if (!is_empty(&map->node[a]) && !is_empty(&map->node[b]) &&
                map->node[a].start >> shift <= (map->node[b].end - 1) >> shift &&
                map->node[b].start >> shift <= (map->node[a].end - 1) >> shift)
                return false;
    return true;
}

/* Rule 5; 0: there is none. */
static unsigned find_shift(const struct numa_map *map)
{
    for (unsigned shift = SHIFT_ALL; shift >= NUMA_SHIFT_MIN; shift--)
        if (pieces_are_apart(map, shift))
            return shift;
    return 0;
}

/* Rules 1 to 5. */
static const char *believe(struct numa_map *map, const struct acpi_topology *topology, const struct numa_range *ram,
                           unsigned count)
{
    struct numa_range everything = { 0, ~0ull };
    uint64_t covered = 0;
    const char *wrong = take_spans(map, topology);

    if (wrong)
        return wrong;
    clip_spans(map, ram_end(ram, count));
    for (unsigned n = 0; n < map->nodes; n++)
        covered += map->ram[n] = ram_within(&map->node[n], ram, count);
    if (ram_within(&everything, ram, count) >= covered + UNCOVERED_MAX)
        return "it leaves out 4 GiB of RAM or more";
    map->shift = find_shift(map);
    return map->shift ? NULL : "no piece of 1 MiB or more keeps its nodes apart";
}

/* ---- Maps ------------------------------------------------------------------------------------------------------- */

static void one_node(struct numa_map *map, const struct numa_range *ram, unsigned count)
{
    *map = (struct numa_map){ .nodes = 1, .shift = SHIFT_ALL, .rejected = map->rejected };
    map->node[0] = (struct numa_range){ 0, ram_end(ram, count) };
    map->ram[0] = ram_within(&map->node[0], ram, count);
}

/* Equal nodes of a power of two, the last takes the rest. */
static void fake_nodes(struct numa_map *map, const struct numa_range *ram, unsigned count, unsigned fake)
{
    uint64_t end = ram_end(ram, count), size = 1ull << NUMA_SHIFT_MIN;

    while (size * 2 <= end / fake)
        size *= 2;
    map->nodes = fake;
    for (unsigned n = 0; n < fake; n++) {
        map->node[n] = (struct numa_range){ n * size, n == fake - 1 ? end : (n + 1) * size };
        map->ram[n] = ram_within(&map->node[n], ram, count);
    }
    map->shift = find_shift(map);
}

/* Rule 6: nodes with memory in turn. */
static void place_cores(struct numa_map *map, const struct acpi_topology *topology, bool believed)
{
    unsigned next = 0;

    for (unsigned i = 0; i < topology->core_count; i++) {
        const struct acpi_core *core = &topology->cores[i];
        unsigned node = believed && core->on_node ? node_of_domain(topology, core->node) : map->nodes;

        if (node >= map->nodes || is_empty(&map->node[node])) {
            while (is_empty(&map->node[next]))
                next = (next + 1) % map->nodes;
            node = next;
            next = (next + 1) % map->nodes;
        }
        map->core_node[i] = (uint8_t)node;
    }
}

/* SLIT is believed if it says 10 for each node itself and more for all others; its order is that of the domains. */
static bool slit_is_sane(const struct acpi_topology *topology)
{
    for (unsigned a = 0; a < topology->slit_count; a++)
        for (unsigned b = 0; b < topology->slit_count; b++)
            if (a == b ? topology->slit[a][b] != NUMA_DISTANCE_LOCAL : topology->slit[a][b] <= NUMA_DISTANCE_LOCAL)
                return false;
    return topology->slit_count != 0;
}

static void place_distances(struct numa_map *map, const struct acpi_topology *topology)
{
    bool slit = topology && slit_is_sane(topology);

    for (unsigned a = 0; a < map->nodes; a++)
        for (unsigned b = 0; b < map->nodes; b++) {
            uint32_t from = slit ? topology->domains[a] : 0, to = slit ? topology->domains[b] : 0;

            map->distance[a][b] = a == b ? NUMA_DISTANCE_LOCAL : NUMA_DISTANCE_REMOTE;
            if (slit && from < topology->slit_count && to < topology->slit_count)
                map->distance[a][b] = topology->slit[from][to];
        }
}

void numa_build(struct numa_map *map, const struct acpi_topology *topology, const struct numa_range *ram,
                unsigned ram_count, enum numa_choice choice, unsigned fake)
{
    bool believed = false;

    *map = (struct numa_map){ 0 };
    if (choice == NUMA_ON) {
        map->rejected = topology ? believe(map, topology, ram, ram_count) : "the firmware has no tables";
        believed = !map->rejected;
    }
    if (choice == NUMA_FAKE)
        fake_nodes(map, ram, ram_count, fake);
    else if (!believed)
        one_node(map, ram, ram_count);
    if (topology)
        place_cores(map, topology, believed);
    place_distances(map, believed ? topology : NULL);
}

unsigned numa_node_of(const struct numa_map *map, uint64_t address)
{
    unsigned below = 0;
    uint64_t end = 0;

    for (unsigned n = 0; n < map->nodes; n++) {
        if (address >= map->node[n].start && address < map->node[n].end)
            return n;
        if (map->node[n].end <= address && map->node[n].end > end) {
            below = n;
            end = map->node[n].end;
        }
    }
    return below;
}
