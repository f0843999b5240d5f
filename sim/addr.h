/* SPDX-License-Identifier: MIT */
/* The three kinds of address, named as in the APM's nested-paging chapter (APM2 15.25). */
#ifndef FAM10H_ADDR_H
#define FAM10H_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gva_t; /* guest-virtual (without a guest: linear) address */
typedef uint64_t gpa_t; /* guest-physical address; equals the spa_t outside nested paging */
typedef uint64_t spa_t; /* system-physical address, 48 bits on Family 10h */

#define PAGE_SHIFT 12
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK (PAGE_BYTES - 1)

#define SPA_BITS 48                       /* CPUID 8000_0008 EAX[7:0] */
#define SPA_LIMIT (UINT64_C(1) << SPA_BITS)

#endif
