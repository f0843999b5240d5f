/* SPDX-License-Identifier: MIT */
#include "sim/platform/system_ports.h"

#include "sim/bits.h"
#include "sim/unmodelled.h"

#define PORT_POST 0x80
#define PORT_CONTROL_A 0x92
#define PORT_CONSOLE 0xe9
#define PORT_NUMERIC_ERROR 0xf0
#define PORT_DEBUG_EXIT 0xf4
#define PORT_RESET 0xcf9

#define CONTROL_A_RESET 0x01
#define CONTROL_A_A20 0x02
#define RESET_CONTROL_RESET 0x04

static void system_request_reset(struct system_ports *system)
{
    if (system->wiring->reset)
        system->wiring->reset(system->wiring->ctx);
}

static uint32_t post_read(void *ctx, uint16_t port, unsigned size)
{
    const struct system_ports *system = ctx;

    (void)port, (void)size;
    return system->post;
}

static void post_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;

    (void)port, (void)size;
    system->post = (uint8_t)value;
}

static uint32_t control_a_read(void *ctx, uint16_t port, unsigned size)
{
    const struct system_ports *system = ctx;

    (void)port, (void)size;
    return system->control_a;
}

/* deviation: A20M# is not modelled, address bit 20 is always driven; a guest that masks it is told in the report. */
static void control_a_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;
    bool reset = (value & CONTROL_A_RESET) && !(system->control_a & CONTROL_A_RESET);

    (void)port, (void)size;
    if (!(value & CONTROL_A_A20))
        unmodelled_note(system->wiring->unmodelled, "A20M# (port 92h bit 1 cleared)");
    system->control_a = (uint8_t)value;
    if (reset)
        system_request_reset(system);
}

static uint32_t reset_read(void *ctx, uint16_t port, unsigned size)
{
    const struct system_ports *system = ctx;

    (void)port, (void)size;
    return system->reset_control;
}

/* A 0 to 1 change of bit 2 resets. */
static void reset_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;
    bool reset = (value & RESET_CONTROL_RESET) && !(system->reset_control & RESET_CONTROL_RESET);

    (void)port, (void)size;
    system->reset_control = value & 0x0e;
    if (reset)
        system_request_reset(system);
}

/* A read gives E9h: this is how guests detect the console (the convention of Bochs). */
static uint32_t console_read(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)port, (void)size;
    return PORT_CONSOLE;
}

static void console_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;

    (void)port, (void)size;
    system->console_bytes++;
    if (system->console.put)
        system->console.put(system->console.ctx, (uint8_t)value);
}

static uint32_t numeric_error_read(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)port, (void)size;
    return 0xff;
}

/* Any value: the handler of IRQ 13 saw the x87 error. */
static void numeric_error_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;

    (void)port, (void)size, (void)value;
    if (system->wiring->ignore_numeric_error)
        system->wiring->ignore_numeric_error(system->wiring->ctx);
}

static uint32_t debug_exit_read(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)port, (void)size;
    return 0;
}

static void debug_exit_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct system_ports *system = ctx;

    (void)port, (void)size;
    if (system->wiring->debug_exit)
        system->wiring->debug_exit(system->wiring->ctx, value);
}

void system_ports_reset(struct system_ports *system)
{
    system->post = 0;
    system->control_a = CONTROL_A_A20; /* firmware leaves the gate open */
    system->reset_control = 0;
}

void system_ports_init(struct system_ports *system, const struct platform_config *config,
                       const struct platform_wiring *wiring, struct ports *ports)
{
    const struct pio_range ranges[] = {
        { "post", PORT_POST, 1, system, post_read, post_write },
        { "control_a", PORT_CONTROL_A, 1, system, control_a_read, control_a_write },
        { "reset", PORT_RESET, 1, system, reset_read, reset_write },
        { "console", PORT_CONSOLE, 1, system, console_read, console_write },
        { "numeric_error", PORT_NUMERIC_ERROR, 1, system, numeric_error_read, numeric_error_write },
    };
    const struct pio_range debug_exit = {
        "debug_exit", PORT_DEBUG_EXIT, 4, system, debug_exit_read, debug_exit_write
    };

    system->console = config->debug_console;
    system->wiring = wiring;
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
        ports_attach(ports, &ranges[i], 1);
    if (config->debug_exit)
        ports_attach(ports, &debug_exit, 4);
    system_ports_reset(system);
}

static const struct state_field system_ports_fields[] = {
    STATE_VALUE(struct system_ports, post),
    STATE_VALUE(struct system_ports, control_a),
    STATE_VALUE(struct system_ports, reset_control),
};

const struct state_part system_ports_state = {
    .name = "system_ports", .fields = system_ports_fields, .count = G_N_ELEMENTS(system_ports_fields),
};
