/* SPDX-License-Identifier: MIT */
/* What domctl and sysctl tell about guests. */
#ifndef HV_VM_DOMAIN_INFO_H
#define HV_VM_DOMAIN_INFO_H

#include "hv/abi/control.h"
#include "hv/vm/guest.h"

/* The guest with the lowest number from `first` on, also one that is created or dying; false: none. */
bool domain_info_next(unsigned first, struct domctl_getdomaininfo *info);
void domain_info_vcpu(const struct vcpu *vcpu, struct domctl_getvcpuinfo *info);
/* Whether guests can have nested paging here. */
bool domain_info_has_hap(void);

#endif
