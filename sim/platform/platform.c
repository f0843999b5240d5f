/* SPDX-License-Identifier: MIT */
#include "sim/platform/platform.h"

#include "sim/counters.h"
#include "sim/platform/error.h"
#include "sim/platform/parts.h"
#include "sim/state.h"

#define MEMORY_UNIT (64 * MIB)
#define MEMORY_MAX (64 * GIB)

static bool platform_check(const struct platform_config *config, GError **error)
{
    uint64_t unit = config->nodes * MEMORY_UNIT;

    if (config->nodes < 1 || config->nodes > MAX_NODES)
        return platform_fail(error, "nodes=%u: 1 to %d would be right", config->nodes, MAX_NODES);
    if (config->cores_per_node < 1 || config->cores_per_node > MAX_CORES_PER_NODE)
        return platform_fail(error, "cores=%u: 1 to %d in each node would be right", config->cores_per_node,
                             MAX_CORES_PER_NODE);
    if (!config->memory || config->memory > MEMORY_MAX || config->memory % unit)
        return platform_fail(error, "memory=%" PRIu64 " bytes: a multiple of %" PRIu64 " MiB (64 MiB for each node) up "
                             "to 64 GiB would be right", config->memory, unit / MIB);
    if (config->host_memory < DRAM_CHUNK_BYTES)
        return platform_fail(error, "host-memory=%" PRIu64 " bytes: at least 2 MiB would be right",
                             config->host_memory);
    return true;
}

/* ISA interrupt lines. */
static void platform_set_irq(void *ctx, unsigned line, bool level)
{
    (void)ctx, (void)line, (void)level;
}

struct platform *platform_new(const struct platform_config *config, GError **error)
{
    struct platform *platform;
    struct irq_line irq;
    struct mmio_region rom;
    struct pio_range range;

    if (!platform_check(config, error))
        return NULL;
    platform = g_new0(struct platform, 1);
    irq = (struct irq_line){ platform, platform_set_irq };
    platform->config = *config;
    map_init(&platform->map, config->nodes, config->memory, config->host_memory);
    ports_init(&platform->ports);
    rom = rom_region(&platform->rom);
    map_attach(&platform->map, &rom);
    uart_init(&platform->uart, &config->uart, &irq);
    range = uart_ports(&platform->uart);
    ports_attach(&platform->ports, &range, 1);
    system_ports_init(&platform->system, config, &platform->wiring, &platform->ports);
    return platform;
}

void platform_free(struct platform *platform)
{
    if (!platform)
        return;
    map_free(&platform->map);
    rom_free(&platform->rom);
    g_free(platform);
}

void platform_connect(struct platform *platform, const struct platform_wiring *wiring)
{
    struct map *map = &platform->map;

    platform->wiring = *wiring;
    map->ctx = wiring->ctx;
    map->stored = wiring->stored;
    map->drop_native = wiring->drop_native;
    uart_connect(&platform->uart, wiring->clock);
}

/* A cold reset: RAM loses its contents, the flash does not. */
void platform_reset(struct platform *platform)
{
    dram_clear(&platform->map.dram);
    platform->map.space.exhausted = false;
    system_ports_reset(&platform->system);
    uart_reset(&platform->uart);
}

struct spa_space *platform_space(struct platform *platform)
{
    return &platform->map.space;
}

struct pio_space *platform_ports(struct platform *platform)
{
    return &platform->ports.space;
}

void platform_attach_mmio(struct platform *platform, const struct mmio_region *region)
{
    map_attach(&platform->map, region);
}

const struct memory_range *platform_memory(struct platform *platform, size_t *count)
{
    *count = platform->map.ranges;
    return platform->map.range;
}

/* ---- State and counters ------------------------------------------------------------------------------------- */

#define PLATFORM_COUNTER(name, unit, meaning, member) { name, unit, meaning, offsetof(struct platform, member), { { 0 } } }

static const struct counter_row platform_counters[] = {
    PLATFORM_COUNTER("port.reads", "accesses", "reads of I/O space (IN, INS)", ports.reads),
    PLATFORM_COUNTER("port.writes", "accesses", "writes of I/O space (OUT, OUTS)", ports.writes),
    PLATFORM_COUNTER("port.unclaimed", "accesses", "port accesses that no device claims", ports.unclaimed),
    PLATFORM_COUNTER("mmio.reads", "accesses", "reads of memory space outside DRAM", map.mmio_reads),
    PLATFORM_COUNTER("mmio.writes", "accesses", "writes of memory space outside DRAM", map.mmio_writes),
    PLATFORM_COUNTER("mmio.unclaimed", "accesses", "memory accesses that neither DRAM nor a device claims",
                     map.unclaimed),
    PLATFORM_COUNTER("uart.sent", "bytes", "bytes sent by COM1", uart.sent),
    PLATFORM_COUNTER("uart.received", "bytes", "bytes received by COM1", uart.received),
    PLATFORM_COUNTER("uart.overruns", "bytes", "bytes lost by COM1's receiver", uart.overruns),
    PLATFORM_COUNTER("console.sent", "bytes", "bytes written to the debug console, port E9h", system.console_bytes),
};

void platform_describe(struct platform *platform, struct state *state, struct counter_set *counters)
{
    state_add(state, "platform.dram", &dram_state, &platform->map.dram);
    state_add(state, "platform.rom", &rom_state, &platform->rom);
    state_add(state, "platform.system_ports", &system_ports_state, &platform->system);
    state_add(state, "platform.uart", &uart_state, &platform->uart);
    counters_attach(counters, "platform", platform_counters, G_N_ELEMENTS(platform_counters), platform);
}
