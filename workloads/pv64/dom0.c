/* SPDX-License-Identifier: MIT */
/* The control domain (workloads/dom0) as a paravirtual kernel: what it does with its own processor and memory. */
#include "workloads/dom0/calls.h"
#include "workloads/lib/mca.h"
#include "workloads/pv64/kernel.h"

void *guest_shared_page(void)
{
    return shared;
}

intptr_t guest_hypercall(uintptr_t number, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return CALL((unsigned)number, a, b, c);
}

/* hvm_register is an HVM guest's; here the trap table has said it. */
int64_t mca_hypercall(struct mca_call *call)
{
    if (call->command == MCA_HVM_REGISTER)
        return 0;
    return CALL(HYPERCALL_MCA, call);
}

static void (*handler)(struct interrupt_frame *frame);

/* It ends by IRET, as if the processor had called it: at CPL 3 that goes from one address to another. */
static void call_handler(void)
{
    __asm__ volatile("movq %%rsp, %%rax; pushq %1; pushq %%rax; pushfq; pushq %2; pushq $1f; jmp *%0; 1:"
                     : : "r"(handler), "i"(PV_FLAT_DS), "i"(PV_FLAT_CS64) : "rax", "memory");
}

/* Entry 18 of the trap table is there if there is a handler. */
void mca_trap(void (*new_handler)(struct interrupt_frame *frame))
{
    struct pv_trap_info table[256];
    const struct pv_trap_info *traps = pv_traps();
    unsigned count = 0;

    handler = new_handler;
    on_machine_check = new_handler ? call_handler : NULL;
    for (; traps->address; traps++)
        if (traps->vector != MCA_TRAP || new_handler)
            table[count++] = *traps;
    table[count].address = 0;
    CALL(HYPERCALL_SET_TRAP_TABLE, 0);
    CALL(HYPERCALL_SET_TRAP_TABLE, table);
}

void pv_main(void)
{
    guest_under_hv = true;
    mca_trap(NULL);
    guest_main();
}
