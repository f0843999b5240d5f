/* SPDX-License-Identifier: MIT */
#include "sim/platform/pic.h"

#include "sim/bits.h"

#define PIC_NONE 8
#define CASCADE 2
#define ICW1 0x10       /* in a command: this is ICW1 */
#define ICW1_IC4 0x01
#define ICW1_SINGLE 0x02
#define ICW4_AUTO_EOI 0x02
#define ICW4_SPECIAL_NESTED 0x10
#define OCW3 0x08       /* in a command without ICW1: this is OCW3 */
#define OCW3_READ_ISR 0x01
#define OCW3_READ 0x02
#define OCW3_POLL 0x04
#define OCW3_SMM 0x20
#define OCW3_ESMM 0x40
#define POLL_PENDING 0x80

/* Edge is the only mode of IRQ 0, 1, 2, 8 and 13. */
static const uint8_t elcr_writable[PIC_COUNT] = { 0xf8, 0xde };

static uint8_t pic_irr(const struct pic *pic)
{
    return (uint8_t)((pic->lines & pic->elcr) | (pic->latch & ~pic->elcr));
}

/* Rank of an input: 0 is the highest priority. */
static unsigned pic_rank(const struct pic *pic, unsigned input)
{
    return (input - pic->lowest - 1) & 7;
}

/* The input of highest priority in a set; PIC_NONE if it is empty. */
static unsigned pic_highest(const struct pic *pic, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (pic->lowest + i) & 7;

        if (bit(set, input))
            return input;
    }
    return PIC_NONE;
}

/* The in-service bits that hold back requests. */
static uint8_t pic_blocking(const struct pic_pair *pair, unsigned which)
{
    const struct pic *pic = &pair->pic[which];
    uint8_t isr = pic->isr;

    if (pic->special_mask)
        isr &= (uint8_t)~pic->imr;
    if (which == PIC_MASTER && pic->special_nested)
        isr &= (uint8_t)~BIT(CASCADE); /* the slave may interrupt itself */
    return isr;
}

/* The request that INT stands for; PIC_NONE if INT is low. */
static unsigned pic_pending(const struct pic_pair *pair, unsigned which)
{
    const struct pic *pic = &pair->pic[which];
    unsigned request = pic_highest(pic, pic_irr(pic) & (uint8_t)~pic->imr);
    unsigned serviced = pic_highest(pic, pic_blocking(pair, which));

    if (request == PIC_NONE || pic->expects)
        return PIC_NONE;
    if (pic->special_mask) /* every unmasked request but those in service themselves */
        return bit(pic->isr, request) ? PIC_NONE : request;
    if (serviced != PIC_NONE && pic_rank(pic, request) >= pic_rank(pic, serviced))
        return PIC_NONE;
    return request;
}

static void pic_set_input(struct pic *pic, unsigned input, bool level)
{
    if (level && !bit(pic->lines, input))
        pic->latch |= (uint8_t)BIT(input);
    if (!level) /* a request that goes away before INTA is gone (then INTA finds IR7) */
        pic->latch &= (uint8_t)~BIT(input);
    pic->lines = (uint8_t)bit_put(pic->lines, input, level);
}

static void pic_update(struct pic_pair *pair)
{
    bool intr;

    pic_set_input(&pair->pic[PIC_MASTER], CASCADE, pic_pending(pair, PIC_SLAVE) != PIC_NONE);
    intr = pic_pending(pair, PIC_MASTER) != PIC_NONE;
    if (intr == pair->intr)
        return;
    pair->intr = intr;
    pair->set_intr(pair->ctx, intr);
}

void pic_set_line(struct pic_pair *pair, unsigned irq, bool level)
{
    if (irq == CASCADE || irq >= 16)
        return;
    pic_set_input(&pair->pic[irq / 8], irq % 8, level);
    pic_update(pair);
}

/* The chip's part of an acknowledge: its request goes into service. Gives IR7 when there is none (spurious). */
static unsigned pic_serve(struct pic_pair *pair, unsigned which)
{
    struct pic *pic = &pair->pic[which];
    unsigned input = pic_pending(pair, which);

    if (input == PIC_NONE)
        return 7;
    pic->latch &= (uint8_t)~BIT(input);
    if (!pic->auto_eoi)
        pic->isr |= (uint8_t)BIT(input);
    else if (pic->rotate_auto_eoi)
        pic->lowest = (uint8_t)input;
    return input;
}

uint8_t pic_acknowledge(struct pic_pair *pair)
{
    struct pic *master = &pair->pic[PIC_MASTER];
    struct pic *slave = &pair->pic[PIC_SLAVE];
    bool cascaded = pic_pending(pair, PIC_MASTER) == CASCADE && !master->single;
    unsigned input = pic_serve(pair, PIC_MASTER);
    uint8_t vector = (uint8_t)(master->base | input);

    if (cascaded) {
        vector = (uint8_t)(slave->base | pic_serve(pair, PIC_SLAVE));
        pic_set_input(master, CASCADE, false); /* INT of the slave drops in the acknowledge: a new edge may follow */
    }
    pic_update(pair);
    return vector;
}

/* ---- Command words ---------------------------------------------------------------------------------------- */

static void pic_write_icw1(struct pic *pic, uint8_t value)
{
    pic->latch = 0; /* the edge sense circuit is reset */
    pic->isr = 0;
    pic->imr = 0;
    pic->lowest = 7;
    pic->special_mask = pic->special_nested = false;
    pic->auto_eoi = pic->rotate_auto_eoi = false;
    pic->read_isr = pic->poll = false;
    pic->single = value & ICW1_SINGLE;
    pic->icw4_follows = value & ICW1_IC4;
    pic->expects = 2;
}

static void pic_write_icw(struct pic *pic, uint8_t value)
{
    switch (pic->expects) {
    case 2:
        pic->base = value & 0xf8;
        pic->expects = !pic->single ? 3 : pic->icw4_follows ? 4 : 0;
        break;
    case 3:
        pic->icw3 = value;
        pic->expects = pic->icw4_follows ? 4 : 0;
        break;
    default:
        pic->auto_eoi = value & ICW4_AUTO_EOI;
        pic->special_nested = value & ICW4_SPECIAL_NESTED;
        pic->expects = 0;
        break;
    }
}

/* A nonspecific EOI ends the service of highest priority; in special mask mode masked ones are left alone. */
static unsigned pic_end_highest(struct pic *pic)
{
    uint8_t isr = pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr;
    unsigned input = pic_highest(pic, isr);

    if (input != PIC_NONE)
        pic->isr &= (uint8_t)~BIT(input);
    return input;
}

/* OCW2[7:5]: R, SL, EOI. */
static void pic_write_ocw2(struct pic *pic, uint8_t value)
{
    unsigned input = value & 7;

    switch (value >> 5) {
    case 0: /* clear "rotate in automatic EOI mode" */
    case 4: /* set it */
        pic->rotate_auto_eoi = value >> 5 == 4;
        break;
    case 1: /* nonspecific EOI */
        pic_end_highest(pic);
        break;
    case 5: /* rotate on nonspecific EOI */
        input = pic_end_highest(pic);
        if (input != PIC_NONE)
            pic->lowest = (uint8_t)input;
        break;
    case 3: /* specific EOI */
        pic->isr &= (uint8_t)~BIT(input);
        break;
    case 7: /* rotate on specific EOI */
        pic->isr &= (uint8_t)~BIT(input);
        pic->lowest = (uint8_t)input;
        break;
    case 6: /* set priority */
        pic->lowest = (uint8_t)input;
        break;
    case 2: /* no operation */
        break;
    }
}

static void pic_write_ocw3(struct pic *pic, uint8_t value)
{
    if (value & OCW3_ESMM)
        pic->special_mask = value & OCW3_SMM;
    if (value & OCW3_POLL)
        pic->poll = true;
    else if (value & OCW3_READ)
        pic->read_isr = value & OCW3_READ_ISR;
}

/* The next read after a poll command is the acknowledge. */
static uint8_t pic_read_poll(struct pic_pair *pair, unsigned which)
{
    unsigned pending = pic_pending(pair, which);

    pair->pic[which].poll = false;
    if (pending == PIC_NONE)
        return 0;
    pic_serve(pair, which);
    if (which == PIC_SLAVE)
        pic_set_input(&pair->pic[PIC_MASTER], CASCADE, false);
    pic_update(pair);
    return (uint8_t)(POLL_PENDING | pending);
}

/* ---- Ports 20h, 21h, A0h, A1h, 4D0h, 4D1h ------------------------------------------------------------------- */

static uint32_t pic_read(void *ctx, uint16_t port, unsigned size)
{
    struct pic_pair *pair = ctx;
    unsigned which = port & 0x80 ? PIC_SLAVE : PIC_MASTER;
    const struct pic *pic = &pair->pic[which];

    (void)size;
    if (pic->poll)
        return pic_read_poll(pair, which);
    if (port & 1)
        return pic->imr;
    return pic->read_isr ? pic->isr : pic_irr(pic);
}

static void pic_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pic_pair *pair = ctx;
    struct pic *pic = &pair->pic[port & 0x80 ? PIC_SLAVE : PIC_MASTER];
    uint8_t byte = (uint8_t)value;

    (void)size;
    if (!(port & 1) && (byte & ICW1))
        pic_write_icw1(pic, byte);
    else if (!(port & 1) && (byte & OCW3))
        pic_write_ocw3(pic, byte);
    else if (!(port & 1))
        pic_write_ocw2(pic, byte);
    else if (pic->expects)
        pic_write_icw(pic, byte);
    else
        pic->imr = byte;
    pic_update(pair);
}

static uint32_t elcr_read(void *ctx, uint16_t port, unsigned size)
{
    const struct pic_pair *pair = ctx;

    (void)size;
    return pair->pic[port & 1].elcr;
}

static void elcr_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pic_pair *pair = ctx;

    (void)size;
    pair->pic[port & 1].elcr = value & elcr_writable[port & 1];
    pic_update(pair);
}

void pic_reset(struct pic_pair *pair)
{
    for (unsigned i = 0; i < PIC_COUNT; i++) {
        struct pic *pic = &pair->pic[i];

        *pic = (struct pic){ .lines = pic->lines, .lowest = 7, .imr = 0xff };
    }
    pic_update(pair);
}

void pic_init(struct pic_pair *pair, struct ports *ports, void *ctx, void (*set_intr)(void *ctx, bool level))
{
    const struct pio_range ranges[] = {
        { "pic.master", 0x20, 2, pair, pic_read, pic_write },
        { "pic.slave", 0xa0, 2, pair, pic_read, pic_write },
        { "pic.elcr", 0x4d0, 2, pair, elcr_read, elcr_write },
    };

    pair->ctx = ctx;
    pair->set_intr = set_intr;
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
        ports_attach(ports, &ranges[i], 1);
    pic_reset(pair);
}

#define PIC_FIELD(member) STATE_EACH(struct pic_pair, pic, member)

static const struct state_field pic_fields[] = {
    PIC_FIELD(lines), PIC_FIELD(latch), PIC_FIELD(elcr), PIC_FIELD(isr), PIC_FIELD(imr), PIC_FIELD(base),
    PIC_FIELD(icw3), STATE_EACH_UP_TO(struct pic_pair, pic, lowest, 7),
    STATE_EACH_UP_TO(struct pic_pair, pic, expects, 4), PIC_FIELD(single), PIC_FIELD(icw4_follows),
    PIC_FIELD(auto_eoi), PIC_FIELD(rotate_auto_eoi), PIC_FIELD(special_mask), PIC_FIELD(special_nested),
    PIC_FIELD(read_isr), PIC_FIELD(poll), STATE_VALUE(struct pic_pair, intr),
};

const struct state_part pic_state = { .name = "pic", .fields = pic_fields, .count = G_N_ELEMENTS(pic_fields) };
