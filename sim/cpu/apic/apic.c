/* SPDX-License-Identifier: MIT */
/* The local APIC as a whole: APIC_BAR, pins, interrupt acknowledge, reset, description. */
#include "sim/cpu/apic/apic_private.h"
#include "sim/state.h"

/* ---- APIC_BAR (MSR0000_001B) ---------------------------------------------------------------------------- */

bool apic_enabled(const struct core *core)
{
    return (core->apic->bar & APIC_BAR_ENABLE) != 0;
}

/* The register page goes where APIC_BAR says, and away while the APIC is disabled. */
static void place_page(struct local_apic *apic)
{
    struct mmio_region *page = &apic->core->apic_page;

    page->base = apic->bar & APIC_BAR_BASE;
    page->size = apic->bar & APIC_BAR_ENABLE ? PAGE_BYTES : 0;
    mmu_cover_page(apic->core->mmu, page->size ? page->base : SPA_LIMIT);
}

static bool write_bar(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;
    struct local_apic *apic = core->apic;

    (void)row;
    /* assumed: disabling loses the registers but the id (the manual leaves it open). */
    if ((apic->bar & APIC_BAR_ENABLE) && !(value & APIC_BAR_ENABLE))
        apic_registers_reset(apic);
    apic->bar = value;
    place_page(apic);
    core_attention(core);
    return true;
}

static uint64_t read_bar(void *ctx, const struct msr_row *row)
{
    (void)row;
    return ((struct core *)ctx)->apic->bar;
}

/* write gets the old value with the writable bits replaced, so that the row needs storage: it is `bar`. */
static const struct msr_row apic_msrs[] = {
    { .msr = 0x0000001B, .name = "APIC_BAR", .reset = APIC_BAR_DEFAULT,
      .writable = APIC_BAR_BASE | BIT(11) | BIT(8), .mbz = ~(APIC_BAR_BASE | BIT(11) | BIT(8)),
      .read = read_bar, .write = write_bar, .cite = "MSR0000_001B, APM2 16.3.1" },
};

struct msr_bank apic_msr_bank(struct core *core)
{
    return (struct msr_bank){ apic_msrs, sizeof(apic_msrs) / sizeof(apic_msrs[0]), core };
}

/* ---- Pins ------------------------------------------------------------------------------------------------ */

/* LINT0 or LINT1 through its entry. ExtINT follows the level (apic_interrupt_ready), the rest an edge. */
static void lint_changed(struct local_apic *apic, enum apic_lint lint, bool level)
{
    bool rising = level && !apic->pin[lint];
    uint32_t entry = apic->lvt[LVT_LINT0 + lint];
    unsigned type = (unsigned)bits(entry, LVT_TYPE);

    apic->pin[lint] = level;
    core_attention(apic->core);
    if (type == APIC_FIXED && bit(entry, LVT_LEVEL))
        apic_lint_again(apic, lint);
    else if (rising && type != APIC_EXTINT)
        apic_lvt_event(apic->core, LVT_LINT0 + lint);
}

static void pin_extint(void *ctx, bool level)
{
    struct core *core = ctx;

    core->intr_line = level;
    if (apic_enabled(core))
        lint_changed(core->apic, LINT0, level);
    core->apic->pin[LINT0] = level;
    core_attention(core);
}

/* With the APIC disabled LINT1 is the core's NMI pin (APM2 16.3.1). */
static void pin_nmi(void *ctx, bool level)
{
    struct core *core = ctx;

    if (apic_enabled(core))
        lint_changed(core->apic, LINT1, level);
    else if (level && !core->apic->pin[LINT1])
        core->nmi_pending = true;
    core->apic->pin[LINT1] = level;
    core_attention(core);
}

struct core_pins core_pins(struct core *core)
{
    return (struct core_pins){ core, pin_extint, pin_nmi };
}

/* ---- What the core takes ---------------------------------------------------------------------------------- */

/* An ExtINT on an entry of the LINT pins, by message, or, with the APIC disabled, on the INTR pin itself. */
static bool extint_ready(const struct core *core)
{
    const struct local_apic *apic = core->apic;

    if (!apic_enabled(core))
        return core->intr_line;
    for (unsigned lint = LINT0; lint < LINT_COUNT; lint++) {
        uint32_t entry = apic->lvt[LVT_LINT0 + lint];

        if (apic->pin[lint] && !bit(entry, LVT_MASK) && bits(entry, LVT_TYPE) == APIC_EXTINT)
            return true;
    }
    return apic->extint_message;
}

/* The request that PPR lets through, or -1: its class must be above PPR's (APM2 16.6.4). */
static int request_ready(const struct local_apic *apic)
{
    int vector = apic_highest_request(apic);

    if (vector < 0 || !(apic->bar & APIC_BAR_ENABLE))
        return -1;
    return vector >> 4 > apic_processor_priority(apic) >> 4 ? vector : -1;
}

bool apic_interrupt_ready(const struct core *core)
{
    return request_ready(core->apic) >= 0 || extint_ready(core);
}

/* assumed: an ExtINT goes before the APIC's own requests. */
uint8_t apic_interrupt_acknowledge(struct core *core)
{
    struct local_apic *apic = core->apic;
    int vector;

    core_attention(core);
    apic->count.taken++;
    if (extint_ready(core)) {
        apic->extint_message = false;
        return apic->acknowledge.vector(apic->acknowledge.ctx);
    }
    vector = request_ready(apic);
    if (vector < 0)
        return (uint8_t)bits(apic->svr, SVR_VECTOR);
    apic->irr[vector / 32] &= ~(UINT32_C(1) << vector % 32);
    apic->isr[vector / 32] |= UINT32_C(1) << vector % 32;
    return (uint8_t)vector;
}

/* ---- Composition ------------------------------------------------------------------------------------------- */

struct local_apic *apic_new(struct core *core, struct msi_port messages, struct interrupt_acknowledge acknowledge)
{
    struct local_apic *apic = g_new0(struct local_apic, 1);

    apic->core = core;
    apic->messages = messages;
    apic->acknowledge = acknowledge;
    core->apic = apic;
    core->apic_page = (struct mmio_region){ .name = "local APIC", .ctx = apic, .read = apic_page_read,
                                            .write = apic_page_write };
    apic_timer_init(apic);
    apic_reset(apic, CORE_RESET_COLD);
    return apic;
}

void apic_free(struct local_apic *apic)
{
    g_free(apic);
}

void apic_reset(struct local_apic *apic, enum core_reset kind)
{
    apic_registers_reset(apic);
    if (kind != CORE_RESET_INIT) {
        apic->id = (uint32_t)bits_put(0, APIC_ID, apic->core->initial_apic_id);
        apic->bar = APIC_BAR_DEFAULT | (apic->core->bsp ? APIC_BAR_BSC : 0);
        apic->pin[LINT0] = apic->pin[LINT1] = false;
        apic->core->intr_line = false;
    }
    place_page(apic);
}

/* Values of an entry: message types in bits 10:8. */
#define LVT_EXTINT (APIC_EXTINT << 8)
#define LVT_NMI (APIC_NMI << 8)
#define SVR_FIRMWARE 0x10F

void apic_enter(struct local_apic *apic)
{
    apic->bar |= APIC_BAR_ENABLE;
    place_page(apic);
    apic->svr = SVR_FIRMWARE;
    if (apic->core->bsp) { /* virtual-wire mode: the 8259s reach the boot processor */
        apic->lvt[LVT_LINT0] = LVT_EXTINT;
        apic->lvt[LVT_LINT1] = LVT_NMI;
    }
    core_attention(apic->core);
}

/* ---- Description -------------------------------------------------------------------------------------------- */

static const char *const message_types[8] = {
    "fixed", "lowest", "smi", "remote_read", "nmi", "init", "startup", "extint"
};

#define NO_DIMS { { NULL, 0, NULL } }
static const struct counter_row apic_counter_rows[] = {
    { "ipis.sent", "messages", "interrupt messages sent by ICR, by message type",
      offsetof(struct apic_counters, sent), { { "type", 8, message_types } } },
    { "apic.received", "messages", "messages and local events that took effect, by message type",
      offsetof(struct apic_counters, received), { { "type", 8, message_types } } },
    { "apic.acknowledged", "events", "interrupt vectors given to the core",
      offsetof(struct apic_counters, taken), NO_DIMS },
    { "apic.expirations", "events", "expiries of the APIC timer that interrupted",
      offsetof(struct apic_counters, expirations), NO_DIMS },
    { "apic.errors", "events", "errors noted for ESR", offsetof(struct apic_counters, errors), NO_DIMS },
};

static const struct state_field apic_fields[] = {
    STATE_VALUE(struct local_apic, bar),
    STATE_VALUE(struct local_apic, id),
    STATE_VALUE(struct local_apic, ldr),
    STATE_VALUE(struct local_apic, dfr),
    STATE_VALUE(struct local_apic, svr),
    STATE_VALUE(struct local_apic, esr),
    STATE_VALUE(struct local_apic, esr_next),
    STATE_VALUE(struct local_apic, icr_low),
    STATE_VALUE(struct local_apic, icr_high),
    STATE_VALUE(struct local_apic, remote_read),
    STATE_ARRAY(struct local_apic, lvt),
    STATE_VALUE(struct local_apic, ext_control),
    STATE_ARRAY(struct local_apic, isr),
    STATE_ARRAY(struct local_apic, tmr),
    STATE_ARRAY(struct local_apic, irr),
    STATE_ARRAY(struct local_apic, ier),
    STATE_ARRAY(struct local_apic, pin),
    STATE_VALUE(struct local_apic, extint_message),
    STATE_VALUE(struct local_apic, timer_initial),
    STATE_VALUE(struct local_apic, timer_divide),
    STATE_VALUE(struct local_apic, timer_from),
    STATE_VALUE(struct local_apic, timer_start_ps),
};

static void after_restore(void *object)
{
    place_page(object);
}

static const struct state_part apic_part = {
    .name = "apic", .fields = apic_fields, .count = sizeof(apic_fields) / sizeof(apic_fields[0]),
    .after = after_restore,
};

void apic_describe(struct local_apic *apic, struct state *state, struct counter_set *counters, const char *path)
{
    char *name = g_strdup_printf("%s.apic", path);

    state_add(state, name, &apic_part, apic);
    counters_attach(counters, path, apic_counter_rows, sizeof(apic_counter_rows) / sizeof(apic_counter_rows[0]),
                    &apic->count);
    g_free(name);
}
