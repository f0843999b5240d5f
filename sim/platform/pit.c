/* SPDX-License-Identifier: MIT */
/*
 * Nothing counts: a channel remembers when its count was loaded, and what it shows follows from the time. Modes as
 * in the data sheet's timing diagrams; `d` is the number of input clocks since the count was loaded.
 */
#include "sim/platform/pit.h"

#include "sim/bits.h"

__extension__ typedef unsigned __int128 wide;

#define PORT_CHANNEL0 0x40
#define PORT_CONTROL 0x43
#define PORT_B 0x61
#define PORT_B_GATE 0x01
#define PORT_B_WRITABLE 0x0f
#define PORT_B_REFRESH 0x10 /* toggles with each refresh request */
#define PORT_B_OUT2 0x20
#define REFRESH_TICKS 18    /* 15.09 us */

#define TICK_NUMERATOR 105  /* 14.31818 MHz / 12 = 105/88 MHz */
#define TICK_PS 88000000    /* so many picoseconds are 105 ticks */

static uint64_t pit_ticks(const struct pit *pit)
{
    return (uint64_t)((wide)pit->clock->now_ps * TICK_NUMERATOR / TICK_PS);
}

/* The first picosecond of a tick. */
static uint64_t pit_tick_ps(uint64_t tick)
{
    return (uint64_t)(((wide)tick * TICK_PS + TICK_NUMERATOR - 1) / TICK_NUMERATOR);
}

/* ---- What a channel shows at a time ----------------------------------------------------------------------- */

/* Input clocks since the load. The load itself takes the first clock after the write, so that this may be -1. */
static int64_t pit_elapsed(const struct pit_channel *channel, uint64_t now)
{
    bool stops = channel->mode == 0 || channel->mode == 4;

    if (stops && !channel->gate)
        return (int64_t)channel->held;
    return (int64_t)(now - channel->start);
}

/* Modes 2 and 3: the tick at which a count written at next_at begins to count. */
static uint64_t pit_boundary(const struct pit_channel *channel)
{
    uint64_t high = (channel->count + 1) / 2;
    uint64_t since = channel->next_at - channel->start;
    uint64_t cycle = since / channel->count * channel->count;

    if ((int64_t)since < 0)
        return channel->start;
    if (channel->mode == 3 && since - cycle < high)
        return channel->start + cycle + high; /* a square wave takes the new count at the end of the half-cycle */
    return channel->start + cycle + channel->count;
}

/* Bring a waiting count into force. */
static void pit_sync(struct pit_channel *channel, uint64_t now)
{
    uint64_t boundary;
    bool low_half;

    if (!channel->next_pending)
        return;
    boundary = pit_boundary(channel);
    if (now < boundary)
        return;
    low_half = channel->mode == 3 && (boundary - channel->start) % channel->count != 0;
    channel->count = channel->next;
    /* The low half begins when the high half of the new count would have ended. */
    channel->start = low_half ? boundary - (channel->next + 1) / 2 : boundary;
    channel->next_pending = false;
}

static bool pit_out(const struct pit_channel *channel, uint64_t now)
{
    int64_t d = pit_elapsed(channel, now);
    int64_t n = channel->count;

    if (!channel->loaded || !channel->started)
        return channel->mode != 0; /* after the control word OUT is low in mode 0, else high */
    switch (channel->mode) {
    case 0:
    case 1:
        return d >= n || (channel->mode == 1 && d < 0);
    case 2:
        return !channel->gate || d < 0 || d % n != n - 1;
    case 3:
        return !channel->gate || d < 0 || d % n < (n + 1) / 2;
    default: /* 4, 5: one clock low at the end */
        return d != n;
    }
}

/* The tick after `now` at which OUT may change next; NEVER if it stays. */
static uint64_t pit_next_edge(const struct pit_channel *channel, uint64_t now)
{
    uint64_t n = channel->count;
    uint64_t cycle, edge;

    if (!channel->loaded || !channel->started || !channel->gate)
        return NEVER;
    if ((int64_t)(now - channel->start) < 0)
        return channel->start;
    switch (channel->mode) {
    case 0:
    case 1:
        edge = channel->start + n;
        return edge > now ? edge : NEVER;
    case 2:
    case 3:
        cycle = (now - channel->start) / n * n + channel->start;
        edge = cycle + (channel->mode == 2 ? n - 1 : (n + 1) / 2);
        return edge > now ? edge : cycle + n;
    default:
        edge = channel->start + n;
        return edge > now ? edge : edge + 1 > now ? edge + 1 : NEVER;
    }
}

/* The counting element as a number; it wraps below zero in every mode but 2 and 3, which reload. */
static uint32_t pit_current(const struct pit_channel *channel, uint64_t now)
{
    uint32_t modulus = channel->bcd ? 10000 : 65536;
    int64_t d = pit_elapsed(channel, now);
    uint32_t n = channel->count;
    uint64_t phase;

    if (!channel->loaded || !channel->started || d < 0)
        return n % modulus;
    phase = (uint64_t)d;
    if (channel->mode == 2)
        return (uint32_t)(n - (channel->gate ? phase % n : 0)) % modulus;
    if (channel->mode != 3)
        return (uint32_t)((n + modulus - phase % modulus) % modulus);
    phase = channel->gate ? phase % n : 0;
    if (phase >= (n + 1) / 2)
        phase -= (n + 1) / 2;
    return (uint32_t)((n & ~1u) - 2 * phase) % modulus; /* the square wave counts down by two */
}

static uint16_t pit_encode(const struct pit_channel *channel, uint32_t value)
{
    if (!channel->bcd)
        return (uint16_t)value;
    return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12);
}

static uint32_t pit_decode(const struct pit_channel *channel, uint16_t value)
{
    uint32_t number = value;

    if (channel->bcd)
        number = bits(value, 15, 12) * 1000 + bits(value, 11, 8) * 100 + bits(value, 7, 4) * 10 + bits(value, 3, 0);
    if (number)
        return number;
    return channel->bcd ? 10000 : 65536; /* 0 stands for the largest count */
}

/* ---- Channel 0's interrupt ----------------------------------------------------------------------------------- */

static void pit_update(struct pit *pit)
{
    struct pit_channel *channel = &pit->channel[0];
    uint64_t now = pit_ticks(pit);
    uint64_t edge;

    pit_sync(channel, now);
    pit->irq.set(pit->irq.ctx, PIT_IRQ, pit_out(channel, now));
    edge = pit_next_edge(channel, now);
    if (channel->next_pending && pit_boundary(channel) < edge && pit_boundary(channel) > now)
        edge = pit_boundary(channel);
    if (edge == NEVER)
        timer_disarm(&pit->edge);
    else
        timer_arm(&pit->edge, pit_tick_ps(edge));
}

static void pit_fire(void *ctx)
{
    pit_update(ctx);
}

/* ---- Writing ----------------------------------------------------------------------------------------------- */

static void pit_load(struct pit_channel *channel, uint16_t value, uint64_t now)
{
    uint32_t count = pit_decode(channel, value);
    bool waits_for_gate = channel->mode == 1 || channel->mode == 5;

    pit_sync(channel, now);
    if (channel->loaded && (channel->mode == 2 || channel->mode == 3)) {
        channel->next = count;
        channel->next_at = now;
        channel->next_pending = true;
        return;
    }
    if (waits_for_gate && channel->started) {
        channel->next = count; /* for the next trigger; the shot that runs is not disturbed */
        channel->next_pending = false;
        return;
    }
    channel->count = channel->next = count;
    channel->start = now + 1; /* the clock after the write loads the counter */
    channel->held = 0;
    channel->loaded = true;
    channel->started = !waits_for_gate;
}

static void pit_write_count(struct pit_channel *channel, uint8_t byte, uint64_t now)
{
    switch (channel->access) {
    case 1:
        pit_load(channel, byte, now);
        break;
    case 2:
        pit_load(channel, (uint16_t)(byte << 8), now);
        break;
    default:
        if (channel->write_high)
            pit_load(channel, (uint16_t)(channel->low | byte << 8), now);
        else if (channel->mode == 0 && channel->loaded)
            channel->loaded = false; /* mode 0: the first byte stops counting, OUT goes low */
        channel->low = byte;
        channel->write_high = !channel->write_high;
        break;
    }
}

static void pit_latch_count(struct pit_channel *channel, uint64_t now)
{
    if (channel->latched)
        return; /* a second latch command before the read is ignored */
    pit_sync(channel, now);
    channel->latch = pit_encode(channel, pit_current(channel, now));
    channel->latched = channel->access == 3 ? 2 : 1;
}

/* Bit 6: the count last written is not in the counting element yet. */
static bool pit_is_null(const struct pit_channel *channel, uint64_t now)
{
    return !channel->loaded || channel->next_pending || (int64_t)(now - channel->start) < 0 ||
           (!channel->started) || channel->next != channel->count;
}

static void pit_latch_status(struct pit_channel *channel, uint64_t now)
{
    if (channel->status_latched)
        return;
    pit_sync(channel, now);
    channel->status = (uint8_t)(pit_out(channel, now) << 7 | pit_is_null(channel, now) << 6 | channel->access << 4 |
                                channel->mode << 1 | channel->bcd);
    channel->status_latched = true;
}

static void pit_read_back(struct pit *pit, uint8_t command, uint64_t now)
{
    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        if (!bit(command, 1 + i))
            continue;
        if (!bit(command, 5))
            pit_latch_count(&pit->channel[i], now);
        if (!bit(command, 4))
            pit_latch_status(&pit->channel[i], now);
    }
}

static void pit_control(struct pit *pit, uint8_t command, uint64_t now)
{
    struct pit_channel *channel = &pit->channel[command >> 6 & 3];
    unsigned mode = command >> 1 & 7;

    if (command >> 6 == 3) {
        pit_read_back(pit, command, now);
    } else if (!(command & 0x30)) {
        pit_latch_count(channel, now);
    } else {
        *channel = (struct pit_channel){
            .mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
            .access = command >> 4 & 3, .bcd = command & 1, .gate = channel->gate,
            .count = channel->count, .next = channel->count,
        };
    }
}

static void pit_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pit *pit = ctx;
    uint64_t now = pit_ticks(pit);

    (void)size;
    if (port == PORT_CONTROL)
        pit_control(pit, (uint8_t)value, now);
    else
        pit_write_count(&pit->channel[port - PORT_CHANNEL0], (uint8_t)value, now);
    pit_update(pit);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

static uint8_t pit_read_latch(struct pit_channel *channel)
{
    bool high = channel->access == 2 || (channel->access == 3 && channel->latched == 1);

    channel->latched--;
    return (uint8_t)(high ? channel->latch >> 8 : channel->latch);
}

static uint32_t pit_read(void *ctx, uint16_t port, unsigned size)
{
    struct pit *pit = ctx;
    struct pit_channel *channel = &pit->channel[port & 3];
    uint64_t now = pit_ticks(pit);
    uint16_t value;
    bool high;

    (void)size;
    if (port == PORT_CONTROL)
        return 0xff; /* write-only */
    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->status;
    }
    if (channel->latched)
        return pit_read_latch(channel);
    pit_sync(channel, now);
    value = pit_encode(channel, pit_current(channel, now));
    high = channel->access == 2 || (channel->access == 3 && channel->read_high);
    if (channel->access == 3)
        channel->read_high = !channel->read_high;
    return (uint8_t)(high ? value >> 8 : value);
}

/* ---- Port 61h and channel 2's gate ----------------------------------------------------------------------------- */

static void pit_set_gate(struct pit_channel *channel, bool gate, uint64_t now)
{
    if (gate == channel->gate)
        return;
    pit_sync(channel, now);
    if (channel->mode == 0 || channel->mode == 4) { /* the gate holds the count */
        if (gate)
            channel->start = now - channel->held;
        else
            channel->held = (int64_t)(now - channel->start) > 0 ? now - channel->start : 0;
    } else if (gate && channel->loaded) { /* a rising edge reloads (2, 3) or triggers (1, 5) */
        channel->count = channel->next;
        channel->next_pending = false;
        channel->start = now + 1;
        channel->started = true;
    }
    channel->gate = gate;
}

static uint32_t port_b_read(void *ctx, uint16_t port, unsigned size)
{
    struct pit *pit = ctx;
    uint64_t now = pit_ticks(pit);

    (void)port, (void)size;
    pit_sync(&pit->channel[2], now);
    return pit->port_b | (now / REFRESH_TICKS & 1 ? PORT_B_REFRESH : 0) |
           (pit_out(&pit->channel[2], now) ? PORT_B_OUT2 : 0);
}

static void port_b_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct pit *pit = ctx;

    (void)port, (void)size;
    pit->port_b = value & PORT_B_WRITABLE;
    pit_set_gate(&pit->channel[2], value & PORT_B_GATE, pit_ticks(pit));
}

/* ---- Building ------------------------------------------------------------------------------------------------- */

void pit_reset(struct pit *pit)
{
    for (unsigned i = 0; i < PIT_CHANNELS; i++)
        pit->channel[i] = (struct pit_channel){ .access = 3, .mode = 3, .gate = i != 2, .count = 65536,
                                                  .next = 65536 };
    pit->port_b = 0;
    timer_disarm(&pit->edge);
    pit->irq.set(pit->irq.ctx, PIT_IRQ, pit_out(&pit->channel[0], 0));
}

void pit_init(struct pit *pit, const struct irq_line *irq, struct ports *ports)
{
    const struct pio_range channels = { "pit", PORT_CHANNEL0, 4, pit, pit_read, pit_write };
    const struct pio_range port_b = { "port_b", PORT_B, 1, pit, port_b_read, port_b_write };

    pit->irq = *irq;
    pit->edge = (struct timer){ .name = "pit.edge", .fire = pit_fire, .ctx = pit };
    ports_attach(ports, &channels, 1);
    ports_attach(ports, &port_b, 1);
}

void pit_connect(struct pit *pit, struct clock *clock)
{
    pit->clock = clock;
    clock_attach(clock, &pit->edge);
}

#define PIT_FIELD(member) STATE_EACH(struct pit, channel, member)

static const struct state_field pit_fields[] = {
    STATE_EACH_UP_TO(struct pit, channel, mode, 5), STATE_EACH_UP_TO(struct pit, channel, access, 3),
    PIT_FIELD(bcd), PIT_FIELD(gate), PIT_FIELD(loaded), PIT_FIELD(started),
    PIT_FIELD(next_pending), PIT_FIELD(write_high), PIT_FIELD(read_high), PIT_FIELD(low),
    STATE_EACH_UP_TO(struct pit, channel, latched, 2), PIT_FIELD(status_latched), PIT_FIELD(status),
    PIT_FIELD(latch), STATE_EACH_UP_TO(struct pit, channel, count, 65536),
    STATE_EACH_UP_TO(struct pit, channel, next, 65536),
    PIT_FIELD(next_at), PIT_FIELD(start), PIT_FIELD(held), STATE_VALUE(struct pit, port_b),
};

/* A count of 0 would divide by zero: a damaged snapshot must not bring it in. */
static void pit_restored(void *object)
{
    struct pit *pit = object;

    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        struct pit_channel *channel = &pit->channel[i];

        channel->count = channel->count ? channel->count : 65536;
        channel->next = channel->next ? channel->next : 65536;
    }
}

const struct state_part pit_state = {
    .name = "pit", .fields = pit_fields, .count = G_N_ELEMENTS(pit_fields), .after = pit_restored,
};
