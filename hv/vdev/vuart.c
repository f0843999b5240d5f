/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vuart.h"

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCRATCH };
#define IER_RECEIVED 0x01
#define IER_TRANSMIT 0x02
#define IER_WRITABLE 0x0F
#define IIR_NONE 0x01
#define IIR_TRANSMIT 0x02
#define IIR_RECEIVED 0x04
#define IIR_TIMEOUT 0x0C /* bytes below the trigger level that have waited: here at once */
#define IIR_FIFOS 0xC0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVE 0x02
#define LCR_DIVISOR 0x80
#define MCR_DTR_RTS_OUT 0x0F
#define MCR_OUT2 0x08 /* connects the interrupt to the bus */
#define MCR_LOOP 0x10
#define LSR_READY 0x01
#define LSR_OVERRUN 0x02
#define LSR_EMPTY 0x60
#define MSR_CONNECTED 0xB0 /* CTS, DSR, DCD */

static const uint8_t trigger_level[4] = { 1, 4, 8, 14 };

void vuart_init(struct vuart *uart)
{
    *uart = (struct vuart){ .divisor_low = 1 };
}

bool vuart_has_port(unsigned port)
{
    return port >= VUART_PORT && port < VUART_PORT + 8;
}

static uint8_t interrupt_id(const struct vuart *uart)
{
    if (uart->ier & IER_RECEIVED && uart->fifo_count)
        return uart->fcr & FCR_ENABLE && uart->fifo_count < trigger_level[uart->fcr >> 6] ? IIR_TIMEOUT : IIR_RECEIVED;
    if (uart->ier & IER_TRANSMIT && uart->transmit_interrupt)
        return IIR_TRANSMIT;
    return IIR_NONE;
}

bool vuart_irq(const struct vuart *uart)
{
    return uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP) && interrupt_id(uart) != IIR_NONE;
}

bool vuart_receive(struct vuart *uart, char c)
{
    unsigned room = uart->fcr & FCR_ENABLE ? VUART_FIFO : 1;

    if (uart->fifo_count >= room)
        return false;
    uart->fifo[(uart->fifo_first + uart->fifo_count++) % VUART_FIFO] = (uint8_t)c;
    return true;
}

static uint8_t read_data(struct vuart *uart)
{
    uint8_t value = uart->fifo[uart->fifo_first];

    if (uart->fifo_count == 0)
        return 0;
    uart->fifo_first = (uart->fifo_first + 1) % VUART_FIFO;
    uart->fifo_count--;
    return value;
}

static uint8_t read_iir(struct vuart *uart)
{
    uint8_t id = interrupt_id(uart);

    if (id == IIR_TRANSMIT)
        uart->transmit_interrupt = false;
    return id | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

/* In loopback RTS, DTR, OUT1 and OUT2 come back as CTS, DSR, RI and DCD. */
static uint8_t read_msr(const struct vuart *uart)
{
    uint8_t m = uart->mcr;

    if (!(m & MCR_LOOP))
        return MSR_CONNECTED;
    return (uint8_t)((m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4);
}

uint8_t vuart_read(struct vuart *uart, unsigned port)
{
    bool divisor = uart->lcr & LCR_DIVISOR;
    uint8_t value;

    switch (port - VUART_PORT) {
    case DATA: return divisor ? uart->divisor_low : read_data(uart);
    case IER: return divisor ? uart->divisor_high : uart->ier;
    case IIR_FCR: return read_iir(uart);
    case LCR: return uart->lcr;
    case MCR: return uart->mcr;
    case LSR:
        value = (uint8_t)(LSR_EMPTY | (uart->fifo_count ? LSR_READY : 0) | uart->lsr_errors);
        uart->lsr_errors = 0;
        return value;
    case MSR: return read_msr(uart);
    default: return uart->scratch;
    }
}

static void write_data(struct vuart *uart, uint8_t value, vuart_put *put, void *ctx)
{
    uart->transmit_interrupt = true; /* it was empty again at once */
    if (!(uart->mcr & MCR_LOOP))
        put(ctx, (char)value);
    else if (!vuart_receive(uart, (char)value))
        uart->lsr_errors |= LSR_OVERRUN;
}

static void write_ier(struct vuart *uart, uint8_t value)
{
    if (value & IER_TRANSMIT && !(uart->ier & IER_TRANSMIT))
        uart->transmit_interrupt = true; /* THR is empty: enabling the interrupt raises it */
    uart->ier = value & IER_WRITABLE;
}

void vuart_write(struct vuart *uart, unsigned port, uint8_t value, vuart_put *put, void *ctx)
{
    bool divisor = uart->lcr & LCR_DIVISOR;

    switch (port - VUART_PORT) {
    case DATA:
        if (divisor)
            uart->divisor_low = value;
        else
            write_data(uart, value, put, ctx);
        break;
    case IER:
        if (divisor)
            uart->divisor_high = value;
        else
            write_ier(uart, value);
        break;
    case IIR_FCR:
        if (value & FCR_CLEAR_RECEIVE || (value ^ uart->fcr) & FCR_ENABLE)
            uart->fifo_count = 0;
        uart->fcr = value & (0xC0 | FCR_ENABLE);
        break;
    case LCR: uart->lcr = value; break;
    case MCR: uart->mcr = value & (MCR_DTR_RTS_OUT | MCR_LOOP); break;
    case SCRATCH: uart->scratch = value; break;
    default: break; /* LSR and MSR are read-only */
    }
}
