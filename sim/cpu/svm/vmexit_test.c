/* SPDX-License-Identifier: MIT */
/* #VMEXIT: what is written, saved and restored (APM2 15.6, fact sheet 3.6). */
#include "sim/cpu/svm/svm_fixture.h"

/* ---- Fields -------------------------------------------------------------------------------------------- */

/* Legal values for the fields that VMRUN checks or completes; all others get a pattern of their own. */
static const struct {
    const char *name;
    uint64_t value;
} legal_values[] = {
    { "v_intr", UINT64_C(0xA700000000) | 1 << 24 | 1 << 20 | 3 << 16 | 1 << 8 | 0x0B },
    { "interrupt_shadow", 1 },
    { "cs.attr", 0x2FB },
    { "cpl", 3 },
    { "efer", 0x7D01 },
    { "cr4", 0x6F0 },
    { "cr3", UINT64_C(0x0000FEDCBA987000) },
    { "cr0", 0xC005003B },
    { "dr7", 0xDEAD07FF },
    { "dr6", 0xFFFF6FF5 },
    { "rflags", 0x247ED7 },
    { "g_pat", UINT64_C(0x0001040506070600) },
    { "gdtr.limit", 0x1357 },
    { "idtr.limit", 0x2468 },
    { "dbgctl", 0x2A },
};

static uint64_t value_of_field(const struct vmcb_field *row, unsigned n)
{
    uint64_t pattern = (UINT64_C(0x0000123456789A00) + 0x0101010101 * n) | 1;

    for (size_t i = 0; i < G_N_ELEMENTS(legal_values); i++) {
        if (strcmp(legal_values[i].name, row->name) == 0)
            return legal_values[i].value;
    }
    return g_str_has_suffix(row->name, ".attr") ? 0xC00 | (pattern >> 8 & 0xFF) : zero_extend(pattern, row->size);
}

START_TEST(every_field_that_the_processor_keeps_is_loaded_and_saved_again)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_NP_ENABLE, 8, 1);
    put(fix, VMCB_PA + VMCB_LBR_ENABLE, 8, 1);
    for (unsigned i = 0; i < vmcb_field_count; i++) {
        if (vmcb_fields[i].who == 'a')
            put(fix, VMCB_PA + vmcb_fields[i].offset, vmcb_fields[i].size, value_of_field(&vmcb_fields[i], i));
    }
    core = fixture_in_guest(fix);
    /* Nothing may come back just because it was never touched: clear what #VMEXIT has to write. */
    for (unsigned i = 0; i < vmcb_field_count; i++) {
        if (vmcb_fields[i].who == 'a' && vmcb_fields[i].offset >= 0x400)
            put(fix, VMCB_PA + vmcb_fields[i].offset, vmcb_fields[i].size, 0);
    }
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    for (unsigned i = 0; i < vmcb_field_count; i++) {
        const struct vmcb_field *row = &vmcb_fields[i];

        if (row->who == 'a')
            ck_assert_msg(field(fix, row->offset, row->size) == value_of_field(row, i), "%s: %llX", row->name,
                          (unsigned long long)field(fix, row->offset, row->size));
    }
    fixture_free(fix);
}
END_TEST

START_TEST(what_the_guest_changed_is_saved)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    core->rip = 0x1111;
    core->next_rip = 0x1114;
    core->gpr[RAX] = 0x2222;
    core->gpr[RSP] = 0x3333;
    core->cr2 = 0x4444;
    core->seg[SEG_DS].selector = 0x55;
    core->seg[SEG_FS].selector = 0x66; /* VMSAVE's */
    core->svm.v_tpr = 7;
    core->interrupt_shadow = true;
    rflags_write(core, RFLAGS_CF | RFLAGS_OF);
    fixture_leave(core, VMEXIT_CPUID, 0, 0);
    ck_assert_uint_eq(field(fix, VMCB_RIP, 8), 0x1111);
    ck_assert_uint_eq(field(fix, VMCB_RAX, 8), 0x2222);
    ck_assert_uint_eq(field(fix, VMCB_RSP, 8), 0x3333);
    ck_assert_uint_eq(field(fix, VMCB_CR2, 8), 0x4444);
    ck_assert_uint_eq(field(fix, VMCB_SEGMENT(SEG_DS), 2), 0x55);
    ck_assert_uint_eq(field(fix, VMCB_SEGMENT(SEG_FS), 2), 0);
    ck_assert_uint_eq(field(fix, VMCB_RFLAGS, 8), RFLAGS_CF | RFLAGS_OF | 2);
    ck_assert_uint_eq(field(fix, VMCB_V_INTR, 8), 7);
    ck_assert_uint_eq(field(fix, VMCB_INTERRUPT_SHADOW, 8), 1);
    fixture_free(fix);
}
END_TEST

/* ---- Cause ------------------------------------------------------------------------------------------------ */

START_TEST(exitcode_and_exitinfo_are_written_and_eventinj_v_is_cleared)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_EXITINTINFO, 8, 0x80000333); /* stale */
    core = fixture_in_guest(fix);
    fixture_leave(core, VMEXIT_NPF, UINT64_C(0x100000007), 0xABC000);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), 0x400);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), UINT64_C(0x100000007));
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO2, 8), 0xABC000);
    ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
    fixture_free(fix);
}
END_TEST

/* EXITINTINFO: V 31, EV 11, type 10:8, vector 7:0, error code 63:32 (fact sheet 3.10). */
START_TEST(an_event_under_delivery_becomes_exitintinfo)
{
    static const struct {
        struct event event;
        uint64_t info;
    } cases[] = {
        { { .vector = 0x30, .kind = EVENT_INTR }, 0x80000030 },
        { { .vector = 2, .kind = EVENT_NMI }, 0x80000202 },
        { { .vector = 8, .kind = EVENT_EXCEPTION, .has_error = true, .error = 0 }, 0x80000B08 },
        { { .vector = 14, .kind = EVENT_EXCEPTION, .has_error = true, .error = 6, .address = 9 },
          UINT64_C(0x680000B0E) },
        { { .vector = 3, .kind = EVENT_EXCEPTION, .breakpoint = true }, 0x80000303 },
        { { .vector = 1, .kind = EVENT_EXCEPTION, .icebp = true }, 0x80000301 },
        { { .vector = 0x80, .kind = EVENT_SOFT_INT }, 0x80000480 },
    };
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct core *core;

        fixture_guest(fix);
        core = fixture_in_guest(fix);
        core->svm.delivering = cases[i].event;
        core->svm.delivering_valid = true;
        fixture_leave(core, VMEXIT_NPF, 0, 0);
        ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), cases[i].info);
        ck_assert(!core->svm.delivering_valid);
    }
    fixture_free(fix);
}
END_TEST

/* nRIP: instruction, MSR and IOIO intercepts, INT3/INTO/BOUND; 0 otherwise; not on revision B (APM2 15.7.1). */
START_TEST(nrip_is_written_by_revision_and_kind_of_exit)
{
    static const struct {
        uint64_t code;
        bool written;
    } cases[] = {
        { VMEXIT_CR3_WRITE, true }, { VMEXIT_DR0_READ + 7, true }, { VMEXIT_CPUID, true }, { VMEXIT_MSR, true },
        { VMEXIT_IOIO, true }, { VMEXIT_SWINT, true }, { VMEXIT_VMMCALL, true }, { VMEXIT_MWAIT_CONDITIONAL, true },
        { VMEXIT_CR0_SEL_WRITE, true }, { 0x043, true }, { 0x044, true }, { 0x045, true },
        { 0x041, false }, { 0x04D, false }, { 0x04E, false }, { VMEXIT_INTR, false }, { VMEXIT_NMI, false },
        { VMEXIT_VINTR, false }, { VMEXIT_TASK_SWITCH, false }, { VMEXIT_SHUTDOWN, false }, { VMEXIT_NPF, false },
    };
    static const char *const models[] = { "10h-b3", "10h-c2" };

    for (unsigned m = 0; m < 2; m++) {
        struct fixture *fix = fixture_new(models[m]);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct core *core;

            fixture_guest(fix);
            put(fix, VMCB_PA + VMCB_NRIP, 8, 0x5555);
            core = fixture_in_guest(fix);
            core->next_rip = 0x1002;
            fixture_leave(core, cases[i].code, 0, 0);
            ck_assert_msg(field(fix, VMCB_NRIP, 8) == (m == 0 ? 0x5555 : cases[i].written ? 0x1002 : 0), "%s %s",
                          models[m], vmexit_name(cases[i].code));
        }
        fixture_free(fix);
    }
}
END_TEST

/* ---- Host ------------------------------------------------------------------------------------------------- */

START_TEST(the_host_comes_back_from_its_save_area)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fixture_host(fix);
    struct segment cs = core->seg[SEG_CS], ss = core->seg[SEG_SS];

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_CPL, 1, 3);
    put(fix, VMCB_PA + VMCB_DR7, 8, 0x401);
    put(fix, VMCB_PA + VMCB_DR6, 8, 0xFFFF4FF1);
    put(fix, VMCB_PA + VMCB_TSC_OFFSET, 8, 5);
    put(fix, VMCB_PA + VMCB_V_INTR, 8, 1 << 24 | 1 << 8);
    fixture_in_guest(fix);
    core->dr[0] = 0x99;
    ck_assert_int_eq(fixture_leave(core, VMEXIT_HLT, 0, 0), OUTCOME_NEXT);
    ck_assert_uint_eq(core->rip, HOST_NEXT);
    ck_assert_uint_eq(core->next_rip, HOST_NEXT);
    ck_assert_uint_eq(core->gpr[RAX], VMCB_PA);
    ck_assert_uint_eq(core->gpr[RSP], 0x8000);
    ck_assert_uint_eq(rflags_read(core), RFLAGS_IF | RFLAGS_ZF | 2);
    ck_assert_uint_eq(core->cr0, LONG_MODE_CR0);
    ck_assert_uint_eq(core->cr3, 0x30000);
    ck_assert_uint_eq(core->cr4, CR4_PAE);
    ck_assert_uint_eq(core->efer, EFER_SVME | EFER_LME | EFER_LMA);
    ck_assert_mem_eq(&core->seg[SEG_CS], &cs, sizeof(cs));
    ck_assert_mem_eq(&core->seg[SEG_SS], &ss, sizeof(ss));
    ck_assert_uint_eq(core->gdtr.base, 0x6000);
    ck_assert_uint_eq(core->gdtr.limit, 0x7F);
    ck_assert_uint_eq(core->idtr.base, 0x7000);
    ck_assert_uint_eq(core->cpl, 0);
    ck_assert_int_eq(core->mode, MODE_64BIT);
    ck_assert_uint_eq(core->dr7, 0x400);       /* host breakpoints off */
    ck_assert_uint_eq(core->dr6, 0xFFFF4FF1);  /* DR6 is not restored */
    ck_assert_uint_eq(core->dr[0], 0x99);      /* nor are the address registers */
    ck_assert(!core->svm.gif && !core->svm.guest);
    ck_assert_uint_eq(core->svm.asid, 0);
    ck_assert_uint_eq(core->svm.tsc_offset, 0);
    ck_assert(!core->svm.v_irq && !core->svm.v_intr_masking && !core->svm.np_enable);
    for (unsigned i = 0; i < INTERCEPT_WORDS; i++)
        ck_assert_uint_eq(core->svm.intercept[i], 0);
    fixture_free(fix);
}
END_TEST

/* The host state lives in VM_HSAVE_PA's page: what software writes there is what comes back. */
START_TEST(the_host_state_lives_in_memory)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(get(fix, HSAVE_PA + VMCB_RIP, 8), HOST_NEXT);
    put(fix, HSAVE_PA + VMCB_RSP, 8, 0x12345);
    put(fix, HSAVE_PA + VMCB_CR0, 8, LONG_MODE_CR0 & ~CR0_PE);
    put(fix, HSAVE_PA + VMCB_RFLAGS, 8, RFLAGS_VM | 2);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(core->gpr[RSP], 0x12345);
    ck_assert_uint_eq(core->cr0 & CR0_PE, CR0_PE); /* forced to 1 */
    ck_assert_uint_eq(rflags_read(core) & RFLAGS_VM, 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_pae_host_reloads_its_pdptes_or_shuts_down)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fixture_host(fix);

    fixture_guest(fix);
    core->efer = EFER_SVME;
    core->seg[SEG_CS].attr = 0xC9B;
    core->cr3 = 0x50000;
    put(fix, 0x50008, 8, 0x51001);
    core_mode_changed(core, true);
    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    core->pdpte[1] = 0;
    ck_assert_int_eq(fixture_leave(core, VMEXIT_HLT, 0, 0), OUTCOME_NEXT);
    ck_assert_uint_eq(core->pdpte[1], 0x51001);
    core->next_rip = HOST_NEXT;
    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    put(fix, 0x50008, 8, 0x51001 | BIT(52)); /* reserved: APM2 15.6, the processor shuts down */
    ck_assert_int_eq(fixture_leave(core, VMEXIT_HLT, 0, 0), OUTCOME_SHUTDOWN);
    fixture_free(fix);
}
END_TEST

START_TEST(a_single_stepping_host_traps_after_the_exit)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fixture_host(fix);

    fixture_guest(fix);
    rflags_write(core, RFLAGS_TF);
    svm_vmrun(core);
    ck_assert_uint_eq(core->pending_dr6, 0); /* the guest does not inherit the trap */
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(core->pending_dr6, BIT(14)); /* DR6.BS */
    fixture_free(fix);
}
END_TEST

START_TEST(without_nested_paging_the_guest_wrote_the_hosts_pat)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    core->pat = 0x0606; /* WRMSR 277h in the guest */
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(core->pat, 0x0606);
    fixture_free(fix);
}
END_TEST

struct seen {
    uint64_t code, rip, rax;
    unsigned count;
};

static bool exit_hook(void *ctx, struct core *core, uint64_t code, uint64_t rip, uint64_t rax)
{
    struct seen *seen = ctx;

    (void)core;
    *seen = (struct seen){ code, rip, rax, seen->count + 1 };
    return true;
}

START_TEST(the_exit_hook_sees_the_guests_rip_and_rax_once_and_can_stop)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct seen seen = { 0 };
    struct core *core;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    core->hooks.vmexit = exit_hook;
    core->hooks.ctx = &seen;
    core->rip = 0x1234;
    fixture_leave(core, VMEXIT_VMMCALL, 0, 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.code, VMEXIT_VMMCALL);
    ck_assert_uint_eq(seen.rip, 0x1234);
    ck_assert_uint_eq(seen.rax, 0xAAAA);
    ck_assert(core->stop_request);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("vmexit", every_field_that_the_processor_keeps_is_loaded_and_saved_again, what_the_guest_changed_is_saved,
           exitcode_and_exitinfo_are_written_and_eventinj_v_is_cleared, an_event_under_delivery_becomes_exitintinfo,
           nrip_is_written_by_revision_and_kind_of_exit, the_host_comes_back_from_its_save_area,
           the_host_state_lives_in_memory, a_pae_host_reloads_its_pdptes_or_shuts_down,
           a_single_stepping_host_traps_after_the_exit, without_nested_paging_the_guest_wrote_the_hosts_pat,
           the_exit_hook_sees_the_guests_rip_and_rax_once_and_can_stop)
