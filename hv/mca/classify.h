/* SPDX-License-Identifier: MIT */
/*
 * Whom an error impacts: tests I1 to I11 of the decision tables (doc/mca.md), first match wins. Pure.
 *
 *   I1 no VAL: spurious         I5 frame of Xen                  I9 frame free: nobody
 *   I2 UC=0: corrected          I6 frame of Dom0                 I10 no address: whose vCPU runs, idle: Xen
 *   I3 MCIP on entry: dead      I7 DomU's, hv ran for nobody,    I11 several banks: highest of Xen > Dom0 > DomU
 *   I4 hv itself, no way back      RIPV=0: Xen
 *                               I8 frame of a DomU: that DomU
 */
#ifndef HV_MCA_CLASSIFY_H
#define HV_MCA_CLASSIFY_H

#include "hv/mca/error.h"

enum mca_class { MCA_I1 = 1, MCA_I2, MCA_I3, MCA_I4, MCA_I5, MCA_I6, MCA_I7, MCA_I8, MCA_I9, MCA_I10, MCA_I11,
                 MCA_REMOTE /* the core that asked has a record of its own */ };
enum mca_impact { MCA_IMPACT_NOBODY, MCA_IMPACT_DOMU, MCA_IMPACT_DOM0, MCA_IMPACT_XEN, MCA_IMPACTS }; /* ascending */
extern const char *const mca_impact_names[MCA_IMPACTS];

#define MCA_VICTIMS MCA_BANKS
struct mca_victim {
    uint16_t domid, vcpu;
    const struct mca_bank *bank; /* that names its frame; NULL: no address */
};

struct mca_verdict {
    enum mca_class first;      /* that matched in the bank that decides */
    bool several;              /* I11 chose among banks */
    bool corrected, spurious;
    enum mca_impact impact;
    const struct mca_bank *bank; /* that decides; NULL: none has VAL */
    unsigned victims;          /* DomUs, if that is the impact */
    struct mca_victim victim[MCA_VICTIMS];
};

/* One bank of the error by itself. */
enum mca_class mca_classify_bank(const struct mca_error *error, const struct mca_bank *bank, enum mca_impact *impact);
void mca_classify(const struct mca_error *error, struct mca_verdict *verdict);

#endif
