/* SPDX-License-Identifier: MIT */
/* Local APIC: registers, priorities, timer, pins, APIC_BAR (APM2 chapter 16; fact sheet 2.9, 11.5). */
#include "sim/cpu/apic/apic_private.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/svm/svm_fixture.h"
#include "sim/state.h"

#define MSR_APIC_BAR 0x1B

static uint32_t reg(struct core *core, unsigned offset)
{
    return (uint32_t)core->apic_page.read(core->apic_page.ctx, offset, 4);
}

static void set(struct core *core, unsigned offset, uint32_t value)
{
    core->apic_page.write(core->apic_page.ctx, offset, 4, value);
}

static struct core *enabled_core(struct fixture *fix, unsigned n)
{
    apic_enter(fix->core[n]->apic);
    return fix->core[n];
}

static void fixed(struct core *core, uint8_t vector, bool level)
{
    core_apic_deliver(core, &(struct apic_message){ .type = APIC_FIXED, .vector = vector, .level = level });
}

/* ---- Registers -------------------------------------------------------------------------------------- */

START_TEST(registers_have_their_reset_values)
{
    static const struct {
        unsigned offset;
        uint32_t value;
    } reset[] = {
        { 0x020, 0x02000000 }, { 0x030, 0x80050010 }, { 0x080, 0 }, { 0x090, 0 }, { 0x0A0, 0 }, { 0x0D0, 0 },
        { 0x0E0, 0xFFFFFFFF }, { 0x0F0, 0xFF }, { 0x170, 0 }, { 0x280, 0 }, { 0x300, 0 }, { 0x310, 0 },
        { 0x320, 0x10000 }, { 0x330, 0x10000 }, { 0x340, 0x10000 }, { 0x350, 0x10000 }, { 0x360, 0x10000 },
        { 0x370, 0x10000 }, { 0x380, 0 }, { 0x390, 0 }, { 0x3E0, 0 }, { 0x400, 0x00040007 }, { 0x410, 0 },
        { 0x480, 0xFFFFFFFF }, { 0x4F0, 0xFFFFFFFF }, { 0x500, 0x10000 }, { 0x530, 0x10000 },
    };
    struct fixture *fix = fixture_new("10h-b3");

    for (unsigned i = 0; i < G_N_ELEMENTS(reset); i++)
        ck_assert_msg(reg(fix->core[2], reset[i].offset) == reset[i].value, "%03X", reset[i].offset);
    fixture_free(fix);
}
END_TEST

START_TEST(only_writable_bits_change)
{
    static const struct {
        unsigned offset;
        uint32_t zeros, ones; /* after writing all zeros and all ones, software-enabled */
    } masks[] = {
        { 0x030, 0x80050010, 0x80050010 }, { 0x0D0, 0, 0xFF000000 }, { 0x0E0, 0x0FFFFFFF, 0xFFFFFFFF },
        { 0x100, 0, 0 }, { 0x200, 0, 0 }, { 0x310, 0, 0xFF000000 }, { 0x330, 0, 0x000107FF },
        { 0x350, 0, 0x000187FF }, { 0x3E0, 0, 0x0B }, { 0x400, 0x00040007, 0x00040007 }, { 0x410, 0, 7 },
        { 0x510, 0, 0x000107FF }, { 0x320, 0, 0x000300FF }, { 0x0F0, 0, 0x3FF },
    };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(masks); i++) {
        set(core, masks[i].offset, 0);
        ck_assert_msg(reg(core, masks[i].offset) == masks[i].zeros, "%03X", masks[i].offset);
        set(core, masks[i].offset, 0xFFFFFFFF);
        ck_assert_msg(reg(core, masks[i].offset) == masks[i].ones, "%03X", masks[i].offset);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(a_software_disabled_apic_masks_its_entries_and_refuses_fixed_interrupts)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);
    struct apic_message message = { .type = APIC_FIXED, .vector = 0x40, .destination = 1 };

    set(core, 0x350, 0x700);
    fixed(core, 0x50, false);
    ck_assert(core_apic_accepts(core, &message));
    set(core, 0x0F0, 0x0FF);
    ck_assert_uint_eq(reg(core, 0x350), 0x10700);
    set(core, 0x350, 0x700);
    ck_assert_uint_eq(reg(core, 0x350), 0x10700); /* the mask cannot be cleared now */
    ck_assert_uint_eq(reg(core, 0x220), 1u << 16); /* IRR is kept */
    ck_assert(!core_apic_accepts(core, &message));
    message.type = APIC_EXTINT;
    ck_assert(!core_apic_accepts(core, &message));
    for (message.type = APIC_SMI; message.type <= APIC_STARTUP; message.type++) /* remote read, NMI, INIT, too */
        ck_assert_int_eq(core_apic_accepts(core, &message), true);
    fixture_free(fix);
}
END_TEST

/* ---- Priorities ------------------------------------------------------------------------------------- */

START_TEST(a_request_is_taken_only_above_the_processor_priority_class)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    fixed(core, 0x45, false);
    ck_assert(apic_interrupt_ready(core));
    core->tpr = 0x40; /* the same class blocks */
    ck_assert(!apic_interrupt_ready(core));
    core->tpr = 0x3F;
    ck_assert(apic_interrupt_ready(core));
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x45);
    ck_assert_uint_eq(reg(core, 0x120), 1u << 5); /* ISR */
    ck_assert_uint_eq(reg(core, 0x220), 0);       /* IRR */
    fixed(core, 0x4F, false);
    ck_assert(!apic_interrupt_ready(core)); /* same class as in service */
    fixed(core, 0x50, false);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x50);
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(reg(core, 0x120), 1u << 5); /* EOI ends the highest */
    ck_assert(!apic_interrupt_ready(core));
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x4F);
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x0F); /* nothing: the spurious vector, firmware's */
    ck_assert_uint_eq(reg(core, 0x100), 0);                    /* which is not in service */
    fixture_free(fix);
}
END_TEST

/* PPR and APR (APM2 16.6.4; fact sheet 11.5). */
START_TEST(processor_and_arbitration_priority_follow_tpr_isr_and_irr)
{
    static const struct {
        uint8_t tpr;
        int isr, irr;
        uint32_t ppr, apr;
    } cases[] = {
        { 0x00, -1, -1, 0x00, 0x00 }, { 0x35, -1, -1, 0x35, 0x35 }, { 0x35, 0x28, -1, 0x35, 0x35 },
        { 0x35, 0x38, -1, 0x35, 0x35 }, /* the classes tie: TPR with its low nibble */
        { 0x35, 0x48, -1, 0x40, 0x40 }, { 0x35, 0x48, 0x6A, 0x40, 0x60 }, { 0x75, 0x48, 0x6A, 0x75, 0x75 },
        { 0x35, -1, 0x31, 0x35, 0x35 }, { 0xF0, 0xE1, 0xE2, 0xF0, 0xF0 },
    };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        memset(core->apic->isr, 0, sizeof(core->apic->isr));
        memset(core->apic->irr, 0, sizeof(core->apic->irr));
        if (cases[i].isr >= 0)
            core->apic->isr[cases[i].isr / 32] |= 1u << cases[i].isr % 32;
        if (cases[i].irr >= 0)
            core->apic->irr[cases[i].irr / 32] |= 1u << cases[i].irr % 32;
        set(core, 0x080, cases[i].tpr);
        ck_assert_msg(reg(core, 0x0A0) == cases[i].ppr, "case %u: PPR %02X", i, reg(core, 0x0A0));
        ck_assert_msg(reg(core, 0x090) == cases[i].apr, "case %u: APR %02X", i, reg(core, 0x090));
    }
    fixture_free(fix);
}
END_TEST

START_TEST(eoi_of_a_level_interrupt_goes_out_and_that_of_an_edge_one_does_not)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    fixed(core, 0x61, true);
    fixed(core, 0x51, false);
    ck_assert_uint_eq(reg(core, 0x1B0), 1u << 1); /* TMR of 61h */
    ck_assert_uint_eq(reg(core, 0x1A0), 0);
    apic_interrupt_acknowledge(core);
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(fix->eois, 1);
    ck_assert_uint_eq(fix->eoi_vector, 0x61);
    apic_interrupt_acknowledge(core);
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(fix->eois, 1);
    set(core, 0x0B0, 0); /* nothing in service: nothing */
    ck_assert_uint_eq(fix->eois, 1);
    fixture_free(fix);
}
END_TEST

START_TEST(ier_hides_a_vector_and_seoi_ends_a_chosen_one)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x4A0, 0); /* IER of 40h-5Fh: not writable yet */
    ck_assert_uint_eq(reg(core, 0x4A0), 0xFFFFFFFF);
    set(core, 0x410, 3);
    set(core, 0x4A0, ~(1u << 5));
    fixed(core, 0x45, false);
    fixed(core, 0x33, false);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x33);
    ck_assert_uint_eq(reg(core, 0x220), 1u << 5); /* it stays in IRR */
    set(core, 0x4A0, 0xFFFFFFFF);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x45);
    set(core, 0x420, 0x33); /* the lower one first */
    ck_assert_uint_eq(reg(core, 0x110), 0);
    ck_assert_uint_eq(reg(core, 0x120), 1u << 5);
    set(core, 0x410, 0);
    set(core, 0x420, 0x45); /* SEOI disabled */
    ck_assert_uint_eq(reg(core, 0x120), 1u << 5);
    fixture_free(fix);
}
END_TEST

/* ---- Errors ----------------------------------------------------------------------------------------- */

START_TEST(esr_latches_on_write)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x370, 0x99);
    fixed(core, 0x0F, false); /* vectors 0-15 are illegal */
    ck_assert_uint_eq(reg(core, 0x200), 0);
    ck_assert_uint_eq(reg(core, 0x280), 0);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x99); /* the error interrupt */
    set(core, 0x0B0, 0);
    set(core, 0x280, 0);
    ck_assert_uint_eq(reg(core, 0x280), 1u << 6);
    set(core, 0x300, 0x0000400F); /* sending one: illegal too, and not sent */
    ck_assert_uint_eq(fix->sent_count, 0);
    reg(core, 0x040);             /* no such register */
    set(core, 0x280, 0);
    ck_assert_uint_eq(reg(core, 0x280), 1u << 5 | 1u << 7);
    set(core, 0x280, 0);
    ck_assert_uint_eq(reg(core, 0x280), 0);
    fixture_free(fix);
}
END_TEST

START_TEST(an_error_entry_with_an_illegal_vector_does_not_loop)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x370, 0x05);
    reg(core, 0x040);
    set(core, 0x280, 0);
    ck_assert_uint_eq(reg(core, 0x280), 1u << 6 | 1u << 7);
    fixture_free(fix);
}
END_TEST

/* ---- Timer: 200 MHz CLKIN, 5 ns a count ------------------------------------------------------------- */

static void at(struct fixture *fix, uint64_t ps)
{
    clock_fire(&fix->clock, ps);
    fix->clock.now_ps = ps;
}

START_TEST(divide_values_are_the_manuals)
{
    static const struct {
        uint32_t code;
        unsigned divisor;
    } cases[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 } };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        fix->clock.now_ps = 0;
        set(core, 0x3E0, cases[i].code);
        set(core, 0x380, 1000);
        fix->clock.now_ps = UINT64_C(5000) * cases[i].divisor * 10 - 1;
        ck_assert_uint_eq(reg(core, 0x390), 991);
        fix->clock.now_ps++;
        ck_assert_uint_eq(reg(core, 0x390), 990);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(a_one_shot_timer_interrupts_once_and_stays_at_zero)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x3E0, 11);
    set(core, 0x320, 0x40);
    at(fix, 7000);
    set(core, 0x380, 100);
    at(fix, 7000 + 100 * 5000 - 1);
    ck_assert(!apic_interrupt_ready(core));
    ck_assert_uint_eq(reg(core, 0x390), 1);
    at(fix, 7000 + 100 * 5000);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x40);
    ck_assert_uint_eq(reg(core, 0x390), 0);
    ck_assert_uint_eq(reg(core, 0x380), 100);
    at(fix, 9000000);
    ck_assert(!apic_interrupt_ready(core));
    ck_assert_uint_eq(fix->clock.next_due, NEVER);
    fixture_free(fix);
}
END_TEST

START_TEST(a_periodic_timer_reloads)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x3E0, 11);
    set(core, 0x320, 0x20040);
    set(core, 0x380, 100);
    for (unsigned n = 1; n <= 5; n++) {
        at(fix, n * UINT64_C(500000) - 5000);
        ck_assert_uint_eq(reg(core, 0x390), 1);
        ck_assert(!apic_interrupt_ready(core));
        at(fix, n * UINT64_C(500000));
        ck_assert_uint_eq(reg(core, 0x390), 100);
        ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x40);
        set(core, 0x0B0, 0);
    }
    ck_assert_uint_eq(core->apic->count.expirations, 5);
    set(core, 0x380, 0); /* stops */
    at(fix, 9000000);
    ck_assert_uint_eq(core->apic->count.expirations, 5);
    ck_assert_uint_eq(reg(core, 0x390), 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_masked_timer_counts_without_interrupting)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x3E0, 11);
    set(core, 0x320, 0x30040); /* periodic, masked */
    set(core, 0x380, 100);
    ck_assert_uint_eq(fix->clock.next_due, NEVER); /* nothing to wake for */
    at(fix, 1730000);
    ck_assert_uint_eq(reg(core, 0x390), 100 - 46);
    set(core, 0x320, 0x20040); /* unmasked: from the next expiry on */
    ck_assert_uint_eq(fix->clock.next_due, 2000000);
    at(fix, 2000000);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x40);
    fixture_free(fix);
}
END_TEST

START_TEST(a_new_divide_value_goes_on_from_the_current_count)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x3E0, 11);
    set(core, 0x320, 0x40);
    set(core, 0x380, 100);
    at(fix, 60 * 5000);
    set(core, 0x3E0, 0); /* by 2: the 40 left take 80 clocks */
    ck_assert_uint_eq(reg(core, 0x390), 40);
    at(fix, (60 + 79) * 5000);
    ck_assert(!apic_interrupt_ready(core));
    at(fix, (60 + 80) * 5000);
    ck_assert(apic_interrupt_ready(core));
    fixture_free(fix);
}
END_TEST

START_TEST(the_fastest_and_the_longest_timer_are_exact)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x3E0, 10); /* by 128 */
    set(core, 0x320, 0x40);
    set(core, 0x380, 0xFFFFFFFF);
    ck_assert_uint_eq(fix->clock.next_due, UINT64_C(0xFFFFFFFF) * 128 * 5000);
    set(core, 0x3E0, 11);
    set(core, 0x320, 0x20040);
    set(core, 0x380, 1);
    at(fix, 1000000);
    ck_assert_uint_eq(core->apic->count.expirations, 200);
    fixture_free(fix);
}
END_TEST

/* ---- Pins ------------------------------------------------------------------------------------------- */

START_TEST(extint_on_lint0_takes_its_vector_from_the_8259s)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 0); /* virtual-wire mode on the boot processor */
    struct core_pins pins = core_pins(core);

    fix->intack_vector = 0x08;
    pins.extint(pins.ctx, true);
    core->tpr = 0xFF; /* no priority applies */
    ck_assert(apic_interrupt_ready(core));
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x08);
    ck_assert_uint_eq(fix->intacks, 1);
    ck_assert_int_eq(apic_highest(core->apic->isr), -1); /* not in service here */
    pins.extint(pins.ctx, false);
    ck_assert(!apic_interrupt_ready(core));
    pins.extint(pins.ctx, true);
    set(core, 0x350, 0x10700);
    ck_assert(!apic_interrupt_ready(core)); /* masked */
    set(core, 0x350, 0x700);
    ck_assert(apic_interrupt_ready(core));
    fixture_free(fix);
}
END_TEST

START_TEST(without_an_apic_the_pins_are_intr_and_nmi)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];
    struct core_pins pins = core_pins(core);

    ck_assert(!apic_enabled(core)); /* reset value of APIC_BAR: FEE00000h with BSC alone */
    ck_assert(!apic_interrupt_ready(core));
    pins.extint(pins.ctx, true);
    ck_assert(apic_interrupt_ready(core));
    fix->intack_vector = 0x70;
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x70);
    pins.nmi(pins.ctx, true);
    ck_assert(core->nmi_pending);
    core->nmi_pending = false;
    pins.nmi(pins.ctx, true); /* no edge */
    ck_assert(!core->nmi_pending);
    fixture_free(fix);
}
END_TEST

START_TEST(lint1_delivers_an_nmi_on_the_edge)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 0);
    struct core_pins pins = core_pins(core);

    pins.nmi(pins.ctx, true);
    ck_assert(core->nmi_pending);
    core->nmi_pending = false;
    pins.nmi(pins.ctx, true);
    pins.nmi(pins.ctx, false);
    ck_assert(!core->nmi_pending);
    set(core, 0x360, 0x10400);
    pins.nmi(pins.ctx, true);
    ck_assert(!core->nmi_pending); /* masked */
    fixture_free(fix);
}
END_TEST

START_TEST(a_level_lint_delivers_again_after_eoi_while_it_is_asserted)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);
    struct core_pins pins = core_pins(core);

    set(core, 0x350, 0x8055); /* fixed, level */
    pins.extint(pins.ctx, true);
    ck_assert_uint_eq(reg(core, 0x350), 0xC055); /* remote IRR */
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x55);
    ck_assert(!apic_interrupt_ready(core));
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x55);
    pins.extint(pins.ctx, false);
    set(core, 0x0B0, 0);
    ck_assert_uint_eq(reg(core, 0x350), 0x8055);
    ck_assert(!apic_interrupt_ready(core));
    fixture_free(fix);
}
END_TEST

/* ---- APIC_BAR (fact sheet 2.1) ---------------------------------------------------------------------- */

START_TEST(apic_bar_moves_and_disables_the_page)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 0);
    uint64_t value;

    ck_assert(msr_read(core, MSR_APIC_BAR, &value));
    ck_assert_uint_eq(value, 0xFEE00900);
    ck_assert(msr_read(enabled_core(fix, 1), MSR_APIC_BAR, &value));
    ck_assert_uint_eq(value, 0xFEE00800);
    ck_assert(msr_write(core, MSR_APIC_BAR, UINT64_C(0x123456789900)));
    ck_assert_uint_eq(core->apic_page.base, UINT64_C(0x123456789000));
    ck_assert_uint_eq(core->apic_page.size, 4096);
    ck_assert(!msr_write(core, MSR_APIC_BAR, 0xFEE00901));                /* 7:0 MBZ */
    ck_assert(!msr_write(core, MSR_APIC_BAR, 0xFEE00D00));                /* bit 10: no x2APIC */
    ck_assert(!msr_write(core, MSR_APIC_BAR, UINT64_C(0x10000FEE00900))); /* 63:48 MBZ */
    set(core, 0x0D0, 0x01000000);
    ck_assert(msr_write(core, MSR_APIC_BAR, 0xFEE00100));
    ck_assert_uint_eq(core->apic_page.size, 0);
    ck_assert(!core_apic_accepts(core, &(struct apic_message){ .type = APIC_NMI, .destination = 0xFF }));
    ck_assert(msr_write(core, MSR_APIC_BAR, 0xFEE00900));
    ck_assert_uint_eq(core->apic_page.size, 4096);
    ck_assert_uint_eq(reg(core, 0x0D0), 0); /* as after reset */
    ck_assert_uint_eq(reg(core, 0x0F0), 0xFF);
    fixture_free(fix);
}
END_TEST

START_TEST(init_keeps_id_and_apic_bar_only)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);

    set(core, 0x020, 0x55000000);
    set(core, 0x0D0, 0x77000000);
    core->tpr = 0x40;
    apic_reset(core->apic, CORE_RESET_INIT);
    ck_assert_uint_eq(reg(core, 0x020), 0x55000000);
    ck_assert(apic_enabled(core));
    ck_assert_uint_eq(reg(core, 0x0D0), 0);
    ck_assert_uint_eq(reg(core, 0x080), 0);
    ck_assert_uint_eq(reg(core, 0x0F0), 0xFF);
    apic_reset(core->apic, CORE_RESET_COLD);
    ck_assert_uint_eq(reg(core, 0x020), 0x01000000);
    ck_assert(!apic_enabled(core));
    fixture_free(fix);
}
END_TEST

START_TEST(odd_accesses_do_no_harm)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = enabled_core(fix, 1);
    struct mmio_region *page = &core->apic_page;

    ck_assert_uint_eq(page->read(page->ctx, 0x030, 8), 0x80050010);
    ck_assert_uint_eq(page->read(page->ctx, 0x033, 1), 0x80);
    ck_assert_uint_eq(page->read(page->ctx, 0x032, 2), 0x8005);
    ck_assert_uint_eq(page->read(page->ctx, 0x034, 4), 0);
    page->write(page->ctx, 0x0D0, 1, 0xFF);
    page->write(page->ctx, 0x0D3, 4, 0xFFFFFFFF);
    ck_assert_uint_eq(reg(core, 0x0D0), 0);
    ck_assert_uint_eq(unmodelled_total(fix->unmodelled), 2);
    for (unsigned offset = 0; offset < 0x1000; offset += 4)
        page->write(page->ctx, offset, 4, 0xA5A5A5A5);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("apic", registers_have_their_reset_values, only_writable_bits_change,
           a_software_disabled_apic_masks_its_entries_and_refuses_fixed_interrupts,
           a_request_is_taken_only_above_the_processor_priority_class,
           processor_and_arbitration_priority_follow_tpr_isr_and_irr,
           eoi_of_a_level_interrupt_goes_out_and_that_of_an_edge_one_does_not,
           ier_hides_a_vector_and_seoi_ends_a_chosen_one, esr_latches_on_write,
           an_error_entry_with_an_illegal_vector_does_not_loop, divide_values_are_the_manuals,
           a_one_shot_timer_interrupts_once_and_stays_at_zero, a_periodic_timer_reloads,
           a_masked_timer_counts_without_interrupting, a_new_divide_value_goes_on_from_the_current_count,
           the_fastest_and_the_longest_timer_are_exact, extint_on_lint0_takes_its_vector_from_the_8259s,
           without_an_apic_the_pins_are_intr_and_nmi, lint1_delivers_an_nmi_on_the_edge,
           a_level_lint_delivers_again_after_eoi_while_it_is_asserted, apic_bar_moves_and_disables_the_page,
           init_keeps_id_and_apic_bar_only, odd_accesses_do_no_harm)
