/* SPDX-License-Identifier: MIT */
/* Numbers as people read them; integers only, so that every machine prints the same. */
#ifndef FAM10H_REPORT_FORMAT_H
#define FAM10H_REPORT_FORMAT_H

#include <glib.h>
#include <stdint.h>

/* "12.34" for 1234 of 10000; "0.00" of nothing. Rounded half up. */
void format_percent(GString *out, uint64_t part, uint64_t whole);
/* part / whole with two decimals, "25.00"; "-" of nothing. */
void format_ratio(GString *out, uint64_t part, uint64_t whole);
/* "4G", "512M", "64K" or bytes. */
void format_bytes(GString *out, uint64_t bytes);
/* "1.250 ms", in the largest unit that is at least 1; exact to three decimals, cut. */
void format_time(GString *out, uint64_t ps);

#endif
