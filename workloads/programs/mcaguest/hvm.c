/* SPDX-License-Identifier: MIT */
#include "workloads/lib/guest.h"
#include "workloads/programs/mcaguest/mcaguest.h"

#define PAGE 0x800000u /* scenarios/lib/mce_bench.lua knows it */
#define SPARE 0x900000u

volatile uint64_t *mcaguest_page(uint64_t address, uint32_t n)
{
    return (volatile uint64_t *)(uintptr_t)((address ? address : PAGE) + n * 4096);
}

volatile uint64_t *mcaguest_spare(void)
{
    return (volatile uint64_t *)(uintptr_t)SPARE;
}

/* hv takes none from HVM guests. */
uint32_t mcaguest_give_back(volatile uint64_t *page)
{
    (void)page;
    return 0;
}

__attribute__((interrupt)) static void trap(struct interrupt_frame *frame)
{
    (void)frame;
    mcaguest_trap();
}

void mcaguest_arm(bool handler, bool driver)
{
    int64_t error;

    if (handler)
        mca_trap(trap);
    error = driver ? mca_register(handler) : 0;
    if (error)
        guest_print("register: %s", mca_result(error, 0));
}

void guest_main(void)
{
    mcaguest_run();
}
