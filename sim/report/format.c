/* SPDX-License-Identifier: MIT */
#include "sim/report/format.h"

#include <inttypes.h>

/* part * scale / whole, rounded half up, without overflow. */
static uint64_t scaled(uint64_t part, uint64_t whole, unsigned scale)
{
    unsigned __int128 product = (unsigned __int128)part * scale;

    return (uint64_t)((product + whole / 2) / whole);
}

void format_percent(GString *out, uint64_t part, uint64_t whole)
{
    uint64_t hundredths = whole ? scaled(part, whole, 10000) : 0;

    g_string_append_printf(out, "%" PRIu64 ".%02u", hundredths / 100, (unsigned)(hundredths % 100));
}

void format_ratio(GString *out, uint64_t part, uint64_t whole)
{
    if (!whole) {
        g_string_append_c(out, '-');
        return;
    }
    uint64_t hundredths = scaled(part, whole, 100);

    g_string_append_printf(out, "%" PRIu64 ".%02u", hundredths / 100, (unsigned)(hundredths % 100));
}

void format_bytes(GString *out, uint64_t bytes)
{
    static const struct {
        unsigned shift;
        char unit;
    } units[] = { { 30, 'G' }, { 20, 'M' }, { 10, 'K' } };

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (bytes && bytes % (UINT64_C(1) << units[i].shift) == 0) {
            g_string_append_printf(out, "%" PRIu64 "%c", bytes >> units[i].shift, units[i].unit);
            return;
        }
    }
    g_string_append_printf(out, "%" PRIu64, bytes);
}

void format_time(GString *out, uint64_t ps)
{
    static const struct {
        uint64_t ps;
        const char *unit;
    } units[] = { { UINT64_C(1000000000000), "s" }, { 1000000000, "ms" }, { 1000000, "us" }, { 1000, "ns" } };

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        uint64_t unit = units[i].ps;

        if (ps >= unit) {
            g_string_append_printf(out, "%" PRIu64 ".%03u %s", ps / unit, (unsigned)(ps % unit / (unit / 1000)),
                                   units[i].unit);
            return;
        }
    }
    g_string_append_printf(out, "%" PRIu64 " ps", ps);
}
