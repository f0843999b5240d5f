/* SPDX-License-Identifier: MIT */
/*
 * Checks of a guest test: each prints one TAP line; check_end prints the plan and ends the program, successfully
 * if all held. A test is a page of prose and a main.c: workloads/tests/NAME/main.c.
 */
#ifndef WORKLOADS_LIB_CHECK_H
#define WORKLOADS_LIB_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "workloads/lib/exceptions.h"
#include "workloads/lib/guest.h"

/* `what` says what is true when the check holds. */
void check(bool holds, const char *what);
void check_format(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_equal(uint64_t got, uint64_t want, const char *what);
/* The exception and, where it has one, its error code. */
void check_raised(struct exception got, unsigned vector, uint64_t error_code, const char *what);
void check_skip(const char *what, const char *why);
void check_end(void) __attribute__((noreturn));

#endif
