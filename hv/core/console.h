/* SPDX-License-Identifier: MIT */
/* hv's console: the UART at 3F8h. One call prints one line, whole, whatever other cores print. */
#ifndef HV_CORE_CONSOLE_H
#define HV_CORE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_LINE 256
#define CONSOLE_HISTORY 16384 /* the last bytes that were printed */

void console_init(void);
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As it is, with CR before LF: the control domain's own output. */
void console_write(const char *bytes, size_t size);
/* History from byte number *from on (or the oldest there is), at most `size`; *from is moved behind it. */
size_t console_history(uint64_t *from, char *bytes, size_t size);

/* ---- Input: interrupts of the UART to one core ---------------------------------------------------------- */

void console_input_begin(uint32_t apic_id);
/* In the interrupt handler. */
void console_input_take(void);
/* Something has come since this was asked last. */
bool console_input_noticed(void);
size_t console_read(char *bytes, size_t size);
/*
 * Ctrl-A three times switches input between the control domain and hv, whose keys these are; CONSOLE_SWITCH: it was
 * switched. 0: there is none. One reader at a time.
 */
#define CONSOLE_SWITCH '\1'
char console_key(void);
bool console_input_is_hvs(void);

/* From now on console_print waits for nobody: who holds the lock may be what was interrupted for good. */
void console_break_lock(void);
/* Print past any lock, report failure on the debug-exit port, halt. */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* End of the run: 0 is success. Port F4h ends a simulated machine; a real one halts. */
void machine_stop(unsigned status) __attribute__((noreturn));

#endif
