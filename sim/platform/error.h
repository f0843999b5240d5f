/* SPDX-License-Identifier: MIT */
/* User mistakes that platform reports: one line each, what, where, and what would be right. */
#ifndef FAM10H_PLATFORM_ERROR_H
#define FAM10H_PLATFORM_ERROR_H

#include <glib.h>
#include <inttypes.h>

static inline GQuark platform_error_quark(void)
{
    return g_quark_from_static_string("fam10h-platform");
}

/* An expression of value false, so that callers can return it. */
#define platform_fail(error, ...) (g_set_error((error), platform_error_quark(), 0, __VA_ARGS__), false)

#endif
