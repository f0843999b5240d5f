/* SPDX-License-Identifier: MIT */
/* Frames out of use: sysctl page_offline_op (hv/abi/control.h, status bits in hv/abi/mca.h). */
#ifndef HV_VM_PAGE_OFFLINE_H
#define HV_VM_PAGE_OFFLINE_H

#include "hv/vm/hypercall.h"

/* One frame: a PAGE_ command's status word. */
uint32_t page_offline_one(uint32_t command, uint64_t frame);
int64_t sysctl_page_offline(struct hypercall *call);

#endif
