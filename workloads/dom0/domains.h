/* SPDX-License-Identifier: MIT */
/* The names that the control domain gave the domains it made; hv knows numbers alone. */
#ifndef WORKLOADS_DOM0_DOMAINS_H
#define WORKLOADS_DOM0_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#define DOMAIN_NAME_MAX 16

void domains_name(uint16_t domain, const char *name);
void domains_forget(uint16_t domain);
const char *domains_name_of(uint16_t domain);
/* A number, or a name; false: neither. */
bool domains_find(const char *text, uint16_t *domain);

#endif
