/* SPDX-License-Identifier: MIT */
#include "sim/platform/platform.h"

#include "sim/counters.h"
#include "sim/platform/error.h"
#include "sim/platform/parts.h"
#include "sim/spa.h"
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

/* ---- Interrupt wiring ------------------------------------------------------------------------------------------ */

#define IOAPIC_PIN_TIMER 2 /* IRQ 0 arrives at input 2 (the MADT's override); input 0 is the 8259s' INTR */
#define IOAPIC_PIN_INTR 0

/* An ISA interrupt goes to the 8259s and to the IOAPIC. */
static void platform_route_irq(void *ctx, unsigned irq, bool level)
{
    struct platform *platform = ctx;

    pic_set_line(&platform->pic, irq, level);
    ioapic_set_pin(&platform->ioapic, irq == PIT_IRQ ? IOAPIC_PIN_TIMER : irq, level);
}

/* The HPET's legacy routes cut off the 8254 and the RTC (IA-PC HPET 2.3.3). */
static void platform_set_irq(void *ctx, unsigned irq, bool level)
{
    struct platform *platform = ctx;

    if ((irq != PIT_IRQ && irq != CMOS_IRQ) || !hpet_replaces_legacy(&platform->hpet))
        platform_route_irq(platform, irq, level);
}

static void platform_set_pin(void *ctx, unsigned pin, bool level)
{
    struct platform *platform = ctx;

    ioapic_set_pin(&platform->ioapic, pin, level);
}

static void platform_set_intr(void *ctx, bool level)
{
    struct platform *platform = ctx;

    const struct core_pins *pins = platform->wiring.bsp_pins; /* filled in when the boot processor has been made */

    ioapic_set_pin(&platform->ioapic, IOAPIC_PIN_INTR, level);
    if (pins && pins->extint)
        pins->extint(pins->ctx, level);
}

static uint8_t platform_vector(void *ctx)
{
    struct platform *platform = ctx;

    return pic_acknowledge(&platform->pic);
}

static void platform_eoi(void *ctx, uint8_t vector)
{
    struct platform *platform = ctx;

    ioapic_eoi(&platform->ioapic, vector);
}

struct interrupt_acknowledge platform_acknowledge(struct platform *platform)
{
    return (struct interrupt_acknowledge){ platform, platform_vector, platform_eoi };
}

struct irq_line platform_irq_line(struct platform *platform)
{
    return (struct irq_line){ platform, platform_set_irq };
}

/* ---- Building ---------------------------------------------------------------------------------------------------- */

/* Extended registers through CF8h need NB_CFG[46] of the node that makes the access: node 0's is taken for all. */
static bool platform_extended_config(void *ctx)
{
    const struct platform *platform = ctx;

    return northbridge_extended_config(&platform->node[0]);
}

static void platform_build_buses(struct platform *platform)
{
    const struct platform_config *config = &platform->config;
    const struct mmio_region rom = rom_region(&platform->rom);
    const struct mmio_region ioapic = ioapic_region(&platform->ioapic);
    const struct mmio_region hpet = hpet_region(&platform->hpet);

    map_init(&platform->map, config->nodes, config->memory, config->host_memory);
    ports_init(&platform->ports);
    map_attach(&platform->map, &rom);
    map_attach(&platform->map, &ioapic);
    map_attach(&platform->map, &hpet);
    fabric_init(&platform->fabric, config->nodes);
    pci_init(&platform->pci, &platform->ports, &platform->map, platform, platform_extended_config);
    dram_errors_init(&platform->errors, &platform->map, platform->node, config->cores_per_node);
    platform->map.errors = &platform->errors;
    platform->map.space.bad_words = &platform->errors.words->len;
    platform->map.space.armed = &platform->errors.armed;
    for (unsigned node = 0; node < config->nodes; node++)
        northbridge_init(&platform->node[node], node, &platform->config, &platform->wiring, &platform->pci);
}

static void platform_build_link(struct platform *platform, const struct irq_line *irq)
{
    const struct dma_port dma = platform_dma_port(platform, LINK_DEVICE << 3);

    link_port_init(&platform->link, irq, &dma);
    if (platform->config.link)
        link_port_attach(&platform->link, &platform->ports, &platform->pci);
}

static void platform_build_devices(struct platform *platform)
{
    const struct irq_line irq = { platform, platform_set_irq };
    const struct irq_line routed = { platform, platform_route_irq }, pin = { platform, platform_set_pin };
    const struct pio_range uart = uart_ports(&platform->uart);
    struct ports *ports = &platform->ports;

    pic_init(&platform->pic, ports, platform, platform_set_intr);
    pit_init(&platform->pit, &irq, ports);
    hpet_init(&platform->hpet, &pin, &routed);
    uart_init(&platform->uart, &platform->config.uart, &irq);
    ports_attach(ports, &uart, 1);
    cmos_init(&platform->cmos, &irq, &platform->wiring, ports);
    i8042_init(&platform->kbc, &irq, &platform->wiring, ports);
    pm_init(&platform->pm, &irq, &platform->wiring, ports);
    system_ports_init(&platform->system, &platform->config, &platform->wiring, ports);
    platform_build_link(platform, &irq);
}

struct platform *platform_new(const struct platform_config *config, GError **error)
{
    struct platform *platform;

    if (!platform_check(config, error))
        return NULL;
    platform = g_new0(struct platform, 1);
    platform->config = *config;
    platform_build_buses(platform);
    platform_build_devices(platform);
    platform_reset(platform, false);
    return platform;
}

void platform_free(struct platform *platform)
{
    if (!platform)
        return;
    link_port_clear(&platform->link);
    dram_errors_free(&platform->errors);
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
    platform->ioapic.messages = wiring->messages;
    platform->errors.unmodelled = wiring->unmodelled;
    for (unsigned node = 0; node < platform->config.nodes; node++) {
        platform->node[node].mca.port = wiring->machine_check;
        platform->node[node].errors = &platform->errors;
        if (wiring->clock)
            dram_controller_connect(&platform->node[node], wiring->clock);
    }
    pit_connect(&platform->pit, wiring->clock);
    hpet_connect(&platform->hpet, wiring->clock);
    cmos_connect(&platform->cmos, wiring->clock);
    uart_connect(&platform->uart, wiring->clock);
    pm_connect(&platform->pm, wiring->clock);
    if (platform->config.link)
        link_port_connect(&platform->link, wiring->clock, wiring->unmodelled);
}

/* RAM loses its contents, the flash does not; warm: the northbridges' banks stay, and what is wrong for good in RAM. */
void platform_reset(struct platform *platform, bool warm)
{
    if (!warm)
        dram_errors_clear(&platform->errors);
    dram_clear(&platform->map.dram);
    if (warm)
        dram_errors_keep_hard(&platform->errors);
    platform->errors.armed = 0;
    platform->map.space.exhausted = false;
    pci_reset(&platform->pci);
    for (unsigned node = 0; node < platform->config.nodes; node++)
        northbridge_reset(&platform->node[node], &platform->fabric, &platform->map, warm);
    ioapic_reset(&platform->ioapic);
    hpet_reset(&platform->hpet);
    pit_reset(&platform->pit);
    uart_reset(&platform->uart);
    cmos_reset(&platform->cmos, &platform->map);
    i8042_reset(&platform->kbc);
    pm_reset(&platform->pm);
    system_ports_reset(&platform->system);
    if (platform->config.link)
        link_port_reset(&platform->link);
    pic_reset(&platform->pic); /* last: forgets the edges that the other resets made */
}

struct spa_space *platform_space(struct platform *platform)
{
    return &platform->map.space;
}

void platform_watch_stores(struct platform *platform, bool on)
{
    map_watch_stores(&platform->map, on);
}

void platform_track_stores(struct platform *platform, bool on)
{
    map_track_stores(&platform->map, on);
}

bool platform_next_stored(const struct platform *platform, uint64_t *position, spa_t *page)
{
    return map_next_stored(&platform->map, position, page);
}

struct pio_space *platform_ports(struct platform *platform)
{
    return &platform->ports.space;
}

void platform_attach_mmio(struct platform *platform, const struct mmio_region *region)
{
    map_attach(&platform->map, region);
}

void platform_attach_pci(struct platform *platform, const struct pci_function *function)
{
    pci_attach(&platform->pci, function);
}

bool platform_plant_error(struct platform *platform, const struct planted_error *planted, GError **error)
{
    if (!dram_errors_plant(&platform->errors, planted, error))
        return false;
    for (unsigned node = 0; node < platform->config.nodes; node++)
        dram_controller_errors_changed(&platform->node[node]);
    return true;
}

struct mca_node *platform_mca_node(struct platform *platform, unsigned node)
{
    return &platform->node[node].mca;
}

struct msr_bank platform_node_msrs(struct platform *platform, unsigned node)
{
    return northbridge_msrs(&platform->node[node]);
}

uint32_t platform_pci_read(struct platform *platform, unsigned bus, unsigned device, unsigned function, unsigned reg)
{
    if (bus > 0xff || device > 31 || function > 7 || reg > 0xfff)
        return UINT32_MAX;
    return pci_read(&platform->pci, bus, device << 3 | function, reg & ~3u, 4);
}

/* ---- DMA: without an IOMMU a device's address is the system-physical one --------------------------------------- */

static bool dma_is_blocked(const struct platform *platform, spa_t page)
{
    for (unsigned node = 0; node < platform->config.nodes; node++)
        if (dev_blocks(&platform->node[node].dev, page))
            return true;
    return false;
}

/* The bytes up to the end of the page or of the transfer. */
static size_t dma_piece(uint64_t address, size_t size)
{
    return MIN(size, (size_t)(PAGE_BYTES - (address & PAGE_MASK)));
}

/* A page of the secure loader reads as ones (APM2 15.24.4: master abort); false then. */
static bool platform_dma_read(void *ctx, uint16_t device_id, uint64_t address, void *data, size_t size)
{
    struct platform *platform = ctx;
    uint8_t *bytes = data;
    bool whole = true;

    (void)device_id;
    while (size) {
        size_t piece = dma_piece(address, size);

        if (dma_is_blocked(platform, address)) {
            memset(bytes, 0xFF, piece);
            whole = false;
        } else {
            spa_read_block(&platform->map.space, address, bytes, piece);
        }
        address += piece;
        bytes += piece;
        size -= piece;
    }
    return whole;
}

static bool platform_dma_write(void *ctx, uint16_t device_id, uint64_t address, const void *data, size_t size)
{
    struct platform *platform = ctx;
    const uint8_t *bytes = data;
    bool whole = true;

    (void)device_id;
    while (size) {
        size_t piece = dma_piece(address, size);

        if (dma_is_blocked(platform, address))
            whole = false;
        else
            spa_write_block(&platform->map.space, address, bytes, piece);
        address += piece;
        bytes += piece;
        size -= piece;
    }
    return whole;
}

void platform_guard_loader(struct platform *platform, spa_t loader)
{
    for (unsigned node = 0; node < platform->config.nodes; node++)
        dev_guard_loader(&platform->node[node].dev, loader);
}

struct dma_port platform_dma_port(struct platform *platform, uint16_t device_id)
{
    return (struct dma_port){ platform, device_id, platform_dma_read, platform_dma_write };
}

const struct memory_range *platform_memory(struct platform *platform, size_t *count)
{
    *count = platform->map.ranges;
    return platform->map.range;
}

/* ---- State and counters ------------------------------------------------------------------------------------- */

#define PLATFORM_COUNTER(name, unit, meaning, member) \
    { name, unit, meaning, offsetof(struct platform, member), { { 0 } } }

static const struct counter_row platform_counters[] = {
    PLATFORM_COUNTER("port.reads", "accesses", "reads of I/O space (IN, INS)", ports.reads),
    PLATFORM_COUNTER("port.writes", "accesses", "writes of I/O space (OUT, OUTS)", ports.writes),
    PLATFORM_COUNTER("port.unclaimed", "accesses", "port accesses that no device claims", ports.unclaimed),
    PLATFORM_COUNTER("mmio.reads", "accesses", "reads of memory space outside DRAM", map.mmio_reads),
    PLATFORM_COUNTER("mmio.writes", "accesses", "writes of memory space outside DRAM", map.mmio_writes),
    PLATFORM_COUNTER("mmio.unclaimed", "accesses", "memory accesses that neither DRAM nor a device claims",
                     map.unclaimed),
    PLATFORM_COUNTER("pci.reads", "accesses", "reads of PCI configuration space", pci.reads),
    PLATFORM_COUNTER("pci.writes", "accesses", "writes of PCI configuration space", pci.writes),
    PLATFORM_COUNTER("ioapic.sent", "messages", "interrupt messages that the IOAPIC sent", ioapic.sent),
    PLATFORM_COUNTER("uart.sent", "bytes", "bytes sent by COM1", uart.sent),
    PLATFORM_COUNTER("uart.received", "bytes", "bytes received by COM1", uart.received),
    PLATFORM_COUNTER("uart.overruns", "bytes", "bytes lost by COM1's receiver", uart.overruns),
    PLATFORM_COUNTER("console.sent", "bytes", "bytes written to the debug console, port E9h", system.console_bytes),
};

void platform_describe(struct platform *platform, struct state *state, struct counter_set *counters)
{
    state_add(state, "platform.dram", &dram_state, &platform->map.dram);
    state_add(state, "platform.errors", &dram_errors_state, &platform->errors);
    state_add(state, "platform.rom", &rom_state, &platform->rom);
    state_add(state, "platform.pci", &pci_state, &platform->pci);
    for (unsigned node = 0; node < platform->config.nodes; node++) {
        g_autofree char *owner = g_strdup_printf("node[%u]", node), *path = g_strdup_printf("%s.northbridge", owner);

        state_add(state, path, &northbridge_state, &platform->node[node]);
        mca_node_describe(&platform->node[node].mca, state, counters, owner);
    }
    state_add(state, "platform.ioapic", &ioapic_state, &platform->ioapic);
    state_add(state, "platform.pic", &pic_state, &platform->pic);
    state_add(state, "platform.pit", &pit_state, &platform->pit);
    state_add(state, "platform.hpet", &hpet_state, &platform->hpet);
    state_add(state, "platform.cmos", &cmos_state, &platform->cmos);
    state_add(state, "platform.i8042", &i8042_state, &platform->kbc);
    state_add(state, "platform.pm", &pm_state, &platform->pm);
    state_add(state, "platform.system_ports", &system_ports_state, &platform->system);
    state_add(state, "platform.uart", &uart_state, &platform->uart);
    if (platform->config.link)
        state_add(state, "platform.link", &link_port_state, &platform->link);
    counters_attach(counters, "platform", link_port_counter_rows, link_port_counter_count, &platform->link);
    counters_attach(counters, "platform", dram_error_counter_rows, dram_error_counter_count, &platform->errors);
    counters_attach(counters, "platform", platform_counters, G_N_ELEMENTS(platform_counters), platform);
}
