/* SPDX-License-Identifier: MIT */
/*
 * From an error of a core's own unit to #MC, to the interrupt or SMI that MSRC001_0022 puts in its place, or to
 * shutdown: APM2 9.3.2, 9.3.3, BKDG10 2.12.1.
 */
#include "sim/cpu/apic/apic_private.h"
#include "sim/cpu/event/machine_check.h"
#include "sim/cpu/svm/svm_fixture.h"

#define VECTOR 0x77
#define TO_VECTOR (BIT(8) | VECTOR)
#define TO_SMI BIT(9)
#define STATUS (MCA_UC | 0x0145) /* a memory hierarchy error, BKDG10 2.12.1.3 */

/* A core whose data cache reports what its control bit 0 stands for. */
static struct core *core_with_banks(struct fixture *fix)
{
    struct core *core = fix->core[0];
    struct mca_core *mca = core_mca(core);

    apic_enter(core->apic);
    core->cr4 |= CR4_MCE;
    mca->mcg_ctl = ~UINT64_C(0);
    mca->bank[MCA_DC].ctl = 1;
    return core;
}

static enum mca_fate met(struct core *core, uint64_t status, bool precise)
{
    const struct mca_error error = { .bank = MCA_DC, .ctl = 0, .status = status, .precise = precise };

    return core_error(core, &error);
}

START_TEST(an_uncorrected_error_is_logged_and_pending)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    ck_assert_int_eq(met(core, STATUS, false), MCA_LOGGED);
    ck_assert(core->mc_pending);
    ck_assert_uint_eq(core_mca(core)->bank[MCA_DC].status, MCA_VAL | MCA_EN | STATUS);
    ck_assert(machine_check_begin(core));
    ck_assert(!core->mc_pending);
    ck_assert_uint_eq(core_mca(core)->mcg_status, MCG_MCIP | MCG_RIPV); /* imprecise: no EIPV */
    fixture_free(fix);
}
END_TEST

START_TEST(mcg_status_says_where_the_error_was_and_whether_to_go_on)
{
    static const struct { uint64_t status; bool precise; uint64_t mcg; } rows[] = {
        { STATUS, false, MCG_RIPV },
        { STATUS, true, MCG_RIPV | MCG_EIPV },
        { STATUS | MCA_PCC, false, 0 },
        { STATUS | MCA_PCC, true, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct fixture *fix = fixture_new("10h-b3");
        struct core *core = core_with_banks(fix);

        met(core, rows[i].status, rows[i].precise);
        ck_assert(machine_check_begin(core));
        ck_assert_uint_eq(core_mca(core)->mcg_status, MCG_MCIP | rows[i].mcg);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(a_corrected_error_raises_nothing)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    ck_assert_int_eq(met(core, STATUS & ~MCA_UC, false), MCA_LOGGED);
    ck_assert(!core->mc_pending);
    core_machine_check(core, 0); /* nothing raised */
    ck_assert(!core->mc_pending);
    fixture_free(fix);
}
END_TEST

START_TEST(errors_before_the_machine_check_is_taken_are_one)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    core_machine_check(core, MCA_RAISE_PENDING | MCA_RAISE_PCC); /* the northbridge's, say */
    met(core, STATUS, false);
    ck_assert(machine_check_begin(core));
    ck_assert_uint_eq(core_mca(core)->mcg_status, MCG_MCIP); /* PCC of either takes RIPV and EIPV */
    ck_assert(!core->mc_pending && core_mca(core)->raised == 0);
    fixture_free(fix);
}
END_TEST

START_TEST(without_mce_or_while_one_is_handled_it_is_shutdown)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    core->cr4 &= ~(uint64_t)CR4_MCE;
    met(core, STATUS, false);
    ck_assert(!machine_check_begin(core));
    ck_assert(!core->mc_pending && core_mca(core)->raised == 0);
    ck_assert_uint_eq(core_mca(core)->mcg_status, 0);
    ck_assert_uint_eq(core_mca(core)->count.shutdowns, 1);
    core->cr4 |= CR4_MCE;
    core_machine_check(core, MCA_RAISE_PENDING);
    ck_assert(machine_check_begin(core));
    core_machine_check(core, MCA_RAISE_PENDING);
    ck_assert(!machine_check_begin(core)); /* MCIP is still set */
    ck_assert_uint_eq(core_mca(core)->count.shutdowns, 2);
    fixture_free(fix);
}
END_TEST

/* Through the run loop: the interrupt gate of vector 18 is taken; with GIF = 0 it waits (APM2 15.17). */
START_TEST(it_waits_for_gif_and_then_goes_through_vector_18)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    core->seg[SEG_CS] = (struct segment){ 0, 0x9B, 0xFFFF, 0 };
    core->waiting_for_sipi = false;
    core->rip = 0x500;
    put(fix, 0x500, 2, 0x9090);
    put(fix, 18 * 4, 4, 0x00000600); /* real mode's vector 18 */
    core_mode_changed(core, true);
    core->svm.gif = false;
    met(core, STATUS, false);
    core_step(core);
    ck_assert_uint_eq(core->rip, 0x501);
    ck_assert(core->mc_pending);
    core->svm.gif = true;
    core_attention(core);
    core_step(core);
    ck_assert_uint_eq(core->rip, 0x600);
    ck_assert_uint_eq(core_mca(core)->mcg_status, MCG_MCIP | MCG_RIPV);
    fixture_free(fix);
}
END_TEST

START_TEST(it_is_redirected_to_a_vector_or_to_an_smi)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = core_with_banks(fix);

    core_mca(core)->redirection = TO_VECTOR;
    met(core, STATUS, false);
    ck_assert(!core->mc_pending && !core->smi_pending);
    ck_assert_uint_eq(core->apic->irr[VECTOR / 32], 1u << VECTOR % 32);
    core_mca(core)->redirection = TO_SMI;
    core_mca(core)->bank[MCA_DC].status = 0;
    met(core, STATUS, false);
    ck_assert(!core->mc_pending && core->smi_pending);
    ck_assert_uint_eq(core_mca(core)->count.redirected, 2);
    ck_assert_uint_eq(core_mca(core)->mcg_status, 0);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("machine_check", an_uncorrected_error_is_logged_and_pending,
           mcg_status_says_where_the_error_was_and_whether_to_go_on, a_corrected_error_raises_nothing,
           errors_before_the_machine_check_is_taken_are_one, without_mce_or_while_one_is_handled_it_is_shutdown,
           it_waits_for_gif_and_then_goes_through_vector_18, it_is_redirected_to_a_vector_or_to_an_smi)
