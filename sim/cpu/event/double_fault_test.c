/* SPDX-License-Identifier: MIT */
/* Faults during delivery, double and triple faults (APM2 8.2.9), and what SVM sees of them (APM2 15.12, 15.7.2). */
#include "sim/cpu/event/event_setup.h"

#define ABSENT 0x60000u /* top of IST 2, a stack on a page that is not there */

enum trouble { NO_TROUBLE, RAISES_NP, RAISES_PF };

/* Delivering `vector` runs into a gate that is not present, or into a stack that is not. */
static void plant(struct setup *s, unsigned vector, enum trouble trouble)
{
    if (trouble == RAISES_NP)
        set_gate_ist(s, vector, CODE64_0, 0x0E, 1);
    if (trouble == RAISES_PF)
        set_gate_ist(s, vector, CODE64_0, 0x8E, 2);
}

static struct setup *setup_faults(void)
{
    struct setup *s = setup_64(0);

    set_fault_gates(s);
    poke(s, TSS + 0x2C, 8, ABSENT);
    set_page(s, ABSENT - 8, 0);
    return s;
}

static struct event event_of(uint8_t kind, uint8_t vector)
{
    bool has_error = kind == EVENT_EXCEPTION &&
                     (vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC);

    return (struct event){ .vector = vector, .kind = kind, .has_error = has_error, .address = 0xABC };
}

/* First event, what its delivery raises, what is delivered in the end (APM2 table 8-3). */
static const struct {
    uint8_t kind, vector;
    enum trouble trouble;
    uint8_t delivered; /* FFh: shutdown */
} pairs[] = {
    { EVENT_EXCEPTION, EXC_DE, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_DE, RAISES_PF, EXC_PF },
    { EVENT_EXCEPTION, EXC_TS, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_TS, RAISES_PF, EXC_PF },
    { EVENT_EXCEPTION, EXC_SS, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_SS, RAISES_PF, EXC_PF },
    { EVENT_EXCEPTION, EXC_GP, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_GP, RAISES_PF, EXC_PF },
    { EVENT_EXCEPTION, EXC_SX, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_PF, RAISES_NP, EXC_DF },
    { EVENT_EXCEPTION, EXC_PF, RAISES_PF, EXC_DF },
    { EVENT_EXCEPTION, EXC_DF, RAISES_NP, 0xFF },
    { EVENT_EXCEPTION, EXC_DF, RAISES_PF, 0xFF },
    /* the first one benign: the second is delivered */
    { EVENT_EXCEPTION, EXC_DB, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_BP, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_UD, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_NM, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_MF, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_AC, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_MC, RAISES_NP, EXC_NP },
    { EVENT_EXCEPTION, EXC_XF, RAISES_NP, EXC_NP },
    { EVENT_NMI, EXC_NMI, RAISES_NP, EXC_NP },
    { EVENT_INTR, 0x20, RAISES_NP, EXC_NP },
    { EVENT_INTR, 0x20, RAISES_PF, EXC_PF },
    /* an interrupt is benign whatever its vector */
    { EVENT_INTR, EXC_GP, RAISES_NP, EXC_NP },
    { EVENT_SOFT_INT, EXC_GP, RAISES_NP, EXC_NP },
    { EVENT_INTR, EXC_DF, RAISES_PF, EXC_PF },
};

START_TEST(two_exceptions_in_a_row_combine_as_the_table_says)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct setup *s = setup_faults();
        struct event event = event_of(pairs[i].kind, pairs[i].vector);
        enum outcome outcome;

        s->core->cr4 |= CR4_MCE; /* without it #MC is a shutdown */
        plant(s, event.vector, pairs[i].trouble);
        outcome = event_deliver(s->core, &event);
        if (pairs[i].delivered == 0xFF)
            ck_assert_int_eq(outcome, OUTCOME_SHUTDOWN);
        else
            assert_handler(s, outcome, pairs[i].delivered);
        if (pairs[i].delivered == EXC_DF) {
            assert_hex(peek(s, s->core->gpr[RSP], 8), 0); /* #DF's error code is 0 */
            assert_hex(peek(s, s->core->gpr[RSP] + 24, 8), RFLAGS_IF | 2);
        }
        if (pairs[i].trouble == RAISES_PF)
            assert_hex(s->core->cr2, ABSENT - 8);
        setup_free(s);
    }
}
END_TEST

START_TEST(a_fault_of_the_double_fault_shuts_down)
{
    struct setup *s = setup_faults();

    plant(s, EXC_GP, RAISES_NP);
    plant(s, EXC_DF, RAISES_PF);
    ck_assert_int_eq(deliver_error(s, EXC_GP, 0), OUTCOME_SHUTDOWN);
    assert_hex(s->core->rip, CODE);
    setup_free(s);
}
END_TEST

START_TEST(a_benign_fault_without_end_is_a_shutdown_not_a_hang)
{
    struct setup *s = setup_protected(3);

    set_fault_gates(s); /* at CPL 3, whose pushes are checked for alignment */
    s->core->cr0 |= CR0_AM;
    rflags_write(s->core, RFLAGS_AC | 2);
    s->core->gpr[RSP] = STACK - 2;
    ck_assert_int_eq(deliver(s, EVENT_EXCEPTION, EXC_UD), OUTCOME_SHUTDOWN);
    setup_free(s);
}
END_TEST

/* ---- CR2, DR6, masks ----------------------------------------------------------------------------------- */

START_TEST(a_page_fault_writes_cr2_and_a_debug_exception_dr6)
{
    struct setup *s = setup_faults();
    struct core *core = s->core;

    ck_assert_int_eq(event_deliver(core, &(struct event){ .vector = EXC_PF, .kind = EVENT_EXCEPTION,
                                                          .has_error = true, .address = 0x12345 }), OUTCOME_NEXT);
    assert_hex(core->cr2, 0x12345);
    core->dr6 = 0xFFFF4FF3; /* BS, B1, B0 from before */
    core->dr7 = 0x2400;     /* GD */
    ck_assert_int_eq(event_deliver(core, &(struct event){ .vector = EXC_DB, .kind = EVENT_EXCEPTION,
                                                          .address = BIT(2) | BIT(15) }), OUTCOME_NEXT);
    assert_hex(core->dr6, 0xFFFFCFF4); /* B3-B0 replaced, BS kept, BT added (APM2 13.1.1.3) */
    assert_hex(core->dr7, 0x400);      /* GD cleared, so that the handler may touch DRn (APM2 13.1.1.4) */
    setup_free(s);
}
END_TEST

START_TEST(rf_is_pushed_set_for_faults_only)
{
    static const struct {
        uint8_t kind, vector;
        bool rf;
    } cases[] = {
        { EVENT_EXCEPTION, EXC_DE, true },   { EVENT_EXCEPTION, EXC_UD, true }, { EVENT_EXCEPTION, EXC_PF, true },
        { EVENT_EXCEPTION, EXC_DB, false },  { EVENT_INTR, EXC_GP, false },     { EVENT_NMI, EXC_NMI, false },
        { EVENT_SOFT_INT, EXC_UD, false },   { EVENT_EXCEPTION, EXC_DF, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_faults();
        struct event event = event_of(cases[i].kind, cases[i].vector);

        ck_assert_int_eq(event_deliver(s->core, &event), OUTCOME_NEXT);
        assert_hex(peek(s, STACK_IST - 24, 8) & RFLAGS_RF, cases[i].rf ? RFLAGS_RF : 0);
        setup_free(s);
    }
}
END_TEST

START_TEST(an_nmi_masks_nmis_and_every_delivery_ends_the_shadow)
{
    struct setup *s = setup_faults();

    s->core->interrupt_shadow = s->core->shadow_blocks_debug = true;
    assert_handler(s, deliver(s, EVENT_NMI, EXC_NMI), EXC_NMI);
    ck_assert(s->core->nmi_masked && !s->core->interrupt_shadow && !s->core->shadow_blocks_debug);
    setup_free(s);
}
END_TEST

/* ---- SVM ------------------------------------------------------------------------------------------------ */

START_TEST(an_intercepted_exception_exits_before_anything_is_delivered)
{
    struct setup *s = setup_faults();
    struct core *core = s->core;

    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_PF);
    core->cr2 = 0x77;
    assert_exit(s, event_deliver(core, &(struct event){ .vector = EXC_PF, .kind = EVENT_EXCEPTION, .has_error = true,
                                                        .error = 6, .address = 0x12345 }), 0x4E, 6, 0x12345);
    assert_hex(core->cr2, 0x77); /* the address is in EXITINFO2 alone */
    assert_hex(core->rip, CODE);
    ck_assert(!core->svm.delivering_valid);
    intercept(s, VMEXIT_EXCP0 + EXC_DB);
    assert_exit(s, event_deliver(core, &(struct event){ .vector = EXC_DB, .kind = EVENT_EXCEPTION,
                                                        .address = BIT(14) }), 0x41, 0, 0);
    assert_hex(core->dr6, 0xFFFF4FF0); /* DR6 is up to date at the exit */
    setup_free(s);
}
END_TEST

START_TEST(interrupts_and_icebp_match_no_exception_intercept)
{
    struct setup *s = setup_faults();

    become_guest(s);
    s->core->svm.intercept[VMEXIT_EXCP0 >> 5] = ~0u;
    assert_handler(s, deliver(s, EVENT_INTR, EXC_GP), EXC_GP);
    assert_handler(s, deliver(s, EVENT_SOFT_INT, EXC_PF), EXC_PF);
    assert_handler(s, deliver(s, EVENT_NMI, EXC_NMI), EXC_NMI);
    assert_handler(s, RESOLVE(s, "\xF1"), EXC_DB);
    assert_hex(s->core->dr6, 0xFFFF0FF0); /* and leaves DR6 alone */
    setup_free(s);
}
END_TEST

START_TEST(an_intercepted_fault_of_a_delivery_reports_the_event_in_exitintinfo)
{
    struct setup *s = setup_faults();
    struct core *core = s->core;

    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_NP);
    plant(s, 0x20, RAISES_NP);
    assert_exit(s, deliver(s, EVENT_INTR, 0x20), 0x4B, 0x103, 0); /* 20h * 8 + IDT + EXT */
    ck_assert(core->svm.delivering_valid);
    assert_hex(core->svm.delivering.vector, 0x20);
    assert_hex(core->svm.delivering.kind, EVENT_INTR);
    /* #GP then #NP: the intercept comes before combining */
    plant(s, EXC_GP, RAISES_NP);
    assert_exit(s, deliver_error(s, EXC_GP, 0x18), 0x4B, 0x6B, 0);
    ck_assert(core->svm.delivering_valid);
    assert_hex(core->svm.delivering.vector, EXC_GP);
    assert_hex(core->svm.delivering.error, 0x18);
    setup_free(s);
}
END_TEST

START_TEST(an_intercepted_double_fault_has_no_exitintinfo)
{
    struct setup *s = setup_faults();

    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_DF);
    plant(s, EXC_GP, RAISES_NP);
    assert_exit(s, deliver_error(s, EXC_GP, 0), 0x48, 0, 0);
    ck_assert(!s->core->svm.delivering_valid);
    setup_free(s);
}
END_TEST

START_TEST(nested_faults_leave_the_aggregate_in_exitintinfo)
{
    struct setup *s = setup_faults();

    /* #GP, then #NP: #DF, whose stack page-faults; #PF is intercepted (APM2 15.12) */
    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_PF);
    plant(s, EXC_GP, RAISES_NP);
    plant(s, EXC_DF, RAISES_PF);
    assert_exit(s, deliver_error(s, EXC_GP, 0), 0x4E, 2, ABSENT - 8);
    ck_assert(s->core->svm.delivering_valid);
    assert_hex(s->core->svm.delivering.vector, EXC_DF);
    setup_free(s);
}
END_TEST

START_TEST(a_triple_fault_exits_when_shutdown_is_intercepted)
{
    struct setup *s = setup_faults();

    become_guest(s);
    intercept(s, VMEXIT_SHUTDOWN);
    plant(s, EXC_DF, RAISES_NP);
    assert_exit(s, deliver_error(s, EXC_DF, 0), 0x7F, 0, 0);
    setup_free(s);
}
END_TEST

START_TEST(an_injected_event_is_not_intercepted_but_its_faults_are)
{
    struct setup *s = setup_faults();
    struct core *core = s->core;
    struct event gp = event_of(EVENT_EXCEPTION, EXC_GP), db = event_of(EVENT_EXCEPTION, EXC_DB);

    become_guest(s);
    core->svm.intercept[VMEXIT_EXCP0 >> 5] = ~0u;
    core->next_rip = CODE + 5; /* of no meaning on 10h-b3: rip is pushed */
    assert_handler(s, event_inject(core, &gp), EXC_GP);
    assert_handler(s, event_inject(core, &db), EXC_DB);
    assert_hex(core->dr6, 0xFFFF0FF0);
    assert_handler(s, event_inject(core, &(struct event){ .vector = EXC_NMI, .kind = EVENT_NMI }), EXC_NMI);
    ck_assert(!core->nmi_masked);
    core->rip = CODE;
    assert_handler(s, event_inject(core, &(struct event){ .vector = 0x1F, .kind = EVENT_SOFT_INT }), 0x1F);
    assert_hex(peek(s, STACK_IST - 40, 8), CODE);
    plant(s, EXC_GP, RAISES_NP);
    assert_exit(s, event_inject(core, &gp), 0x4B, 0x6B, 0);
    ck_assert(core->svm.delivering_valid && core->svm.delivering.vector == EXC_GP);
    setup_free(s);
}
END_TEST

START_TEST(with_nrips_injected_software_events_push_next_rip)
{
    static const struct {
        struct event event;
        unsigned pushed; /* behind CODE */
    } rows[] = {
        { { .vector = 0x1F, .kind = EVENT_SOFT_INT }, 5 },
        { { .vector = EXC_BP, .kind = EVENT_EXCEPTION, .breakpoint = true }, 5 },
        { { .vector = EXC_DE, .kind = EVENT_EXCEPTION }, 0 },
        { { .vector = 0x1F, .kind = EVENT_INTR }, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct setup *s = setup_faults();

        s->core->model = cpu_model_find("10h-c2");
        become_guest(s);
        s->core->next_rip = CODE + 5;
        assert_handler(s, event_inject(s->core, &rows[i].event), rows[i].event.vector);
        assert_hex(peek(s, STACK_IST - 40, 8), CODE + rows[i].pushed);
        setup_free(s);
    }
}
END_TEST

START_TEST(int3_and_into_exit_at_the_instruction_and_push_the_next)
{
    struct setup *s = setup_faults();

    assert_handler(s, RESOLVE(s, "\xCC"), EXC_BP);
    assert_hex(peek(s, STACK_IST - 40, 8), CODE + 1);
    setup_free(s);
    s = setup_faults();
    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_BP);
    assert_exit(s, RESOLVE(s, "\xCC"), 0x43, 0, 0);
    assert_hex(s->core->rip, CODE);
    setup_free(s);
    s = setup_protected(0);
    set_fault_gates(s);
    ck_assert_int_eq(RUN(s, "\xCE"), OUTCOME_NEXT); /* OF = 0 */
    rflags_write(s->core, RFLAGS_OF | 2);
    s->core->rip = CODE;
    assert_handler(s, RESOLVE(s, "\xCE"), EXC_OF);
    assert_hex(peek(s, STACK - 12, 4), CODE + 1);
    become_guest(s);
    intercept(s, VMEXIT_EXCP0 + EXC_OF);
    rflags_write(s->core, RFLAGS_OF | 2);
    assert_exit(s, RESOLVE(s, "\xCE"), 0x44, 0, 0);
    setup_free(s);
}
END_TEST

START_TEST(int3_checks_the_gates_dpl_and_icebp_does_not)
{
    struct setup *s = setup_64(3);

    set_fault_gates(s); /* DPL 0 */
    assert_handler_error(s, RESOLVE(s, "\xCC"), EXC_GP, EXC_BP * 8 | 2);
    setup_free(s);
    s = setup_64(3);
    set_fault_gates(s);
    assert_handler(s, RESOLVE(s, "\xF1"), EXC_DB);
    assert_hex(peek(s, STACK_IST - 40, 8), CODE + 1);
    setup_free(s);
}
END_TEST

UNIT_TESTS("double_fault", two_exceptions_in_a_row_combine_as_the_table_says,
           a_fault_of_the_double_fault_shuts_down,
           a_benign_fault_without_end_is_a_shutdown_not_a_hang,
           a_page_fault_writes_cr2_and_a_debug_exception_dr6,
           rf_is_pushed_set_for_faults_only,
           an_nmi_masks_nmis_and_every_delivery_ends_the_shadow,
           an_intercepted_exception_exits_before_anything_is_delivered,
           interrupts_and_icebp_match_no_exception_intercept,
           an_intercepted_fault_of_a_delivery_reports_the_event_in_exitintinfo,
           an_intercepted_double_fault_has_no_exitintinfo,
           nested_faults_leave_the_aggregate_in_exitintinfo,
           a_triple_fault_exits_when_shutdown_is_intercepted,
           an_injected_event_is_not_intercepted_but_its_faults_are,
           with_nrips_injected_software_events_push_next_rip,
           int3_and_into_exit_at_the_instruction_and_push_the_next,
           int3_checks_the_gates_dpl_and_icebp_does_not)
