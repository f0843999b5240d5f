/* SPDX-License-Identifier: MIT */
/*
 * A guest's side of machine check under hv: hypercall 48 in version 1, records, the handler of vector 18
 * (hv/abi/mca.h).
 */
#ifndef WORKLOADS_LIB_MCA_H
#define WORKLOADS_LIB_MCA_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/abi/mca.h"

struct interrupt_frame;

/* HVM: an IDT of this program's own, with gate 18 alone, and CR4.MCE; NULL takes both away. */
void mca_trap(void (*handler)(struct interrupt_frame *frame));
/* Hypercall 48 as this kind of guest makes it: mca_hvm.c, or the program's. */
int64_t mca_hypercall(struct mca_call *call);
/* Each gives what hv gave: 0 or more, or one of Xen's errors, negated. */
int64_t mca_register(bool ready);
int64_t mca_fetch(struct mca_call *call, uint32_t version, uint32_t flags);
int64_t mca_notify(struct mca_call *call, uint16_t domain, uint16_t vcpu, uint32_t fetch_idx, uint32_t flags);
/* The first record of a type in what version 1 fetched; NULL: there is none. */
const void *mca_record(const struct mca_info *info, uint16_t type);
/* "OK", "NODATA" ...: what a call's flags say afterwards, or the error. */
const char *mca_result(int64_t error, uint32_t flags);

#endif
