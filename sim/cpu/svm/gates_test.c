/* SPDX-License-Identifier: MIT */
/* Permission maps, single intercepts, interrupt gates, CR8 and SVM's MSRs. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/svm/svm_fixture.h"

/* ---- Permission maps (fact sheet 3.12) --------------------------------------------------------------------- */

static struct core *with_intercepts(struct fixture *fix, uint32_t general1, uint32_t exceptions)
{
    struct core *core = fix->core[0];

    core->svm.intercept[2] = exceptions;
    core->svm.intercept[3] = general1;
    core->svm.msrpm = MSRPM_PA;
    core->svm.iopm = IOPM_PA;
    return core;
}

START_TEST(msrpm_has_two_bits_for_each_msr_of_three_ranges)
{
    static const struct {
        uint32_t msr;
        uint32_t byte;
        unsigned bit; /* read; write is the next */
    } cases[] = {
        { 0x00000000, 0x0000, 0 }, { 0x00000003, 0x0000, 6 }, { 0x00000277, 0x009D, 6 }, { 0x00001FFF, 0x07FF, 6 },
        { 0xC0000000, 0x0800, 0 }, { 0xC0000080, 0x0820, 0 }, { 0xC0001FFF, 0x0FFF, 6 },
        { 0xC0010000, 0x1000, 0 }, { 0xC0010117, 0x1045, 6 }, { 0xC0011FFF, 0x17FF, 6 },
    };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = with_intercepts(fix, 1 << 28, 0);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        put(fix, MSRPM_PA + cases[i].byte, 1, 1u << cases[i].bit);
        ck_assert(svm_msr_intercepted(core, cases[i].msr, false));
        ck_assert(!svm_msr_intercepted(core, cases[i].msr, true));
        put(fix, MSRPM_PA + cases[i].byte, 1, 2u << cases[i].bit);
        ck_assert(!svm_msr_intercepted(core, cases[i].msr, false));
        ck_assert(svm_msr_intercepted(core, cases[i].msr, true));
        put(fix, MSRPM_PA + cases[i].byte, 1, 0);
    }
    ck_assert(svm_msr_intercepted(core, 0x00002000, false)); /* outside every range: always */
    ck_assert(svm_msr_intercepted(core, 0xC0002000, true));
    ck_assert(svm_msr_intercepted(core, 0xBFFFFFFF, true));
    ck_assert(svm_msr_intercepted(core, 0xC0012000, false));
    core->svm.intercept[3] = 0; /* MSR_PROT off: never */
    ck_assert(!svm_msr_intercepted(core, 0xC0012000, false));
    fixture_free(fix);
}
END_TEST

START_TEST(iopm_tests_the_bit_of_every_byte_and_runs_on_past_ffff)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = with_intercepts(fix, 1 << 27, 0);

    put(fix, IOPM_PA + 0x60 / 8, 1, 1 << 3); /* port 63h */
    ck_assert(!svm_io_intercepted(core, 0x62, 1));
    ck_assert(svm_io_intercepted(core, 0x63, 1));
    ck_assert(svm_io_intercepted(core, 0x62, 2));
    ck_assert(svm_io_intercepted(core, 0x60, 4));
    ck_assert(!svm_io_intercepted(core, 0x5F, 4));
    ck_assert(!svm_io_intercepted(core, 0x64, 4));
    put(fix, IOPM_PA + 0x68 / 8, 1, 1); /* port 68h, over the byte's end */
    ck_assert(svm_io_intercepted(core, 0x67, 2));
    ck_assert(!svm_io_intercepted(core, 0x66, 2));
    ck_assert(!svm_io_intercepted(core, 0xFFFF, 4));
    put(fix, IOPM_PA + 0x2000, 1, 1 << 2); /* bit 10002h */
    ck_assert(svm_io_intercepted(core, 0xFFFF, 4));
    ck_assert(!svm_io_intercepted(core, 0xFFFF, 2));
    put(fix, IOPM_PA, 1, 1); /* port 0 is not what follows FFFFh */
    put(fix, IOPM_PA + 0x2000, 1, 0);
    ck_assert(!svm_io_intercepted(core, 0xFFFF, 4));
    core->svm.intercept[3] = 0;
    ck_assert(!svm_io_intercepted(core, 0x63, 1));
    fixture_free(fix);
}
END_TEST

/* Fact sheet 3.4: 0 IN, 2 STR, 3 REP, 6:4 size, 9:7 address size, 31:16 port. */
START_TEST(ioio_info_has_every_bit_in_its_place)
{
    ck_assert_uint_eq(svm_ioio_info(0x3F8, 1, 2, false, false, false), 0x03F80090);
    ck_assert_uint_eq(svm_ioio_info(0xCFC, 4, 8, true, false, false), 0x0CFC0241);
    ck_assert_uint_eq(svm_ioio_info(0x1F0, 2, 4, true, true, true), 0x01F0012D);
}
END_TEST

/* ---- Single intercepts ---------------------------------------------------------------------------------------- */

START_TEST(the_selective_cr0_intercept_follows_its_own_rule)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = with_intercepts(fix, 1 << 5, 0);
    uint64_t code;

    core->cr0 = CR0_PE | CR0_ET;
    ck_assert(!svm_cr0_write_intercepted(core, core->cr0, CR0_BY_MOV, &code));
    ck_assert(!svm_cr0_write_intercepted(core, core->cr0 | CR0_TS | CR0_MP, CR0_BY_MOV, &code));
    ck_assert(svm_cr0_write_intercepted(core, core->cr0 | CR0_EM, CR0_BY_MOV, &code));
    ck_assert_uint_eq(code, 0x065);
    ck_assert(svm_cr0_write_intercepted(core, core->cr0, CR0_BY_LMSW, &code)); /* changed or not */
    ck_assert_uint_eq(code, 0x065);
    ck_assert(!svm_cr0_write_intercepted(core, core->cr0 & ~CR0_TS, CR0_BY_CLTS, &code));
    core->svm.intercept[0] = 1 << 16; /* CR0 write: wins */
    ck_assert(svm_cr0_write_intercepted(core, core->cr0 | CR0_EM, CR0_BY_MOV, &code));
    ck_assert_uint_eq(code, 0x010);
    ck_assert(svm_cr0_write_intercepted(core, core->cr0, CR0_BY_CLTS, &code));
    ck_assert_uint_eq(code, 0x010);
    fixture_free(fix);
}
END_TEST

START_TEST(only_exceptions_match_the_exception_word)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = with_intercepts(fix, 0, 0xFFFFFFFF);

    ck_assert(svm_exception_intercepted(core, &(struct event){ .vector = EXC_GP, .kind = EVENT_EXCEPTION }));
    ck_assert(svm_exception_intercepted(core, &(struct event){ .vector = EXC_BP, .kind = EVENT_EXCEPTION }));
    ck_assert(svm_exception_intercepted(core, &(struct event){ .vector = EXC_MC, .kind = EVENT_EXCEPTION }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 13, .kind = EVENT_SOFT_INT }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 13, .kind = EVENT_INTR }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 2, .kind = EVENT_NMI }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 2, .kind = EVENT_EXCEPTION }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 9, .kind = EVENT_EXCEPTION }));
    ck_assert(!svm_exception_intercepted(core, &(struct event){ .vector = 1, .kind = EVENT_EXCEPTION, .icebp = true }));
    fixture_free(fix);
}
END_TEST

START_TEST(exit_codes_have_the_manuals_names)
{
    ck_assert_str_eq(vmexit_name(0x000), "VMEXIT_CR0_READ");
    ck_assert_str_eq(vmexit_name(0x018), "VMEXIT_CR8_WRITE");
    ck_assert_str_eq(vmexit_name(0x04E), "VMEXIT_EXCP_PF");
    ck_assert_str_eq(vmexit_name(0x07B), "VMEXIT_IOIO");
    ck_assert_str_eq(vmexit_name(0x08C), "VMEXIT_MWAIT_CONDITIONAL");
    ck_assert_str_eq(vmexit_name(0x400), "VMEXIT_NPF");
    ck_assert_str_eq(vmexit_name(UINT64_MAX), "VMEXIT_INVALID");
    ck_assert_ptr_null(vmexit_name(0x08D));
    ck_assert_ptr_null(vmexit_name(0x401));
    for (unsigned i = 0; i < VMEXIT_KINDS; i++)
        ck_assert_ptr_nonnull(vmexit_names[i]);
}
END_TEST

/* ---- Interrupt gates (fact sheet 3.9) -------------------------------------------------------------------------- */

START_TEST(a_virtual_interrupt_needs_every_condition)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    core->svm.guest = core->svm.gif = core->svm.v_irq = true;
    core->svm.v_intr_prio = 5;
    core->svm.v_tpr = 4;
    core->rflags |= RFLAGS_IF;
    ck_assert(svm_virtual_interrupt_ready(core));
    core->svm.v_tpr = 5; /* equal stays masked */
    ck_assert(!svm_virtual_interrupt_ready(core));
    core->svm.v_ign_tpr = true;
    ck_assert(svm_virtual_interrupt_ready(core));
    core->svm.v_ign_tpr = false;
    core->svm.v_tpr = 0xF4; /* only bits 3:0 count */
    ck_assert(svm_virtual_interrupt_ready(core));
    core->rflags &= ~RFLAGS_IF;
    ck_assert(!svm_virtual_interrupt_ready(core));
    core->rflags |= RFLAGS_IF;
    core->interrupt_shadow = true;
    ck_assert(!svm_virtual_interrupt_ready(core));
    core->interrupt_shadow = false;
    core->svm.gif = false;
    ck_assert(!svm_virtual_interrupt_ready(core));
    core->svm.gif = true;
    core->svm.v_intr_vector = 0x77;
    ck_assert_uint_eq(svm_virtual_interrupt_take(core), 0x77);
    ck_assert(!core->svm.v_irq);
    ck_assert(!svm_virtual_interrupt_ready(core));
    fixture_free(fix);
}
END_TEST

START_TEST(physical_interrupts_obey_gif_and_the_if_that_v_intr_masking_selects)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    core->rflags |= RFLAGS_IF;
    core->svm.gif = true;
    ck_assert(svm_physical_interrupts_enabled(core));
    core->svm.gif = false;
    ck_assert(!svm_physical_interrupts_enabled(core));
    core->svm.gif = core->svm.guest = true;
    core->svm.host_if = false;
    ck_assert(svm_physical_interrupts_enabled(core)); /* no masking: the guest's IF */
    core->svm.v_intr_masking = true;
    ck_assert(!svm_physical_interrupts_enabled(core)); /* masking: the host's */
    core->svm.host_if = true;
    core->rflags &= ~RFLAGS_IF;
    ck_assert(svm_physical_interrupts_enabled(core));
    core->svm.v_intr_masking = false;
    ck_assert(!svm_physical_interrupts_enabled(core));
    fixture_free(fix);
}
END_TEST

/* The counters see a guest's accesses and what they let in: level 2 -> 0 lets 2Fh in, and not 3Fh or 0Fh. */
START_TEST(an_interrupt_that_a_lower_cr8_let_in_is_counted_once)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];
    static const struct { uint8_t before, after, vector; bool same_rip, counted; } rows[] = {
        { 2, 0, 0x2F, true, true },  { 2, 0, 0x3F, true, false }, { 2, 0, 0x0F, true, false },
        { 2, 2, 0x2F, true, false }, { 0, 2, 0x2F, true, false }, { 2, 0, 0x2F, false, false },
    };
    uint64_t expected = 0;

    core->svm.guest = core->svm.v_intr_masking = true;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        core->svm.v_tpr = rows[i].before;
        core->next_rip = 0x1004;
        cr8_write_begins(core);
        core->svm.v_tpr = rows[i].after; /* by the processor, or by the hypervisor */
        core->rip = rows[i].same_rip ? 0x1004 : 0x1008;
        cr8_interrupt_arrives(core, rows[i].vector);
        cr8_interrupt_arrives(core, rows[i].vector);
        expected += rows[i].counted;
        ck_assert_uint_eq(core->count->cr8_unmasked, expected);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(cr8_accesses_are_counted_by_the_register_they_reach)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    cr8_count(core, true);
    core->svm.guest = true;
    cr8_count(core, true); /* V_INTR_MASKING = 0: the guest reaches the physical TPR */
    core->svm.v_intr_masking = true;
    cr8_count(core, false);
    ck_assert_uint_eq(core->count->cr8[1][0], 1);
    ck_assert_uint_eq(core->count->cr8[1][2], 1);
    ck_assert_uint_eq(core->count->cr8[0][1], 1);
    fixture_free(fix);
}
END_TEST

START_TEST(cr8_is_tpr_or_v_tpr)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    core->tpr = 0x5A;
    ck_assert_uint_eq(cr8_read(core), 5);
    cr8_write(core, 7);
    ck_assert_uint_eq(core->tpr, 0x70); /* TPR[3:0] cleared */
    ck_assert_uint_eq(core->svm.v_tpr, 0);
    core->svm.guest = true;
    cr8_write(core, 9); /* no masking: both */
    ck_assert_uint_eq(core->tpr, 0x90);
    ck_assert_uint_eq(core->svm.v_tpr, 9);
    core->tpr = 0x20;
    ck_assert_uint_eq(cr8_read(core), 2); /* the real one */
    core->svm.v_intr_masking = true;
    ck_assert_uint_eq(cr8_read(core), 9);
    cr8_write(core, 3);
    ck_assert_uint_eq(core->tpr, 0x20);
    ck_assert_uint_eq(core->svm.v_tpr, 3);
    fixture_free(fix);
}
END_TEST

/* ---- MSRs (fact sheet 2.3) --------------------------------------------------------------------------------------- */

static uint64_t msr(struct core *core, uint32_t number)
{
    uint64_t value = 0;

    ck_assert(msr_read(core, number, &value));
    return value;
}

START_TEST(vm_cr_obeys_lock_svmdis_and_its_reserved_bits)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    ck_assert_uint_eq(msr(core, 0xC0010114), 0);
    ck_assert(!msr_write(core, 0xC0010114, 0x20)); /* 31:5 MBZ */
    core->efer |= EFER_SVME;
    ck_assert(!msr_write(core, 0xC0010114, 0x10)); /* SVMDIS with SVME */
    core->efer = 0;
    ck_assert(msr_write(core, 0xC0010114, 0x1A));
    ck_assert(svm_disabled(core));
    ck_assert(msr_write(core, 0xC0010114, 0x05)); /* Lock: bits 4, 3 stay, 2:0 change */
    ck_assert_uint_eq(msr(core, 0xC0010114), 0x1D);
    ck_assert(!msr_write(core, 0xC0000080, EFER_SVME)); /* EFER.SVME with SVMDIS */
    svm_reset(core, CORE_RESET_INIT); /* locked: INIT keeps both */
    ck_assert_uint_eq(core->svm.vm_cr, 0x18);
    core->svm.vm_cr = 0x17;
    svm_reset(core, CORE_RESET_INIT); /* not locked: cleared */
    ck_assert_uint_eq(core->svm.vm_cr, 0);
    fixture_free(fix);
}
END_TEST

START_TEST(vm_hsave_pa_takes_pages_below_the_limit_and_outside_the_ht_range)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    ck_assert(msr_write(core, 0xC0010117, 0x123000));
    ck_assert_uint_eq(msr(core, 0xC0010117), 0x123000);
    ck_assert(!msr_write(core, 0xC0010117, 0x123800));
    ck_assert(!msr_write(core, 0xC0010117, UINT64_C(1) << 48));
    ck_assert(!msr_write(core, 0xC0010117, UINT64_C(0xFD00000000)));
    ck_assert(!msr_write(core, 0xC0010117, UINT64_C(0xFFFFFFF000)));
    ck_assert(msr_write(core, 0xC0010117, UINT64_C(0xFCFFFFF000)));
    ck_assert(msr_write(core, 0xC0010117, UINT64_C(0x10000000000)));
    fixture_free(fix);
}
END_TEST

START_TEST(svm_key_opens_the_lock_only_with_the_key_set_before)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];

    ck_assert(msr_write(core, 0xC0010118, 0xABCD));
    ck_assert_uint_eq(msr(core, 0xC0010118), 0); /* reads 0 */
    ck_assert(msr_write(core, 0xC0010114, 0x18));
    ck_assert(msr_write(core, 0xC0010118, 0x1234)); /* wrong: ignored */
    ck_assert_uint_eq(msr(core, 0xC0010114), 0x18);
    ck_assert(msr_write(core, 0xC0010118, 0xABCD));
    ck_assert_uint_eq(msr(core, 0xC0010114), 0x10);
    ck_assert(msr_write(core, 0xC0010118, 0)); /* key 0: a lock for good */
    ck_assert(msr_write(core, 0xC0010114, 0x18));
    ck_assert(msr_write(core, 0xC0010118, 0));
    ck_assert_uint_eq(msr(core, 0xC0010114), 0x18);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("svm gates", msrpm_has_two_bits_for_each_msr_of_three_ranges,
           iopm_tests_the_bit_of_every_byte_and_runs_on_past_ffff, ioio_info_has_every_bit_in_its_place,
           the_selective_cr0_intercept_follows_its_own_rule, only_exceptions_match_the_exception_word,
           exit_codes_have_the_manuals_names, a_virtual_interrupt_needs_every_condition,
           physical_interrupts_obey_gif_and_the_if_that_v_intr_masking_selects, cr8_is_tpr_or_v_tpr,
           an_interrupt_that_a_lower_cr8_let_in_is_counted_once,
           cr8_accesses_are_counted_by_the_register_they_reach,
           vm_cr_obeys_lock_svmdis_and_its_reserved_bits,
           vm_hsave_pa_takes_pages_below_the_limit_and_outside_the_ht_range,
           svm_key_opens_the_lock_only_with_the_key_set_before)
