/* SPDX-License-Identifier: MIT */
#include "hv/mca/classify.h"

#include <stddef.h>

const char *const mca_impact_names[MCA_IMPACTS] = { "nobody", "domu", "dom0", "xen" };

/* ---- The tests ------------------------------------------------------------------------------------------- */

static bool is_invalid(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return !(bank->status & MCA_VAL);
}

static bool is_corrected(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return !(bank->status & MCA_UC);
}

static bool is_nested(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)bank;
    return error->nested;
}

static bool is_remote(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return mca_is_remote(bank);
}

/* assumed: RIPV=0 counts as PCC here, or nobody could go back; in idle it does not, because I7 names it. */
static bool is_hv_lost(const struct mca_error *error, const struct mca_bank *bank)
{
    if (error->context == MCA_IN_GUEST || !mca_interrupted(error))
        return false;
    return bank->status & MCA_PCC || (error->context == MCA_IN_HV && !(error->mcg_status & MCG_RIPV));
}

static bool is_xens(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return bank->owner == MCA_OWNER_XEN;
}

static bool is_dom0s(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return bank->owner == MCA_OWNER_DOM0;
}

static bool is_domus_while_idle(const struct mca_error *error, const struct mca_bank *bank)
{
    return bank->owner == MCA_OWNER_DOMU && error->context == MCA_IN_IDLE && mca_interrupted(error) &&
           !(error->mcg_status & MCG_RIPV);
}

static bool is_domus(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return bank->owner == MCA_OWNER_DOMU;
}

static bool is_free(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return bank->owner == MCA_OWNER_FREE;
}

static bool has_no_address(const struct mca_error *error, const struct mca_bank *bank)
{
    (void)error;
    return bank->owner == MCA_OWNER_NONE;
}

static enum mca_impact impact_of_running(const struct mca_error *error)
{
    if (error->domid == MCA_NO_DOMAIN)
        return MCA_IMPACT_XEN;
    return error->domid == 0 ? MCA_IMPACT_DOM0 : MCA_IMPACT_DOMU;
}

/* A corrected error impacts the owner of its frame; a free one is Xen's. */
static enum mca_impact impact_of_corrected(const struct mca_error *error, const struct mca_bank *bank)
{
    static const enum mca_impact by_owner[] = { [MCA_OWNER_XEN] = MCA_IMPACT_XEN, [MCA_OWNER_DOM0] = MCA_IMPACT_DOM0,
                                                [MCA_OWNER_DOMU] = MCA_IMPACT_DOMU, [MCA_OWNER_FREE] = MCA_IMPACT_XEN };

    return bank->owner == MCA_OWNER_NONE ? impact_of_running(error) : by_owner[bank->owner];
}

#define BY_RUNNING MCA_IMPACTS       /* not fixed: the domain that runs */
#define BY_OWNER (MCA_IMPACTS + 1)

static const struct {
    enum mca_class class;
    bool (*matches)(const struct mca_error *error, const struct mca_bank *bank);
    unsigned impact;
} tests[] = {
    { MCA_I1, is_invalid, MCA_IMPACT_NOBODY },
    { MCA_I2, is_corrected, BY_OWNER },
    { MCA_I3, is_nested, MCA_IMPACT_XEN },
    { MCA_REMOTE, is_remote, MCA_IMPACT_NOBODY },
    { MCA_I4, is_hv_lost, MCA_IMPACT_XEN },
    { MCA_I5, is_xens, MCA_IMPACT_XEN },
    { MCA_I6, is_dom0s, MCA_IMPACT_DOM0 },
    { MCA_I7, is_domus_while_idle, MCA_IMPACT_XEN },
    { MCA_I8, is_domus, MCA_IMPACT_DOMU },
    { MCA_I9, is_free, MCA_IMPACT_NOBODY },
    { MCA_I10, has_no_address, BY_RUNNING },
};

enum mca_class mca_classify_bank(const struct mca_error *error, const struct mca_bank *bank, enum mca_impact *impact)
{
    unsigned i = 0;

    while (!tests[i].matches(error, bank)) /* the last two cover what is left */
        i++;
    *impact = tests[i].impact == BY_RUNNING  ? impact_of_running(error)
              : tests[i].impact == BY_OWNER ? impact_of_corrected(error, bank)
                                            : (enum mca_impact)tests[i].impact;
    return tests[i].class;
}

/* ---- All banks --------------------------------------------------------------------------------------------- */

static void add_victim(const struct mca_error *error, const struct mca_bank *bank, struct mca_verdict *verdict)
{
    bool owned = bank->owner == MCA_OWNER_DOMU;
    uint16_t domid = owned ? bank->domid : error->domid;

    for (unsigned i = 0; i < verdict->victims; i++)
        if (verdict->victim[i].domid == domid)
            return;
    /* The vCPU that took the error, else vCPU 0 of the owner. */
    verdict->victim[verdict->victims++] =
        (struct mca_victim){ domid, domid == error->domid ? error->vcpu : 0, owned ? bank : NULL };
}

/* Whether a bank weighs more than what decided so far: UC before CE, then by whom it impacts. */
static bool weighs_more(const struct mca_verdict *verdict, bool corrected, enum mca_impact impact)
{
    if (!verdict->bank || verdict->corrected != corrected)
        return !verdict->bank || !corrected;
    return impact > verdict->impact;
}

void mca_classify(const struct mca_error *error, struct mca_verdict *verdict)
{
    *verdict = (struct mca_verdict){ .first = MCA_I1, .spurious = true };
    for (unsigned i = 0; i < error->count; i++) {
        enum mca_impact impact;
        enum mca_class class = mca_classify_bank(error, &error->bank[i], &impact);

        if (class == MCA_I1)
            continue;
        verdict->several = verdict->several || (verdict->bank && verdict->impact != impact);
        if (!weighs_more(verdict, class == MCA_I2, impact))
            continue;
        verdict->bank = &error->bank[i];
        verdict->first = class;
        verdict->impact = impact;
        verdict->spurious = false;
        verdict->corrected = class == MCA_I2;
    }
    for (unsigned i = 0; i < error->count && verdict->impact == MCA_IMPACT_DOMU; i++) {
        enum mca_impact impact;
        enum mca_class class = mca_classify_bank(error, &error->bank[i], &impact);

        if (impact == MCA_IMPACT_DOMU && (class == MCA_I2) == verdict->corrected)
            add_victim(error, &error->bank[i], verdict);
    }
}
