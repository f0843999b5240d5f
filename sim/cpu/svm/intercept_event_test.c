/* SPDX-License-Identifier: MIT */
/*
 * Intercepts of exceptions and of events between instructions, injection, and their order, through the run
 * loop (fact sheet 3.4, 3.9-3.11). One guest for each row; with and without the intercept.
 */
#include "sim/cpu/svm/guest_fixture.h"

#define CODE(bytes) bytes, sizeof(bytes) - 1

static void put_code(struct fixture *fix, const char *code, unsigned length)
{
    memset(fix->memory + GUEST_CODE, 0x90, 64);
    memcpy(fix->memory + GUEST_CODE, code, length);
}

static void fresh(struct fixture *fix, unsigned bits, const char *code, unsigned length)
{
    memset(fix->memory, 0, sizeof(fix->memory));
    put_guest(fix, bits == 64);
    put_code(fix, code, length);
}

#define EXIT(fix) field(fix, VMCB_EXITCODE, 8)

/* ---- Exceptions that instructions raise ------------------------------------------------------------------ */

struct exception_case {
    const char *code;
    unsigned length, bits;
    unsigned vector;
    uint64_t info1, info2; /* error code; #PF: address */
    uint64_t rax;
    uint64_t rflags;       /* besides IF */
    unsigned rip;          /* saved, from GUEST_CODE */
};

static const struct exception_case exceptions[] = {
    { CODE("\xF7\xF1"), 64, EXC_DE, 0, 0, 0, 0, 0 },                             /* div ecx, by 0 */
    { CODE("\x90"), 64, EXC_DB, 0, 0, 0, RFLAGS_TF, 1 },                         /* trap: the next instruction */
    { CODE("\xCC"), 64, EXC_BP, 0, 0, 0, 0, 0 },                                 /* int3: itself */
    { CODE("\xCE"), 32, EXC_OF, 0, 0, 0, RFLAGS_OF, 0 },                         /* into: itself */
    { CODE("\x62\x03"), 32, EXC_BR, 0, 0, 5, 0, 0 },                             /* bound eax, [ebx]: 0..0 */
    { CODE("\x0F\x0B"), 64, EXC_UD, 0, 0, 0, 0, 0 },                             /* ud2 */
    { CODE("\x8E\xD8"), 64, EXC_NP, SEL_ABSENT, 0, SEL_ABSENT, 0, 0 },           /* mov ds, ax */
    { CODE("\x8E\xD0"), 64, EXC_SS, SEL_ABSENT, 0, SEL_ABSENT, 0, 0 },           /* mov ss, ax */
    { CODE("\x8E\xD8"), 64, EXC_GP, 0xFFF0, 0, 0xFFF0, 0, 0 },                   /* beyond the GDT's limit */
    { CODE("\x8B\x00"), 64, EXC_PF, 0, 0x412345, 0x412345, 0, 0 },               /* mov eax, [rax]: not present */
    { CODE("\x89\x00"), 64, EXC_PF, 2, 0x412345, 0x412345, 0, 0 },               /* a write */
};

static struct core *exception_guest(struct fixture *fix, const struct exception_case *one)
{
    struct core *core;

    fresh(fix, one->bits, one->code, one->length);
    put(fix, VMCB_PA + VMCB_RAX, 8, one->rax);
    put(fix, VMCB_PA + VMCB_RFLAGS, 8, RFLAGS_IF | 2 | one->rflags);
    put(fix, VMCB_PA + VMCB_CR2, 8, 0xC2);
    core = fix->core[0];
    core->gpr[RBX] = GUEST_DATA;
    core->gpr[RCX] = 0;
    return core;
}

START_TEST(an_intercepted_exception_exits_before_it_is_delivered)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(exceptions); i++) {
        const struct exception_case *one = &exceptions[i];
        struct core *core = exception_guest(fix, one);

        put_intercept(fix, VMEXIT_EXCP0 + one->vector);
        enter_guest(fix);
        for (unsigned step = 0; step < 2 && core->svm.guest; step++)
            core_step(core);
        ck_assert_msg(!core->svm.guest, "vector %u", one->vector);
        ck_assert_uint_eq(EXIT(fix), 0x40 + one->vector);
        ck_assert_msg(field(fix, VMCB_EXITINFO1, 8) == one->info1, "vector %u: EXITINFO1 %llX", one->vector,
                      (unsigned long long)field(fix, VMCB_EXITINFO1, 8));
        ck_assert_uint_eq(field(fix, VMCB_EXITINFO2, 8), one->info2);
        ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
        ck_assert_uint_eq(field(fix, VMCB_RIP, 8), GUEST_CODE + one->rip);
        ck_assert_uint_eq(field(fix, VMCB_RSP, 8), GUEST_STACK); /* nothing was pushed */
        ck_assert_uint_eq(field(fix, VMCB_CR2, 8), 0xC2);        /* #PF: the address is in EXITINFO2 alone */
        if (one->vector == EXC_DB)
            ck_assert_uint_eq(field(fix, VMCB_DR6, 8), 0xFFFF4FF0); /* DR6 is written before the exit: BS */
    }
    fixture_free(fix);
}
END_TEST

START_TEST(an_exception_that_is_not_intercepted_is_the_guests_own)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(exceptions); i++) {
        const struct exception_case *one = &exceptions[i];
        struct core *core = exception_guest(fix, one);

        put(fix, VMCB_PA + 0x008, 4, ~(1u << one->vector)); /* every other one is intercepted */
        enter_guest(fix);
        for (unsigned step = 0; step < 2 && guest_vector(core) < 0; step++)
            core_step(core);
        ck_assert_msg(core->svm.guest, "vector %u: exit %llX", one->vector, (unsigned long long)EXIT(fix));
        ck_assert_int_eq(guest_vector(core), (int)one->vector);
        if (one->vector == EXC_PF)
            ck_assert_uint_eq(core->cr2, one->info2);
        fixture_leave(core, VMEXIT_INTR, 0, 0);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(int_n_with_an_exceptions_vector_is_no_exception)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\xCD\x06"));
    put_intercept(fix, VMEXIT_EXCP0 + 6);
    core = enter_guest(fix);
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_int_eq(guest_vector(core), 6);
    fixture_free(fix);
}
END_TEST

/* ---- Double fault, shutdown, nested paging, task switch ---------------------------------------------------- */

/* #GP whose gate is missing (limit 16 bytes in IDT): #GP while delivering #GP is #DF, then shutdown. */
static struct core *faulting_delivery(struct fixture *fix, unsigned intercept, uint16_t idt_limit)
{
    fresh(fix, 64, CODE("\x8E\xD8"));
    put(fix, VMCB_PA + VMCB_RAX, 8, 0xFFF0);
    put(fix, VMCB_PA + VMCB_IDTR + VMCB_SEG_LIMIT, 4, idt_limit);
    put_intercept(fix, intercept);
    enter_guest(fix);
    core_step(fix->core[0]);
    return fix->core[0];
}

START_TEST(double_faults_and_shutdown_exit)
{
    struct fixture *fix = fixture_new("10h-b3");

    faulting_delivery(fix, VMEXIT_EXCP0 + EXC_DF, 0);
    ck_assert_uint_eq(EXIT(fix), 0x048);
    ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
    faulting_delivery(fix, VMEXIT_SHUTDOWN, 0);
    ck_assert_uint_eq(EXIT(fix), 0x07F);
    /* With a #GP intercept it does not come to that: the first one exits, under delivery of nothing. */
    faulting_delivery(fix, VMEXIT_EXCP0 + EXC_GP, 0);
    ck_assert_uint_eq(EXIT(fix), 0x04D);
    ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_triple_fault_that_is_not_intercepted_stops_the_processor)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = faulting_delivery(fix, VMEXIT_HLT, 0);

    ck_assert(core->shutdown);
    fixture_free(fix);
}
END_TEST

/* #NP raised while an external interrupt is delivered: its gate is absent. Type 0, vector 21h. */
START_TEST(an_exception_during_delivery_reports_the_event_in_exitintinfo)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x90"));
    put(fix, GUEST_IDT + 16 * 0x21, 8, UINT64_C(0x0E0000000000) | SEL_CODE64 << 16);
    put(fix, VMCB_PA + VMCB_EVENTINJ, 8, 0x80000021);
    put_intercept(fix, VMEXIT_EXCP0 + EXC_NP);
    core = fixture_host(fix);
    put(fix, HOST_RIP, 4, 0xF4D8010F);
    put(fix, 0x7000 + 16 * EXC_NP, 8, 0);
    block_cache_stored(fix->blocks, HOST_RIP, 4);
    core_step(core); /* VMRUN through the run loop: it delivers the injected event */
    ck_assert(!core->svm.guest);
    ck_assert_uint_eq(EXIT(fix), 0x04B);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), 0x21 * 8 + 3); /* error code: IDT, EXT */
    ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0x80000021);
    ck_assert_uint_eq(field(fix, VMCB_EVENTINJ, 8), 0x21);
    fixture_free(fix);
}
END_TEST

/* Nested tables that map 0-2M except that nothing else is there: a guest access at 300000h. */
START_TEST(a_missing_nested_page_exits_with_its_address)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x8B\x00"));
    put(fix, N_CR3_PA, 8, 0x21007);
    put(fix, 0x21000, 8, 0x22007);
    put(fix, 0x22000, 8, 0x00087);
    put(fix, 0x32008, 8, 0x200087); /* the guest's own table maps it */
    put(fix, VMCB_PA + VMCB_NP_ENABLE, 8, 1);
    put(fix, VMCB_PA + VMCB_N_CR3, 8, N_CR3_PA);
    put(fix, VMCB_PA + VMCB_RAX, 8, 0x312340);
    core = enter_guest(fix);
    core_step(core);
    ck_assert(!core->svm.guest);
    ck_assert_uint_eq(EXIT(fix), 0x400);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), UINT64_C(0x100000004)); /* final, user, not present */
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO2, 8), 0x312340);
    ck_assert_uint_eq(field(fix, VMCB_RIP, 8), GUEST_CODE);
    fixture_free(fix);
}
END_TEST

START_TEST(a_task_switch_exits_with_selector_and_cause)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 32, CODE("\xEA\x00\x00\x00\x00\x48\x00")); /* jmp 48h:0, a free 386 TSS */
    put_segment(fix, VMCB_TR, SEL_TSS64, 0x08B, 0x67, GUEST_TSS);
    put_intercept(fix, VMEXIT_TASK_SWITCH);
    core = enter_guest(fix);
    core_step(core);
    ck_assert(!core->svm.guest);
    ck_assert_uint_eq(EXIT(fix), 0x07D);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), SEL_TSS32);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO2, 8), BIT(38)); /* far jump */
    ck_assert_uint_eq(field(fix, VMCB_RIP, 8), GUEST_CODE);
    fixture_free(fix);
}
END_TEST

/* ---- Between instructions ------------------------------------------------------------------------------------ */

static void raise_interrupt(struct core *core, uint8_t vector)
{
    apic_enter(core->apic);
    core_apic_deliver(core, &(struct apic_message){ .type = APIC_FIXED, .vector = vector });
}

START_TEST(physical_events_exit_and_stay_pending)
{
    static const unsigned codes[] = { VMEXIT_INTR, VMEXIT_NMI, VMEXIT_SMI, VMEXIT_INIT };

    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        struct fixture *fix = fixture_new("10h-b3");
        struct core *core;

        fresh(fix, 64, CODE("\x90\x90"));
        put_intercept(fix, codes[i]);
        core = enter_guest(fix);
        if (codes[i] == VMEXIT_INTR)
            raise_interrupt(core, 0x55);
        core->nmi_pending = codes[i] == VMEXIT_NMI;
        core->smi_pending = codes[i] == VMEXIT_SMI;
        core->init_pending = codes[i] == VMEXIT_INIT;
        core_attention(core);
        core_step(core);
        ck_assert_msg(!core->svm.guest, "%s", vmexit_name(codes[i]));
        ck_assert_uint_eq(EXIT(fix), codes[i]);
        ck_assert_uint_eq(field(fix, VMCB_RIP, 8), GUEST_CODE);
        ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), codes[i] == VMEXIT_SMI); /* SMI: external */
        ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
        ck_assert(codes[i] != VMEXIT_INTR || apic_interrupt_ready(core));
        ck_assert_int_eq(core->nmi_pending, codes[i] == VMEXIT_NMI);
        ck_assert_int_eq(core->smi_pending, codes[i] == VMEXIT_SMI);
        ck_assert_int_eq(core->init_pending, codes[i] == VMEXIT_INIT);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(without_the_intercept_the_guest_takes_intr_and_nmi)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x90\x90"));
    core = enter_guest(fix);
    raise_interrupt(core, 0x35);
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_int_eq(guest_vector(core), 0x35);
    core->nmi_pending = true;
    core_attention(core);
    core_step(core);
    ck_assert_int_eq(guest_vector(core), EXC_NMI);
    fixture_free(fix);
}
END_TEST

START_TEST(init_with_r_init_becomes_sx_with_error_code_1)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x90\x90"));
    put_intercept(fix, VMEXIT_EXCP0 + EXC_SX);
    core = enter_guest(fix);
    core->svm.vm_cr = 2; /* r_init */
    core->init_pending = true;
    core_attention(core);
    core_step(core);
    ck_assert_uint_eq(EXIT(fix), 0x05E);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), 1);
    ck_assert(!core->init_pending);
    fixture_free(fix);
}
END_TEST

START_TEST(a_machine_check_exits_with_vector_18)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x90\x90"));
    put(fix, VMCB_PA + VMCB_CR4, 8, 0x60); /* MCE */
    put_intercept(fix, VMEXIT_EXCP0 + EXC_MC);
    core = enter_guest(fix);
    core->mc_pending = true;
    core_attention(core);
    core_step(core);
    ck_assert_uint_eq(EXIT(fix), 0x052);
    fixture_free(fix);
}
END_TEST

/* V_IRQ: vector 33h, priority in 19:16. */
static struct core *virtual_interrupt(struct fixture *fix, unsigned prio, unsigned v_tpr, bool intercept)
{
    fresh(fix, 64, CODE("\x90\x90"));
    put(fix, VMCB_PA + VMCB_V_INTR, 8, UINT64_C(0x3301000100) | prio << 16 | v_tpr);
    if (intercept)
        put_intercept(fix, VMEXIT_VINTR);
    return enter_guest(fix);
}

START_TEST(a_virtual_interrupt_is_delivered_or_exits_with_v_irq_still_set)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = virtual_interrupt(fix, 3, 2, false);

    core_step(core);
    ck_assert_int_eq(guest_vector(core), 0x33);
    ck_assert(!core->svm.v_irq);
    ck_assert_uint_eq(fix->intacks, 0);
    fixture_leave(core, VMEXIT_INTR, 0, 0);
    ck_assert_uint_eq(field(fix, VMCB_V_INTR, 8) >> 8 & 1, 0);
    core = virtual_interrupt(fix, 3, 2, true);
    core_step(core);
    ck_assert_uint_eq(EXIT(fix), 0x064);
    ck_assert_uint_eq(field(fix, VMCB_V_INTR, 8) >> 8 & 1, 1);
    ck_assert_uint_eq(field(fix, VMCB_RIP, 8), GUEST_CODE);
    core = virtual_interrupt(fix, 3, 3, true); /* equal: neither taken nor exits */
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_uint_eq(core->rip, GUEST_CODE + 1);
    fixture_free(fix);
}
END_TEST

START_TEST(a_physical_interrupt_goes_before_a_virtual_one)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = virtual_interrupt(fix, 3, 2, true);

    core->svm.intercept[3] |= 1; /* INTR */
    raise_interrupt(core, 0x55);
    core_step(core);
    ck_assert_uint_eq(EXIT(fix), VMEXIT_INTR);
    ck_assert_uint_eq(field(fix, VMCB_V_INTR, 8) >> 8 & 1, 1);
    fixture_free(fix);
}
END_TEST

START_TEST(the_vmcbs_interrupt_shadow_holds_the_interrupt_for_one_instruction)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\x90\x90\x90"));
    put(fix, VMCB_PA + VMCB_INTERRUPT_SHADOW, 8, 1);
    put_intercept(fix, VMEXIT_VINTR);
    put(fix, VMCB_PA + VMCB_V_INTR, 8, UINT64_C(0x3301030100));
    core = enter_guest(fix);
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_uint_eq(core->rip, GUEST_CODE + 1);
    core_step(core);
    ck_assert_uint_eq(EXIT(fix), VMEXIT_VINTR);
    ck_assert_uint_eq(field(fix, VMCB_INTERRUPT_SHADOW, 8), 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_halted_guest_wakes_for_its_virtual_interrupt)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fresh(fix, 64, CODE("\xF4\x90"));
    put(fix, VMCB_PA + VMCB_INTERRUPT_SHADOW, 8, 1); /* past the HLT, then it is due */
    put(fix, VMCB_PA + VMCB_V_INTR, 8, UINT64_C(0x3301030100));
    core = enter_guest(fix);
    core_step(core);
    ck_assert(core_wakes(core));
    core_step(core);
    ck_assert_int_eq(guest_vector(core), 0x33);
    ck_assert_uint_eq(get(fix, core->gpr[RSP], 8), GUEST_CODE + 1);
    fixture_free(fix);
}
END_TEST

/* ---- Injection (fact sheet 3.10) ------------------------------------------------------------------------------ */

START_TEST(injected_events_ignore_if_and_intercepts)
{
    static const struct {
        uint64_t eventinj;
        int vector;
        uint64_t pushed; /* top of the handler's stack */
    } cases[] = {
        { 0x80000021, 0x21, GUEST_CODE },
        { 0x80000200, EXC_NMI, GUEST_CODE },
        { 0x80000306, EXC_UD, GUEST_CODE },
        { UINT64_C(0x0000123480000B0D), EXC_GP, 0x1234 },
        { 0x80000303, EXC_BP, GUEST_CODE + 1 }, /* with NRIPS the VMCB's nRIP (APM2 15.20) */
        { 0x80000430, 0x30, GUEST_CODE + 1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture *fix = fixture_new("10h-c2");
        struct core *core;

        fresh(fix, 64, CODE("\x90\x90"));
        put(fix, VMCB_PA + VMCB_RFLAGS, 8, 2);
        put(fix, VMCB_PA + 0x008, 4, 0xFFFFFFFF);
        put(fix, VMCB_PA + 0x00C, 4, 3 | 1 << 21); /* INTR, NMI, INTn */
        put(fix, VMCB_PA + VMCB_EVENTINJ, 8, cases[i].eventinj);
        put(fix, VMCB_PA + VMCB_NRIP, 8, GUEST_CODE + 1);
        core = fixture_host(fix);
        put(fix, HOST_RIP, 4, 0xF4D8010F);
        block_cache_stored(fix->blocks, HOST_RIP, 4);
        core_step(core);
        ck_assert_msg(core->svm.guest, "case %u: exit %llX", i, (unsigned long long)EXIT(fix));
        ck_assert_int_eq(guest_vector(core), cases[i].vector);
        ck_assert_uint_eq(get(fix, core->gpr[RSP], 8), cases[i].pushed);
        ck_assert(!core->nmi_masked); /* an injected NMI blocks no other */
        fixture_free(fix);
    }
}
END_TEST

UNIT_TESTS("intercepted events", an_intercepted_exception_exits_before_it_is_delivered,
           an_exception_that_is_not_intercepted_is_the_guests_own, int_n_with_an_exceptions_vector_is_no_exception,
           double_faults_and_shutdown_exit, a_triple_fault_that_is_not_intercepted_stops_the_processor,
           an_exception_during_delivery_reports_the_event_in_exitintinfo,
           a_missing_nested_page_exits_with_its_address, a_task_switch_exits_with_selector_and_cause,
           physical_events_exit_and_stay_pending, without_the_intercept_the_guest_takes_intr_and_nmi,
           init_with_r_init_becomes_sx_with_error_code_1, a_machine_check_exits_with_vector_18,
           a_virtual_interrupt_is_delivered_or_exits_with_v_irq_still_set,
           a_physical_interrupt_goes_before_a_virtual_one,
           the_vmcbs_interrupt_shadow_holds_the_interrupt_for_one_instruction,
           a_halted_guest_wakes_for_its_virtual_interrupt, injected_events_ignore_if_and_intercepts)
