/* SPDX-License-Identifier: MIT */
/* 16550A UART (National PC16550D data sheet): COM1, ports 3F8h-3FFh, IRQ 4. */
#ifndef FAM10H_PLATFORM_UART_H
#define FAM10H_PLATFORM_UART_H

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/platform/platform.h"
#include "sim/state.h"

#define UART_PORT 0x3f8
#define UART_IRQ 4
#define UART_FIFO 16

struct uart {
    struct char_port port;
    struct irq_line irq;
    struct clock *clock;
    struct timer poll;     /* asks the port for input while the receive interrupt is enabled */
    struct timer silence;  /* character time-out of the receive FIFO */
    /* registers */
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, divisor[2];
    uint8_t fifo[UART_FIFO];
    uint8_t head, count;
    bool thre_pending;     /* THR went empty and IIR has not told yet */
    bool timed_out;        /* no receive activity for four character times */
    /* counters */
    uint64_t sent, received, overruns;
};

void uart_init(struct uart *uart, const struct char_port *port, const struct irq_line *irq);
void uart_connect(struct uart *uart, struct clock *clock);
void uart_reset(struct uart *uart);
struct pio_range uart_ports(struct uart *uart);

extern const struct state_part uart_state;

#endif
