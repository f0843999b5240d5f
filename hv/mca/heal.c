/* SPDX-License-Identifier: MIT */
#include "hv/mca/heal.h"

/* assumed: what was consumed is lost whoever it was (H5 says "PCC=1 or RIPV=0"), unless nobody used the frame. */
static const struct mca_heal_row rows[] = {
    { MCA_H1, MCA_HOLDS_NOTHING, false, true, "moved to the broken list" },
    { MCA_H2, MCA_HOLDS_REBUILDABLE, true, true, "dropped, rebuilt elsewhere" },
    { MCA_H3, MCA_HOLDS_DOM0, true, true, "offlining, unmapped from dom0" },
    { MCA_H4, MCA_HOLDS_TEXT, true, true, "copied back to a spare frame" },
};
static const struct mca_heal_row nothing = { MCA_H5, MCA_HOLDS_OTHER, false, false, "none" };

const struct mca_heal_row *mca_heal_choose(enum mca_content content, bool final)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].content == content && !(rows[i].only_if_unconsumed && final))
            return &rows[i];
    return &nothing;
}
