/* SPDX-License-Identifier: MIT */
/* PCI configuration space: mechanism CF8h/CFCh with AMD's extended registers, and the memory-mapped window. */
#ifndef FAM10H_PLATFORM_PCI_H
#define FAM10H_PLATFORM_PCI_H

#include "sim/bus.h"
#include "sim/platform/map.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

#define PCI_FUNCTIONS 128

struct pci {
    uint32_t address;               /* IOCF8 */
    bool (*extended)(void *ctx);    /* whether NB_CFG[46] lets IOCF8[27:24] through */
    void *ctx;
    struct pci_function function[PCI_FUNCTIONS];
    unsigned functions;
    struct map *map;
    unsigned region;                /* of the memory-mapped window, in the map */
    uint64_t window;                /* MSRC001_0058 */
    uint64_t reads, writes;         /* counters */
};

void pci_init(struct pci *pci, struct ports *ports, struct map *map, void *ctx, bool (*extended)(void *ctx));
void pci_reset(struct pci *pci);
void pci_attach(struct pci *pci, const struct pci_function *function);
/* reg is 0..FFFh, naturally aligned. A function that does not exist reads all ones (the master abort). */
uint32_t pci_read(struct pci *pci, unsigned bus, unsigned devfn, unsigned reg, unsigned size);
void pci_write(struct pci *pci, unsigned bus, unsigned devfn, unsigned reg, unsigned size, uint32_t value);

/* A write of MSRC001_0058: moves, opens or closes the window. False if it would cover DRAM: it stays closed. */
bool pci_set_window(struct pci *pci, uint64_t value);

extern const struct state_part pci_state;

#endif
