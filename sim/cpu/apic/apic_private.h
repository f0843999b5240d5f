/* SPDX-License-Identifier: MIT */
/* The local APIC's state, shared by its files alone. */
#ifndef FAM10H_CPU_APIC_APIC_PRIVATE_H
#define FAM10H_CPU_APIC_APIC_PRIVATE_H

#include "sim/counters.h"
#include "sim/cpu/apic/apic.h"

/* ---- Fields ---------------------------------------------------------------------------------------- */

#define APIC_BAR_BSC BIT(8)
#define APIC_BAR_ENABLE BIT(11)
#define APIC_BAR_BASE (SPA_LIMIT - PAGE_BYTES) /* bits 47:12 */
#define APIC_BAR_DEFAULT UINT64_C(0xFEE00000)

#define APIC_ID 31, 24
#define SVR_VECTOR 7, 0
#define SVR_ENABLE 8
#define SVR_FOCUS_DISABLE 9
#define DFR_MODEL 31, 28
#define DFR_FLAT 0xF

#define LVT_VECTOR 7, 0
#define LVT_TYPE 10, 8      /* enum apic_message_type */
#define LVT_REMOTE_IRR 14
#define LVT_LEVEL 15
#define LVT_MASK 16
#define LVT_PERIODIC 17     /* timer only */
#define LVT_RESET UINT32_C(0x00010000)

#define ICR_VECTOR 7, 0
#define ICR_TYPE 10, 8
#define ICR_LOGICAL 11
#define ICR_ASSERT 14
#define ICR_LEVEL 15
#define ICR_READ_STATUS 17, 16  /* enum read_status, read-only */
#define ICR_SHORTHAND 19, 18
#define ICR_DESTINATION 31, 24 /* of the high half */

enum read_status { READ_INVALID, READ_PENDING, READ_DONE };
enum icr_shorthand { ICR_DESTINATION_FIELD, ICR_SELF, ICR_ALL, ICR_OTHERS };

/* Error status (APM2 16.4.6). */
#define ESR_SEND_ILLEGAL 5
#define ESR_RECEIVE_ILLEGAL 6
#define ESR_ILLEGAL_REGISTER 7

#define EXT_CONTROL_IER 0
#define EXT_CONTROL_SEOI 1

#define LOWEST_LEGAL_VECTOR 16

/* Bits of one of the 256-bit registers: eight 32-bit words, 10h apart in the page. */
#define VECTOR_WORDS 8

/* ---- State ----------------------------------------------------------------------------------------- */

enum apic_lint { LINT0, LINT1, LINT_COUNT };

struct apic_counters {
    uint64_t sent[8];       /* by enum apic_message_type */
    uint64_t received[8];
    uint64_t taken;         /* vectors given to the core */
    uint64_t expirations;   /* of the timer */
    uint64_t errors;
};

struct local_apic {
    struct core *core;
    struct msi_port messages;
    struct interrupt_acknowledge acknowledge;
    uint64_t bar;
    uint32_t id, ldr, dfr, svr;
    uint32_t esr, esr_next;  /* as last latched by a write; errors since */
    uint32_t icr_low, icr_high;
    uint32_t remote_read;    /* what the last remote read brought */
    uint32_t lvt[LVT_COUNT];
    uint32_t ext_control;
    uint32_t isr[VECTOR_WORDS], tmr[VECTOR_WORDS], irr[VECTOR_WORDS], ier[VECTOR_WORDS];
    bool pin[LINT_COUNT];
    bool extint_message;     /* an ExtINT message waits for INTACK */
    /* timer.c: the count was `timer_from` at `timer_start_ps` */
    uint32_t timer_initial, timer_divide, timer_from;
    uint64_t timer_start_ps;
    struct timer timer;
    struct apic_counters count;
};

static inline bool apic_software_enabled(const struct local_apic *apic)
{
    return bit(apic->svr, SVR_ENABLE);
}

/* ---- registers.c ------------------------------------------------------------------------------------- */

uint64_t apic_page_read(void *ctx, uint64_t offset, unsigned size);
void apic_page_write(void *ctx, uint64_t offset, unsigned size, uint64_t value);
/* What the register at `offset` of the page holds, without side effects; false: there is none. */
bool apic_register_read(struct local_apic *apic, uint64_t offset, uint32_t *value);
/* Every register to its reset value; the id stays. */
void apic_registers_reset(struct local_apic *apic);

/* ---- delivery.c -------------------------------------------------------------------------------------- */

/* A vectored request arrives: IRR and TMR, or an illegal-vector error. */
void apic_accept(struct local_apic *apic, uint8_t vector, bool level);
/* The highest set bit of eight words, or -1. */
int apic_highest(const uint32_t words[VECTOR_WORDS]);
/* The same of IRR, of what IER lets through. */
int apic_highest_request(const struct local_apic *apic);
uint8_t apic_processor_priority(const struct local_apic *apic);
uint8_t apic_arbitration_priority(const struct local_apic *apic);
void apic_end_of_interrupt(struct local_apic *apic, int vector);
void apic_error(struct local_apic *apic, unsigned esr_bit);
/* ICR[31:0] was written: send what it says. */
void apic_send(struct local_apic *apic);
/* A level-triggered LINT entry whose line is still asserted delivers again. */
void apic_lint_again(struct local_apic *apic, enum apic_lint lint);

/* ---- remote_read.c ----------------------------------------------------------------------------------- */

/* This APIC asks: the message is ICR's. */
void apic_ask(struct local_apic *apic, const struct apic_message *question);
/* Another one asked this APIC. */
void apic_answer(struct local_apic *apic, const struct apic_message *question);
/* The answer is back. */
void apic_answered(struct local_apic *apic, const struct apic_message *answer);

/* ---- timer.c ----------------------------------------------------------------------------------------- */

void apic_timer_init(struct local_apic *apic);
void apic_timer_stop(struct local_apic *apic);
uint32_t apic_timer_count(const struct local_apic *apic);
void apic_timer_write_initial(struct local_apic *apic, uint32_t value);
void apic_timer_write_divide(struct local_apic *apic, uint32_t value);
/* The timer's LVT entry was `old`; arms or disarms by its mask and mode. */
void apic_timer_lvt_changed(struct local_apic *apic, uint32_t old);

#endif
