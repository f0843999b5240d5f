/* SPDX-License-Identifier: MIT */
#include "hv/core/console.h"

#include "hv/core/format.h"
#include "hv/x86/cpu.h"
#include "hv/x86/lock.h"

#define UART 0x3F8
#define UART_IER (UART + 1)
#define UART_FCR (UART + 2)
#define UART_LCR (UART + 3)
#define UART_MCR (UART + 4)
#define UART_LSR (UART + 5)
#define LCR_8N1 0x03
#define LCR_DIVISOR 0x80
#define LSR_TRANSMIT_EMPTY 0x20
#define TRANSMIT_PATIENCE 100000 /* polls; a missing UART must not stop the machine */
#define DEBUG_EXIT 0xF4

static struct lock console_lock;

void console_init(void)
{
    port_write8(UART_IER, 0);
    port_write8(UART_LCR, LCR_DIVISOR);
    port_write8(UART, 1); /* 115200 baud */
    port_write8(UART_IER, 0);
    port_write8(UART_LCR, LCR_8N1);
    port_write8(UART_FCR, 0x07);
    port_write8(UART_MCR, 0x03);
}

static void put(char c)
{
    for (unsigned i = 0; i < TRANSMIT_PATIENCE && !(port_read8(UART_LSR) & LSR_TRANSMIT_EMPTY); i++)
        cpu_pause();
    port_write8(UART, (uint8_t)c);
}

static void put_line(const char *line)
{
    for (; *line; line++)
        put(*line);
    put('\r');
    put('\n');
}

void console_print(const char *format, ...)
{
    char line[CONSOLE_LINE];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    lock_acquire(&console_lock);
    put_line(line);
    lock_release(&console_lock);
}

void panic(const char *format, ...)
{
    char line[CONSOLE_LINE];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    put_line("hv: panic");
    put_line(line);
    machine_stop(1);
}

void machine_stop(unsigned status)
{
    port_write32(DEBUG_EXIT, status);
    interrupts_disable();
    for (;;)
        cpu_halt();
}
