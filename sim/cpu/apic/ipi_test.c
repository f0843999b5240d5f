/* SPDX-License-Identifier: MIT */
/* Interrupt messages: ICR forms, destinations, lowest priority, INIT and STARTUP (APM2 16.5, 16.6). */
#include "sim/cpu/apic/apic_private.h"
#include "sim/cpu/svm/svm_fixture.h"

#define ICR_LOW 0x300
#define ICR_HIGH 0x310

static uint32_t reg(struct core *core, unsigned offset)
{
    return (uint32_t)core->apic_page.read(core->apic_page.ctx, offset, 4);
}

static void set(struct core *core, unsigned offset, uint32_t value)
{
    core->apic_page.write(core->apic_page.ctx, offset, 4, value);
}

/* Four cores with ids 0-3, software-enabled, flat logical ids 1, 2, 4, 8. */
static struct fixture *four_cores(void)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (unsigned i = 0; i < FIXTURE_CORES; i++) {
        apic_enter(fix->core[i]->apic);
        set(fix->core[i], 0x0D0, 0x01000000u << i);
    }
    return fix;
}

/* Which cores have `vector` in IRR, a bit each; and forget it. */
static unsigned receivers(struct fixture *fix, uint8_t vector)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < FIXTURE_CORES; i++) {
        mask |= (fix->core[i]->apic->irr[vector / 32] >> vector % 32 & 1) << i;
        memset(fix->core[i]->apic->irr, 0, sizeof(fix->core[i]->apic->irr));
    }
    return mask;
}

static unsigned send(struct fixture *fix, unsigned from, uint32_t high, uint32_t low)
{
    set(fix->core[from], ICR_HIGH, high);
    set(fix->core[from], ICR_LOW, low);
    return receivers(fix, (uint8_t)low);
}

START_TEST(destinations_name_the_cores_that_the_manual_says)
{
    struct fixture *fix = four_cores();

    ck_assert_uint_eq(send(fix, 0, 0x02000000, 0x00004040), 1u << 2);  /* physical */
    ck_assert_uint_eq(send(fix, 0, 0xFF000000, 0x00004040), 0xF);      /* broadcast */
    ck_assert_uint_eq(send(fix, 0, 0x09000000, 0x00004040), 0);        /* nobody */
    ck_assert_uint_eq(send(fix, 0, 0x0A000000, 0x00004840), 0xA);      /* logical flat: 8 | 2 */
    ck_assert_uint_eq(send(fix, 0, 0xFF000000, 0x00004840), 0xF);
    ck_assert_uint_eq(send(fix, 1, 0, 0x00044040), 1u << 1);           /* self */
    ck_assert_uint_eq(send(fix, 1, 0, 0x00084040), 0xF);               /* all */
    ck_assert_uint_eq(send(fix, 1, 0, 0x000C4040), 0xD);               /* all but self */
    fixture_free(fix);
}
END_TEST

START_TEST(cluster_mode_needs_the_cluster_and_a_member_bit)
{
    struct fixture *fix = four_cores();

    for (unsigned i = 0; i < FIXTURE_CORES; i++) {
        set(fix->core[i], 0x0E0, 0); /* DFR 31:28 = 0 */
        set(fix->core[i], 0x0D0, (i / 2 << 4 | 1u << i % 2) << 24);
    }
    ck_assert_uint_eq(send(fix, 0, 0x03000000, 0x00004840), 0x3); /* cluster 0, members 1 and 2 */
    ck_assert_uint_eq(send(fix, 0, 0x12000000, 0x00004840), 0x8); /* cluster 1, member 2 */
    ck_assert_uint_eq(send(fix, 0, 0x21000000, 0x00004840), 0);
    ck_assert_uint_eq(send(fix, 0, 0xFF000000, 0x00004840), 0xF); /* everybody */
    fixture_free(fix);
}
END_TEST

START_TEST(lowest_priority_goes_to_the_focus_then_the_least_busy_then_the_highest_id)
{
    struct fixture *fix = four_cores();

    ck_assert_uint_eq(send(fix, 0, 0x0F000000, 0x00004940), 0x8); /* all equal: highest id */
    fix->core[3]->tpr = 0x30;
    fix->core[2]->tpr = 0x20;
    ck_assert_uint_eq(send(fix, 0, 0x0F000000, 0x00004940), 0x2); /* 0 and 1 are least busy */
    ck_assert_uint_eq(send(fix, 0, 0x0C000000, 0x00004940), 0x4); /* among the named */
    fix->core[3]->apic->isr[2] = 1;                               /* vector 40h in service: the focus */
    ck_assert_uint_eq(send(fix, 0, 0x0F000000, 0x00004940), 0x8);
    set(fix->core[3], 0x0F0, 0x3FF);                              /* which declines */
    ck_assert_uint_eq(send(fix, 0, 0x0F000000, 0x00004940), 0x2);
    ck_assert_uint_eq(send(fix, 0, 0x02000000, 0x00004140), 0x4); /* physical: no arbitration */
    fixture_free(fix);
}
END_TEST

START_TEST(invalid_icr_forms_are_not_sent)
{
    static const uint32_t invalid[] = {
        0x00008040,          /* fixed, level, de-assert */
        0x00044440,          /* NMI to self */
        0x00084500,          /* INIT to all including self */
        0x00044140,          /* lowest priority to self */
        0x00084610,          /* STARTUP to all including self */
        0x00084340,          /* remote read of all */
    };
    struct fixture *fix = four_cores();

    for (unsigned i = 0; i < G_N_ELEMENTS(invalid); i++)
        set(fix->core[0], ICR_LOW, invalid[i]);
    ck_assert_uint_eq(fix->sent_count, 0);
    ck_assert_uint_eq(unmodelled_total(fix->unmodelled), 6);
    set(fix->core[0], ICR_LOW, 0x00088500); /* INIT de-assert to all: a common idiom without effect */
    ck_assert_uint_eq(fix->sent_count, 0);
    ck_assert_uint_eq(unmodelled_total(fix->unmodelled), 6);
    fixture_free(fix);
}
END_TEST

START_TEST(icr_reads_back_idle)
{
    struct fixture *fix = four_cores();

    send(fix, 0, 0x03000000, 0x00004840);
    ck_assert_uint_eq(reg(fix->core[0], ICR_LOW), 0x00004840); /* delivery status 12 is 0 */
    ck_assert_uint_eq(reg(fix->core[0], ICR_HIGH), 0x03000000);
    fixture_free(fix);
}
END_TEST

START_TEST(nmi_smi_and_init_bypass_irr)
{
    struct fixture *fix = four_cores();

    send(fix, 0, 0x01000000, 0x00004400);
    ck_assert(fix->core[1]->nmi_pending && !fix->core[2]->nmi_pending);
    send(fix, 0, 0x01000000, 0x00004200);
    ck_assert(fix->core[1]->smi_pending);
    send(fix, 0, 0x02000000, 0x00004500);
    ck_assert(fix->core[2]->init_pending && !fix->core[1]->init_pending);
    fixture_free(fix);
}
END_TEST

START_TEST(startup_begins_at_vector_times_1000h_and_only_where_it_is_awaited)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[2];
    uint64_t rip = fix->core[0]->rip;

    core_wait_for_sipi(core);
    send(fix, 0, 0x02000000, 0x00004612);
    ck_assert(!core->waiting_for_sipi);
    ck_assert_uint_eq(core->seg[SEG_CS].selector, 0x1200);
    ck_assert_uint_eq(core->seg[SEG_CS].base, 0x12000);
    ck_assert_uint_eq(core->rip, 0);
    core->rip = 0x55;
    send(fix, 0, 0x02000000, 0x00004634); /* the customary second one */
    ck_assert_uint_eq(core->rip, 0x55);
    ck_assert_uint_eq(fix->core[0]->rip, rip);
    fixture_free(fix);
}
END_TEST

START_TEST(an_extint_message_takes_its_vector_from_the_8259s)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[1];

    fix->intack_vector = 0x2A;
    core_apic_deliver(core, &(struct apic_message){ .type = APIC_EXTINT });
    ck_assert(apic_interrupt_ready(core));
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x2A);
    ck_assert(!apic_interrupt_ready(core));
    fixture_free(fix);
}
END_TEST

/* ---- Remote read (BKDG10 APIC300[17:16], APICC0) -------------------------------------------------------------- */

#define REMOTE_READ 0x00004300
#define REMOTE 0x0C0
#define STATUS(core) (reg(core, ICR_LOW) >> 16 & 3)

static void read_remote(struct fixture *fix, unsigned destination, unsigned offset)
{
    set(fix->core[0], ICR_HIGH, destination << 24);
    set(fix->core[0], ICR_LOW, REMOTE_READ | offset >> 4);
}

START_TEST(a_remote_read_brings_the_register_of_the_core_that_it_names)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[0];

    fix->core[2]->tpr = 0x5A;
    read_remote(fix, 2, 0x080);
    ck_assert_uint_eq(STATUS(core), READ_DONE);
    ck_assert_uint_eq(reg(core, REMOTE), 0x5A);
    ck_assert_uint_eq(reg(fix->core[2], REMOTE), 0);
    ck_assert_uint_eq(reg(core, ICR_LOW), 0x00024308); /* done, type 3, the register's number */
    read_remote(fix, 0, 0x020);
    ck_assert_uint_eq(reg(core, REMOTE), 0);           /* its own id */
    read_remote(fix, 3, 0x0D0);
    ck_assert_uint_eq(reg(core, REMOTE), 0x08000000);
    set(core, ICR_LOW, 0x00044040);                    /* another message leaves what was read */
    ck_assert_uint_eq(STATUS(core), READ_DONE);
    ck_assert_uint_eq(reg(core, REMOTE), 0x08000000);
    ck_assert_uint_eq(unmodelled_total(fix->unmodelled), 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_remote_read_of_no_register_or_no_core_is_invalid)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[0];

    read_remote(fix, 1, 0x020);
    ck_assert_uint_eq(reg(core, REMOTE), 0x01000000);
    read_remote(fix, 1, 0x010); /* no register there */
    ck_assert_uint_eq(STATUS(core), READ_INVALID);
    read_remote(fix, 1, 0x030);
    ck_assert_uint_eq(STATUS(core), READ_DONE);
    read_remote(fix, 9, 0x020); /* no core */
    ck_assert_uint_eq(STATUS(core), READ_INVALID);
    ck_assert_uint_eq(reg(core, REMOTE), 0x80050010); /* the version, from before */
    for (unsigned i = 0; i < 2; i++) {
        set(fix->core[i], 0x280, 0);
        ck_assert_uint_eq(reg(fix->core[i], 0x280), 0);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(a_remote_read_has_no_effect_on_the_register)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[1];

    core_apic_deliver(core, &(struct apic_message){ .type = APIC_FIXED, .vector = 0x51, .level = true });
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x51);
    read_remote(fix, 1, 0x0B0); /* EOI */
    ck_assert_uint_eq(STATUS(fix->core[0]), READ_DONE);
    ck_assert_uint_eq(reg(core, 0x120), 1u << 0x11); /* still in service */
    ck_assert_uint_eq(fix->eois, 0);
    fixture_free(fix);
}
END_TEST

START_TEST(a_remote_read_is_pending_until_its_answer_comes_and_init_forgets_it)
{
    const struct apic_message answer = { .type = WIRE_READ_ANSWER, .destination = 0, .vector = READ_DONE, .data = 77 };
    struct fixture *fix = four_cores();
    struct core *core = fix->core[0];

    set(fix->core[0], ICR_HIGH, 0);
    core->apic->icr_low = (uint32_t)bits_put(REMOTE_READ, ICR_READ_STATUS, READ_PENDING); /* the answer is on its way */
    ck_assert(core_apic_accepts(core, &answer) && !core_apic_accepts(fix->core[1], &answer));
    core_apic_deliver(core, &answer);
    ck_assert_uint_eq(STATUS(core), READ_DONE);
    ck_assert_uint_eq(reg(core, REMOTE), 77);
    core->apic->icr_low = (uint32_t)bits_put(REMOTE_READ, ICR_READ_STATUS, READ_PENDING);
    apic_reset(core->apic, CORE_RESET_INIT);
    core_apic_deliver(core, &answer);
    ck_assert_uint_eq(STATUS(core), READ_INVALID);
    ck_assert_uint_eq(reg(core, REMOTE), 0);
    fixture_free(fix);
}
END_TEST

/* ---- Waiting for STARTUP --------------------------------------------------------------------------------------- */

/* INIT to a core, number 3, that runs a loop of real mode; a NOP waits at 7000h. */
static void init_running(struct fixture *fix, struct core *core)
{
    core->waiting_for_sipi = false;
    core->seg[SEG_CS] = (struct segment){ 0, 0x9B, 0xFFFF, 0 };
    core->rip = 0x500;
    put(fix, 0x500, 2, 0xFEEB); /* jmp . */
    put(fix, 0x7000, 1, 0x90);  /* nop */
    core_mode_changed(core, true);
    send(fix, 0, 0x03000000, 0x00004500);
    core_step(core);
}

START_TEST(an_nmi_waits_with_the_core_that_waits_for_startup)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[3];

    put(fix, 2 * 4, 4, 0x00000600); /* real mode's vector 2 */
    put(fix, 0x600, 1, 0xCF);       /* iret */
    init_running(fix, core);
    send(fix, 0, 0x03000000, 0x00004400); /* NMI */
    ck_assert(!core_wakes(core));
    core_run(core, core_cycles(core) + 1000);
    ck_assert(core->waiting_for_sipi && core->nmi_pending);
    send(fix, 0, 0x03000000, 0x00004607); /* STARTUP at 7000h */
    core_step(core);
    ck_assert_uint_eq(core->rip, 0x600);
    ck_assert(!core->nmi_pending && core->nmi_masked);
    fixture_free(fix);
}
END_TEST

/* INIT then STARTUP through the run loop, as an operating system starts a processor. */
START_TEST(an_ipi_sequence_starts_a_running_core)
{
    struct fixture *fix = four_cores();
    struct core *core = fix->core[3];

    init_running(fix, core);
    ck_assert(core->waiting_for_sipi);
    send(fix, 0, 0x03000000, 0x00004607);
    ck_assert(!core->waiting_for_sipi);
    core_step(core);
    ck_assert_uint_eq(core->rip, 1);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("ipi", destinations_name_the_cores_that_the_manual_says, cluster_mode_needs_the_cluster_and_a_member_bit,
           lowest_priority_goes_to_the_focus_then_the_least_busy_then_the_highest_id, invalid_icr_forms_are_not_sent,
           icr_reads_back_idle, nmi_smi_and_init_bypass_irr,
           startup_begins_at_vector_times_1000h_and_only_where_it_is_awaited,
           an_extint_message_takes_its_vector_from_the_8259s,
           a_remote_read_brings_the_register_of_the_core_that_it_names,
           a_remote_read_of_no_register_or_no_core_is_invalid, a_remote_read_has_no_effect_on_the_register,
           a_remote_read_is_pending_until_its_answer_comes_and_init_forgets_it,
           an_nmi_waits_with_the_core_that_waits_for_startup, an_ipi_sequence_starts_a_running_core)
