/* SPDX-License-Identifier: MIT */
/* Machine-check registers, and one error that software can make: F3x44 GenCrcErrByte0 (BKDG10 F3x44). */
#ifndef WORKLOADS_LIB_MACHINE_CHECK_H
#define WORKLOADS_LIB_MACHINE_CHECK_H

#include "workloads/lib/instructions.h"

#define EXC_MC 18
#define CR4_MCE 0x40u
#define MSR_MCG_STATUS 0x17A
#define MSR_MCG_CTL 0x17B
#define MSR_MC_CTL(bank) (0x400 + 4 * (bank))
#define MSR_MC_STATUS(bank) (0x401 + 4 * (bank))
#define MSR_MC_ADDR(bank) (0x402 + 4 * (bank))
#define MSR_HWCR 0xC0010015
#define MCA_BANKS 6
#define MCG_RIPV 1
#define MCG_EIPV 2
#define MCG_MCIP 4

/* Val, UC, En, PCC; link 0; extended code 01, BUS OBS GEN GEN LG (BKDG10 table of MC4 signatures, CRC). */
#define MC4_CRC_ERROR 0xB200001000010C0Full

#define NB_F3 0x8000C300u /* 00:18.3 for CF8h */

static inline uint32_t nb_read(unsigned offset)
{
    uint32_t value;

    port_write32(0xCF8, NB_F3 | offset);
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)0xCFC));
    return value;
}

static inline void nb_write(unsigned offset, uint32_t value)
{
    port_write32(0xCF8, NB_F3 | offset);
    port_write32(0xCFC, value);
}

/* Everything on, everything clear. */
static inline void machine_check_begin(void)
{
    for (unsigned bank = 0; bank < MCA_BANKS; bank++) {
        msr_write(MSR_MC_CTL(bank), ~0ull);
        msr_write(MSR_MC_STATUS(bank), 0);
    }
    msr_write(MSR_MCG_CTL, ~0ull);
    msr_write(MSR_MCG_STATUS, 0);
    cr4_write(cr4_read() | CR4_MCE);
}

static inline void machine_check_end(void)
{
    for (unsigned bank = 0; bank < MCA_BANKS; bank++)
        msr_write(MSR_MC_STATUS(bank), 0);
    msr_write(MSR_MCG_STATUS, 0);
}

static inline void machine_check_make(void)
{
    nb_write(0x44, nb_read(0x44) | 1u << 16);
}

#endif
