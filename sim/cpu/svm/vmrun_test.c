/* SPDX-License-Identifier: MIT */
/* VMRUN: each consistency check alone, and what a legal VMCB loads (APM2 15.5.1, fact sheet 3.5). */
#include "sim/cpu/svm/svm_fixture.h"

#include "sim/spa.h"

/* ---- Consistency checks --------------------------------------------------------------------------------- */

struct change {
    uint16_t offset;
    uint8_t size;
    uint64_t value;
};

/* One legal VMCB, up to four changes, and the check that must be the first to fail (NULL: none). */
struct legality {
    const char *check;
    struct change change[4];
    uint64_t host_cr0; /* 0: as in fixture_host */
};

#define LIMIT (UINT64_C(1) << 48)
#define NP_ON { VMCB_NP_ENABLE, 8, 1 }
#define INJECT(value) { VMCB_EVENTINJ, 8, 0x80000000 | (value) }
#define TYPE(n) ((uint64_t)(n) << 8)

static const struct legality legalities[] = {
    { NULL, { { 0 } }, 0 },
    { "EFER.SVME is 0", { { VMCB_EFER, 8, 0x500 } }, 0 },
    { "CR0.CD is 0 and CR0.NW is 1", { { VMCB_CR0, 8, 0xA0000011 } }, 0 },
    { NULL, { { VMCB_CR0, 8, 0xE0000011 } }, 0 }, /* CD and NW */
    { NULL, { { VMCB_CR0, 8, 0xC0000011 } }, 0 }, /* CD */
    { "CR0[63:32] are not 0", { { VMCB_CR0, 8, 0x180000011 } }, 0 },
    { "CR3 has a bit above the physical address width", { { VMCB_CR3, 8, LIMIT } }, 0 },
    { "CR3 has a bit above the physical address width", { { VMCB_CR3, 8, UINT64_C(1) << 63 } }, 0 },
    { "CR3 has a bit above the physical address width", /* 32-bit paging */
      { { VMCB_CR3, 8, LIMIT }, { VMCB_EFER, 8, 0x1000 }, { VMCB_CR4, 8, 0 } }, 0 },
    { NULL, { { VMCB_CR3, 8, 0x40FE7 } }, 0 }, /* low reserved bits do not fault */
    { "CR4 has a reserved bit", { { VMCB_CR4, 8, 0x20 | 1 << 11 } }, 0 },
    { "CR4 has a reserved bit", { { VMCB_CR4, 8, 0x20 | UINT64_C(1) << 32 } }, 0 },
    { NULL, { { VMCB_CR4, 8, 0x7FF } }, 0 },
    { "DR6[63:32] are not 0", { { VMCB_DR6, 8, UINT64_C(0x1FFFF0FF0) } }, 0 },
    { "DR7[63:32] are not 0", { { VMCB_DR7, 8, UINT64_C(0x100000400) } }, 0 },
    { "EFER has a reserved bit", { { VMCB_EFER, 8, 0x1700 } }, 0 }, /* bit 9 */
    { "EFER has a reserved bit", { { VMCB_EFER, 8, 0x9500 } }, 0 }, /* bit 15 */
    { NULL, { { VMCB_EFER, 8, 0x7DFF } }, 0 },
    { NULL, { { VMCB_EFER, 8, 0x1100 } }, 0 }, /* LMA that does not follow LME and PG is no error */
    { "EFER.LME and CR0.PG are 1 and CR4.PAE is 0", { { VMCB_CR4, 8, 0 } }, 0 },
    { "EFER.LME and CR0.PG are 1 and CR0.PE is 0", { { VMCB_CR0, 8, 0x80000010 } }, 0 },
    { NULL, { { VMCB_CR0, 8, 0x10 } }, 0 }, /* LME without PG */
    { NULL, { { VMCB_CR0, 8, 0x80000010 }, { VMCB_EFER, 8, 0x1000 }, { VMCB_CR4, 8, 0 } }, 0 }, /* paged real mode */
    { "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are 1", { { VMCB_SEGMENT(SEG_CS) + 2, 2, 0x69B } }, 0 },
    { NULL, { { VMCB_SEGMENT(SEG_CS) + 2, 2, 0x49B } }, 0 }, /* compatibility mode */
    { "the VMRUN intercept is 0", { { 0x010, 4, 0xFFFFFFFE } }, 0 },
    { "the ASID is 0", { { VMCB_GUEST_ASID, 4, 0 } }, 0 },
    { NULL, { { VMCB_GUEST_ASID, 4, 63 } }, 0 },
    { "the ASID is not below the number of ASIDs", { { VMCB_GUEST_ASID, 4, 64 } }, 0 },
    /* base at limit - 3 pages passes, at limit - 2 pages fails, for both maps; bits 11:0 are ignored */
    { NULL, { { VMCB_IOPM_BASE_PA, 8, LIMIT - 0x2001 } }, 0 },
    { "the IOPM reaches the physical limit", { { VMCB_IOPM_BASE_PA, 8, LIMIT - 0x2000 } }, 0 },
    { NULL, { { VMCB_MSRPM_BASE_PA, 8, LIMIT - 0x2001 } }, 0 },
    { "the MSRPM reaches the physical limit", { { VMCB_MSRPM_BASE_PA, 8, LIMIT - 0x2000 } }, 0 },
    { "EVENTINJ.TYPE is reserved", { INJECT(TYPE(1) | 32) }, 0 },
    { "EVENTINJ.TYPE is reserved", { INJECT(TYPE(5) | 32) }, 0 },
    { "EVENTINJ.TYPE is reserved", { INJECT(TYPE(6) | 32) }, 0 },
    { "EVENTINJ.TYPE is reserved", { INJECT(TYPE(7) | 32) }, 0 },
    { NULL, { { VMCB_EVENTINJ, 8, TYPE(7) | 32 } }, 0 }, /* V = 0: not looked at */
    { NULL, { INJECT(TYPE(0) | 32) }, 0 },
    { NULL, { INJECT(TYPE(2) | 99) }, 0 },
    { NULL, { INJECT(TYPE(4) | 255) }, 0 },
    { "EVENTINJ names a vector that is no exception", { INJECT(TYPE(3) | 2) }, 0 },
    { "EVENTINJ names a vector that is no exception", { INJECT(TYPE(3) | 32) }, 0 },
    { NULL, { INJECT(TYPE(3) | 31) }, 0 },
    { "EVENTINJ names an exception that 64-bit mode lacks", { INJECT(TYPE(3) | 5) }, 0 },
    { "EVENTINJ names an exception that 64-bit mode lacks", { INJECT(TYPE(3) | 4) }, 0 },
    { NULL, { INJECT(TYPE(3) | 5), { VMCB_SEGMENT(SEG_CS) + 2, 2, 0x49B } }, 0 },
    { "nested paging with an illegal G_PAT", { NP_ON, { VMCB_G_PAT, 8, 2 } }, 0 },
    { "nested paging with an illegal G_PAT", { NP_ON, { VMCB_G_PAT, 8, UINT64_C(0x0300000000000000) } }, 0 },
    { "nested paging with an illegal G_PAT", { NP_ON, { VMCB_G_PAT, 8, 8 } }, 0 },
    { NULL, { NP_ON, { VMCB_G_PAT, 8, UINT64_C(0x0706050401000000) } }, 0 },
    { NULL, { { VMCB_G_PAT, 8, 2 } }, 0 }, /* without nested paging there is no gPAT */
    { "N_CR3 has a bit above the physical address width", { NP_ON, { VMCB_N_CR3, 8, LIMIT } }, 0 },
    { NULL, { { VMCB_N_CR3, 8, LIMIT } }, 0 },
    { "nested paging and host CR0.PG is 0", { NP_ON }, 0x11 },
    { NULL, { NP_ON, { VMCB_N_CR3, 8, N_CR3_PA } }, 0 },
    /* legacy PAE: the table at 50000h has a reserved bit in its third entry (see below) */
    { "a PDPTE has a reserved bit", { { VMCB_EFER, 8, 0x1000 }, { VMCB_CR3, 8, 0x50000 } }, 0 },
    { NULL, { { VMCB_EFER, 8, 0x1000 }, { VMCB_CR3, 8, 0x50020 } }, 0 },
    { NULL, { NP_ON, { VMCB_EFER, 8, 0x1000 }, { VMCB_CR3, 8, 0x50000 } }, 0 }, /* not looked at under NP */
};

/* PDPTE bits 2:1, 8:5 and 63:52 are reserved, 11:9 are ignored (fact sheet 3.5). */
static void put_pdptes(struct fixture *fix)
{
    put(fix, 0x50000, 8, 0x51001);
    put(fix, 0x50010, 8, 0x51000 | BIT(5) | 1);
    put(fix, 0x50020, 8, 0x51E01);
}

static void prepare(struct fixture *fix, const struct legality *legality)
{
    memset(fix->memory, 0, sizeof(fix->memory));
    put_pdptes(fix);
    fixture_guest(fix);
    for (unsigned i = 0; i < 4 && legality->change[i].size; i++)
        put(fix, VMCB_PA + legality->change[i].offset, legality->change[i].size, legality->change[i].value);
    fixture_host(fix);
    if (legality->host_cr0)
        fix->core[0]->cr0 = legality->host_cr0;
}

START_TEST(each_consistency_check_refuses_what_the_manual_lists_and_nothing_more)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(legalities); i++) {
        const struct legality *legality = &legalities[i];
        struct vmcb vmcb = vmcb_at(fix->core[0], VMCB_PA);
        const struct vmrun_check *check;
        struct vmrun_input in;

        prepare(fix, legality);
        vmrun_read(&vmcb, &in);
        check = vmrun_first_illegal(fix->core[0], &in);
        ck_assert_msg((check == NULL) == (legality->check == NULL), "case %zu: %s", i, check ? check->name : "passes");
        if (check)
            ck_assert_str_eq(check->name, legality->check);
        ck_assert_int_eq(svm_vmrun(fix->core[0]), OUTCOME_NEXT);
        ck_assert_int_eq(fix->core[0]->svm.guest, legality->check == NULL);
        if (legality->check)
            ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), UINT64_MAX);
        else
            fixture_leave(fix->core[0], VMEXIT_HLT, 0, 0);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(every_consistency_check_has_a_case)
{
    for (size_t c = 0; c < vmrun_check_count; c++) {
        bool found = false;

        for (size_t i = 0; i < G_N_ELEMENTS(legalities); i++)
            found |= legalities[i].check && strcmp(legalities[i].check, vmrun_checks[c].name) == 0;
        ck_assert_msg(found, "%s", vmrun_checks[c].name);
    }
}
END_TEST

START_TEST(a_refused_vmrun_leaves_the_save_area_alone_and_goes_on_after_vmrun)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fixture_host(fix);
    uint8_t before[0x400];

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_GUEST_ASID, 4, 0);
    put(fix, VMCB_PA + VMCB_EVENTINJ, 8, 0x80000020);
    put(fix, VMCB_PA + VMCB_EXITINFO1, 8, 0x1111);
    put(fix, VMCB_PA + VMCB_EXITINFO2, 8, 0x2222);
    put(fix, VMCB_PA + VMCB_EXITINTINFO, 8, 0x80000333);
    memcpy(before, fix->memory + VMCB_PA + 0x400, sizeof(before));
    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    ck_assert_mem_eq(before, fix->memory + VMCB_PA + 0x400, sizeof(before));
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), UINT64_C(0xFFFFFFFFFFFFFFFF));
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), 0);
    ck_assert_uint_eq(field(fix, VMCB_EXITINFO2, 8), 0);
    ck_assert_uint_eq(field(fix, VMCB_EXITINTINFO, 8), 0);
    ck_assert_uint_eq(field(fix, VMCB_EVENTINJ, 8), 0x20); /* V is cleared by this exit too */
    ck_assert_uint_eq(core->next_rip, HOST_NEXT);
    ck_assert_uint_eq(core->gpr[RAX], VMCB_PA);
    ck_assert_uint_eq(core->cr3, 0x30000);
    ck_assert(!core->svm.gif);
    ck_assert(!core->svm.inject_valid);
    ck_assert_uint_eq(core->svm.count->exits[vmexit_kind(VMEXIT_INVALID)], 1);
    fixture_free(fix);
}
END_TEST

/* ---- Loading ------------------------------------------------------------------------------------------------ */

START_TEST(a_legal_vmrun_loads_the_guest_and_only_what_vmrun_loads)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_CR2, 8, 0x123456789);
    put(fix, VMCB_PA + VMCB_TSC_OFFSET, 8, 77);
    put(fix, VMCB_PA + VMCB_GDTR + VMCB_SEG_LIMIT, 4, 0xABCD1234);
    put(fix, VMCB_PA + VMCB_GDTR + VMCB_SEG_BASE, 8, UINT64_C(0x0000800000000000));
    put(fix, VMCB_PA + VMCB_INTERRUPT_SHADOW, 8, 1);
    put(fix, VMCB_PA + VMCB_V_INTR, 8, UINT64_C(0x5100000000) | 1 << 24 | 1 << 20 | 9 << 16 | 1 << 8 | 6);
    put(fix, VMCB_PA + VMCB_SEGMENT(SEG_FS) + VMCB_SEG_BASE, 8, 0x7777);
    put(fix, VMCB_PA + VMCB_STAR, 8, 0x8888);
    core = fixture_host(fix);
    core->gpr[RBX] = 0xB;
    core->star = 0x9999;
    core->dr[0] = 0xD0;
    core->svm.gif = false;
    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    ck_assert(core->svm.guest && core->svm.gif);
    ck_assert_uint_eq(core->rip, 0x1000);
    ck_assert_uint_eq(core->next_rip, 0x1000);
    ck_assert_uint_eq(core->gpr[RSP], 0x2000);
    ck_assert_uint_eq(core->gpr[RAX], 0xAAAA);
    ck_assert_uint_eq(core->gpr[RBX], 0xB);
    ck_assert_uint_eq(core->cr2, 0x123456789);
    ck_assert_uint_eq(core->cr3, 0x40000);
    ck_assert_uint_eq(core->efer, 0x1500);
    ck_assert_uint_eq(core->gdtr.limit, 0x1234);                        /* low 16 bits */
    ck_assert_uint_eq(core->gdtr.base, UINT64_C(0xFFFF800000000000)); /* made canonical */
    ck_assert_uint_eq(core->svm.tsc_offset, 77);
    ck_assert_uint_eq(core->svm.asid, 1);
    ck_assert_uint_eq(core->svm.v_tpr, 6);
    ck_assert(core->svm.v_irq && core->svm.v_ign_tpr && core->svm.v_intr_masking && core->svm.host_if);
    ck_assert_uint_eq(core->svm.v_intr_prio, 9);
    ck_assert_uint_eq(core->svm.v_intr_vector, 0x51);
    ck_assert(core->interrupt_shadow);
    ck_assert_int_eq(core->mode, MODE_64BIT);
    /* VMLOAD's business, and the processor's own */
    ck_assert_uint_eq(core->seg[SEG_FS].base, 0);
    ck_assert_uint_eq(core->star, 0x9999);
    ck_assert_uint_eq(core->dr[0], 0xD0);
    fixture_free(fix);
}
END_TEST

START_TEST(efer_lma_and_cpl_follow_the_mode_that_is_entered)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_EFER, 8, 0x1100); /* LMA clear, LME and PG set */
    put(fix, VMCB_PA + VMCB_CPL, 1, 3);
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->efer & EFER_LMA, EFER_LMA);
    ck_assert_uint_eq(core->cpl, 3);
    ck_assert_uint_eq(core->access, MMU_USER);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    put(fix, VMCB_PA + VMCB_EFER, 8, 0x1000);
    put(fix, VMCB_PA + VMCB_CR0, 8, 0x10); /* real mode: CPL 0 whatever the byte says */
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->cpl, 0);
    ck_assert_int_eq(core->mode, MODE_REAL);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    put(fix, VMCB_PA + VMCB_CR0, 8, 0x11);
    put(fix, VMCB_PA + VMCB_CPL, 1, 0);
    put(fix, VMCB_PA + VMCB_RFLAGS, 8, RFLAGS_VM | 2); /* virtual-8086 mode: CPL 3 */
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->cpl, 3);
    fixture_free(fix);
}
END_TEST

START_TEST(g_pat_is_loaded_with_nested_paging_only)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_G_PAT, 8, 0x01);
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->pat, PAT_RESET);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    put(fix, VMCB_PA + VMCB_NP_ENABLE, 8, 1);
    put(fix, VMCB_PA + VMCB_N_CR3, 8, N_CR3_PA);
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->pat, 0x01);
    ck_assert_uint_eq(core->svm.host_pat, PAT_RESET);
    ck_assert_uint_eq(core->svm.host_cr4, CR4_PAE);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(core->pat, PAT_RESET);
    fixture_free(fix);
}
END_TEST

START_TEST(legacy_pae_loads_the_pdptes)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    put_pdptes(fix);
    put(fix, VMCB_PA + VMCB_EFER, 8, 0x1000);
    put(fix, VMCB_PA + VMCB_CR3, 8, 0x50020);
    core = fixture_in_guest(fix);
    ck_assert_uint_eq(core->pdpte[0] & ~UINT64_C(0xE00), 0x51001);
    fixture_free(fix);
}
END_TEST

/* EVENTINJ, the event that interp is given (APM2 15.20). */
START_TEST(eventinj_becomes_the_event_to_deliver)
{
    static const struct {
        uint64_t eventinj;
        struct event event;
    } cases[] = {
        { 0x80000031, { .vector = 0x31, .kind = EVENT_INTR } },
        { 0x80000263, { .vector = 2, .kind = EVENT_NMI } },                     /* vector field ignored */
        { 0x80000301, { .vector = 1, .kind = EVENT_EXCEPTION } },
        { 0x80000303, { .vector = 3, .kind = EVENT_EXCEPTION, .breakpoint = true } }, /* as INT3 */
        { UINT64_C(0x123480000B0D), { .vector = 13, .kind = EVENT_EXCEPTION, .has_error = true, .error = 0x1234 } },
        { UINT64_C(0x000780000B0E), { .vector = 14, .kind = EVENT_EXCEPTION, .has_error = true, .error = 7,
                                      .address = 0xC2 } },                      /* CR2 comes from 640 */
        { 0x8000030D, { .vector = 13, .kind = EVENT_EXCEPTION } },              /* EV = 0: nothing is pushed */
        { 0x80000480, { .vector = 0x80, .kind = EVENT_SOFT_INT } },
    };
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct event *want = &cases[i].event, *have = &fix->core[0]->svm.inject;

        fixture_guest(fix);
        put(fix, VMCB_PA + VMCB_CR2, 8, 0xC2);
        put(fix, VMCB_PA + VMCB_EVENTINJ, 8, cases[i].eventinj);
        fixture_in_guest(fix);
        ck_assert(fix->core[0]->svm.inject_valid);
        ck_assert_uint_eq(have->vector, want->vector);
        ck_assert_uint_eq(have->kind, want->kind);
        ck_assert_int_eq(have->has_error, want->has_error);
        ck_assert_uint_eq(have->error, want->error);
        ck_assert_uint_eq(have->address, want->address);
        ck_assert_int_eq(have->breakpoint, want->breakpoint);
        fixture_leave(fix->core[0], VMEXIT_HLT, 0, 0);
        ck_assert_uint_eq(field(fix, VMCB_EVENTINJ, 8), cases[i].eventinj & ~UINT64_C(0x80000000));
    }
    fixture_free(fix);
}
END_TEST

START_TEST(tlb_control_one_flushes_and_is_not_written_back)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(core->svm.count->flushes, 0);
    put(fix, VMCB_PA + VMCB_TLB_CONTROL, 1, 1);
    fixture_in_guest(fix);
    ck_assert_uint_eq(core->svm.count->flushes, 1);
    fixture_leave(core, VMEXIT_HLT, 0, 0);
    ck_assert_uint_eq(field(fix, VMCB_TLB_CONTROL, 1), 1);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("vmrun", each_consistency_check_refuses_what_the_manual_lists_and_nothing_more,
           every_consistency_check_has_a_case,
           a_refused_vmrun_leaves_the_save_area_alone_and_goes_on_after_vmrun,
           a_legal_vmrun_loads_the_guest_and_only_what_vmrun_loads,
           efer_lma_and_cpl_follow_the_mode_that_is_entered, g_pat_is_loaded_with_nested_paging_only,
           legacy_pae_loads_the_pdptes, eventinj_becomes_the_event_to_deliver,
           tlb_control_one_flushes_and_is_not_written_back)
