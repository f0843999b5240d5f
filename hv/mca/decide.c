/* SPDX-License-Identifier: MIT */
#include "hv/mca/decide.h"

#include <stddef.h>

#include "hv/abi/mca.h"

const char *const mca_domu_names[MCA_DOMU_KINDS] = { "pv_handler", "pv", "hvm_handler", "hvm_driver", "hvm" };
const char *const mca_answer_names[MCA_ANSWERS] = { "notify", "notify+operation", "operation", "none", "no-handler" };

/* 2a: corrected errors. `yes`, `no`: with and without dom0's event handler. */
#define CE(yes, no, impact)                                                                               \
    { yes, 1, impact, MCA_ANY, MCA_ANY, 1, MCA_ANY, MCA_FIRST_VIRQ, MCA_ANY, MCA_END_NONE },               \
    { no, 1, impact, MCA_ANY, MCA_ANY, 0, MCA_ANY, MCA_FIRST_DUMP, MCA_ANY, MCA_END_NONE }

/* 2b: uncorrected ones that impact Xen or dom0: healed or not, with and without dom0's trap handler. */
#define XU(id, impact, healed, handler, first)                                                            \
    { id, 0, impact, healed, MCA_ANY, handler, MCA_ANY, first, MCA_ANY, MCA_END_NONE }

/* 2c, 3a, 3b: uncorrected ones of a DomU. */
#define DU(id, domu, answer, first, notify, end)                                                          \
    { id, 0, MCA_IMPACT_DOMU, MCA_ANY, domu, (answer) != MCA_NO_HANDLER, answer, first, notify, end }
/* Five rows for a kind that has a handler, in the order of enum mca_answer. */
#define DU_CAN_HANDLE(a, b, c, d, e, domu)                                                                \
    DU(a, domu, MCA_ANSWER_NOTIFY, MCA_FIRST_TRAP_DOM0, MCA_OK, MCA_END_HANDLER),                          \
    DU(b, domu, MCA_ANSWER_BOTH, MCA_FIRST_TRAP_DOM0, MCA_OK, MCA_END_OPERATION),                          \
    DU(c, domu, MCA_ANSWER_OPERATION, MCA_FIRST_TRAP_DOM0, MCA_ANY, MCA_END_AS_OPERATED),                  \
    DU(d, domu, MCA_ANSWER_NONE, MCA_FIRST_TRAP_DOM0, MCA_ANY, MCA_END_FALLBACK),                          \
    DU(e, domu, MCA_NO_HANDLER, MCA_FIRST_TRAP_DOMU, MCA_ANY, MCA_END_HANDLER)
#define DU_CANNOT_HANDLE(a, b, c, d, e, domu)                                                             \
    DU(a, domu, MCA_ANSWER_NOTIFY, MCA_FIRST_TRAP_DOM0, MCA_CANNOTHANDLE, MCA_END_KILL_LATER),             \
    DU(b, domu, MCA_ANSWER_BOTH, MCA_FIRST_TRAP_DOM0, MCA_CANNOTHANDLE, MCA_END_AS_OPERATED),              \
    DU(c, domu, MCA_ANSWER_OPERATION, MCA_FIRST_TRAP_DOM0, MCA_ANY, MCA_END_AS_OPERATED),                  \
    DU(d, domu, MCA_ANSWER_NONE, MCA_FIRST_TRAP_DOM0, MCA_ANY, MCA_END_KILL_LATER),                        \
    DU(e, domu, MCA_NO_HANDLER, MCA_FIRST_KILL, MCA_ANY, MCA_END_KILL)

const struct mca_row mca_rows[MCA_ROWS] = {
    CE("CE-1", "CE-2", MCA_IMPACT_XEN),
    CE("CE-3", "CE-4", MCA_IMPACT_DOM0),
    CE("CE-5", "CE-6", MCA_IMPACT_DOMU),
    XU("XU-1", MCA_IMPACT_XEN, 1, 1, MCA_FIRST_TRAP_DOM0),
    XU("XU-2", MCA_IMPACT_XEN, 1, 0, MCA_FIRST_PANIC),
    XU("XU-3", MCA_IMPACT_XEN, 0, 1, MCA_FIRST_PANIC),
    XU("XU-4", MCA_IMPACT_XEN, 0, 0, MCA_FIRST_PANIC),
    XU("XU-5", MCA_IMPACT_DOM0, 1, 1, MCA_FIRST_TRAP_DOM0),
    XU("XU-6", MCA_IMPACT_DOM0, 1, 0, MCA_FIRST_PANIC),
    XU("XU-7", MCA_IMPACT_DOM0, 0, 1, MCA_FIRST_PANIC),
    XU("XU-8", MCA_IMPACT_DOM0, 0, 0, MCA_FIRST_PANIC),
    DU_CAN_HANDLE("DU-1", "DU-2", "DU-3", "DU-4", "DU-5", MCA_DOMU_PV_HANDLER),
    DU_CANNOT_HANDLE("DU-6", "DU-7", "DU-8", "DU-9", "DU-10", MCA_DOMU_PV),
    DU_CAN_HANDLE("DU-11", "DU-12", "DU-13", "DU-14", "DU-15", MCA_DOMU_HVM_HANDLER),
    DU_CANNOT_HANDLE("DU-16", "DU-17", "DU-18", "DU-19", "DU-20", MCA_DOMU_HVM_DRIVER),
    DU_CANNOT_HANDLE("DU-21", "DU-22", "DU-23", "DU-24", "DU-25", MCA_DOMU_HVM),
};

static bool fits(uint8_t wanted, unsigned value)
{
    return wanted == MCA_ANY || wanted == value;
}

const struct mca_row *mca_decide(const struct mca_inputs *in)
{
    bool handler = in->corrected ? in->dom0_event : in->dom0_trap;
    enum mca_answer answer = handler ? in->answer : MCA_NO_HANDLER;

    for (unsigned i = 0; i < MCA_ROWS; i++) {
        const struct mca_row *row = &mca_rows[i];

        if (row->corrected == in->corrected && row->impact == in->impact && row->handler == handler &&
            fits(row->healed, in->healed) && fits(row->domu, in->domu) && fits(row->answer, answer))
            return row;
    }
    return NULL;
}

const struct mca_row *mca_row_by_id(const char *id)
{
    for (unsigned i = 0; i < MCA_ROWS; i++) {
        unsigned at = 0;

        while (id[at] && id[at] == mca_rows[i].id[at])
            at++;
        if (id[at] == mca_rows[i].id[at])
            return &mca_rows[i];
    }
    return NULL;
}

bool mca_panics_only_without_dom0(const struct mca_row *row)
{
    return row->first == MCA_FIRST_PANIC && row->healed == 1 && !row->handler;
}
