/* SPDX-License-Identifier: MIT */
/*
 * A register of another core's APIC read by ICR's message type 3 (APM2 16.5, BKDG10 APIC300, APICC0): the vector is the
 * register's offset divided by 10h. The answer travels back as a message of its own.
 */
#include "sim/cpu/apic/apic_private.h"

#define REGISTER_OFFSET(vector) ((uint64_t)(vector) << 4)

static void set_status(struct local_apic *apic, enum read_status status)
{
    apic->icr_low = (uint32_t)bits_put(apic->icr_low, ICR_READ_STATUS, status);
}

/* assumed: where nobody accepts the message the read is invalid at once. */
void apic_ask(struct local_apic *apic, const struct apic_message *question)
{
    set_status(apic, READ_PENDING);
    if (!apic->messages.send(apic->messages.ctx, question))
        set_status(apic, READ_INVALID);
}

/* assumed: a register that does not exist is an invalid read and sets no bit of ESR on either side. */
void apic_answer(struct local_apic *apic, const struct apic_message *question)
{
    struct core *core = apic->core;
    struct apic_message answer = { .type = WIRE_READ_ANSWER, .vector = READ_INVALID, .assert_ = true,
                                   .destination = question->source_core, .source_core = (uint8_t)core->index };
    uint64_t asker_ps = core->clock->now_ps;

    core_touch_clock(core); /* the timer's count, and the time when the answer leaves, are this core's */
    apic->count.received[APIC_REMOTE_READ]++;
    if (apic_register_read(apic, REGISTER_OFFSET(question->vector), &answer.data))
        answer.vector = READ_DONE;
    apic->messages.send(apic->messages.ctx, &answer);
    core->clock->now_ps = asker_ps;
}

/* assumed: of several answers (a broadcast) the first stays. One that INIT forgot waiting for is dropped. */
void apic_answered(struct local_apic *apic, const struct apic_message *answer)
{
    if (bits(apic->icr_low, ICR_READ_STATUS) != READ_PENDING)
        return;
    set_status(apic, (enum read_status)answer->vector);
    if (answer->vector == READ_DONE)
        apic->remote_read = answer->data;
}
