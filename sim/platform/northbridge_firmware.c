/* SPDX-License-Identifier: MIT */
/*
 * What firmware programs into a northbridge before it starts an image (fact sheet sections 6 and 11.4): node numbers,
 * routes, address maps, chip selects, capabilities. It is there from reset, also for an image at the reset vector:
 * deviation: nodes find each other and DRAM is trained without code, so that the registers always describe the machine.
 */
#include "sim/bits.h"
#include "sim/platform/northbridge.h"

#define MHZ_PER_FID 100
#define FID_BASE 16 /* COF = 100 MHz x (FID + 16) / 2^DID */

/* ---- Function 0 --------------------------------------------------------------------------------------------- */

#define LINK_CAPABILITY UINT32_C(0x20010008)  /* capability 08h, WarmReset, type 001b host */
#define LINK_CONTROL UINT32_C(0x11112020)     /* 16 bits each way (in, out; possible, in use); InitComplete; 13 */
#define LINK_FREQUENCY UINT32_C(0x00750660)   /* HT3.0 register set, 1000 MHz, 200-1000 MHz possible */
#define LINK_FEATURES UINT32_C(0x00000003)
#define LINK_COHERENT UINT32_C(0x3)           /* LinkCon, InitComplete */
#define LINK_TO_IO UINT32_C(0x7)              /* and NC */

/* 19:17 8-bit APIC ids and broadcast, 22:21 DsNpReqLmt, 14:13 BufRelPri, 11 RespPassPW (fact sheet 11.4) */
#define LINK_TRANSACTION UINT32_C(0x004e4800)
#define LINK_TRANSACTION_CPU1 BIT(5)

static void program_link(struct northbridge *nb, const struct fabric *fabric, unsigned link)
{
    bool io = nb->node == 0 && link == fabric->io_link;
    unsigned base = 0x80 + 0x20 * link;
    bool last = link == FABRIC_LINKS - 1;

    nb_set(nb, 0, base, (uint32_t)bits_put(LINK_CAPABILITY, 15, 8, last ? 0 : base + 0x20));
    if (fabric->neighbour[nb->node][link] == FABRIC_NOBODY && !io)
        return; /* nothing at the other end: capability only */
    nb_set(nb, 0, base + 0x04, LINK_CONTROL);
    nb_set(nb, 0, base + 0x08, LINK_FREQUENCY);
    nb_set(nb, 0, base + 0x0c, LINK_FEATURES);
    nb_set(nb, 0, base + 0x18, io ? LINK_TO_IO : LINK_COHERENT);
}

static void program_function0(struct northbridge *nb, const struct fabric *fabric)
{
    unsigned cores = nb->config->nodes * nb->config->cores_per_node;
    unsigned per_node = nb->config->cores_per_node;
    uint64_t id = 0;

    for (unsigned to = 0; to < fabric->nodes; to++)
        nb_set(nb, 0, 0x40 + 4 * to, fabric_route(fabric, nb->node, to));
    id = bits_put(id, 2, 0, nb->node);
    id = bits_put(id, 6, 4, fabric->nodes - 1);
    id = bits_put(id, 20, 16, (cores - 1) & 31);
    nb_set(nb, 0, 0x60, (uint32_t)id);
    nb_set(nb, 0, 0x160, (cores - 1) >> 5 << 16);
    nb_set(nb, 0, 0x64, UINT32_C(0xe0) | (nb->node == 0 ? fabric->io_link << 8 : 0));
    nb_set(nb, 0, 0x68, LINK_TRANSACTION | (per_node > 1 ? (uint32_t)LINK_TRANSACTION_CPU1 : 0));
    nb_set(nb, 0, 0x6c, 0x00000670); /* ColdRstDet, BiosRstDet, InitDet: the next reader sees no reset since */
    nb_set(nb, 0, 0x150, 0x00073900);
    nb_set(nb, 0, 0x168, (uint32_t)bits_mask(3, 0) & ((1u << (per_node > 2 ? per_node - 2 : 0)) - 1));
    for (unsigned link = 0; link < FABRIC_LINKS; link++)
        program_link(nb, fabric, link);
}

/* ---- Function 1 --------------------------------------------------------------------------------------------- */

#define MAP_ENABLE 3u /* RE, WE */
#define HOLE_VALID BIT(0)
#define HOIST_VALID BIT(1)

static void program_dram_ranges(struct northbridge *nb, const struct map *map)
{
    for (unsigned node = 0; node < map->nodes; node++) {
        struct map_node_range range = map_node_range(map, node);
        unsigned at = 0x40 + 8 * node;

        nb_set(nb, 1, at, (uint32_t)(bits(range.base, 39, 24) << 16) | MAP_ENABLE);
        nb_set(nb, 1, at + 4, (uint32_t)(bits(range.limit, 39, 24) << 16) | node);
        nb_set(nb, 1, 0x100 + at, (uint32_t)bits(range.base, 47, 40));
        nb_set(nb, 1, 0x104 + at, (uint32_t)bits(range.limit, 47, 40));
    }
}

/* Fact sheet 6.7, one DCT enabled: HoleOffset[31:23] = {hole size[31:24], 0} + {DramBase[31:27], 0000}. */
static uint32_t dram_hole(const struct map *map, unsigned node)
{
    struct map_node_range range = map_node_range(map, node);
    uint32_t hole = (uint32_t)MAP_HOLE_BASE;
    uint64_t offset = (MAP_4G - MAP_HOLE_BASE) + (bits(range.base, 31, 27) << 27);

    if (map->tom2 == MAP_4G)
        return 0; /* all DRAM lies below the hole */
    hole |= (uint32_t)HOIST_VALID;
    if (range.spans_hole)
        hole |= (uint32_t)(HOLE_VALID | bits(offset, 31, 23) << 7);
    return hole;
}

/* I/O, MMIO, VGA and every configuration bus lie behind node 0's link to the south bridge. */
static void program_io_maps(struct northbridge *nb, const struct fabric *fabric, const struct map *map)
{
    uint32_t link = fabric->io_link << 4;

    nb_set(nb, 1, 0x80, (uint32_t)(map->top_mem >> 16 << 8) | MAP_ENABLE);
    nb_set(nb, 1, 0x84, UINT32_C(0x00ffff00) | link);
    nb_set(nb, 1, 0xc0, MAP_ENABLE);
    nb_set(nb, 1, 0xc4, UINT32_C(0x01fff000) | link);
    nb_set(nb, 1, 0xe0, UINT32_C(0xff000000) | fabric->io_link << 8 | MAP_ENABLE);
    nb_set(nb, 1, 0xf4, fabric->io_link << 12 | 1);
}

static void program_function1(struct northbridge *nb, const struct fabric *fabric, const struct map *map)
{
    struct map_node_range own = map_node_range(map, nb->node);

    program_dram_ranges(nb, map);
    nb_set(nb, 1, 0xf0, dram_hole(map, nb->node));
    program_io_maps(nb, fabric, map);
    nb_set(nb, 1, 0x120, (uint32_t)bits(own.base, 47, 27));
    nb_set(nb, 1, 0x124, (uint32_t)bits(own.limit, 47, 27));
}

/* ---- Function 2 --------------------------------------------------------------------------------------------- */

#define CHIP_SELECTS 8
#define CHIP_SMALLEST 27 /* log2: 128 MiB */
#define CHIP_LARGEST 33  /* 8 GiB */
#define DCT_ENABLED BIT(8)
#define DCT_CLEARED BIT(10)

/* DBAM codes of DDR2, 64-bit, by log2 of the chip select's size from 128 MiB (fact sheet 6.4). */
static const uint8_t chip_code[] = { 0x0, 0x1, 0x2, 0x5, 0x7, 0x9, 0xb };

/* The largest size of which at most eight are exactly the node's memory; else the smallest of which eight suffice. */
static unsigned chip_select_log2(uint64_t bytes)
{
    for (unsigned size = CHIP_LARGEST; size >= CHIP_SMALLEST; size--) {
        if (!(bytes & (BIT(size) - 1)) && bytes >> size <= CHIP_SELECTS)
            return size;
    }
    for (unsigned size = CHIP_SMALLEST; size < CHIP_LARGEST; size++) {
        if (bytes <= (uint64_t)CHIP_SELECTS << size)
            return size;
    }
    return CHIP_LARGEST;
}

/* F2x40: 28:19 Base[36:27], 13:5 Base[21:13], 0 enable. F2x60 in the same places; a 1 is not compared. */
static uint32_t chip_address(uint64_t address)
{
    return (uint32_t)(bits(address, 36, 27) << 19 | bits(address, 21, 13) << 5);
}

/* F2x40[1] Spare: not enabled, and of the size of the others. */
static void program_spare(struct northbridge *nb, unsigned cs, unsigned size, uint32_t *dbam)
{
    nb_set(nb, 2, 0x40 + 4 * cs, 2);
    nb_set(nb, 2, 0x60 + 4 * (cs / 2), chip_address(BIT(size) - 1));
    *dbam = (uint32_t)bits_put(*dbam, cs / 2 * 4 + 3, cs / 2 * 4, chip_code[size - CHIP_SMALLEST]);
}

static void program_function2(struct northbridge *nb, const struct map *map)
{
    unsigned size = chip_select_log2(map->node_bytes);
    uint64_t used = 0;
    uint32_t dbam = 0;

    for (unsigned cs = 0; cs < CHIP_SELECTS && used < map->node_bytes; cs++, used += BIT(size)) {
        nb_set(nb, 2, 0x40 + 4 * cs, chip_address(used) | 1);
        nb_set(nb, 2, 0x60 + 4 * (cs / 2), chip_address(BIT(size) - 1));
        dbam = (uint32_t)bits_put(dbam, cs / 2 * 4 + 3, cs / 2 * 4, chip_code[size - CHIP_SMALLEST]);
    }
    if (used >> size < CHIP_SELECTS) /* assumed: one rank more is fitted, as the online spare */
        program_spare(nb, (unsigned)(used >> size), size, &dbam);
    nb_set(nb, 2, 0x80, dbam);
    nb_set(nb, 2, 0x90, (uint32_t)BIT(19));                    /* registered DIMMs with ECC */
    nb_set(nb, 2, 0x94, UINT32_C(0x00080200) | BIT(3) | 2);    /* DDR2-667 */
    nb_set(nb, 2, 0x194, UINT32_C(0x00080200) | BIT(14));      /* the second controller is off: one channel */
    nb_set(nb, 2, 0x110, (uint32_t)(DCT_ENABLED | DCT_CLEARED));
}

/* ---- Functions 3 and 4 ---------------------------------------------------------------------------------------- */

#define NB_CFG_INIT_APIC_ID_LOW BIT(54 - 32) /* in F3x8C: core number in the low bits of the APIC id */
#define TEMPERATURE UINT32_C(320)            /* assumed: Tctl 40 degrees, in eighths */
#define NB_FID 6                             /* assumed: 200 MHz x (6 + 4) = 2.0 GHz, as Opteron 2360 SE */

/* 0 DctDualCap, 2 Eight-node, 3 ECC, 4 Chipkill, 8 MctCap, 9 SVM, 10 HTC, 14 MultiVid, 23:20 UnGangEn, 25 L3 */
#define CAPABILITIES (BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(8) | BIT(9) | BIT(10) | BIT(14) | \
                      bits_mask(23, 20) | BIT(25))

static uint32_t capabilities(unsigned cores)
{
    uint64_t value = CAPABILITIES;

    value = bits_put(value, 13, 12, (cores - 1) & 3);
    return (uint32_t)bit_put(value, 15, bit(cores - 1, 2));
}

/* F3x44: on uncorrectable ECC, watchdog, any other uncorrected error, DRAM parity. */
#define SYNC_FLOOD (BIT(2) | BIT(20) | BIT(21) | BIT(30))

static void program_function3(struct northbridge *nb)
{
    /* ChipKillEccCap, DramEccEn, NbMcaToMstCpuEn. assumed: the set-up option "sync flood" is off unless asked for. */
    nb_set(nb, 3, 0x44, UINT32_C(0x00800000) | BIT(22) | BIT(27) | (nb->config->sync_flood ? SYNC_FLOOD : 0));
    nb_set(nb, 3, 0x80, 0xe600a681);                        /* SMAF 3 S1, 2 FIDVID, 1 C1E, 0 C2 (revision B) */
    nb_set(nb, 3, 0x84, 0xa0e641e6);                        /* SMAF 7 HLT, 6 S4/S5, 5 throttling, 4 S3 */
    nb_set(nb, 3, 0x8c, (uint32_t)NB_CFG_INIT_APIC_ID_LOW);
    nb_set(nb, 3, 0xa0, (uint32_t)BIT(31));                 /* CofVidProg */
    nb_set(nb, 3, 0xa4, TEMPERATURE << 21);
    nb_set(nb, 3, 0xd4, NB_FID | BIT(5));
    nb_set(nb, 3, 0xdc, 1 << 8);                            /* PstateMaxVal: P1 is the last */
    nb_set(nb, 3, 0xe8, capabilities(nb->config->cores_per_node));
    nb_set(nb, 3, 0xfc, nb->config->cpu_signature);
    nb_set(nb, 3, 0x1cc, (uint32_t)BIT(8) | 1);             /* IBS interrupts by the APIC's extended LVT entry 1 */
    nb_set(nb, 3, 0x180, (uint32_t)BIT(5));                 /* DisPciCfgCpuMstAbtRsp: missing devices read ones */
}

/* 5:0 FID, 8:6 DID, 15:9 VID, 24:17 IddValue, 26:25 IddDiv (1: tenths of an ampere), 27 enabled */
static uint32_t pstate(unsigned fid, unsigned did, unsigned vid, unsigned idd)
{
    return fid | did << 6 | vid << 9 | idd << 17 | 1u << 25 | 1u << 27;
}

/* Two P-states, the second at half the frequency; voltages and currents of the model-2 dump in fact sheet 2.5. */
static void program_function4(struct northbridge *nb)
{
    unsigned fid = nb->config->mhz / MHZ_PER_FID;

    fid = fid > FID_BASE ? fid - FID_BASE : 0;
    nb_set(nb, 4, 0x1e0, pstate(fid & 0x3f, 0, 0x18, 0xf5));
    nb_set(nb, 4, 0x1e4, pstate(fid & 0x3f, 1, 0x28, 0xbc));
    nb_set(nb, 4, 0x1f4, 0x18);
}

void northbridge_program(struct northbridge *nb, const struct fabric *fabric, const struct map *map)
{
    program_function0(nb, fabric);
    program_function1(nb, fabric, map);
    program_function2(nb, map);
    program_function3(nb);
    program_function4(nb);
    if (northbridge_is_0f(nb))
        northbridge_program_0f(nb);
}
