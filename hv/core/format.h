/* SPDX-License-Identifier: MIT */
/* The subset of printf that hv uses: %s %c %d %u %x %% with 0, -, width, l and ll. */
#ifndef HV_CORE_FORMAT_H
#define HV_CORE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Always terminates (size > 0); what does not fit is cut off. Returns the length written. */
size_t format_text_va(char *to, size_t size, const char *format, va_list args);
size_t format_text(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
