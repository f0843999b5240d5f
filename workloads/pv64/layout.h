/* SPDX-License-Identifier: MIT */
/* Known to the linker script, too. */
#ifndef WORKLOADS_PV64_LAYOUT_H
#define WORKLOADS_PV64_LAYOUT_H

#define PV_VIRT_BASE 0x40000000 /* where a bare machine's hv would lie, if guests could see it */

#endif
