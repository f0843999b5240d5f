/* SPDX-License-Identifier: MIT */
/*
 * The decision table of case I: 39 rows, CE-1 to CE-6, XU-1 to XU-8, DU-1 to DU-25 (doc/mca.md), and what a machine
 * check is that nobody owns (I9). Data; the code only looks rows up. Pure.
 */
#ifndef HV_MCA_DECIDE_H
#define HV_MCA_DECIDE_H

#include "hv/mca/classify.h"

enum mca_domu { MCA_DOMU_PV_HANDLER, MCA_DOMU_PV, MCA_DOMU_HVM_HANDLER, MCA_DOMU_HVM_DRIVER, MCA_DOMU_HVM,
                MCA_DOMU_KINDS };
extern const char *const mca_domu_names[MCA_DOMU_KINDS];

/* What dom0 does about an error that impacts a DomU. */
enum mca_answer { MCA_ANSWER_NOTIFY, MCA_ANSWER_BOTH, MCA_ANSWER_OPERATION, MCA_ANSWER_NONE, MCA_NO_HANDLER,
                  MCA_ANSWERS };
extern const char *const mca_answer_names[MCA_ANSWERS];

/* Who is told, and how, when hv has decided. */
enum mca_first {
    MCA_FIRST_VIRQ,      /* VIRQ_MCA to dom0 */
    MCA_FIRST_DUMP,      /* the record goes to the console, its slot is released */
    MCA_FIRST_TRAP_DOM0, /* T0 */
    MCA_FIRST_TRAP_DOMU, /* hv itself gives DomU trap 18 */
    MCA_FIRST_PANIC,
    MCA_FIRST_KILL       /* hv ends DomU */
};

/* How it ends for the DomU. */
enum mca_end {
    MCA_END_NONE,        /* there is none, or nobody stops */
    MCA_END_HANDLER,     /* trapped: it heals itself and goes on */
    MCA_END_OPERATION,   /* trapped, and what dom0's operation does comes on top */
    MCA_END_AS_OPERATED, /* not trapped; goes on or ends as dom0's operation says */
    MCA_END_FALLBACK,    /* at the deadline, as without dom0's handler: hv gives the trap itself */
    MCA_END_KILL_LATER,  /* unless dom0 operates before the deadline, hv ends it */
    MCA_END_KILL
};

#define MCA_ANY 0xFF
struct mca_row {
    char id[6];
    /* Which error: */
    uint8_t corrected;   /* 1: CE */
    uint8_t impact;      /* enum mca_impact */
    uint8_t healed;      /* 0, 1; MCA_ANY */
    uint8_t domu;        /* enum mca_domu; MCA_ANY */
    uint8_t handler;     /* dom0's: of the event for CE, of the trap for UE */
    uint8_t answer;      /* enum mca_answer; MCA_ANY */
    /* What becomes of it: */
    uint8_t first;       /* enum mca_first */
    uint8_t notify;      /* notifydomain's result: MCA_OK, MCA_CANNOTHANDLE; MCA_ANY: not asked */
    uint8_t end;         /* enum mca_end */
};
#define MCA_ROWS 39
extern const struct mca_row mca_rows[MCA_ROWS];

struct mca_inputs {
    bool corrected;
    enum mca_impact impact;
    bool healed;
    enum mca_domu domu;
    bool dom0_event, dom0_trap;
    enum mca_answer answer; /* of a UE that impacts a DomU while dom0 has a trap handler */
};

/* Never NULL for an impact other than NOBODY. */
const struct mca_row *mca_decide(const struct mca_inputs *inputs);
const struct mca_row *mca_row_by_id(const char *id);
/* Whether hv is to panic although healed for want of a handler in dom0 (XU-2, XU-6); relaxed by an option. */
bool mca_panics_only_without_dom0(const struct mca_row *row);

#endif
