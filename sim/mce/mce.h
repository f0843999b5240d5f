/* SPDX-License-Identifier: MIT */
/*
 * Machine check architecture of Family 10h (fact sheet section 5; APM2 chapter 9, BKDG10 2.12): the banks of a core
 * and the northbridge's bank of a node, what is logged and reported, thresholding, decoding into words.
 * Who finds an error describes it by a struct mca_error; what comes of it leaves through struct mca_port.
 */
#ifndef FAM10H_MCE_H
#define FAM10H_MCE_H

#include <glib.h>

#include "sim/bits.h"
#include "sim/bus.h"

struct counter_set;
struct state;

/* ---- Names ----------------------------------------------------------------------------------------- */

enum mca_bank_number {
#define BANK(number, name, ...) MCA_##name = number,
#include "sim/mce/banks.def"
#undef BANK
    MCA_BANKS
};

/* What is constant about a bank: banks.def. */
struct mca_bank_row {
    const char *name;          /* "NB" */
    const char *unit;          /* "northbridge" */
    uint32_t msr;              /* MCi_CTL; STATUS, ADDR and MISC follow */
    uint64_t ctl;              /* implemented bits of MCi_CTL */
    uint64_t mask_reset;       /* of MCi_CTL_MASK, MSRC001_0044 + i */
    bool misc;                 /* MISC can be written */
    bool keeps_corrected;      /* an older enabled CE is kept against a newer CE */
};
extern const struct mca_bank_row mca_bank_rows[MCA_BANKS];

/* MCi_STATUS (fact sheet 5.3). */
#define MCA_VAL BIT(63)
#define MCA_OVER BIT(62)
#define MCA_UC BIT(61)
#define MCA_EN BIT(60)
#define MCA_MISCV BIT(59)
#define MCA_ADDRV BIT(58)
#define MCA_PCC BIT(57)
#define MCA_ERR_CPU_VAL BIT(56) /* MC4, revision D */
#define MCA_CECC BIT(46)
#define MCA_UECC BIT(45)
#define MCA_SCRUB BIT(40)
#define MCA_SYNDROME_LOW 54, 47
#define MCA_SYNDROME_HIGH 31, 24
#define MCA_L3_SUBCACHE 43, 42  /* MC4 */
#define MCA_CHANNEL 41          /* MC4: sublink, or DRAM channel of a parity error */
#define MCA_LINK 39, 36         /* MC4: one bit for each link, or the L3's way */
#define MCA_ERR_CPU 35, 32      /* MC4 */
#define MCA_EXT_CODE 20, 16
#define MCA_CODE 15, 0

/* MCG_STATUS (fact sheet 2.1). */
#define MCG_RIPV BIT(0)
#define MCG_EIPV BIT(1)
#define MCG_MCIP BIT(2)

#define HWCR_MC_STATUS_WR_EN BIT(18) /* MSRC001_0015 */

/* F3x44 (fact sheet 5.11), as far as it decides something here. */
#define NB_CPU_RD_DAT_ERR_EN BIT(1)
#define NB_SYNC_ON_UC_ECC BIT(2)
#define NB_SYNC_ON_WDT BIT(20)
#define NB_SYNC_ON_ANY BIT(21)
#define NB_DRAM_ECC_EN BIT(22)
#define NB_CORR_MCA_EXC_EN BIT(26)
#define NB_MCA_TO_MASTER BIT(27)
#define NB_SYNC_ON_DRAM_PARITY BIT(30)
#define NB_MCA_LOG_EN BIT(31)
/* F3x180 */
#define NB_SYNC_ON_PROTOCOL BIT(8)
#define NB_SYNC_ON_ARRAY BIT(9)

/* ---- Registers ------------------------------------------------------------------------------------- */

struct mca_bank {
    uint64_t ctl, status, addr, misc, ctl_mask;
};

enum mca_fate {
    MCA_MASKED,      /* not enabled: nothing was written */
    MCA_LOGGED,      /* into a free bank */
    MCA_OVERWROTE,   /* an older error, which is lost; OVER is set */
    MCA_LOST,        /* the older error stays; OVER is set */
    MCA_FATES
};
extern const char *const mca_fate_names[MCA_FATES];

/* An error as the unit that found it describes it. VAL, OVER and EN are what logging adds. */
struct mca_error {
    uint8_t bank;     /* enum mca_bank_number */
    uint8_t ctl;      /* the bit of MCi_CTL and MCi_CTL_MASK that it belongs to */
    uint64_t status;
    uint64_t addr;
    uint64_t misc;    /* with MISCV alone */
    bool precise;     /* the access that consumed it is about to fault: RIPV and EIPV, if PCC permits */
    bool raw;         /* somebody's registers: EN is as in `status`, whatever the banks enable */
    uint8_t raise;    /* raw: enum mca_raise bits instead of what PCC and `precise` say; 0: these */
};

/* An error as it was met, whatever became of it: for reports. */
struct mca_event {
    unsigned node;
    unsigned in_node; /* MCA_ALL_CORES: the northbridge's */
    struct mca_error error; /* status with VAL, EN and OVER as the bank got them */
    enum mca_fate fate;
};

/* What a node's or a core's machine check asks of the rest. */
enum mca_signal {
    MCA_SIGNAL_MC,        /* #MC on the core; argument: enum mca_raise bits */
    MCA_SIGNAL_LVT,       /* an event of the core's extended LVT entry; argument: the entry, 0 to 3 */
    MCA_SIGNAL_SMI,       /* argument: 0 */
    MCA_SIGNAL_FLOOD,     /* sync flood: the machine stands until it is reset */
};
#define MCA_ALL_CORES UINT32_MAX

/* Implemented by `machine`: carries a signal to core `in_node` of `node`, or to all of its cores. */
struct mca_port {
    void *ctx;
    void (*signal)(void *ctx, unsigned node, unsigned in_node, enum mca_signal signal, unsigned argument);
    void (*event)(void *ctx, const struct mca_event *event); /* an error was met */
};

/* What a raised #MC says about the program it interrupts, or-ed while it is pending. */
enum mca_raise {
    MCA_RAISE_PENDING = 1,
    MCA_RAISE_PCC = 2,       /* some bank has PCC: RIPV = EIPV = 0 */
    MCA_RAISE_IMPRECISE = 4, /* EIPV = 0 */
    MCA_RAISE_PRECISE = 16,  /* the access that is being made is to fault */
    MCA_RAISE_EVENT_LOST = 8, /* it came up while another event was delivered, which nobody restarts: RIPV = 0 */
};

#define MCA_BLOCKS 3 /* of threshold counters: DRAM, links, L3 */

struct mca_counters {
    uint64_t errors[MCA_BANKS][MCA_FATES];
    uint64_t corrected[MCA_BANKS], uncorrected[MCA_BANKS];
    uint64_t raised;         /* #MCs delivered, or intercepted */
    uint64_t shutdowns;      /* second #MC under MCIP, CR4.MCE = 0 */
    uint64_t redirected;     /* to a vector or an SMI by MSRC001_0022 */
};

struct mca_node_counters {
    uint64_t errors[MCA_FATES];
    uint64_t corrected, uncorrected;
    uint64_t counted[MCA_BLOCKS];    /* errors that a threshold counter counted */
    uint64_t overflows[MCA_BLOCKS];
    uint64_t interrupts[MCA_BLOCKS]; /* APIC interrupts and SMIs asked for */
    uint64_t floods;
};

/* A node's northbridge: bank 4, its threshold blocks, the configuration that decides about them. */
struct mca_node {
    struct mca_bank bank;
    uint64_t block[MCA_BLOCKS];      /* MC4_MISC0 .. 2: MSR 413, C000_0408, C000_0409 */
    uint32_t config, ext_config;     /* F3x44, F3x180 */
    uint32_t enabled;                /* a bit for each core whose MCG_CTL[4] NBE is set */
    unsigned node;
    bool encoded_cpu;                /* revision D: ErrCpu is a number, valid with bit 56 */
    struct mca_port port;
    struct mca_node_counters count;
};

/* A core's five banks; bank[MCA_NB] is not used. */
struct mca_core {
    uint64_t mcg_cap, mcg_status, mcg_ctl;
    struct mca_bank bank[MCA_BANKS];
    uint64_t redirection;            /* MSRC001_0022 */
    uint8_t raised;                  /* enum mca_raise; of the #MC that is pending */
    uint8_t in_node;
    struct mca_node *node;           /* never NULL: a core without a northbridge has one of its own */
    const uint64_t *hwcr;
    struct mca_counters count;
    struct mca_node own_node;
};

/* ---- Life ------------------------------------------------------------------------------------------- */

/* `node` may be NULL: the core then has a bank 4 for itself (tests). `hwcr`: the core's HWCR. */
void mca_core_init(struct mca_core *mca, struct mca_node *node, unsigned in_node, const uint64_t *hwcr);
void mca_node_init(struct mca_node *mca, unsigned node, bool encoded_cpu);
/* warm: STATUS, ADDR and the threshold counts stay (fact sheet 5.1, 5.7). */
void mca_core_reset(struct mca_core *mca, bool warm);
void mca_node_reset(struct mca_node *mca, bool warm);
void mca_core_describe(struct mca_core *mca, struct state *state, struct counter_set *counters, const char *path);
void mca_node_describe(struct mca_node *mca, struct state *state, struct counter_set *counters, const char *path);

/* MSRs 0, 1, 179-17B, 400-417, C000_0408-040F, C001_0022, C001_0044-0049. */
struct msr_bank mca_core_msrs(struct mca_core *mca);

/* F3x40, 44, 48, 4C, 50, 54, 160, 168, 170, 180. false: not one of these offsets of function 3. */
bool mca_node_read(const struct mca_node *mca, unsigned offset, uint32_t *value);
/* `lanes`: the bits that the access writes. hardware: regardless of what software may write. */
bool mca_node_write(struct mca_node *mca, unsigned offset, uint32_t value, uint32_t lanes, bool hardware);

/* ---- Errors ------------------------------------------------------------------------------------------ */

/*
 * A core's own unit found an error (not MCA_NB). Logs and counts it; returns what raises a #MC on this core now:
 * 0, or enum mca_raise bits, which the caller gives to the core.
 */
unsigned mca_core_error(struct mca_core *mca, const struct mca_error *error, enum mca_fate *fate);

#define MCA_SOURCE_IO UINT32_MAX     /* a device asked */
#define MCA_SOURCE_REMOTE 0x100u     /* a core of another node did */
/* The northbridge found one; `source` is the core of this node that asked, or one of the two above. */
enum mca_fate mca_node_error(struct mca_node *mca, const struct mca_error *error, unsigned source);

/* The #MC is about to be delivered or intercepted: MCG_STATUS is written. false: MCIP was set already, shutdown. */
bool mca_core_begin(struct mca_core *mca);

/* ---- Thresholding ------------------------------------------------------------------------------------ */

#define MCA_MISC_VALID BIT(63)
#define MCA_MISC_CNTP BIT(62)
#define MCA_MISC_LOCKED BIT(61)
#define MCA_MISC_LVT_OFFSET 55, 52
#define MCA_MISC_CNT_EN BIT(51)
#define MCA_MISC_INT_TYPE 50, 49     /* 0 none, 1 APIC, 2 SMI */
#define MCA_MISC_OVERFLOW BIT(48)
#define MCA_MISC_ERR_CNT 43, 32
#define MCA_MISC_BLK_PTR BIT(24)     /* 413 alone: the next block is C000_0408 */
#define MCA_ERR_CNT_MAX 0xFFFu

/* WRMSR of a block. hwcr: HWCR, whose bit 18 opens Valid, CntP and Locked. */
void mca_block_write(struct mca_node *mca, unsigned block, uint64_t value, uint64_t hwcr);

/* ---- Words --------------------------------------------------------------------------------------------- */

/* What a bank's STATUS and ADDR say, on one line, as the BKDG names it (doc/scenarios.md, inject). */
void mca_decode(GString *out, unsigned bank, uint64_t status, uint64_t addr);
/* The short name of the error: "DRAM ECC error". Never NULL. */
const char *mca_error_words(unsigned bank, uint64_t status);

/* ---- Errors by name (signatures.def) --------------------------------------------------------------------- */

struct mca_signature {
    const char *name;      /* "L2 line fill, corrected" */
    uint8_t bank;
    uint8_t ctl;           /* bit of MCi_CTL */
    uint64_t status;       /* UC, ADDRV, PCC, CECC, UECC, SCRUB, extended and error code */
    const char *address;   /* what ADDR means; NULL: none */
};
/* NULL: no such name. mca_signature_at walks the table, NULL behind its end. */
const struct mca_signature *mca_signature_find(const char *name);
const struct mca_signature *mca_signature_at(unsigned index);

/* ---- The text format of Linux mce-inject -------------------------------------------------------------------- */

/* One record: what "CPU 0 BANK 4 STATUS ... ADDR ..." says. */
struct mca_text_record {
    uint64_t core;
    struct mca_error error; /* raw */
};
/* `raise` for a #MC that leaves this in MCG_STATUS (RIPV and EIPV). */
uint8_t mca_raise_of(uint64_t mcg_status);
/* Array of struct mca_text_record, to be unreferenced. NULL and one line ("line 3: ...") for what is no such file. */
GArray *mca_text_parse(const char *text, size_t size, GError **error);

/* ---- DRAM ECC (fact sheet 5.8) ----------------------------------------------------------------------------- */

/* An error inside one 16-byte word: the wrong bits of its 128 data and 16 check bits. */
struct ecc_mask {
    uint64_t data[2];
    uint16_t check;
};

uint16_t ecc_syndrome(const struct ecc_mask *mask);
/*
 * The symbol (0 to 31 data, 32 to 35 check) and in *bits its wrong bits that a syndrome means; -1: no single symbol
 * has it, the error cannot be corrected. 0 is no error and gives -1 as well.
 */
int ecc_symbol(uint16_t syndrome, unsigned *bits);
/* The two syndrome fields of MC4_STATUS. */
uint64_t ecc_status(uint16_t syndrome);

#endif
