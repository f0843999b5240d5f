/* SPDX-License-Identifier: MIT */
/* The control domain's hypercalls. Each gives what hv gave: 0 or more, or one of Xen's errors, negated. */
#ifndef WORKLOADS_DOM0_CALLS_H
#define WORKLOADS_DOM0_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/abi/control.h"

/* As this kind of guest does them: hvm.c, or workloads/pv64/dom0.c. NULL: there is no shared page. */
intptr_t guest_hypercall(uintptr_t number, uintptr_t a, uintptr_t b, uintptr_t c);
void *guest_shared_page(void);

/* The shared page mapped, VIRQ_CONSOLE and VIRQ_DOM_EXC bound; ends the program if that fails. */
void calls_begin(void);
/* An event channel of a virtual interrupt; ends the program if there is none. And away with it. */
uint32_t calls_bind(uint32_t virq);
void calls_close(uint32_t port);
/* Sleep until the console has received something; or, if that counts too, until a domain has ended. */
void calls_wait(bool for_domain_too);
/* Whether something came at this port since the last look. */
bool calls_came(uint32_t port);
void calls_write(const char *text, size_t size);
size_t calls_read(char *to, size_t size);
void calls_power_off(void) __attribute__((noreturn));

/* Fill in the rest of a structure and go. */
int64_t calls_domctl(uint32_t command, uint16_t domain, struct domctl *op);
int64_t calls_sysctl(uint32_t command, struct sysctl *op);
int64_t calls_platform(uint32_t command, struct platform_op *op);
/* page_offline_op of one frame: command 1 offline, 2 online, 3 query. */
int64_t calls_page_offline(struct sysctl *op, uint32_t command, uint64_t frame, uint32_t *status);
int64_t calls_remote_shutdown(uint16_t domain, uint32_t reason);
int64_t calls_version(void);
/* What an error means, in a word or two. */
const char *calls_error(int64_t error);

/* The next domain with a number from `first` on; false: none. */
bool calls_next_domain(unsigned first, struct domctl_getdomaininfo *info);
/* The string of a module of hv's loader; false: none left, or longer than `size`. */
bool calls_module(unsigned index, char *to, uint32_t size);

#endif
