/* SPDX-License-Identifier: MIT */
/*
 * The link adapter: PCI function 00:05.0, I/O ports D000h-D01Fh, IRQ 11. One end of a point-to-point link between two
 * machines, with flow control, so that no frame is lost while both ends are there.
 * deviation: our own device; no Family 10h board had it. assumed: its identity, F10F:0001.
 *
 *   +00 STATUS   ro    0 carrier: cable and the other end enabled   1 a frame may be sent   2 a frame has arrived
 *   +04 CONTROL  rw    0 enable (from 0 to 1: empty, and the other end gets a carrier)   1 interrupts
 *   +08 TX_PAGE  rw    number of the page in memory where the next frame begins
 *   +0C TX_LENGTH wo   writing sends: 1 to 40000h bytes, read from memory at once. Without STATUS[1]: EVENTS[2]
 *   +10 RX_PAGE  rw    of a buffer of 40000h bytes, 0: none; writing it takes the frame in it out: the next may come
 *   +14 RX_LENGTH ro   of the frame that has arrived
 *   +18 EVENTS   w1c   0 a frame has arrived   1 the carrier has come or gone   2 a frame was not sent
 */
#ifndef FAM10H_PLATFORM_LINK_H
#define FAM10H_PLATFORM_LINK_H

#include "sim/clock.h"
#include "sim/counters.h"
#include "sim/platform/platform.h"
#include "sim/state.h"

#define LINK_PORTS 0xd000
#define LINK_PORTS_COUNT 32
#define LINK_IRQ 11
#define LINK_DEVICE 5 /* on bus 0 */
#define LINK_CREDITS 2 /* frames on the way, or waiting for a buffer at the other end */

/* Registers, from LINK_PORTS. */
enum {
    LINK_STATUS = 0x00,
    LINK_CONTROL = 0x04,
    LINK_TX_PAGE = 0x08,
    LINK_TX_LENGTH = 0x0c,
    LINK_RX_PAGE = 0x10,
    LINK_RX_LENGTH = 0x14,
    LINK_EVENTS = 0x18,
};
#define LINK_STATUS_CARRIER 1u
#define LINK_STATUS_READY 2u
#define LINK_STATUS_ARRIVED 4u
#define LINK_CONTROL_ENABLE 1u
#define LINK_CONTROL_INTERRUPTS 2u
#define LINK_EVENT_ARRIVED 1u
#define LINK_EVENT_CARRIER 2u
#define LINK_EVENT_NOT_SENT 4u

struct link_port {
    uint32_t control, tx_page, rx_page, rx_length, events;
    uint32_t command, bar, interrupt_line; /* PCI configuration */
    bool full;              /* the buffer is the driver's */
    bool connected;         /* there is a cable */
    bool peer_enabled;
    uint32_t credits;
    uint64_t free_ps;       /* the transmitter is busy until then */
    uint64_t cut_ps;        /* NEVER, or when the cable is cut */
    uint64_t bits_per_s, latency_ps; /* of the cable */
    struct link_time time;
    /* struct link_message *: what goes out until the other machine fetches it, what is on its way, what waits here. */
    GQueue out, in, waiting;
    struct timer arrival, cut;
    struct irq_line irq;
    struct dma_port dma;
    struct clock *clock;
    struct unmodelled *unmodelled;
    uint64_t frames_sent, bytes_sent, frames_received, frames_lost; /* counters */
};

struct ports;
struct pci;
void link_port_init(struct link_port *port, const struct irq_line *irq, const struct dma_port *dma);
/* Give it its place in the machine. */
void link_port_attach(struct link_port *port, struct ports *ports, struct pci *pci);
void link_port_connect(struct link_port *port, struct clock *clock, struct unmodelled *unmodelled);
void link_port_reset(struct link_port *port);
void link_port_clear(struct link_port *port); /* frees what is on its way */

extern const struct state_part link_port_state;
extern const struct counter_row link_port_counter_rows[];
extern const size_t link_port_counter_count;

#endif
