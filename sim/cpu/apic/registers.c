/* SPDX-License-Identifier: MIT */
/* The local APIC's register page (APM2 16.3.2, fact sheet 2.9), as data. */
#include "sim/cpu/apic/apic_private.h"

/* ---- Side effects ------------------------------------------------------------------------------------- */

typedef uint32_t register_read(struct local_apic *apic, unsigned n);
typedef void register_write(struct local_apic *apic, unsigned n, uint32_t value);

static uint32_t read_tpr(struct local_apic *apic, unsigned n)
{
    (void)n;
    return apic->core->tpr;
}

static void write_tpr(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    apic->core->tpr = (uint8_t)value;
    core_attention(apic->core);
}

static uint32_t read_apr(struct local_apic *apic, unsigned n)
{
    (void)n;
    return apic_arbitration_priority(apic);
}

static uint32_t read_ppr(struct local_apic *apic, unsigned n)
{
    (void)n;
    return apic_processor_priority(apic);
}

static void write_eoi(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    (void)value;
    apic_end_of_interrupt(apic, apic_highest(apic->isr));
}

static void write_seoi(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    if (bit(apic->ext_control, EXT_CONTROL_SEOI))
        apic_end_of_interrupt(apic, (int)(value & 0xFF));
}

static void write_lvt(struct local_apic *apic, unsigned n, uint32_t value)
{
    uint32_t old = apic->lvt[n];

    if (!apic_software_enabled(apic))
        value = (uint32_t)bit_put(value, LVT_MASK, true);
    apic->lvt[n] = value;
    if (n == LVT_TIMER)
        apic_timer_lvt_changed(apic, old);
    if (n == LVT_LINT0 || n == LVT_LINT1)
        apic_lint_again(apic, n - LVT_LINT0);
    core_attention(apic->core); /* ExtINT may have been unmasked */
}

static void write_svr(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    apic->svr = value;
    /* Software-disabled: every entry is masked, and stays so until it is written (APM2 16.4.7). */
    for (unsigned i = 0; !apic_software_enabled(apic) && i < LVT_COUNT; i++)
        write_lvt(apic, i, apic->lvt[i]);
}

static void write_esr(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    (void)value;
    apic->esr = apic->esr_next;
    apic->esr_next = 0;
}

static void write_icr_low(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    apic->icr_low = value;
    apic_send(apic);
}

static void write_timer_initial(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    apic_timer_write_initial(apic, value);
}

static uint32_t read_timer_count(struct local_apic *apic, unsigned n)
{
    (void)n;
    return apic_timer_count(apic);
}

static void write_timer_divide(struct local_apic *apic, unsigned n, uint32_t value)
{
    (void)n;
    apic_timer_write_divide(apic, value);
}

static void write_ier(struct local_apic *apic, unsigned n, uint32_t value)
{
    if (!bit(apic->ext_control, EXT_CONTROL_IER))
        return;
    apic->ier[n] = value;
    core_attention(apic->core);
}

static uint32_t read_zero(struct local_apic *apic, unsigned n)
{
    (void)apic;
    (void)n;
    return 0;
}

/* ---- The page ------------------------------------------------------------------------------------------- */

#define REGISTER_STRIDE 0x10

/* `count` registers from `offset`, 10h apart; stored in `member` unless read or write says otherwise. */
struct apic_register {
    uint16_t offset;
    uint8_t count;
    uint8_t first; /* number of the first one, as read and write count them */
    const char *name;
    uint32_t reset, writable;
    size_t member; /* of struct local_apic, a uint32_t [count]; NO_MEMBER: none */
    register_read *read;
    register_write *write;
};

#define NO_MEMBER SIZE_MAX
#define MEMBER(name) offsetof(struct local_apic, name)
#define LVT_ANY_TYPE UINT32_C(0x000107FF)  /* mask, message type, vector */
#define LVT_LINT UINT32_C(0x000187FF)      /* and trigger mode */

static const struct apic_register registers[] = {
    { 0x020, 1, 0, "ApicId", 0, 0xFF000000, MEMBER(id), NULL, NULL },
    { 0x030, 1, 0, "ApicVersion", 0x80050010, 0, NO_MEMBER, NULL, NULL },
    { 0x080, 1, 0, "TPR", 0, 0xFF, NO_MEMBER, read_tpr, write_tpr },
    { 0x090, 1, 0, "APR", 0, 0, NO_MEMBER, read_apr, NULL },
    { 0x0A0, 1, 0, "PPR", 0, 0, NO_MEMBER, read_ppr, NULL },
    { 0x0B0, 1, 0, "EOI", 0, 0xFFFFFFFF, NO_MEMBER, read_zero, write_eoi },
    { 0x0C0, 1, 0, "RemoteRead", 0, 0, MEMBER(remote_read), NULL, NULL },
    { 0x0D0, 1, 0, "LDR", 0, 0xFF000000, MEMBER(ldr), NULL, NULL },
    { 0x0E0, 1, 0, "DFR", 0xFFFFFFFF, 0xF0000000, MEMBER(dfr), NULL, NULL },
    { 0x0F0, 1, 0, "SVR", 0x000000FF, 0x000003FF, MEMBER(svr), NULL, write_svr },
    { 0x100, 8, 0, "ISR", 0, 0, MEMBER(isr), NULL, NULL },
    { 0x180, 8, 0, "TMR", 0, 0, MEMBER(tmr), NULL, NULL },
    { 0x200, 8, 0, "IRR", 0, 0, MEMBER(irr), NULL, NULL },
    { 0x280, 1, 0, "ESR", 0, 0xFFFFFFFF, MEMBER(esr), NULL, write_esr },
    { 0x300, 1, 0, "ICR[31:0]", 0, 0x000CCFFF, MEMBER(icr_low), NULL, write_icr_low },
    { 0x310, 1, 0, "ICR[63:32]", 0, 0xFF000000, MEMBER(icr_high), NULL, NULL },
    { 0x320, 1, LVT_TIMER, "TimerLvt", LVT_RESET, 0x000300FF, MEMBER(lvt[LVT_TIMER]), NULL, write_lvt },
    { 0x330, 1, LVT_THERMAL, "ThermalLvt", LVT_RESET, LVT_ANY_TYPE, MEMBER(lvt[LVT_THERMAL]), NULL, write_lvt },
    { 0x340, 1, LVT_PERFORMANCE, "PerfCounterLvt", LVT_RESET, LVT_ANY_TYPE, MEMBER(lvt[LVT_PERFORMANCE]), NULL,
      write_lvt },
    { 0x350, 1, LVT_LINT0, "LINT0", LVT_RESET, LVT_LINT, MEMBER(lvt[LVT_LINT0]), NULL, write_lvt },
    { 0x360, 1, LVT_LINT1, "LINT1", LVT_RESET, LVT_LINT, MEMBER(lvt[LVT_LINT1]), NULL, write_lvt },
    { 0x370, 1, LVT_ERROR, "ErrorLvt", LVT_RESET, LVT_ANY_TYPE, MEMBER(lvt[LVT_ERROR]), NULL, write_lvt },
    { 0x380, 1, 0, "TimerInitial", 0, 0xFFFFFFFF, MEMBER(timer_initial), NULL, write_timer_initial },
    { 0x390, 1, 0, "TimerCurrent", 0, 0, NO_MEMBER, read_timer_count, NULL },
    { 0x3E0, 1, 0, "TimerDivide", 0, 0x0000000B, MEMBER(timer_divide), NULL, write_timer_divide },
    { 0x400, 1, 0, "ExtApicFeature", 0x00040007, 0, NO_MEMBER, NULL, NULL },
    { 0x410, 1, 0, "ExtApicControl", 0, 0x00000007, MEMBER(ext_control), NULL, NULL },
    { 0x420, 1, 0, "SEOI", 0, 0x000000FF, NO_MEMBER, read_zero, write_seoi },
    { 0x480, 8, 0, "IER", 0xFFFFFFFF, 0xFFFFFFFF, MEMBER(ier), NULL, write_ier },
    { 0x500, 4, LVT_EXTENDED0, "ExtLvt", LVT_RESET, LVT_ANY_TYPE, MEMBER(lvt[LVT_EXTENDED0]), NULL, write_lvt },
};
#define REGISTER_ROWS (sizeof(registers) / sizeof(registers[0]))

static const struct apic_register *register_find(uint64_t offset)
{
    for (size_t i = 0; i < REGISTER_ROWS; i++) {
        const struct apic_register *row = &registers[i];

        if (offset >= row->offset && offset < row->offset + REGISTER_STRIDE * (uint64_t)row->count)
            return row;
    }
    return NULL;
}

static uint32_t *register_member(struct local_apic *apic, const struct apic_register *row, unsigned i)
{
    return (uint32_t *)((uint8_t *)apic + row->member) + i;
}

static uint32_t register_value(struct local_apic *apic, const struct apic_register *row, unsigned i)
{
    if (row->read)
        return row->read(apic, row->first + i);
    return row->member == NO_MEMBER ? row->reset : *register_member(apic, row, i);
}

bool apic_register_read(struct local_apic *apic, uint64_t offset, uint32_t *value)
{
    const struct apic_register *row = register_find(offset);

    if (row)
        *value = register_value(apic, row, (unsigned)(offset - row->offset) / REGISTER_STRIDE);
    return row != NULL;
}

/* Only the first four bytes of each sixteen hold a register; the rest reads as zero. */
uint64_t apic_page_read(void *ctx, uint64_t offset, unsigned size)
{
    struct local_apic *apic = ctx;
    unsigned byte = offset % REGISTER_STRIDE;
    uint32_t value;

    if (!apic_register_read(apic, offset, &value)) {
        apic_error(apic, ESR_ILLEGAL_REGISTER);
        return 0;
    }
    if (byte >= 4)
        return 0;
    return zero_extend(value >> 8 * byte, size);
}

void apic_page_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct local_apic *apic = ctx;
    const struct apic_register *row = register_find(offset);
    uint32_t old, merged;
    unsigned i;

    if (size < 4 || offset % REGISTER_STRIDE != 0) {
        /* The manual allows aligned doublewords only and says nothing of what else would do. */
        unmodelled_note(apic->core->unmodelled, "APIC write of %u bytes at %03X", size, (unsigned)offset);
        return;
    }
    if (!row) {
        apic_error(apic, ESR_ILLEGAL_REGISTER);
        return;
    }
    i = (unsigned)(offset - row->offset) / REGISTER_STRIDE;
    old = row->member == NO_MEMBER ? 0 : *register_member(apic, row, i);
    merged = (old & ~row->writable) | ((uint32_t)value & row->writable);
    if (row->write)
        row->write(apic, row->first + i, merged);
    else if (row->member != NO_MEMBER)
        *register_member(apic, row, i) = merged;
}

void apic_registers_reset(struct local_apic *apic)
{
    uint32_t id = apic->id;

    apic_timer_stop(apic);
    for (size_t r = 0; r < REGISTER_ROWS; r++) {
        for (unsigned i = 0; registers[r].member != NO_MEMBER && i < registers[r].count; i++)
            *register_member(apic, &registers[r], i) = registers[r].reset;
    }
    apic->id = id;
    apic->core->tpr = 0;
    apic->esr_next = 0;
    apic->extint_message = false;
}
