/* SPDX-License-Identifier: MIT */
/*
 * The 39 rows, written out once more from the decision table itself (slides' case I, step 2a to 3b), and who is
 * impacted.
 */
#include "hv/abi/mca.h"
#include "hv/mca/decide.h"
#include "hv/mca/heal.h"
#include "sim/unit_test.h"

enum { NO, YES, ANY };

static const struct expected {
    const char *id;
    bool corrected;
    enum mca_impact impact;
    int healed;               /* NO, YES, ANY */
    enum mca_domu domu;
    int handler;
    enum mca_answer answer;
    enum mca_first first;
    int notify;               /* -1: not asked */
    enum mca_end end;
} table[] = {
#define XEN MCA_IMPACT_XEN
#define DOM0 MCA_IMPACT_DOM0
#define DOMU MCA_IMPACT_DOMU
    { "CE-1", true, XEN, ANY, 0, YES, 0, MCA_FIRST_VIRQ, -1, MCA_END_NONE },
    { "CE-2", true, XEN, ANY, 0, NO, 0, MCA_FIRST_DUMP, -1, MCA_END_NONE },
    { "CE-3", true, DOM0, ANY, 0, YES, 0, MCA_FIRST_VIRQ, -1, MCA_END_NONE },
    { "CE-4", true, DOM0, ANY, 0, NO, 0, MCA_FIRST_DUMP, -1, MCA_END_NONE },
    { "CE-5", true, DOMU, ANY, MCA_DOMU_HVM, YES, 0, MCA_FIRST_VIRQ, -1, MCA_END_NONE },
    { "CE-6", true, DOMU, ANY, MCA_DOMU_PV_HANDLER, NO, 0, MCA_FIRST_DUMP, -1, MCA_END_NONE },
    { "XU-1", false, XEN, YES, 0, YES, 0, MCA_FIRST_TRAP_DOM0, -1, MCA_END_NONE },
    { "XU-2", false, XEN, YES, 0, NO, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
    { "XU-3", false, XEN, NO, 0, YES, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
    { "XU-4", false, XEN, NO, 0, NO, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
    { "XU-5", false, DOM0, YES, 0, YES, 0, MCA_FIRST_TRAP_DOM0, -1, MCA_END_NONE },
    { "XU-6", false, DOM0, YES, 0, NO, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
    { "XU-7", false, DOM0, NO, 0, YES, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
    { "XU-8", false, DOM0, NO, 0, NO, 0, MCA_FIRST_PANIC, -1, MCA_END_NONE },
#define CAN(a, b, c, d, e, kind)                                                                                     \
    { a, false, DOMU, ANY, kind, YES, MCA_ANSWER_NOTIFY, MCA_FIRST_TRAP_DOM0, MCA_OK, MCA_END_HANDLER },             \
    { b, false, DOMU, ANY, kind, YES, MCA_ANSWER_BOTH, MCA_FIRST_TRAP_DOM0, MCA_OK, MCA_END_OPERATION },             \
    { c, false, DOMU, ANY, kind, YES, MCA_ANSWER_OPERATION, MCA_FIRST_TRAP_DOM0, -1, MCA_END_AS_OPERATED },          \
    { d, false, DOMU, ANY, kind, YES, MCA_ANSWER_NONE, MCA_FIRST_TRAP_DOM0, -1, MCA_END_FALLBACK },                  \
    { e, false, DOMU, ANY, kind, NO, MCA_NO_HANDLER, MCA_FIRST_TRAP_DOMU, -1, MCA_END_HANDLER }
#define CANNOT(a, b, c, d, e, kind)                                                                                  \
    { a, false, DOMU, ANY, kind, YES, MCA_ANSWER_NOTIFY, MCA_FIRST_TRAP_DOM0, MCA_CANNOTHANDLE, MCA_END_KILL_LATER }, \
    { b, false, DOMU, ANY, kind, YES, MCA_ANSWER_BOTH, MCA_FIRST_TRAP_DOM0, MCA_CANNOTHANDLE, MCA_END_AS_OPERATED },  \
    { c, false, DOMU, ANY, kind, YES, MCA_ANSWER_OPERATION, MCA_FIRST_TRAP_DOM0, -1, MCA_END_AS_OPERATED },          \
    { d, false, DOMU, ANY, kind, YES, MCA_ANSWER_NONE, MCA_FIRST_TRAP_DOM0, -1, MCA_END_KILL_LATER },                \
    { e, false, DOMU, ANY, kind, NO, MCA_NO_HANDLER, MCA_FIRST_KILL, -1, MCA_END_KILL }
    CAN("DU-1", "DU-2", "DU-3", "DU-4", "DU-5", MCA_DOMU_PV_HANDLER),
    CANNOT("DU-6", "DU-7", "DU-8", "DU-9", "DU-10", MCA_DOMU_PV),
    CAN("DU-11", "DU-12", "DU-13", "DU-14", "DU-15", MCA_DOMU_HVM_HANDLER),
    CANNOT("DU-16", "DU-17", "DU-18", "DU-19", "DU-20", MCA_DOMU_HVM_DRIVER),
    CANNOT("DU-21", "DU-22", "DU-23", "DU-24", "DU-25", MCA_DOMU_HVM),
};

static struct mca_inputs inputs_of(const struct expected *e, bool healed)
{
    return (struct mca_inputs){ e->corrected, e->impact, healed, e->domu, e->corrected && e->handler,
                                !e->corrected && e->handler, e->answer };
}

START_TEST(each_of_the_39_rows_is_chosen_by_its_inputs_and_says_what_the_table_says)
{
    for (unsigned i = 0; i < 2 * MCA_ROWS; i++) {
        const struct expected *e = &table[i / 2];
        int healed = i % 2 ? YES : NO;
        struct mca_inputs inputs = inputs_of(e, healed);
        const struct mca_row *row;

        if (e->healed != ANY && e->healed != healed)
            continue;
        row = mca_decide(&inputs);
        ck_assert_str_eq(row->id, e->id);
        ck_assert_int_eq(row->first, e->first);
        ck_assert_int_eq(row->notify, e->notify < 0 ? MCA_ANY : e->notify);
        ck_assert_int_eq(row->end, e->end);
        ck_assert_ptr_eq(mca_row_by_id(e->id), row);
    }
}
END_TEST

/* Row arithmetic: 3 x 2, 2 x 2 x 2, 5 x (4 + 1); 6 panic, 3 kill at once, 3 + 3 by deadline. */
START_TEST(there_are_39_rows_and_as_many_of_each_outcome_as_the_slides_give)
{
    unsigned panics = 0, kills = 0, later = 0;

    ck_assert_uint_eq(sizeof(table) / sizeof(table[0]), 39);
    for (unsigned i = 0; i < MCA_ROWS; i++) {
        panics += mca_rows[i].first == MCA_FIRST_PANIC;
        kills += mca_rows[i].first == MCA_FIRST_KILL;
        later += mca_rows[i].end == MCA_END_KILL_LATER;
    }
    ck_assert_uint_eq(panics, 6);
    ck_assert_uint_eq(kills, 3);
    ck_assert_uint_eq(later, 6);
    ck_assert(mca_panics_only_without_dom0(mca_row_by_id("XU-2")));
    ck_assert(mca_panics_only_without_dom0(mca_row_by_id("XU-6")));
    ck_assert(!mca_panics_only_without_dom0(mca_row_by_id("XU-3")));
    ck_assert(!mca_panics_only_without_dom0(mca_row_by_id("XU-4")));
    ck_assert_ptr_null(mca_row_by_id("DU-26"));
}
END_TEST

/* The event handler decides for CE alone, the trap handler for UE alone; without one dom0's answer does not count. */
START_TEST(the_wrong_handler_of_dom0_is_none)
{
    struct mca_inputs ce = { .corrected = true, .impact = XEN, .dom0_trap = true };
    struct mca_inputs ue = { .impact = XEN, .healed = true, .dom0_event = true };
    struct mca_inputs du = { .impact = DOMU, .domu = MCA_DOMU_HVM, .dom0_event = true, .answer = MCA_ANSWER_BOTH };

    ck_assert_str_eq(mca_decide(&ce)->id, "CE-2");
    ck_assert_str_eq(mca_decide(&ue)->id, "XU-2");
    ck_assert_str_eq(mca_decide(&du)->id, "DU-25");
}
END_TEST

/* ---- I1 to I11 --------------------------------------------------------------------------------------------------- */

#define UE (MCA_VAL | MCA_UC | MCA_EN)
#define CE (MCA_VAL | MCA_EN)

static const struct {
    uint64_t status;
    enum mca_owner owner;
    enum mca_context context;
    uint64_t mcg;
    bool nested;
    uint16_t running;
    enum mca_class class;
    enum mca_impact impact;
} classes[] = {
    { 0, MCA_OWNER_NONE, MCA_IN_GUEST, MCG_RIPV, false, 1, MCA_I1, MCA_IMPACT_NOBODY },
    { CE, MCA_OWNER_DOMU, MCA_IN_GUEST, 0, false, 1, MCA_I2, DOMU },
    { CE, MCA_OWNER_DOM0, MCA_IN_GUEST, 0, false, 1, MCA_I2, DOM0 },
    { CE, MCA_OWNER_XEN, MCA_IN_GUEST, 0, false, 1, MCA_I2, XEN },
    { CE, MCA_OWNER_FREE, MCA_IN_GUEST, 0, false, 1, MCA_I2, XEN },
    { CE, MCA_OWNER_NONE, MCA_IN_GUEST, 0, false, 0, MCA_I2, DOM0 },
    { CE | MCA_PCC, MCA_OWNER_NONE, MCA_IN_HV, 0, true, 1, MCA_I2, DOMU },
    { UE, MCA_OWNER_DOMU, MCA_IN_GUEST, MCG_RIPV, true, 1, MCA_I3, XEN },
    { UE | MCA_PCC, MCA_OWNER_DOMU, MCA_IN_HV, MCG_RIPV, false, 1, MCA_I4, XEN },
    { UE | MCA_PCC, MCA_OWNER_FREE, MCA_IN_IDLE, MCG_RIPV, false, MCA_NO_DOMAIN, MCA_I4, XEN },
    { UE, MCA_OWNER_DOMU, MCA_IN_HV, 0, false, 1, MCA_I4, XEN },
    { UE | MCA_PCC, MCA_OWNER_XEN, MCA_IN_GUEST, 0, false, 1, MCA_I5, XEN },
    { UE, MCA_OWNER_XEN, MCA_IN_HV, MCG_RIPV, false, 1, MCA_I5, XEN },
    { UE, MCA_OWNER_DOM0, MCA_IN_GUEST, MCG_RIPV, false, 1, MCA_I6, DOM0 },
    { UE, MCA_OWNER_DOMU, MCA_IN_IDLE, 0, false, MCA_NO_DOMAIN, MCA_I7, XEN },
    { UE, MCA_OWNER_DOMU, MCA_IN_IDLE, MCG_RIPV, false, MCA_NO_DOMAIN, MCA_I8, DOMU },
    { UE | MCA_PCC, MCA_OWNER_DOMU, MCA_IN_GUEST, 0, false, 0, MCA_I8, DOMU },
    { UE, MCA_OWNER_DOMU, MCA_IN_HV, MCG_RIPV, false, 1, MCA_I8, DOMU },
    { UE, MCA_OWNER_FREE, MCA_IN_GUEST, MCG_RIPV, false, 1, MCA_I9, MCA_IMPACT_NOBODY },
    { UE | MCA_PCC, MCA_OWNER_NONE, MCA_IN_GUEST, 0, false, 1, MCA_I10, DOMU },
    { UE, MCA_OWNER_NONE, MCA_IN_HV, MCG_RIPV, false, 0, MCA_I10, DOM0 },
    { UE, MCA_OWNER_NONE, MCA_IN_IDLE, MCG_RIPV, false, MCA_NO_DOMAIN, MCA_I10, XEN },
};

START_TEST(the_first_test_that_matches_gives_class_and_impact)
{
    for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        struct mca_error error = { .via = MCA_VIA_MC, .context = classes[i].context, .mcg_status = classes[i].mcg,
                                   .nested = classes[i].nested, .domid = classes[i].running, .count = 1,
                                   .bank = { { .status = classes[i].status, .owner = classes[i].owner, .domid = 5 } } };
        struct mca_verdict verdict;
        enum mca_impact impact;

        ck_assert_int_eq(mca_classify_bank(&error, &error.bank[0], &impact), classes[i].class);
        ck_assert_int_eq(impact, classes[i].impact);
        mca_classify(&error, &verdict);
        ck_assert_int_eq(verdict.spurious, classes[i].class == MCA_I1);
        ck_assert_int_eq(verdict.corrected, classes[i].class == MCA_I2);
        ck_assert_int_eq(verdict.impact, classes[i].impact);
    }
}
END_TEST

static struct mca_error two_banks(enum mca_owner a, uint16_t a_domid, uint64_t a_status, enum mca_owner b,
                                  uint16_t b_domid, uint64_t b_status)
{
    return (struct mca_error){ .via = MCA_VIA_EXIT, .context = MCA_IN_GUEST, .mcg_status = MCG_RIPV,
                               .domid = 3, .vcpu = 2, .count = 2,
                               .bank = { { .number = 3, .status = a_status, .owner = a, .domid = a_domid },
                                         { .number = 4, .status = b_status, .owner = b, .domid = b_domid } } };
}

START_TEST(of_several_banks_the_highest_decides_and_every_domu_is_a_victim)
{
    struct mca_error error = two_banks(MCA_OWNER_DOMU, 3, UE, MCA_OWNER_DOM0, 0, UE);
    struct mca_verdict verdict;

    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOM0);
    ck_assert(verdict.several);
    ck_assert_uint_eq(verdict.victims, 0);

    error = two_banks(MCA_OWNER_DOM0, 0, UE, MCA_OWNER_XEN, 0, UE);
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, XEN);

    /* The running one on its own vCPU, the other on its vCPU 0. */
    error = two_banks(MCA_OWNER_DOMU, 3, UE, MCA_OWNER_DOMU, 7, UE);
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOMU);
    ck_assert_uint_eq(verdict.victims, 2);
    ck_assert_uint_eq(verdict.victim[0].domid, 3);
    ck_assert_uint_eq(verdict.victim[0].vcpu, 2);
    ck_assert_uint_eq(verdict.victim[1].domid, 7);
    ck_assert_uint_eq(verdict.victim[1].vcpu, 0);

    /* One frame in two banks is one victim. */
    error = two_banks(MCA_OWNER_DOMU, 3, UE, MCA_OWNER_DOMU, 3, UE);
    mca_classify(&error, &verdict);
    ck_assert_uint_eq(verdict.victims, 1);

    /* A CE of Xen beside a UE of a DomU is no more than a CE. */
    error = two_banks(MCA_OWNER_XEN, 0, CE, MCA_OWNER_DOMU, 7, UE);
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOMU);
    ck_assert(!verdict.corrected);
    ck_assert_uint_eq(verdict.victims, 1);
    ck_assert_uint_eq(verdict.victim[0].domid, 7);
    error = two_banks(MCA_OWNER_DOMU, 7, UE, MCA_OWNER_XEN, 0, CE);
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOMU);
    ck_assert(!verdict.corrected);
}
END_TEST

/* A bank that a poll found interrupted nobody, whatever MCG_STATUS reads then. */
START_TEST(what_a_poll_finds_interrupted_nobody)
{
    struct mca_error error = { .via = MCA_VIA_POLL, .context = MCA_IN_HV, .mcg_status = 0, .domid = 3, .count = 1,
                               .bank = { { .status = MCA_VAL | MCA_UC, .owner = MCA_OWNER_DOMU, .domid = 3 } } };
    struct mca_verdict verdict;

    ck_assert(!mca_is_final(&error));
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOMU);
    error.via = MCA_VIA_MC;
    ck_assert(mca_is_final(&error));
    error.mcg_status = MCG_RIPV;
    ck_assert(!mca_is_final(&error));
    error.bank[0].status |= MCA_PCC;
    ck_assert(mca_is_final(&error));
}
END_TEST

/*
 * Bank 4 of the node whose DRAM another node's core read: 0A13h is BUS RES RD MEM LG (BKDG10 table of NB error
 * codes).
 */
START_TEST(what_another_nodes_core_consumed_concerns_that_core)
{
    struct mca_error error = two_banks(MCA_OWNER_DOMU, 3, UE, MCA_OWNER_XEN, 0, 0xB600200000080A13);
    struct mca_verdict verdict;

    ck_assert(mca_is_remote(&error.bank[1]));
    ck_assert(!mca_is_final(&error));
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, DOMU);
    ck_assert_int_eq(verdict.first, MCA_I8);
    error.bank[0] = error.bank[1];
    error.context = MCA_IN_HV;
    error.mcg_status = 0;
    ck_assert(!mca_is_final(&error));
    mca_classify(&error, &verdict);
    ck_assert_int_eq(verdict.impact, MCA_IMPACT_NOBODY);
    ck_assert_int_eq(verdict.first, MCA_REMOTE);
    error.bank[0].status = 0xB400210000080A13; /* the scrubber's: nobody asked */
    ck_assert(!mca_is_remote(&error.bank[0]));
    error.bank[0].status = 0xB600200000080813; /* SRC: a core of this node */
    ck_assert(!mca_is_remote(&error.bank[0]));
    ck_assert(mca_may_concern(0xB600200000080813, 2));
    ck_assert(mca_may_concern(0xB600200400080813, 2));  /* ErrCpu one-hot: core 2 */
    ck_assert(!mca_may_concern(0xB600200400080813, 1));
    ck_assert(mca_may_concern(0xB700200200080813, 2));  /* revision D: bit 56, a number */
    ck_assert(!mca_may_concern(0xB700200000080813, 2));
}
END_TEST

/* BKDG10 signatures: what ADDR holds by bank and code (fact sheet 5.5). */
static const struct {
    unsigned bank;
    uint64_t status;
    bool frame;
} addresses[] = {
    { 4, 0x9400400000080813, true },  /* DRAM ECC */
    { 4, 0x9000400000080813, false }, /* the same without ADDRV */
    { 4, 0xB400000000070F0F, false }, /* watchdog */
    { 4, 0xB4000000001C010B, false }, /* L3 data, scrub: an index */
    { 4, 0xB4000000001C011B, true },  /* L3 data, read */
    { 4, 0xB6000000000B0C0F, false }, /* protocol error */
    { 0, 0x9400400000000136, true },  /* line fill from L2 */
    { 0, 0xB400000000000135, false }, /* data load: parts of the address */
    { 0, 0xB600000000010015, false }, /* L1 DTLB multimatch: linear */
    { 1, 0x9400000000000152, true },  /* line fill */
    { 1, 0x9400000000000151, false }, /* data load: linear */
    { 2, 0xB400000000000813, true },  /* system read, table walk */
    { 2, 0xB40000000002017A, false }, /* tag: way and index */
    { 3, 0xB400000000000833, true },  /* system read for a load */
    { 5, 0xB600000000000F0F, false }, /* CPU watchdog: linear */
};

START_TEST(an_address_counts_where_it_names_memory)
{
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
        ck_assert_int_eq(mca_has_frame(addresses[i].bank, addresses[i].status), addresses[i].frame);
}
END_TEST

/*
 * ---- H1 to H5
 * -----------------------------------------------------------------------------------------------------
 */

START_TEST(what_the_frame_holds_and_whether_it_was_consumed_decides_the_healing)
{
    static const struct {
        enum mca_content content;
        bool final;
        enum mca_heal heal;
        bool success;
    } rows[] = {
        { MCA_HOLDS_NOTHING, false, MCA_H1, true },     { MCA_HOLDS_NOTHING, true, MCA_H1, true },
        { MCA_HOLDS_REBUILDABLE, false, MCA_H2, true }, { MCA_HOLDS_REBUILDABLE, true, MCA_H5, false },
        { MCA_HOLDS_DOM0, false, MCA_H3, true },        { MCA_HOLDS_DOM0, true, MCA_H5, false },
        { MCA_HOLDS_TEXT, false, MCA_H4, true },        { MCA_HOLDS_TEXT, true, MCA_H5, false },
        { MCA_HOLDS_OTHER, false, MCA_H5, false },      { MCA_HOLDS_OTHER, true, MCA_H5, false },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct mca_heal_row *row = mca_heal_choose(rows[i].content, rows[i].final);

        ck_assert_int_eq(row->heal, rows[i].heal);
        ck_assert_int_eq(row->success, rows[i].success);
    }
}
END_TEST

UNIT_TESTS("machine check decisions",
           each_of_the_39_rows_is_chosen_by_its_inputs_and_says_what_the_table_says,
           there_are_39_rows_and_as_many_of_each_outcome_as_the_slides_give,
           the_wrong_handler_of_dom0_is_none,
           the_first_test_that_matches_gives_class_and_impact,
           of_several_banks_the_highest_decides_and_every_domu_is_a_victim,
           what_a_poll_finds_interrupted_nobody,
           what_another_nodes_core_consumed_concerns_that_core,
           an_address_counts_where_it_names_memory,
           what_the_frame_holds_and_whether_it_was_consumed_decides_the_healing)
