/* SPDX-License-Identifier: MIT */
#include "sim/platform/i8042.h"

#include "sim/unmodelled.h"

#define PORT_DATA 0x60
#define PORT_COMMAND 0x64
#define KEYBOARD_IRQ 1
#define AUXILIARY_IRQ 12

#define STATUS_FULL 0x01
#define STATUS_SYSTEM 0x04  /* passed its self-test */
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUXILIARY 0x20

#define CONFIGURATION_IRQ 0x01
#define CONFIGURATION_AUXILIARY_IRQ 0x02
#define CONFIGURATION_KEYBOARD_OFF 0x10
#define CONFIGURATION_AUXILIARY_OFF 0x20
#define CONFIGURATION_RESET 0x30 /* both ports off */
#define OUTPUT_NO_RESET 0x01     /* output port: CPU reset line, active low */
#define OUTPUT_A20 0x02

static void i8042_update(struct i8042 *kbc)
{
    kbc->irq.set(kbc->irq.ctx, KEYBOARD_IRQ,
                 kbc->full && !kbc->auxiliary && (kbc->configuration & CONFIGURATION_IRQ));
    kbc->irq.set(kbc->irq.ctx, AUXILIARY_IRQ,
                 kbc->full && kbc->auxiliary && (kbc->configuration & CONFIGURATION_AUXILIARY_IRQ));
}

static void i8042_answer(struct i8042 *kbc, uint8_t byte)
{
    kbc->output = byte;
    kbc->full = true;
    kbc->auxiliary = false;
}

static void i8042_set_port(struct i8042 *kbc, uint8_t off_bit, bool off)
{
    kbc->configuration = (uint8_t)(off ? kbc->configuration | off_bit : kbc->configuration & ~off_bit);
}

static void i8042_request_reset(struct i8042 *kbc)
{
    if (kbc->wiring->reset)
        kbc->wiring->reset(kbc->wiring->ctx);
}

static void i8042_write_output_port(struct i8042 *kbc, uint8_t value)
{
    if (!(value & OUTPUT_A20)) /* deviation: as port 92h */
        unmodelled_note(kbc->wiring->unmodelled, "A20M# (keyboard controller output port)");
    if (!(value & OUTPUT_NO_RESET))
        i8042_request_reset(kbc);
}

static void i8042_write_command(struct i8042 *kbc, uint8_t command)
{
    kbc->command = 0;
    switch (command) {
    case 0x20: /* read the configuration byte */
        i8042_answer(kbc, kbc->configuration);
        break;
    case 0x60: /* write it */
    case 0xd1: /* write the output port */
    case 0xd2: /* write the output buffer */
    case 0xd3: /* the same, as if from the auxiliary device */
    case 0xd4: /* write to the auxiliary device */
        kbc->command = command;
        break;
    case 0xaa: /* self-test: passed */
        i8042_answer(kbc, 0x55);
        break;
    case 0xa7: /* auxiliary port off, on */
    case 0xa8:
        i8042_set_port(kbc, CONFIGURATION_AUXILIARY_OFF, command == 0xa7);
        break;
    case 0xa9: /* port tests, auxiliary and keyboard: no error */
    case 0xab:
        i8042_answer(kbc, 0x00);
        break;
    case 0xad: /* keyboard off, on */
    case 0xae:
        i8042_set_port(kbc, CONFIGURATION_KEYBOARD_OFF, command == 0xad);
        break;
    case 0xd0: /* read the output port */
        i8042_answer(kbc, OUTPUT_NO_RESET | OUTPUT_A20);
        break;
    default:
        if (command >= 0xf0 && !(command & OUTPUT_NO_RESET)) /* pulse the lines whose bits are 0 */
            i8042_request_reset(kbc);
        break;
    }
}

static void i8042_write_data(struct i8042 *kbc, uint8_t byte)
{
    switch (kbc->command) {
    case 0x60:
        kbc->configuration = byte;
        break;
    case 0xd1:
        i8042_write_output_port(kbc, byte);
        break;
    case 0xd2:
        i8042_answer(kbc, byte);
        break;
    case 0xd3:
        i8042_answer(kbc, byte);
        kbc->auxiliary = true;
        break;
    default: /* to a keyboard or mouse that is not there */
        break;
    }
    kbc->command = 0;
}

static uint32_t i8042_read(void *ctx, uint16_t port, unsigned size)
{
    struct i8042 *kbc = ctx;

    (void)size;
    if (port == PORT_COMMAND)
        return (kbc->full ? STATUS_FULL : 0) | STATUS_SYSTEM | (kbc->last_command ? STATUS_COMMAND : 0) |
               (kbc->full && kbc->auxiliary ? STATUS_AUXILIARY : 0) | STATUS_UNLOCKED;
    kbc->full = false;
    i8042_update(kbc);
    return kbc->output;
}

static void i8042_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct i8042 *kbc = ctx;

    (void)size;
    kbc->last_command = port == PORT_COMMAND;
    if (kbc->last_command)
        i8042_write_command(kbc, (uint8_t)value);
    else
        i8042_write_data(kbc, (uint8_t)value);
    i8042_update(kbc);
}

void i8042_reset(struct i8042 *kbc)
{
    kbc->configuration = CONFIGURATION_RESET;
    kbc->output = 0;
    kbc->full = kbc->auxiliary = kbc->last_command = false;
    kbc->command = 0;
    i8042_update(kbc);
}

void i8042_init(struct i8042 *kbc, const struct irq_line *irq, const struct platform_wiring *wiring,
                struct ports *ports)
{
    const struct pio_range data = { "i8042.data", PORT_DATA, 1, kbc, i8042_read, i8042_write };
    const struct pio_range command = { "i8042.command", PORT_COMMAND, 1, kbc, i8042_read, i8042_write };

    kbc->irq = *irq;
    kbc->wiring = wiring;
    ports_attach(ports, &data, 1);
    ports_attach(ports, &command, 1);
}

static const struct state_field i8042_fields[] = {
    STATE_VALUE(struct i8042, configuration), STATE_VALUE(struct i8042, output), STATE_VALUE(struct i8042, full),
    STATE_VALUE(struct i8042, auxiliary), STATE_VALUE(struct i8042, last_command), STATE_VALUE(struct i8042, command),
};

const struct state_part i8042_state = {
    .name = "i8042", .fields = i8042_fields, .count = G_N_ELEMENTS(i8042_fields),
};
