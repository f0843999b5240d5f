/* SPDX-License-Identifier: MIT */
/* The control domain as an HVM guest: VMMCALL, and the shared page in a frame of its own. */
#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/dom0/calls.h"
#include "workloads/lib/instructions.h"

static uint8_t page[0x1000] __attribute__((aligned(0x1000)));

intptr_t guest_hypercall(uintptr_t number, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return hypercall3(number, a, b, c);
}

void *guest_shared_page(void)
{
    struct memory_add_to_physmap_64 op = { .domid = DOMID_SELF, .space = PHYSMAP_SHARED_INFO,
                                           .gpfn = (uintptr_t)page >> 12 };

    return guest_hypercall(HYPERCALL_MEMORY_OP, MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&op, 0) ? NULL : page;
}
