/* SPDX-License-Identifier: MIT */
/* The terminal as the guest's first serial port: stdin and stdout, raw on a terminal; Ctrl-A X ends. */
#ifndef FAM10H_CLI_TERMINAL_H
#define FAM10H_CLI_TERMINAL_H

#include <glib.h>
#include <stdbool.h>

#include "sim/machine/machine.h"

struct terminal;

/*
 * record: file that takes every input byte with its moment, replay: such a file instead of stdin; either may
 * be NULL. NULL and one line for a file that cannot be used.
 */
struct terminal *terminal_open(const char *record, const char *replay, GError **error);
/* Restores the terminal; false and one line if the record could not be written. */
bool terminal_close(struct terminal *terminal, GError **error);
struct char_port terminal_port(struct terminal *terminal);
/* Whom Ctrl-A X and the signals that end a program stop. */
void terminal_attach(struct terminal *terminal, struct machine *machine);
/* Somebody asked for the end: Ctrl-A X (0), or the number of a signal. */
bool terminal_ended(const struct terminal *terminal, int *signal);
/* Whether another run with the same arguments would read the same. */
bool terminal_reproducible(const struct terminal *terminal);

#endif
