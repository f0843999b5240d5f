/* SPDX-License-Identifier: MIT */
/* The command line's verbs, as xm and xl call them. */
#ifndef WORKLOADS_DOM0_VERBS_H
#define WORKLOADS_DOM0_VERBS_H

/* One line, which is taken apart in place. */
void verbs_run(char *line);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
