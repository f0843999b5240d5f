/* SPDX-License-Identifier: MIT */
#include "sim/platform/pci.h"

#include "sim/bits.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define PORT_LAST 0xcff

/* IOCF8 (BKDG10 2.11) */
#define IOCF8_ENABLE 31
#define IOCF8_EXTENDED 27, 24 /* register[11:8] */
#define IOCF8_BUS 23, 16
#define IOCF8_DEVFN 15, 8
#define IOCF8_REGISTER 7, 2
#define IOCF8_WRITABLE UINT32_C(0x8ffffffc)

static const struct pci_function *pci_find(const struct pci *pci, unsigned bus, unsigned devfn)
{
    for (unsigned i = 0; i < pci->functions; i++) {
        const struct pci_function *function = &pci->function[i];

        if (function->bus == bus && (unsigned)(function->device << 3 | function->function) == devfn)
            return function;
    }
    return NULL;
}

uint32_t pci_read(struct pci *pci, unsigned bus, unsigned devfn, unsigned reg, unsigned size)
{
    const struct pci_function *function = pci_find(pci, bus, devfn);

    if (!function)
        return (uint32_t)bits_mask(8 * size - 1, 0);
    return (uint32_t)zero_extend(function->read(function->ctx, reg, size), size);
}

void pci_write(struct pci *pci, unsigned bus, unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
    const struct pci_function *function = pci_find(pci, bus, devfn);

    if (function)
        function->write(function->ctx, reg, size, (uint32_t)zero_extend(value, size));
}

/* The register that IOCF8 and the data port's low bits select. */
static unsigned pci_register(const struct pci *pci, uint16_t port)
{
    unsigned reg = (unsigned)bits(pci->address, IOCF8_REGISTER) << 2 | (port & 3);

    if (pci->extended(pci->ctx))
        reg |= (unsigned)bits(pci->address, IOCF8_EXTENDED) << 8;
    return reg;
}

/* CF8h is a register for doublewords alone; narrower accesses fall through to the ports behind it. */
static uint32_t pci_port_read(void *ctx, uint16_t port, unsigned size)
{
    struct pci *pci = ctx;

    if (port == PORT_ADDRESS && size == 4)
        return pci->address;
    if (port < PORT_DATA || port > PORT_LAST || !bit(pci->address, IOCF8_ENABLE))
        return (uint32_t)bits_mask(8 * size - 1, 0);
    if (port & (size - 1)) {
        uint32_t low = pci_port_read(ctx, port, size / 2);
        return low | pci_port_read(ctx, (uint16_t)(port + size / 2), size / 2) << (4 * size);
    }
    pci->reads++;
    return pci_read(pci, (unsigned)bits(pci->address, IOCF8_BUS), (unsigned)bits(pci->address, IOCF8_DEVFN),
                    pci_register(pci, port), size);
}

static void pci_port_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pci *pci = ctx;

    if (port == PORT_ADDRESS && size == 4) {
        pci->address = value & IOCF8_WRITABLE;
        return;
    }
    if (port < PORT_DATA || port > PORT_LAST || !bit(pci->address, IOCF8_ENABLE))
        return;
    if (port & (size - 1)) { /* misaligned: the bus makes two accesses */
        pci_port_write(ctx, port, size / 2, value & (uint32_t)bits_mask(4 * size - 1, 0));
        pci_port_write(ctx, (uint16_t)(port + size / 2), size / 2, value >> (4 * size));
        return;
    }
    pci->writes++;
    pci_write(pci, (unsigned)bits(pci->address, IOCF8_BUS), (unsigned)bits(pci->address, IOCF8_DEVFN),
              pci_register(pci, port), size, value);
}

/* ---- The memory-mapped window (MSRC001_0058) -------------------------------------------------------------------- */

#define WINDOW_ENABLE 0
#define WINDOW_BUSES 5, 2      /* 2^n buses of 1 MiB, n <= 8 */
#define WINDOW_BASE 47, 20
#define WINDOW_WRITABLE UINT64_C(0x0000fffffff0003d)
#define BUS_SHIFT 20

static uint64_t pci_window_read(void *ctx, uint64_t offset, unsigned size)
{
    struct pci *pci = ctx;
    uint64_t value = 0;

    if (size > 4 || (offset & (size - 1))) { /* the manual allows no crossing of a doubleword: take it in pieces */
        for (unsigned i = 0; i < size; i++)
            value |= pci_window_read(ctx, offset + i, 1) << (8 * i);
        return value;
    }
    pci->reads++;
    return pci_read(pci, (unsigned)(offset >> BUS_SHIFT), (unsigned)bits(offset, 19, 12),
                    (unsigned)bits(offset, 11, 0), size);
}

static void pci_window_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *pci = ctx;

    if (size > 4 || (offset & (size - 1))) {
        for (unsigned i = 0; i < size; i++)
            pci_window_write(ctx, offset + i, 1, bits(value, 8 * i + 7, 8 * i));
        return;
    }
    pci->writes++;
    pci_write(pci, (unsigned)(offset >> BUS_SHIFT), (unsigned)bits(offset, 19, 12), (unsigned)bits(offset, 11, 0),
              size, (uint32_t)value);
}

/* deviation: one window for the machine, the last one that any core wrote; firmware and Linux give all the same. */
bool pci_set_window(struct pci *pci, uint64_t value)
{
    unsigned order = (unsigned)bits(value, WINDOW_BUSES);
    uint64_t size = (uint64_t)1 << BUS_SHIFT << (order > 8 ? 8 : order);
    spa_t base = bits(value, WINDOW_BASE) << BUS_SHIFT;
    bool over_dram;

    pci->window = value & WINDOW_WRITABLE;
    if (!bit(value, WINDOW_ENABLE))
        size = 0;
    over_dram = size && map_has_dram(pci->map, base, size);
    map_place(pci->map, pci->region, base, over_dram ? 0 : size);
    return !over_dram;
}

static void pci_restored(void *object)
{
    struct pci *pci = object;

    pci_set_window(pci, pci->window);
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

void pci_attach(struct pci *pci, const struct pci_function *function)
{
    g_assert(pci->functions < PCI_FUNCTIONS); /* composition is fixed: not reachable by a guest */
    pci->function[pci->functions++] = *function;
}

void pci_reset(struct pci *pci)
{
    pci->address = 0;
    pci_set_window(pci, 0);
}

void pci_init(struct pci *pci, struct ports *ports, struct map *map, void *ctx, bool (*extended)(void *ctx))
{
    const struct pio_range range = { "pci", PORT_ADDRESS, 8, pci, pci_port_read, pci_port_write };
    const struct mmio_region window = { "pci.window", 0, 0, pci, pci_window_read, pci_window_write };

    pci->ctx = ctx;
    pci->extended = extended;
    pci->map = map;
    pci->region = map_attach(map, &window);
    ports_attach(ports, &range, 4);
}

static const struct state_field pci_fields[] = { STATE_VALUE(struct pci, address), STATE_VALUE(struct pci, window) };

const struct state_part pci_state = {
    .name = "pci", .fields = pci_fields, .count = G_N_ELEMENTS(pci_fields), .after = pci_restored,
};
