/* SPDX-License-Identifier: MIT */
#ifndef HV_VM_PAGING_WRITE_H
#define HV_VM_PAGING_WRITE_H

#include "hv/vm/exits.h"

/*
 * The guest writes to a frame that shadow pages are made of, at gpa: carry the instruction out and make anew what
 * depends on it; or, where that cannot be done, let the guest write the frame until it is used as a table again.
 */
enum exit_result paging_table_write(struct vcpu *vcpu, uint64_t gpa);

#endif
