/* SPDX-License-Identifier: MIT */
/* A node's northbridge as PCI functions 00:18h+n.0-4 (BKDG10 3.3-3.7) and the MSRs that the node's cores share. */
#ifndef FAM10H_PLATFORM_NORTHBRIDGE_H
#define FAM10H_PLATFORM_NORTHBRIDGE_H

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/mce/mce.h"
#include "sim/platform/dev.h"
#include "sim/platform/fabric.h"
#include "sim/platform/map.h"
#include "sim/platform/pci.h"
#include "sim/state.h"

#define NB_FUNCTIONS 5
#define NB_DEVICE 0x18
#define NB_SLOTS 384 /* at least the sum of the rows' counts */

/* One register, or `count` of them `stride` bytes apart. Bits that are not writable keep their value. */
struct nb_register {
    uint8_t function;
    uint8_t count, stride;
    uint16_t offset;
    const char *name;    /* and citation: BKDG10 with the manual's digits */
    uint32_t reset;
    uint32_t writable;
    uint32_t write_1_clear;
};

extern const struct nb_register nb_registers[];
extern const size_t nb_register_count;

struct northbridge;
struct dram_errors;

struct nb_function {
    struct northbridge *nb;
    unsigned function;
};

struct northbridge {
    unsigned node;
    const struct platform_config *config;
    const struct platform_wiring *wiring;
    uint32_t value[NB_SLOTS];
    struct dram_errors *errors;                 /* of all nodes */
    struct timer scrub, swap;                   /* dram_controller.c */
    uint64_t scrub_line, scrub_since_ps;        /* the sequential scrubber stood at this line of the node then */
    uint8_t ecc_count[2][8];                    /* F3xB0 EccErrCnt by channel and chip select */
    struct mca_node mca;                        /* F3x40-54, 160-170, 180 are its */
    struct dev dev;                             /* F3xF0-F8 are its */
    struct pci *pci;
    uint16_t slot[NB_FUNCTIONS][1024];          /* 1 + index into value; 0: no such register */
    const struct nb_register *row[NB_SLOTS];
    struct nb_function function[NB_FUNCTIONS];
};

void northbridge_init(struct northbridge *nb, unsigned node, const struct platform_config *config,
                      const struct platform_wiring *wiring, struct pci *pci);
/* Reset values, then what firmware programs (northbridge_firmware.c). */
void northbridge_reset(struct northbridge *nb, const struct fabric *fabric, const struct map *map, bool warm);
void northbridge_program(struct northbridge *nb, const struct fabric *fabric, const struct map *map);

/* A register without side effects; 0 if there is none. F3x88 is nb_get(nb, 3, 0x88). */
uint32_t nb_get(const struct northbridge *nb, unsigned function, unsigned offset);
/* Set regardless of what is writable: for hardware and firmware. What Family 0Fh lacks stays as it is. */
void nb_set(struct northbridge *nb, unsigned function, unsigned offset, uint32_t value);

/* ---- northbridge_0f.c: that of Family 0Fh ---- */

bool northbridge_is_0f(const struct northbridge *nb);
bool northbridge_is_0f_revision_f(const struct northbridge *nb);
/* Whether this processor has the register at `offset`, which Family 10h has. */
bool northbridge_has(const struct northbridge *nb, unsigned function, unsigned offset);
/* After northbridge_program: ids, links, capabilities. */
void northbridge_program_0f(struct northbridge *nb);

struct msr_bank northbridge_msrs(struct northbridge *nb);
/* NB_CFG[46] EnableCf8ExtCfg. */
bool northbridge_extended_config(const struct northbridge *nb);

extern const struct state_part northbridge_state;

#endif
