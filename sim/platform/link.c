/* SPDX-License-Identifier: MIT */
#include "sim/platform/link.h"

#include "sim/bits.h"
#include "sim/platform/error.h"
#include "sim/platform/parts.h"
#include "sim/unmodelled.h"

#define VENDOR_DEVICE 0x0001f10fu
#define CLASS_REVISION 0x02800001u /* network controller, other; revision 1 */
#define COMMAND_IO 0x0001u
#define COMMAND_MASTER 0x0004u
#define COMMAND_WRITABLE 0x0007u
#define BAR_WRITABLE 0x0000ffe0u
#define BAR_IO 0x00000001u
#define SUBSYSTEM 0x0001f10fu
#define INTERRUPT_PIN 0x00000100u /* INTA# */

/* ---- Interrupt ------------------------------------------------------------------------------------------- */

static void update_irq(struct link_port *port)
{
    port->irq.set(port->irq.ctx, LINK_IRQ, port->events && (port->control & LINK_CONTROL_INTERRUPTS));
}

static void notify(struct link_port *port, uint32_t event)
{
    port->events |= event;
    update_irq(port);
}

/* ---- Queues ---------------------------------------------------------------------------------------------- */

static void queue_clear(GQueue *queue)
{
    g_queue_foreach(queue, (GFunc)(void (*)(void))g_free, NULL);
    g_queue_clear(queue);
}

void link_port_clear(struct link_port *port)
{
    queue_clear(&port->out);
    queue_clear(&port->in);
    queue_clear(&port->waiting);
}

static struct link_message *message_new(uint8_t kind, uint32_t size)
{
    struct link_message *message = g_malloc0(sizeof(*message) + size);

    message->kind = kind;
    message->size = size;
    return message;
}

/* Whoever sends waits for the transmitter: what is sent later arrives later. */
static void put(struct link_port *port, struct link_message *message)
{
    uint64_t now = port->clock->now_ps, start = MAX(now, port->free_ps);
    __extension__ typedef unsigned __int128 wide;

    if (!port->connected) {
        g_free(message);
        return;
    }
    if (message->kind == LINK_FRAME)
        port->free_ps = start + (uint64_t)((wide)message->size * 8 * PS_PER_S / port->bits_per_s);
    message->ps = MAX(start, port->free_ps) + port->latency_ps;
    g_queue_push_tail(&port->out, message);
}

static bool carrier(const struct link_port *port)
{
    return port->connected && port->peer_enabled && (port->control & LINK_CONTROL_ENABLE);
}

static bool may_send(const struct link_port *port)
{
    return carrier(port) && port->credits && port->free_ps <= port->clock->now_ps;
}

/* The next frame that waits goes into the driver's buffer. */
static void take(struct link_port *port)
{
    struct link_message *message;

    if (port->full || !port->rx_page || !(port->command & COMMAND_MASTER) || g_queue_is_empty(&port->waiting))
        return;
    message = g_queue_pop_head(&port->waiting);
    port->dma.write(port->dma.ctx, port->dma.device_id, (uint64_t)port->rx_page << PAGE_SHIFT, message->data,
                    message->size);
    port->rx_length = message->size;
    port->full = true;
    port->frames_received++;
    g_free(message);
    put(port, message_new(LINK_CREDIT, 0));
    notify(port, LINK_EVENT_ARRIVED);
}

static void lose(struct link_port *port, GQueue *queue)
{
    for (GList *at = queue->head; at; at = at->next)
        port->frames_lost += ((struct link_message *)at->data)->kind == LINK_FRAME;
    queue_clear(queue);
}

static void set_peer(struct link_port *port, bool enabled)
{
    bool had = carrier(port);

    port->peer_enabled = enabled;
    port->credits = enabled ? LINK_CREDITS : 0;
    if (enabled && !had && port->connected) /* it begins anew: what it had sent before is void */
        lose(port, &port->waiting);
    if (carrier(port) != had)
        notify(port, LINK_EVENT_CARRIER);
}

static void arrive(struct link_port *port, struct link_message *message)
{
    switch (message->kind) {
    case LINK_FRAME:
        if (carrier(port)) {
            g_queue_push_tail(&port->waiting, message);
            take(port);
            return;
        }
        port->frames_lost++;
        break;
    case LINK_CREDIT:
        port->credits += port->credits < LINK_CREDITS;
        break;
    case LINK_ENABLED:
        if (!port->peer_enabled && (port->control & LINK_CONTROL_ENABLE))
            put(port, message_new(LINK_ENABLED, 0)); /* it may not have heard of ours */
        set_peer(port, true);
        break;
    default:
        set_peer(port, false);
        break;
    }
    g_free(message);
}

static void arm(struct link_port *port)
{
    const struct link_message *first = g_queue_peek_head(&port->in);

    if (first)
        timer_arm(&port->arrival, first->ps);
    else
        timer_disarm(&port->arrival);
}

static void arrival_fires(void *ctx)
{
    struct link_port *port = ctx;
    const struct link_message *first;

    while ((first = g_queue_peek_head(&port->in)) && first->ps <= port->clock->now_ps)
        arrive(port, g_queue_pop_head(&port->in));
    arm(port);
}

/* What has arrived stays, also what waits for a buffer. */
static void unplug(struct link_port *port)
{
    bool had = carrier(port);

    port->connected = false;
    port->peer_enabled = false;
    port->credits = 0;
    port->cut_ps = NEVER;
    lose(port, &port->in);
    queue_clear(&port->out);
    timer_disarm(&port->arrival);
    timer_disarm(&port->cut);
    if (had)
        notify(port, LINK_EVENT_CARRIER);
}

static void cut_fires(void *ctx)
{
    unplug(ctx);
}

/* ---- Registers ------------------------------------------------------------------------------------------- */

static void control(struct link_port *port, uint32_t value)
{
    uint32_t before = port->control;

    port->control = value & (LINK_CONTROL_ENABLE | LINK_CONTROL_INTERRUPTS);
    if (!(before & LINK_CONTROL_ENABLE) && (value & LINK_CONTROL_ENABLE)) {
        lose(port, &port->waiting);
        port->full = false;
        port->events = 0;
        put(port, message_new(LINK_ENABLED, 0));
    } else if ((before & LINK_CONTROL_ENABLE) && !(value & LINK_CONTROL_ENABLE)) {
        put(port, message_new(LINK_DISABLED, 0));
    }
    update_irq(port);
}

static void transmit(struct link_port *port, uint32_t size)
{
    struct link_message *message;

    if (!may_send(port) || !size || size > LINK_FRAME_MAX || !(port->command & COMMAND_MASTER)) {
        notify(port, LINK_EVENT_NOT_SENT);
        return;
    }
    message = message_new(LINK_FRAME, size);
    port->dma.read(port->dma.ctx, port->dma.device_id, (uint64_t)port->tx_page << PAGE_SHIFT, message->data, size);
    port->credits--;
    port->frames_sent++;
    port->bytes_sent += size;
    put(port, message);
}

static uint32_t read_register(const struct link_port *port, unsigned reg)
{
    switch (reg) {
    case LINK_STATUS:
        return (carrier(port) ? LINK_STATUS_CARRIER : 0) | (may_send(port) ? LINK_STATUS_READY : 0) |
               (port->full ? LINK_STATUS_ARRIVED : 0);
    case LINK_CONTROL: return port->control;
    case LINK_TX_PAGE: return port->tx_page;
    case LINK_RX_PAGE: return port->rx_page;
    case LINK_RX_LENGTH: return port->full ? port->rx_length : 0;
    case LINK_EVENTS: return port->events;
    default: return 0;
    }
}

static void write_register(struct link_port *port, unsigned reg, uint32_t value)
{
    switch (reg) {
    case LINK_CONTROL:
        control(port, value);
        break;
    case LINK_TX_PAGE:
        port->tx_page = value;
        break;
    case LINK_TX_LENGTH:
        transmit(port, value);
        break;
    case LINK_RX_PAGE:
        port->rx_page = value;
        port->full = false;
        take(port);
        break;
    case LINK_EVENTS:
        port->events &= ~value;
        update_irq(port);
        break;
    default: /* read-only */
        break;
    }
}

/* Registers are doublewords; BAR and IO space decide whether they are there. */
static bool decodes(struct link_port *port, unsigned reg, unsigned size)
{
    if (!(port->command & COMMAND_IO) || port->bar != LINK_PORTS)
        return false;
    if (size == 4 && reg % 4 == 0)
        return true;
    unmodelled_note(port->unmodelled, "access of %u bytes to the link adapter", size);
    return false;
}

static uint32_t port_read(void *ctx, uint16_t number, unsigned size)
{
    struct link_port *port = ctx;
    unsigned reg = number - LINK_PORTS;

    return decodes(port, reg, size) ? read_register(port, reg) : (uint32_t)bits_mask(8 * size - 1, 0);
}

static void port_write(void *ctx, uint16_t number, unsigned size, uint32_t value)
{
    struct link_port *port = ctx;
    unsigned reg = number - LINK_PORTS;

    if (decodes(port, reg, size))
        write_register(port, reg, value);
}

/* ---- Configuration space (PCI 2.3, chapter 6) -------------------------------------------------------------- */

static uint32_t config_dword(const struct link_port *port, unsigned reg)
{
    switch (reg) {
    case 0x00: return VENDOR_DEVICE;
    case 0x04: return port->command;
    case 0x08: return CLASS_REVISION;
    case 0x10: return port->bar | BAR_IO;
    case 0x2c: return SUBSYSTEM;
    case 0x3c: return INTERRUPT_PIN | port->interrupt_line;
    default: return 0;
    }
}

static uint32_t config_read(void *ctx, unsigned reg, unsigned size)
{
    (void)size; /* pci.c cuts to the size */
    return config_dword(ctx, reg & ~3u) >> (8 * (reg & 3));
}

static void config_write(void *ctx, unsigned reg, unsigned size, uint32_t value)
{
    struct link_port *port = ctx;
    unsigned shift = 8 * (reg & 3);
    uint32_t lanes = (uint32_t)bits_mask(8 * size - 1, 0) << shift;
    uint32_t whole = (config_dword(port, reg & ~3u) & ~lanes) | (value << shift & lanes);

    switch (reg & ~3u) {
    case 0x04:
        port->command = whole & COMMAND_WRITABLE;
        break;
    case 0x10:
        port->bar = whole & BAR_WRITABLE;
        if (port->bar != LINK_PORTS && port->bar != BAR_WRITABLE)
            unmodelled_note(port->unmodelled, "link adapter moved to ports %04xh", port->bar);
        break;
    case 0x3c:
        port->interrupt_line = whole & 0xff;
        break;
    default: /* read-only */
        break;
    }
}

/* ---- Its place in the machine ----------------------------------------------------------------------------- */

/* As firmware leaves it: at its ports, disabled. The cable stays, and the other end loses its carrier. */
void link_port_reset(struct link_port *port)
{
    bool was = port->control & LINK_CONTROL_ENABLE;

    lose(port, &port->waiting);
    queue_clear(&port->out);
    lose(port, &port->in);
    port->control = port->tx_page = port->rx_page = port->rx_length = port->events = 0;
    port->command = COMMAND_IO | COMMAND_MASTER;
    port->bar = LINK_PORTS;
    port->interrupt_line = LINK_IRQ;
    port->full = port->peer_enabled = false;
    port->credits = 0;
    port->free_ps = 0;
    timer_disarm(&port->arrival);
    timer_disarm(&port->cut);
    port->irq.set(port->irq.ctx, LINK_IRQ, false);
    if (was) {
        struct link_message *gone = message_new(LINK_DISABLED, 0);

        gone->ps = port->latency_ps; /* the machine's time begins at 0 again */
        g_queue_push_tail(&port->out, gone);
    }
}

void link_port_init(struct link_port *port, const struct irq_line *irq, const struct dma_port *dma)
{
    port->irq = *irq;
    port->dma = *dma;
    port->cut_ps = NEVER;
    g_queue_init(&port->out);
    g_queue_init(&port->in);
    g_queue_init(&port->waiting);
    port->arrival = (struct timer){ .name = "link.arrival", .fire = arrival_fires, .ctx = port };
    port->cut = (struct timer){ .name = "link.cut", .fire = cut_fires, .ctx = port };
}

void link_port_attach(struct link_port *port, struct ports *ports, struct pci *pci)
{
    const struct pio_range range = { "link", LINK_PORTS, LINK_PORTS_COUNT, port, port_read, port_write };
    const struct pci_function function = { "link", 0, LINK_DEVICE, 0, port, config_read, config_write };

    ports_attach(ports, &range, 4);
    pci_attach(pci, &function);
}

void link_port_connect(struct link_port *port, struct clock *clock, struct unmodelled *unmodelled)
{
    port->clock = clock;
    port->unmodelled = unmodelled;
    clock_attach(clock, &port->arrival);
    clock_attach(clock, &port->cut);
}

/* ---- The cable, for machine ------------------------------------------------------------------------------- */

bool platform_has_link(const struct platform *platform)
{
    return platform->config.link;
}

bool platform_link_is_plugged(const struct platform *platform)
{
    return platform->link.connected;
}

uint64_t platform_link_latency(const struct platform *platform)
{
    return platform->link.latency_ps;
}

struct link_time *platform_link_time(struct platform *platform)
{
    return &platform->link.time;
}

void platform_link_plug(struct platform *platform, uint64_t bits_per_s, uint64_t latency_ps)
{
    struct link_port *port = &platform->link;

    unplug(port);
    port->connected = true;
    port->bits_per_s = bits_per_s;
    port->latency_ps = latency_ps;
    port->free_ps = 0;
    if (port->control & LINK_CONTROL_ENABLE)
        put(port, message_new(LINK_ENABLED, 0));
}

void platform_link_cut(struct platform *platform, uint64_t at_ps)
{
    struct link_port *port = &platform->link;

    port->cut_ps = at_ps;
    timer_arm(&port->cut, at_ps);
}

struct link_message *platform_link_fetch(struct platform *platform)
{
    return g_queue_pop_head(&platform->link.out);
}

void platform_link_deliver(struct platform *platform, struct link_message *message)
{
    struct link_port *port = &platform->link;

    if (!port->connected || message->ps > port->cut_ps) {
        port->frames_lost += message->kind == LINK_FRAME;
        g_free(message);
        return;
    }
    g_queue_push_tail(&port->in, message);
    arm(port);
}

/* ---- State ------------------------------------------------------------------------------------------------ */

#define QUEUE_MOST 4096 /* messages in a queue of a snapshot: a driver that switches on and off makes many */

static void save_queue(const GQueue *queue, struct state_writer *writer)
{
    state_write_u64(writer, queue->length);
    for (const GList *at = queue->head; at; at = at->next) {
        const struct link_message *message = at->data;

        state_write_u64(writer, message->ps);
        state_write_u64(writer, message->kind);
        state_write_u64(writer, message->size);
        state_write(writer, message->data, message->size);
    }
}

static void save(void *object, struct state_writer *writer)
{
    const struct link_port *port = object;

    save_queue(&port->out, writer);
    save_queue(&port->in, writer);
    save_queue(&port->waiting, writer);
}

static bool load_message(GQueue *queue, struct state_reader *reader, GError **error)
{
    uint64_t ps, kind, size;
    struct link_message *message;

    if (!state_read_u64(reader, &ps, error) || !state_read_u64(reader, &kind, error) ||
        !state_read_u64(reader, &size, error))
        return false;
    if (kind >= LINK_MESSAGE_KINDS || size > LINK_FRAME_MAX)
        return platform_fail(error, "snapshot: a message of kind %" PRIu64 " and %" PRIu64 " bytes on the link; at "
                             "most %u bytes are right", kind, size, LINK_FRAME_MAX);
    message = message_new((uint8_t)kind, (uint32_t)size);
    message->ps = ps;
    g_queue_push_tail(queue, message);
    return state_read(reader, message->data, size, error);
}

static bool load_queue(GQueue *queue, struct state_reader *reader, GError **error)
{
    uint64_t count;

    if (!state_read_u64(reader, &count, error))
        return false;
    if (count > QUEUE_MOST)
        return platform_fail(error, "snapshot: %" PRIu64 " messages on the link; at most %d are right", count,
                             QUEUE_MOST);
    for (uint64_t i = 0; i < count; i++)
        if (!load_message(queue, reader, error))
            return false;
    return true;
}

static bool load(void *object, struct state_reader *reader, GError **error)
{
    struct link_port *port = object;

    link_port_clear(port);
    return load_queue(&port->out, reader, error) && load_queue(&port->in, reader, error) &&
           load_queue(&port->waiting, reader, error);
}

/* A cable that could not be is none. */
static void restored(void *object)
{
    struct link_port *port = object;

    if (!port->bits_per_s || port->latency_ps < LINK_LATENCY_LEAST)
        port->connected = false;
}

static const struct state_field link_fields[] = {
    STATE_VALUE(struct link_port, control), STATE_VALUE(struct link_port, tx_page),
    STATE_VALUE(struct link_port, rx_page), STATE_VALUE_UP_TO(struct link_port, rx_length, LINK_FRAME_MAX),
    STATE_VALUE(struct link_port, events), STATE_VALUE(struct link_port, command), STATE_VALUE(struct link_port, bar),
    STATE_VALUE(struct link_port, interrupt_line), STATE_VALUE(struct link_port, full),
    STATE_VALUE(struct link_port, connected), STATE_VALUE(struct link_port, peer_enabled),
    STATE_VALUE_UP_TO(struct link_port, credits, LINK_CREDITS), STATE_VALUE(struct link_port, free_ps),
    STATE_VALUE(struct link_port, cut_ps), STATE_VALUE(struct link_port, bits_per_s),
    STATE_VALUE(struct link_port, latency_ps), STATE_VALUE(struct link_port, time.epoch_ps),
    STATE_VALUE(struct link_port, time.boundary_ps),
};

const struct state_part link_port_state = {
    .name = "link", .fields = link_fields, .count = G_N_ELEMENTS(link_fields), .after = restored, .save = save,
    .load = load,
};

#define LINK_COUNTER(name, unit, meaning, member) { name, unit, meaning, offsetof(struct link_port, member), { { 0 } } }

const struct counter_row link_port_counter_rows[] = {
    LINK_COUNTER("link.frames_sent", "frames", "frames given to the link", frames_sent),
    LINK_COUNTER("link.bytes_sent", "bytes", "bytes of those frames", bytes_sent),
    LINK_COUNTER("link.frames_received", "frames", "frames put into the driver's buffer", frames_received),
    LINK_COUNTER("link.frames_lost", "frames", "frames on their way here when the link was cut, or that came when the "
                 "adapter was off", frames_lost),
};
const size_t link_port_counter_count = G_N_ELEMENTS(link_port_counter_rows);
