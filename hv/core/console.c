/* SPDX-License-Identifier: MIT */
#include "hv/core/console.h"

#include "hv/core/format.h"
#include "hv/core/ioapic.h"
#include "hv/core/traps.h"
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
#define LSR_DATA 0x01
#define LSR_TRANSMIT_EMPTY 0x20
#define IER_RECEIVED 0x01
#define MCR_DTR_RTS_OUT2 0x0B /* OUT2 lets the interrupt out */
#define UART_IRQ 4
#define INPUT_ROOM 256
#define KEYS_ROOM 16
#define SWITCH_COUNT 3
#define TRANSMIT_PATIENCE 100000 /* polls; a missing UART must not stop the machine */
#define DEBUG_EXIT 0xF4

static struct lock console_lock;
static volatile bool lock_broken;
static char history[CONSOLE_HISTORY]; /* console_lock */
static uint64_t history_end;          /* bytes ever printed */
/* One writer, the interrupt handler, and one reader at a time. */
static char input[INPUT_ROOM];
static unsigned input_head, input_tail;
static bool input_noticed;
/* The same of hv's own keys. */
static char keys[KEYS_ROOM];
static unsigned keys_head, keys_tail;
static bool input_is_hvs;
static unsigned switches; /* Ctrl-A that may become a switch */

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
    history[history_end++ % CONSOLE_HISTORY] = c;
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
    if (lock_broken) {
        put_line(line);
        return;
    }
    lock_acquire(&console_lock);
    put_line(line);
    lock_release(&console_lock);
}

void console_break_lock(void)
{
    lock_broken = true;
}

void console_write(const char *bytes, size_t size)
{
    lock_acquire(&console_lock);
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n')
            put('\r');
        put(bytes[i]);
    }
    lock_release(&console_lock);
}

size_t console_history(uint64_t *from, char *bytes, size_t size)
{
    size_t count = 0;

    lock_acquire(&console_lock);
    if (*from > history_end || history_end - *from > CONSOLE_HISTORY)
        *from = history_end > CONSOLE_HISTORY ? history_end - CONSOLE_HISTORY : 0;
    while (*from < history_end && count < size)
        bytes[count++] = history[(*from)++ % CONSOLE_HISTORY];
    lock_release(&console_lock);
    return count;
}

void console_input_begin(uint32_t apic_id)
{
    ioapic_route(UART_IRQ, VECTOR_UART, apic_id);
    port_write8(UART_MCR, MCR_DTR_RTS_OUT2);
    port_write8(UART_IER, IER_RECEIVED);
}

static void take_key(char c)
{
    unsigned head = keys_head;

    if (head - __atomic_load_n(&keys_tail, __ATOMIC_ACQUIRE) == KEYS_ROOM)
        return;
    keys[head % KEYS_ROOM] = c;
    __atomic_store_n(&keys_head, head + 1, __ATOMIC_RELEASE);
}

static void take_byte(char c)
{
    unsigned head = input_head;

    if (input_is_hvs) {
        take_key(c);
        return;
    }
    if (head - __atomic_load_n(&input_tail, __ATOMIC_ACQUIRE) == INPUT_ROOM)
        return; /* nobody reads: it is lost */
    input[head % INPUT_ROOM] = c;
    __atomic_store_n(&input_head, head + 1, __ATOMIC_RELEASE);
}

/* Fewer than three switches in a row are bytes as any other. */
static void take_any(char c)
{
    if (c != CONSOLE_SWITCH) {
        for (; switches; switches--)
            take_byte(CONSOLE_SWITCH);
        take_byte(c);
    } else if (++switches == SWITCH_COUNT) {
        switches = 0;
        input_is_hvs = !input_is_hvs;
        take_key(CONSOLE_SWITCH);
    }
}

void console_input_take(void)
{
    while (port_read8(UART_LSR) & LSR_DATA)
        take_any((char)port_read8(UART));
    __atomic_store_n(&input_noticed, true, __ATOMIC_RELEASE);
}

bool console_input_is_hvs(void)
{
    return input_is_hvs;
}

char console_key(void)
{
    unsigned tail = keys_tail;
    char key;

    if (tail == __atomic_load_n(&keys_head, __ATOMIC_ACQUIRE))
        return 0;
    key = keys[tail % KEYS_ROOM];
    __atomic_store_n(&keys_tail, tail + 1, __ATOMIC_RELEASE);
    return key;
}

bool console_input_noticed(void)
{
    return __atomic_exchange_n(&input_noticed, false, __ATOMIC_ACQ_REL);
}

size_t console_read(char *bytes, size_t size)
{
    size_t count = 0;
    unsigned tail;

    lock_acquire(&console_lock);
    tail = input_tail;
    while (count < size && tail != __atomic_load_n(&input_head, __ATOMIC_ACQUIRE))
        bytes[count++] = input[tail++ % INPUT_ROOM];
    __atomic_store_n(&input_tail, tail, __ATOMIC_RELEASE);
    lock_release(&console_lock);
    return count;
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
