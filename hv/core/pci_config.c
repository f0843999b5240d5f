/* SPDX-License-Identifier: MIT */
#include "hv/core/pci_config.h"

#include "hv/x86/cpu.h"
#include "hv/x86/lock.h"

#define PCI_ADDRESS 0xCF8
#define PCI_DATA 0xCFC
#define PCI_ENABLE 0x80000000u
#define MSR_NB_CFG 0xC001001F
#define NB_CFG_EXTENDED_CF8 (1ull << 46)

static struct lock config_lock; /* address and data are two accesses */

static void select(unsigned device, unsigned function, unsigned reg)
{
    port_write32(PCI_ADDRESS, PCI_ENABLE | (reg >> 8 & 0xF) << 24 | device << 11 | function << 8 | (reg & 0xFC));
}

uint32_t pci_config_read(unsigned device, unsigned function, unsigned reg)
{
    uint32_t value;

    lock_acquire(&config_lock);
    select(device, function, reg);
    value = port_read32(PCI_DATA);
    lock_release(&config_lock);
    return value;
}

void pci_config_write(unsigned device, unsigned function, unsigned reg, uint32_t value)
{
    lock_acquire(&config_lock);
    select(device, function, reg);
    port_write32(PCI_DATA, value);
    lock_release(&config_lock);
}

uint32_t pci_config_read_extended(unsigned device, unsigned function, unsigned reg)
{
    uint64_t config = msr_read(MSR_NB_CFG);
    uint32_t value;

    msr_write(MSR_NB_CFG, config | NB_CFG_EXTENDED_CF8);
    value = pci_config_read(device, function, reg);
    msr_write(MSR_NB_CFG, config);
    return value;
}
