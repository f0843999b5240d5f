/* SPDX-License-Identifier: MIT */
/*
 * deviation: sending takes no virtual time (the holding register is empty again at once), so that a guest that polls
 * LSR does not spend most of a scenario waiting; receiving has flow control: the port keeps what the FIFO cannot take.
 */
#include "sim/platform/uart.h"

#include "sim/bits.h"

/* Register offsets; 0 and 1 are the divisor latch while LCR[7] is set. */
enum { UART_DATA, UART_IER, UART_IIR_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR };

#define IER_RECEIVE 0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVE 0x02
#define LCR_DLAB 0x80
#define MCR_OUT2 0x08 /* gates the interrupt on a PC */
#define MCR_LOOP 0x10
#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_ERRORS 0x1e /* overrun, parity, framing, break */
#define LSR_EMPTY 0x60  /* THRE and TEMT: sending takes no time */
#define MSR_DELTAS 0x0f
#define MSR_ON 0xb0     /* DCD, DSR, CTS: a terminal is connected */

#define IIR_NONE 0x01
#define IIR_MODEM 0x00
#define IIR_THRE 0x02
#define IIR_DATA 0x04
#define IIR_LINE 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS 0xc0

#define UART_POLL_PS PS_PER_MS
#define UART_CLOCK 115200 /* 1.8432 MHz / 16 */

static unsigned uart_trigger(const struct uart *uart)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 }; /* FCR[7:6] */

    return uart->fcr & FCR_ENABLE ? level[uart->fcr >> 6] : 1;
}

static unsigned uart_depth(const struct uart *uart)
{
    return uart->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

/* Highest pending source in the data sheet's order: line status, data, time-out, THRE, modem. */
static uint8_t uart_identify(const struct uart *uart)
{
    if ((uart->ier & IER_LINE) && (uart->lsr & LSR_ERRORS))
        return IIR_LINE;
    if ((uart->ier & IER_RECEIVE) && uart->count >= uart_trigger(uart))
        return IIR_DATA;
    if ((uart->ier & IER_RECEIVE) && uart->timed_out && uart->count)
        return IIR_TIMEOUT;
    if ((uart->ier & IER_THRE) && uart->thre_pending)
        return IIR_THRE;
    if ((uart->ier & IER_MODEM) && (uart->msr & MSR_DELTAS))
        return IIR_MODEM;
    return IIR_NONE;
}

static void uart_update_irq(struct uart *uart)
{
    bool level = uart_identify(uart) != IIR_NONE && (uart->mcr & MCR_OUT2) && !(uart->mcr & MCR_LOOP);

    uart->irq.set(uart->irq.ctx, UART_IRQ, level);
}

/* Start, data, parity and stop bits of LCR at the divisor's rate, times four. */
static uint64_t uart_silence_ps(const struct uart *uart)
{
    unsigned divisor = uart->divisor[0] | uart->divisor[1] << 8;
    unsigned bits_sent = 1 + 5 + (uart->lcr & 3) + bit(uart->lcr, 3) + 1 + bit(uart->lcr, 2);

    return 4 * bits_sent * (PS_PER_S / UART_CLOCK) * (divisor ? divisor : 1);
}

static void uart_push(struct uart *uart, uint8_t byte)
{
    if (uart->count >= uart_depth(uart)) {
        uart->lsr |= LSR_OVERRUN;
        uart->overruns++;
        if (!(uart->fcr & FCR_ENABLE)) /* without FIFO the new byte overwrites the old; with it the new one is lost */
            uart->fifo[uart->head] = byte;
        return;
    }
    uart->fifo[(uart->head + uart->count) % UART_FIFO] = byte;
    uart->count++;
    uart->lsr |= LSR_DATA;
    uart->timed_out = false;
    if (uart->fcr & FCR_ENABLE)
        timer_arm(&uart->silence, uart->clock->now_ps + uart_silence_ps(uart));
}

/* Take what the port has. Called when the guest looks and when the poll timer fires: both deterministic. */
static void uart_refill(struct uart *uart)
{
    if (!uart->port.get || (uart->mcr & MCR_LOOP))
        return;
    while (uart->count < uart_depth(uart)) {
        int byte = uart->port.get(uart->port.ctx);

        if (byte < 0)
            return;
        uart->received++;
        uart_push(uart, (uint8_t)byte);
    }
}

static void uart_poll(void *ctx)
{
    struct uart *uart = ctx;

    uart_refill(uart);
    uart_update_irq(uart);
    timer_arm(&uart->poll, uart->clock->now_ps + UART_POLL_PS);
}

static void uart_fall_silent(void *ctx)
{
    struct uart *uart = ctx;

    uart->timed_out = true;
    uart_update_irq(uart);
}

static uint8_t uart_pop(struct uart *uart)
{
    uint8_t byte = uart->fifo[uart->head];

    if (!uart->count)
        return byte; /* reading an empty receiver repeats the last byte */
    uart->timed_out = false;
    if (--uart->count) {
        uart->head = (uart->head + 1) % UART_FIFO;
        if (uart->fcr & FCR_ENABLE)
            timer_arm(&uart->silence, uart->clock->now_ps + uart_silence_ps(uart));
        return byte;
    }
    uart->lsr &= (uint8_t)~LSR_DATA;
    timer_disarm(&uart->silence);
    uart_refill(uart);
    return byte;
}

static void uart_clear_receiver(struct uart *uart)
{
    uart->head = 0;
    uart->count = 0;
    uart->timed_out = false;
    uart->lsr &= (uint8_t)~LSR_DATA;
    timer_disarm(&uart->silence);
}

/* In loop-back the modem inputs are the outputs: CTS = RTS, DSR = DTR, RI = OUT1, DCD = OUT2. */
static uint8_t uart_modem_lines(const struct uart *uart)
{
    if (!(uart->mcr & MCR_LOOP))
        return MSR_ON;
    return (uint8_t)(bit(uart->mcr, 1) << 4 | bit(uart->mcr, 0) << 5 | bit(uart->mcr, 2) << 6 |
                     bit(uart->mcr, 3) << 7);
}

static void uart_update_modem(struct uart *uart)
{
    uint8_t now = uart_modem_lines(uart);
    uint8_t changed = (now ^ uart->msr) & 0xf0;

    if ((changed & 0x40) && (now & 0x40))
        changed &= (uint8_t)~0x40; /* TERI tells the trailing edge only */
    uart->msr = (uint8_t)(now | (uart->msr & MSR_DELTAS) | changed >> 4);
}

static uint8_t uart_read_iir(struct uart *uart)
{
    uint8_t source = uart_identify(uart);

    if (source == IIR_THRE)
        uart->thre_pending = false;
    return source | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint32_t uart_read(void *ctx, uint16_t port, unsigned size)
{
    struct uart *uart = ctx;
    unsigned reg = port & 7;
    uint8_t value = 0xff;

    (void)size;
    if (reg <= UART_IER && (uart->lcr & LCR_DLAB))
        return uart->divisor[reg];
    switch (reg) {
    case UART_DATA:
        uart_refill(uart);
        value = uart_pop(uart);
        break;
    case UART_IER:
        return uart->ier;
    case UART_IIR_FCR:
        value = uart_read_iir(uart);
        break;
    case UART_LCR:
        return uart->lcr;
    case UART_MCR:
        return uart->mcr;
    case UART_LSR:
        uart_refill(uart);
        value = uart->lsr;
        uart->lsr &= (uint8_t)~LSR_ERRORS;
        break;
    case UART_MSR:
        value = uart->msr;
        uart->msr &= (uint8_t)~MSR_DELTAS;
        break;
    case UART_SCR:
        return uart->scr;
    }
    uart_update_irq(uart);
    return value;
}

static void uart_send(struct uart *uart, uint8_t byte)
{
    if (uart->mcr & MCR_LOOP) {
        uart_push(uart, byte);
    } else {
        uart->sent++;
        if (uart->port.put)
            uart->port.put(uart->port.ctx, byte);
    }
    uart->thre_pending = true;
}

static void uart_write_ier(struct uart *uart, uint8_t value)
{
    bool thre_enabled = (value & IER_THRE) && !(uart->ier & IER_THRE);

    uart->ier = value & 0x0f;
    if (thre_enabled)
        uart->thre_pending = true; /* the holding register is empty: enabling tells so at once */
    if ((value & IER_RECEIVE) && uart->port.get)
        timer_arm(&uart->poll, uart->clock->now_ps + UART_POLL_PS);
    else
        timer_disarm(&uart->poll);
}

static void uart_write_fcr(struct uart *uart, uint8_t value)
{
    if (!(value & FCR_ENABLE))
        value = 0; /* PC16550D 8.5: the other bits are not programmed without it */
    if ((value ^ uart->fcr) & FCR_ENABLE || (value & FCR_CLEAR_RECEIVE))
        uart_clear_receiver(uart);
    uart->fcr = value & 0xc9; /* the clear bits reset themselves */
}

static void uart_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct uart *uart = ctx;
    unsigned reg = port & 7;
    uint8_t byte = (uint8_t)value;

    (void)size;
    if (reg <= UART_IER && (uart->lcr & LCR_DLAB)) {
        uart->divisor[reg] = byte;
        return;
    }
    switch (reg) {
    case UART_DATA:
        uart_send(uart, byte);
        break;
    case UART_IER:
        uart_write_ier(uart, byte);
        break;
    case UART_IIR_FCR:
        uart_write_fcr(uart, byte);
        break;
    case UART_LCR:
        uart->lcr = byte;
        break;
    case UART_MCR:
        uart->mcr = byte & 0x1f;
        uart_update_modem(uart);
        break;
    case UART_SCR:
        uart->scr = byte;
        break;
    default: /* LSR and MSR: writes are for the factory's tests */
        break;
    }
    uart_update_irq(uart);
}

void uart_reset(struct uart *uart)
{
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->lsr = LSR_EMPTY;
    uart->msr = MSR_ON;
    uart->divisor[0] = 1; /* 115200 */
    uart->divisor[1] = 0;
    uart->thre_pending = false;
    for (unsigned i = 0; i < UART_FIFO; i++)
        uart->fifo[i] = 0;
    uart_clear_receiver(uart);
    timer_disarm(&uart->poll);
    uart_update_irq(uart);
}

void uart_init(struct uart *uart, const struct char_port *port, const struct irq_line *irq)
{
    uart->port = *port;
    uart->irq = *irq;
    uart->poll = (struct timer){ .name = "uart.poll", .fire = uart_poll, .ctx = uart };
    uart->silence = (struct timer){ .name = "uart.silence", .fire = uart_fall_silent, .ctx = uart };
}

void uart_connect(struct uart *uart, struct clock *clock)
{
    uart->clock = clock;
    clock_attach(clock, &uart->poll);
    clock_attach(clock, &uart->silence);
}

struct pio_range uart_ports(struct uart *uart)
{
    return (struct pio_range){ "uart", UART_PORT, 8, uart, uart_read, uart_write };
}

static const struct state_field uart_fields[] = {
    STATE_VALUE(struct uart, ier), STATE_VALUE(struct uart, fcr), STATE_VALUE(struct uart, lcr),
    STATE_VALUE(struct uart, mcr), STATE_VALUE(struct uart, lsr), STATE_VALUE(struct uart, msr),
    STATE_VALUE(struct uart, scr), STATE_ARRAY(struct uart, divisor), STATE_ARRAY(struct uart, fifo),
    STATE_VALUE_UP_TO(struct uart, head, UART_FIFO - 1), STATE_VALUE_UP_TO(struct uart, count, UART_FIFO),
    STATE_VALUE(struct uart, thre_pending), STATE_VALUE(struct uart, timed_out),
};

const struct state_part uart_state = {
    .name = "uart", .fields = uart_fields, .count = G_N_ELEMENTS(uart_fields),
};
