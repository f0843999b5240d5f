/* SPDX-License-Identifier: MIT */
/* hv's console: the UART at 3F8h. One call prints one line, whole, whatever other cores print. */
#ifndef HV_CORE_CONSOLE_H
#define HV_CORE_CONSOLE_H

#define CONSOLE_LINE 256

void console_init(void);
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Print past any lock, report failure on the debug-exit port, halt. */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* End of the run: 0 is success. Port F4h ends a simulated machine; a real one halts. */
void machine_stop(unsigned status) __attribute__((noreturn));

#endif
