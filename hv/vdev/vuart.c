/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vuart.h"

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCRATCH };
#define IER_RECEIVED 0x01
#define IER_TRANSMIT 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08
#define IER_WRITABLE 0x0F
#define IIR_MODEM 0x00
#define IIR_NONE 0x01
#define IIR_TRANSMIT 0x02
#define IIR_RECEIVED 0x04
#define IIR_LINE 0x06
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
#define MSR_RING 0x40
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

/* The most urgent source, in the data sheet's order. */
static uint8_t interrupt_id(const struct vuart *uart)
{
    if (uart->ier & IER_LINE && uart->lsr_errors)
        return IIR_LINE;
    if (uart->ier & IER_RECEIVED && uart->fifo_count)
        return uart->fcr & FCR_ENABLE && uart->fifo_count < trigger_level[uart->fcr >> 6] ? IIR_TIMEOUT : IIR_RECEIVED;
    if (uart->ier & IER_TRANSMIT && uart->transmit_interrupt)
        return IIR_TRANSMIT;
    if (uart->ier & IER_MODEM && uart->msr_deltas)
        return IIR_MODEM;
    return IIR_NONE;
}

bool vuart_irq(const struct vuart *uart)
{
    return uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP) && interrupt_id(uart) != IIR_NONE;
}

static bool push(struct vuart *uart, uint8_t byte)
{
    unsigned room = uart->fcr & FCR_ENABLE ? VUART_FIFO : 1;

    if (uart->fifo_count >= room)
        return false;
    uart->fifo[(uart->fifo_first + uart->fifo_count++) % VUART_FIFO] = byte;
    return true;
}

bool vuart_receive(struct vuart *uart, char c)
{
    return !(uart->mcr & MCR_LOOP) && push(uart, (uint8_t)c);
}

/* Looped back there is nobody to wait: what has no room is lost, or without FIFOs what was there before it. */
static void loop_back(struct vuart *uart, uint8_t byte)
{
    if (push(uart, byte))
        return;
    uart->lsr_errors |= LSR_OVERRUN;
    if (!(uart->fcr & FCR_ENABLE))
        uart->fifo[uart->fifo_first] = byte;
}

/* An empty receiver repeats its last byte. */
static uint8_t read_data(struct vuart *uart)
{
    uint8_t value = uart->fifo[uart->fifo_first];

    if (uart->fifo_count > 1)
        uart->fifo_first = (uart->fifo_first + 1) % VUART_FIFO;
    if (uart->fifo_count)
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
static uint8_t modem_lines(const struct vuart *uart)
{
    uint8_t m = uart->mcr;

    if (!(m & MCR_LOOP))
        return MSR_CONNECTED;
    return (uint8_t)((m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4);
}

static void write_mcr(struct vuart *uart, uint8_t value)
{
    uint8_t before = modem_lines(uart), now, changed;

    uart->mcr = value & (MCR_DTR_RTS_OUT | MCR_LOOP);
    now = modem_lines(uart);
    changed = before ^ now;
    if (now & MSR_RING)
        changed &= (uint8_t)~MSR_RING; /* TERI tells of the trailing edge alone */
    uart->msr_deltas |= changed >> 4;
}

static uint8_t read_msr(struct vuart *uart)
{
    uint8_t value = modem_lines(uart) | uart->msr_deltas;

    uart->msr_deltas = 0;
    return value;
}

static uint8_t read_lsr(struct vuart *uart)
{
    uint8_t value = (uint8_t)(LSR_EMPTY | (uart->fifo_count ? LSR_READY : 0) | uart->lsr_errors);

    uart->lsr_errors = 0;
    return value;
}

uint8_t vuart_read(struct vuart *uart, unsigned port)
{
    bool divisor = uart->lcr & LCR_DIVISOR;

    switch (port - VUART_PORT) {
    case DATA: return divisor ? uart->divisor_low : read_data(uart);
    case IER: return divisor ? uart->divisor_high : uart->ier;
    case IIR_FCR: return read_iir(uart);
    case LCR: return uart->lcr;
    case MCR: return uart->mcr;
    case LSR: return read_lsr(uart);
    case MSR: return read_msr(uart);
    default: return uart->scratch;
    }
}

static void write_data(struct vuart *uart, uint8_t value, vuart_put *put, void *ctx)
{
    uart->transmit_interrupt = true; /* it was empty again at once */
    if (uart->mcr & MCR_LOOP)
        loop_back(uart, value);
    else
        put(ctx, (char)value);
}

static void write_ier(struct vuart *uart, uint8_t value)
{
    if (value & IER_TRANSMIT && !(uart->ier & IER_TRANSMIT))
        uart->transmit_interrupt = true; /* THR is empty: enabling the interrupt raises it */
    uart->ier = value & IER_WRITABLE;
}

/* Its other bits count only together with the one that enables. */
static void write_fcr(struct vuart *uart, uint8_t value)
{
    if (!(value & FCR_ENABLE))
        value = 0;
    if (value & FCR_CLEAR_RECEIVE || (value ^ uart->fcr) & FCR_ENABLE)
        uart->fifo_count = 0;
    uart->fcr = value & (0xC0 | FCR_ENABLE);
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
        write_fcr(uart, value);
        break;
    case LCR: uart->lcr = value; break;
    case MCR: write_mcr(uart, value); break;
    case SCRATCH: uart->scratch = value; break;
    default: break; /* LSR and MSR are read-only */
    }
}
