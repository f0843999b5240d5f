/* SPDX-License-Identifier: MIT */
/* The 16550A at 3F8h of a guest, on IRQ 4. What it sends goes out at once; what it receives has a FIFO. Pure. */
#ifndef HV_VDEV_VUART_H
#define HV_VDEV_VUART_H

#include <stdbool.h>
#include <stdint.h>

#define VUART_PORT 0x3F8u
#define VUART_IRQ 4u
#define VUART_FIFO 16

struct vuart {
    uint8_t ier, lcr, mcr, scratch, divisor_low, divisor_high, fcr, lsr_errors, msr_deltas;
    bool transmit_interrupt; /* THRE asks until IIR shows it or THR is written */
    uint8_t fifo[VUART_FIFO], fifo_first, fifo_count;
};

/* A byte leaves. */
typedef void vuart_put(void *ctx, char c);

void vuart_init(struct vuart *uart);
bool vuart_has_port(unsigned port);
uint8_t vuart_read(struct vuart *uart, unsigned port);
void vuart_write(struct vuart *uart, unsigned port, uint8_t value, vuart_put *put, void *ctx);
/* A byte arrives; false: there is no room, the sender keeps it. */
bool vuart_receive(struct vuart *uart, char c);
bool vuart_irq(const struct vuart *uart);

#endif
