/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vpic.h"

#define NO_INPUT 8u
#define CASCADE 2u
#define SPURIOUS 7u

#define ICW1_SELECT 0x10u
#define ICW1_SINGLE 0x02u
#define ICW1_ICW4 0x01u
#define ICW4_SFNM 0x10u
#define ICW4_AEOI 0x02u
#define OCW3_SELECT 0x08u
#define OCW3_ESMM_SMM 0x60u
#define OCW3_POLL 0x04u
#define OCW3_RR_RIS 0x03u
enum { MASTER_PORT = 0x20, SLAVE_PORT = 0xA0, ELCR_PORT = 0x4D0 };

/* IRQ 0, 1, 2, 8 and 13 cannot be level-triggered. */
static const uint8_t level_allowed[2] = { 0xF8, 0xDE };

static uint8_t requests(const struct vpic *chip)
{
    return (uint8_t)((chip->lines & chip->level) | (chip->edges & ~chip->level));
}

/* The first of a set in the order of priority. */
static unsigned first(const struct vpic *chip, uint8_t inputs)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (chip->bottom + i) % 8;

        if (inputs >> input & 1)
            return input;
    }
    return NO_INPUT;
}

/* Requests that nothing in service holds back. */
static unsigned pending(const struct vpics *pics, unsigned which)
{
    const struct vpic *chip = &pics->chip[which];
    uint8_t asking = requests(chip) & (uint8_t)~chip->imr, served = chip->isr;
    unsigned input, holder;

    if (chip->icw_next)
        return NO_INPUT;
    if (chip->special_mask) /* only a service's own input is held back */
        return first(chip, asking & (uint8_t)~chip->isr);
    if (which == 0 && chip->special_nested)
        served &= (uint8_t)~(1u << CASCADE);
    input = first(chip, asking);
    holder = first(chip, served);
    if (input == NO_INPUT || holder == NO_INPUT)
        return input;
    return (input - chip->bottom - 1) % 8 < (holder - chip->bottom - 1) % 8 ? input : NO_INPUT;
}

static void drive(struct vpic *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!level)
        chip->edges &= (uint8_t)~bit; /* a request must last until its acknowledge */
    else if (!(chip->lines & bit))
        chip->edges |= bit;
    chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
}

static void update_cascade(struct vpics *pics)
{
    drive(&pics->chip[0], CASCADE, pending(pics, 1) != NO_INPUT);
}

void vpic_set_line(struct vpics *pics, unsigned irq, bool level)
{
    if (irq == CASCADE || irq > 15)
        return;
    drive(&pics->chip[irq / 8], irq % 8, level);
    update_cascade(pics);
}

bool vpic_intr(const struct vpics *pics)
{
    return pending(pics, 0) != NO_INPUT;
}

/* Into service: what an acknowledge, or the read that follows a poll command, does to one chip. */
static unsigned serve(struct vpics *pics, unsigned which)
{
    struct vpic *chip = &pics->chip[which];
    unsigned input = pending(pics, which);

    if (input == NO_INPUT)
        return SPURIOUS;
    chip->edges &= (uint8_t)~(1u << input);
    if (chip->auto_eoi && chip->rotate_auto)
        chip->bottom = (uint8_t)input;
    if (!chip->auto_eoi)
        chip->isr |= (uint8_t)(1u << input);
    return input;
}

uint8_t vpic_acknowledge(struct vpics *pics)
{
    bool from_slave = pending(pics, 0) == CASCADE;
    uint8_t vector = (uint8_t)(pics->chip[0].irr_base + serve(pics, 0));

    if (from_slave) {
        vector = (uint8_t)(pics->chip[1].irr_base + serve(pics, 1));
        drive(&pics->chip[0], CASCADE, false); /* the slave's INT drops, so that its next request is an edge */
        update_cascade(pics);
    }
    return vector;
}

/* ---- Commands -------------------------------------------------------------------------------------------- */

static void write_icw1(struct vpic *chip, uint8_t value)
{
    *chip = (struct vpic){ .lines = chip->lines, .level = chip->level, .irr_base = chip->irr_base, .bottom = 7,
                           .icw_next = 2, .icw4_wanted = value & ICW1_ICW4, .single = value & ICW1_SINGLE };
}

static void write_icw(struct vpic *chip, uint8_t value)
{
    unsigned after_2 = chip->single ? 4 : 3;

    switch (chip->icw_next) {
    case 2:
        chip->irr_base = value & 0xF8;
        chip->icw_next = (uint8_t)after_2;
        break;
    case 3: /* how the cascade is wired: always as a PC's */
        chip->icw_next = 4;
        break;
    default:
        chip->special_nested = value & ICW4_SFNM;
        chip->auto_eoi = value & ICW4_AEOI;
        chip->icw_next = 0;
        return;
    }
    if (chip->icw_next == 4 && !chip->icw4_wanted)
        chip->icw_next = 0;
}

/* OCW2: bit 7 rotate, 6 specific, 5 end of interrupt. */
static void write_ocw2(struct vpic *chip, uint8_t value)
{
    bool rotate = value & 0x80, specific = value & 0x40, end = value & 0x20;
    unsigned input = specific ? value & 7u : first(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr);

    if (!end && !specific) {
        chip->rotate_auto = rotate;
        return;
    }
    if (input == NO_INPUT)
        return;
    if (end)
        chip->isr &= (uint8_t)~(1u << input);
    if (rotate)
        chip->bottom = (uint8_t)input;
}

static void write_ocw3(struct vpic *chip, uint8_t value)
{
    if (value & OCW3_ESMM_SMM & 0x40)
        chip->special_mask = (value & OCW3_ESMM_SMM) == OCW3_ESMM_SMM;
    if (value & OCW3_POLL)
        chip->poll = true;
    else if (value & 2)
        chip->read_isr = (value & OCW3_RR_RIS) == OCW3_RR_RIS;
}

static uint8_t read_poll(struct vpics *pics, unsigned which)
{
    unsigned input = pending(pics, which);

    pics->chip[which].poll = false;
    if (input == NO_INPUT)
        return 0;
    serve(pics, which);
    if (which == 1)
        drive(&pics->chip[0], CASCADE, false);
    return (uint8_t)(0x80 | input);
}

/* ---- Ports ----------------------------------------------------------------------------------------------- */

void vpic_init(struct vpics *pics)
{
    for (unsigned i = 0; i < 2; i++)
        pics->chip[i] = (struct vpic){ .bottom = 7, .imr = 0xFF };
}

bool vpic_has_port(unsigned port)
{
    unsigned even = port & ~1u;

    return even == MASTER_PORT || even == SLAVE_PORT || even == ELCR_PORT;
}

uint8_t vpic_read(struct vpics *pics, unsigned port)
{
    unsigned which = (port & ~1u) == SLAVE_PORT;
    struct vpic *chip = &pics->chip[which];
    uint8_t value;

    if ((port & ~1u) == ELCR_PORT)
        return pics->chip[port & 1].level;
    if (chip->poll)
        value = read_poll(pics, which);
    else if (port & 1)
        value = chip->imr;
    else
        value = chip->read_isr ? chip->isr : requests(chip);
    update_cascade(pics);
    return value;
}

void vpic_write(struct vpics *pics, unsigned port, uint8_t value)
{
    struct vpic *chip = &pics->chip[(port & ~1u) == SLAVE_PORT];

    if ((port & ~1u) == ELCR_PORT)
        pics->chip[port & 1].level = value & level_allowed[port & 1];
    else if (port & 1 && chip->icw_next)
        write_icw(chip, value);
    else if (port & 1)
        chip->imr = value;
    else if (value & ICW1_SELECT)
        write_icw1(chip, value);
    else if (value & OCW3_SELECT)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
    update_cascade(pics);
}
