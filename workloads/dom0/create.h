/* SPDX-License-Identifier: MIT */
#ifndef WORKLOADS_DOM0_CREATE_H
#define WORKLOADS_DOM0_CREATE_H

#include <stdbool.h>
#include <stdint.h>

/* The module's name, then words that go behind the module's own string (the last word counts); -p: leave it paused. */
void create_domain(unsigned count, char *const *words);
/* 0,2-3 or all; false: no list of cores. */
bool create_parse_cores(const char *list, uint64_t *cores);

#endif
