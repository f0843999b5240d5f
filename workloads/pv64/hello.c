/* SPDX-License-Identifier: MIT */
/* The least that a paravirtual guest can do. */
#include "workloads/pv64/kernel.h"

void pv_second(unsigned id);
void pv_second(unsigned id)
{
    (void)id;
}

void pv_main(void)
{
    guest_print("hello, paravirtual world: %lu frames", (unsigned long)start->nr_pages);
    TRY("ud2");
    guest_print("trap %lu", (unsigned long)seen.vector);
}
