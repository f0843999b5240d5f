/* SPDX-License-Identifier: MIT */
/* Page tables of a 64-bit program, beyond the 4 GiB that start64.S maps one to one. */
#ifndef WORKLOADS_LIB_PAGING64_H
#define WORKLOADS_LIB_PAGING64_H

#include <stdint.h>

#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)

/* #PF error codes (APM2 8.2.15). */
#define PF_P 1
#define PF_W 2
#define PF_U 4
#define PF_RSVD 8
#define PF_ID 16

/*
 * The entry of `linear` at a level (1: 4K, 2: 2M, 3: 1G, 4: PML4E), with the tables above it, writable and
 * user-accessible, made as needed. The entry itself is left as it is.
 */
uint64_t *paging_entry(uint64_t linear, unsigned level);

#endif
