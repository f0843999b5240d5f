/* SPDX-License-Identifier: MIT */
/* The guest's own translation, walked in software: where a hypercall's pointer leads. */
#ifndef HV_VM_LINEAR_H
#define HV_VM_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

/* The registers that decide on the walk. */
struct linear_paging {
    uint64_t cr0, cr3, cr4, efer;
};

/* Read `size` bytes of guest-physical memory. */
typedef bool linear_read(void *ctx, uint64_t gpa, void *data, uint64_t size);

/* False: not mapped, or a table lies outside the guest's memory. A and D bits are left alone. Pure. */
bool linear_to_gpa(const struct linear_paging *paging, linear_read *read, void *ctx, uint64_t linear, uint64_t *gpa);

#endif
