/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vpit.h"

#include "hv/vdev/vtime.h"

#define CHANNEL_0 0x40
#define CONTROL 0x43
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_WRITABLE 0x03
#define PORT_B_REFRESH 0x10
#define PORT_B_OUT2 0x20
#define REFRESH_NS 15085 /* the refresh request toggles about every 15 us */
#define READ_BACK 3
#define STATUS_OUT 0x80
#define STATUS_NULL 0x40

static uint64_t ticks(uint64_t now)
{
    return vtime_ticks(now, VPIT_HZ);
}

static bool is_periodic(const struct vpit_channel *channel)
{
    return channel->mode == 2 || channel->mode == 3;
}

/* Input clocks since the count was loaded. */
static uint64_t elapsed(const struct vpit_channel *channel, uint64_t tick)
{
    if (!channel->gate && !is_periodic(channel))
        return channel->stopped;
    return tick > channel->from ? tick - channel->from : 0;
}

static bool out(const struct vpit_channel *channel, uint64_t tick)
{
    uint64_t passed = elapsed(channel, tick);

    if (!channel->loaded)
        return channel->mode != 0;
    switch (channel->mode) {
    case 0:
        return passed >= channel->count;
    case 2:
        return !channel->gate || passed % channel->count != channel->count - 1;
    case 3:
        return !channel->gate || passed % channel->count < (channel->count + 1) / 2;
    default: /* 4: one clock low at the end */
        return passed != channel->count;
    }
}

static uint16_t current(const struct vpit_channel *channel, uint64_t tick)
{
    uint64_t passed = elapsed(channel, tick);

    if (!channel->loaded)
        return 0;
    if (!is_periodic(channel))
        return (uint16_t)(channel->count - passed);
    if (!channel->gate)
        return (uint16_t)channel->count;
    passed %= channel->count;
    if (channel->mode == 3) /* counts by twos, once through for each half */
        passed = passed * 2 % channel->count;
    return (uint16_t)(channel->count - passed);
}

/* ---- Ports ----------------------------------------------------------------------------------------------- */

static void load(struct vpit *pit, struct vpit_channel *channel, uint32_t count, uint64_t tick)
{
    channel->count = count ? count : 0x10000;
    channel->from = tick;
    channel->stopped = 0;
    channel->loaded = true;
    if (channel == &pit->channel[0])
        pit->seen = tick;
}

static void write_count(struct vpit *pit, struct vpit_channel *channel, uint8_t value, uint64_t tick)
{
    switch (channel->access) {
    case 1:
        load(pit, channel, value, tick);
        break;
    case 2:
        load(pit, channel, (uint32_t)value << 8, tick);
        break;
    default:
        if (channel->high_next_write) {
            load(pit, channel, channel->low | (uint32_t)value << 8, tick);
        } else {
            channel->low = value;
            if (channel->mode == 0)
                channel->loaded = false; /* the first byte stops the count, OUT is low */
        }
        channel->high_next_write = !channel->high_next_write;
        break;
    }
}

static void latch_count(struct vpit_channel *channel, uint64_t tick)
{
    if (channel->count_latched)
        return;
    channel->latched = current(channel, tick);
    channel->count_latched = true;
    channel->high_next_read = false;
}

static void latch_status(struct vpit_channel *channel, uint64_t tick)
{
    if (channel->status_latched)
        return;
    channel->latched_status = (uint8_t)((out(channel, tick) ? STATUS_OUT : 0) | (channel->loaded ? 0 : STATUS_NULL) |
                                        channel->access << 4 | channel->mode << 1);
    channel->status_latched = true;
}

static void write_control(struct vpit *pit, uint8_t value, uint64_t tick)
{
    unsigned which = value >> 6;
    struct vpit_channel *channel = &pit->channel[which % VPIT_CHANNELS];
    uint8_t mode = value >> 1 & 7;

    if (which == READ_BACK) {
        for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
            if (value >> (i + 1) & 1 && !(value & 0x20))
                latch_count(&pit->channel[i], tick);
            if (value >> (i + 1) & 1 && !(value & 0x10))
                latch_status(&pit->channel[i], tick);
        }
        return;
    }
    if ((value >> 4 & 3) == 0) {
        latch_count(channel, tick);
        return;
    }
    mode = mode > 5 ? mode - 4 : mode; /* 110b is 2, 111b is 3 */
    *channel = (struct vpit_channel){ .mode = mode == 1 ? 0 : mode == 5 ? 4 : mode, .access = value >> 4 & 3,
                                      .gate = channel->gate };
}

static uint8_t read_channel(struct vpit_channel *channel, uint64_t tick)
{
    uint16_t value = channel->count_latched ? channel->latched : current(channel, tick);
    bool high = channel->access == 2 || (channel->access == 3 && channel->high_next_read);

    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->latched_status;
    }
    if (channel->access == 3)
        channel->high_next_read = !channel->high_next_read;
    if (channel->access != 3 || high)
        channel->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

static void write_gate2(struct vpit *pit, bool gate, uint64_t tick)
{
    struct vpit_channel *channel = &pit->channel[2];

    if (gate == channel->gate)
        return;
    if (gate)
        channel->from = is_periodic(channel) ? tick : tick - channel->stopped;
    else
        channel->stopped = elapsed(channel, tick);
    channel->gate = gate;
}

void vpit_init(struct vpit *pit)
{
    *pit = (struct vpit){ 0 };
    for (unsigned i = 0; i < VPIT_CHANNELS; i++)
        pit->channel[i] = (struct vpit_channel){ .access = 3, .mode = 3, .gate = i != 2 };
}

bool vpit_has_port(unsigned port)
{
    return (port >= CHANNEL_0 && port <= CONTROL) || port == PORT_B;
}

uint8_t vpit_read(struct vpit *pit, unsigned port, uint64_t now)
{
    if (port == PORT_B)
        return (uint8_t)(pit->port_b | (now / REFRESH_NS & 1 ? PORT_B_REFRESH : 0) |
                         (out(&pit->channel[2], ticks(now)) ? PORT_B_OUT2 : 0));
    if (port == CONTROL)
        return 0xFF; /* write-only */
    return read_channel(&pit->channel[port - CHANNEL_0], ticks(now));
}

void vpit_write(struct vpit *pit, unsigned port, uint8_t value, uint64_t now)
{
    if (port == PORT_B) {
        pit->port_b = value & PORT_B_WRITABLE;
        write_gate2(pit, value & PORT_B_GATE2, ticks(now));
    } else if (port == CONTROL) {
        write_control(pit, value, ticks(now));
    } else {
        write_count(pit, &pit->channel[port - CHANNEL_0], value, ticks(now));
    }
}

/* ---- IRQ 0 ----------------------------------------------------------------------------------------------- */

bool vpit_out0(const struct vpit *pit, uint64_t now)
{
    return out(&pit->channel[0], ticks(now));
}

/* The tick after `seen` at which OUT rises. */
static uint64_t next_rise(const struct vpit *pit)
{
    const struct vpit_channel *channel = &pit->channel[0];
    uint64_t end, passed;

    if (!channel->loaded)
        return VTIME_NEVER;
    passed = pit->seen - channel->from;
    if (is_periodic(channel))
        return channel->from + (passed / channel->count + 1) * channel->count;
    end = channel->from + channel->count + (channel->mode == 4);
    return end > pit->seen ? end : VTIME_NEVER;
}

bool vpit_take_edge(struct vpit *pit, uint64_t now)
{
    uint64_t rise = next_rise(pit), tick = ticks(now);

    if (rise == VTIME_NEVER || tick < rise)
        return false;
    pit->seen = tick;
    return true;
}

uint64_t vpit_next(const struct vpit *pit)
{
    uint64_t rise = next_rise(pit);

    return rise == VTIME_NEVER ? VTIME_NEVER : vtime_of_tick(rise, VPIT_HZ);
}
