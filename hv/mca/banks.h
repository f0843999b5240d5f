/* SPDX-License-Identifier: MIT */
/* The machine-check registers of the core that calls: set up, read and cleared (BKDG10 2.12; APM2 9.3). */
#ifndef HV_MCA_BANKS_H
#define HV_MCA_BANKS_H

#include "hv/mca/error.h"

/*
 * False: the processor has no machine-check architecture. Everything on but sync flooding, statuses cleared,
 * CR4.MCE set. After `threshold` errors of DRAM the node's cores get an interrupt by extended LVT entry 0; 0: never.
 */
bool mca_banks_begin(unsigned threshold);
/*
 * What the banks hold into error->bank, mcg_status and extra; what was read is cleared. Of corrected errors alone if
 * `corrected` (a poll: an uncorrected one is its #MC's business); misc and ctrl2 as they are. MCIP stays.
 */
void mca_banks_collect(struct mca_error *error, bool corrected);
/* At the very end: a second #MC may come from here on. */
void mca_banks_end(void);
/* Errors that bank 4's threshold counter has counted since this was asked last (its blocks count on). */
unsigned mca_banks_counted(void);
/* msrinject INTERPOSE: the next collection on this core reads this value instead of the register's; false: no room. */
#define MCA_INTERPOSED 8
struct mca_interposed {
    unsigned count;
    struct {
        uint32_t msr;
        uint64_t value;
    } entry[MCA_INTERPOSED];
};
bool mca_banks_interpose(unsigned core, uint32_t msr, uint64_t value);
/* The register itself, as simulation of an error writes it (HWCR[18] McStatusWrEn around it). On this core. */
void mca_banks_write(uint32_t msr, uint64_t value);
/* Whether a register is one of those that may be injected: STATUS, ADDR, MISC of a bank, MCG_STATUS. */
bool mca_banks_is_register(uint32_t msr);

#endif
