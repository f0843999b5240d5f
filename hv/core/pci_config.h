/* SPDX-License-Identifier: MIT */
/* PCI configuration by mechanism 1 (CF8h, CFCh), bus 0. */
#ifndef HV_CORE_PCI_CONFIG_H
#define HV_CORE_PCI_CONFIG_H

#include <stdint.h>

/* A node's northbridge (BKDG10 2.8): device 18h + node. */
#define PCI_NORTHBRIDGE(node) (0x18u + (node))

uint32_t pci_config_read(unsigned device, unsigned function, unsigned reg);
void pci_config_write(unsigned device, unsigned function, unsigned reg, uint32_t value);

/* The same above FFh: with NB_CFG's EnableCf8ExtCfg set around the access (BKDG10 MSRC001_001F bit 46). */
uint32_t pci_config_read_extended(unsigned device, unsigned function, unsigned reg);

#endif
