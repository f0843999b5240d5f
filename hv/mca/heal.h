/* SPDX-License-Identifier: MIT */
/* What hv itself can do about an uncorrected error (step 2b): H1 to H5 of the decision tables (doc/mca.md). Pure. */
#ifndef HV_MCA_HEAL_H
#define HV_MCA_HEAL_H

#include "hv/mca/error.h"

/* What the frame holds. */
enum mca_content {
    MCA_HOLDS_OTHER,       /* data of hv's that nothing else tells, or no frame is named */
    MCA_HOLDS_NOTHING,     /* free */
    MCA_HOLDS_REBUILDABLE, /* shadow table, log-dirty bitmap, zero page */
    MCA_HOLDS_DOM0,
    MCA_HOLDS_TEXT,        /* hv's text or constants, of which there is a pristine copy */
    MCA_CONTENTS
};

enum mca_heal { MCA_H1 = 1, MCA_H2, MCA_H3, MCA_H4, MCA_H5 };

struct mca_heal_row {
    enum mca_heal heal;
    enum mca_content content;
    bool only_if_unconsumed; /* RIPV=1 and PCC=0 */
    bool success;
    const char *action;
};

/* The row for a frame; `final`: RIPV=0 or PCC=1. */
const struct mca_heal_row *mca_heal_choose(enum mca_content content, bool final);

#endif
