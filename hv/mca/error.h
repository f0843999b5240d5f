/* SPDX-License-Identifier: MIT */
/*
 * One machine check as hv found it: the banks of the core (bank 4: of its node), who ran, who owns the addresses. Bits
 * as in BKDG10 MSR0000_0401 and APM2 9.3.
 */
#ifndef HV_MCA_ERROR_H
#define HV_MCA_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#define MCA_BANKS 6
#define MCA_BANK_NB 4

#define MCA_VAL (1ull << 63)
#define MCA_OVER (1ull << 62)
#define MCA_UC (1ull << 61)
#define MCA_EN (1ull << 60)
#define MCA_MISCV (1ull << 59)
#define MCA_ADDRV (1ull << 58)
#define MCA_PCC (1ull << 57)
#define MCA_ERR_CPU_VAL (1ull << 56)
#define MCA_SCRUB (1ull << 40)
#define MCA_CODE(status) ((unsigned)((status) & 0xFFFF))
#define MCA_EXT_CODE(status) ((unsigned)((status) >> 16 & 0x1F))

#define MCG_RIPV 1ull
#define MCG_EIPV 2ull
#define MCG_MCIP 4ull

/* How it came to light. */
enum mca_via { MCA_VIA_MC, MCA_VIA_EXIT, MCA_VIA_POLL, MCA_VIA_THRESHOLD, MCA_VIA_COUNT };
extern const char *const mca_via_names[MCA_VIA_COUNT];

enum mca_context { MCA_IN_HV, MCA_IN_IDLE, MCA_IN_GUEST }; /* what was interrupted */

enum mca_owner { MCA_OWNER_NONE, MCA_OWNER_XEN, MCA_OWNER_DOM0, MCA_OWNER_DOMU, MCA_OWNER_FREE }; /* NONE: no address */

#define MCA_NO_DOMAIN 0xFFFFu

struct mca_bank {
    uint8_t number;
    uint64_t status, addr, misc, ctrl2;
    /* The frame of `addr`: only where ADDR is a system-physical one (mca_has_frame). */
    enum mca_owner owner;
    uint16_t domid;   /* of the owner */
    uint64_t gpa;     /* there */
};

#define MCA_EXTRA 3 /* MC4_MISC1-3: C000_0408, 0409, 040A */

struct mca_error {
    enum mca_via via;
    enum mca_context context;
    unsigned core;
    uint64_t mcg_status, tsc;
    bool nested;               /* MCIP was set on entry */
    uint16_t domid, vcpu;      /* who ran, whatever was interrupted; MCA_NO_DOMAIN: idle */
    unsigned count;            /* banks with VAL */
    struct mca_bank bank[MCA_BANKS];
    bool has_extra;
    uint64_t extra[MCA_EXTRA];
    uint32_t record;           /* its number */
};

/*
 * Whether ADDR names a line or word of memory: not a linear address, an index or a part of one (BKDG10 2.12,
 * signatures).
 */
bool mca_has_frame(unsigned bank, uint64_t status);
/*
 * Whether bank 4's error may be that of core `place` of the node: ErrCpu names it or nobody. One bit for each
 * core up to
 * revision C, a number where bit 56 is set.
 */
bool mca_may_concern(uint64_t status, unsigned place);
/* A northbridge's answer to another node's core: that core has the error in a bank of its own, and its own #MC. */
bool mca_is_remote(const struct mca_bank *bank);
bool mca_is_all_remote(const struct mca_error *error);
/* It came as a #MC: somebody was interrupted. */
bool mca_interrupted(const struct mca_error *error);
/* Whether some bank has PCC, or RIPV is clear: what was interrupted cannot simply go on. */
bool mca_is_final(const struct mca_error *error);

#endif
