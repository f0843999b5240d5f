/* SPDX-License-Identifier: MIT */
/*
 * Options as Xen spells them: a string of words, `name`, `name=value`, `no-name`. The same syntax serves
 * hv's own command line and the modules' strings. Pure: no state but the string.
 */
#ifndef HV_CORE_OPTIONS_H
#define HV_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copy the value of the last word `name=value`; false if there is none or it does not fit. */
bool option_text(const char *line, const char *name, char *value, size_t size);
/* Whether there is a word `name=...`, whatever its value. */
bool option_is_given(const char *line, const char *name);
/* `name`, name=1|on|yes|true|enable, no-name, name=0|off|no|false|disable; the last word counts. */
bool option_flag(const char *line, const char *name, bool fallback);
/*
 * Decimal, or hexadecimal after 0x; suffixes K M G T multiply. A value that is no number sets *bad, which is never
 * cleared, and gives the fallback.
 */
uint64_t option_size(const char *line, const char *name, uint64_t fallback, bool *bad);
/* The next word of a line: returns its end and length by *length; 0 when none is left. */
const char *option_word(const char *line, size_t *length);

#endif
