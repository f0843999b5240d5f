/* SPDX-License-Identifier: MIT */
#include "workloads/programs/mcaguest/mcaguest.h"

#include "workloads/pv64/kernel.h"

#define TRAPS_MAX 64

static uint64_t pages[MCAGUEST_PAGES][PAGE / 8] __attribute__((aligned(4096)));
static uint64_t spare[PAGE / 8] __attribute__((aligned(4096)));

volatile uint64_t *mcaguest_page(uint64_t address, uint32_t n)
{
    (void)address;
    return pages[n];
}

volatile uint64_t *mcaguest_spare(void)
{
    return spare;
}

uint32_t mcaguest_give_back(volatile uint64_t *page)
{
    uint64_t frame = frame_of((const void *)page);
    struct memory_reservation op = { .extent_start = (uintptr_t)&frame, .nr_extents = 1, .domid = DOMID_SELF };
    int64_t taken;

    map((const void *)page, 0);
    taken = CALL(HYPERCALL_MEMORY_OP, MEMORY_DECREASE_RESERVATION, &op);
    return taken > 0 ? (uint32_t)taken : 0;
}

int64_t mca_hypercall(struct mca_call *call)
{
    return CALL(HYPERCALL_MCA, call);
}

/* The kernel's own table has an entry for every vector: one without 18 takes its place. */
static void without_handler(void)
{
    static struct pv_trap_info table[TRAPS_MAX];
    const struct pv_trap_info *all = pv_traps();
    unsigned n = 0;

    for (unsigned i = 0; all[i].address && n < TRAPS_MAX - 1; i++)
        if (all[i].vector != MCA_TRAP)
            table[n++] = all[i];
    CALL(HYPERCALL_SET_TRAP_TABLE, 0);
    CALL(HYPERCALL_SET_TRAP_TABLE, table);
}

void mcaguest_arm(bool handler, bool driver)
{
    (void)driver;
    on_machine_check = mcaguest_trap;
    if (!handler)
        without_handler();
}

void pv_second(unsigned id);
void pv_second(unsigned id)
{
    (void)id;
}

void pv_main(void)
{
    mcaguest_run();
}
