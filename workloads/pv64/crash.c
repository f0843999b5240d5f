/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual kernel that asks for what hv cannot give it: how= says which. hv ends it, in one line, and nobody else
 * (scenarios/pv-domains.lua). how=spare survives: it has a failsafe callback.
 */
#include "workloads/pv64/kernel.h"

/* The frame of hypercall iret at RSP, and the hypercall itself. */
static void return_to(uint64_t rip, uint64_t cs, uint64_t ss, uint64_t rsp)
{
    struct pv_iret iret = { .rip = rip, .cs = cs, .rflags = 0x202, .ss = ss, .rsp = rsp };

    __asm__ volatile("movq %0, %%rsp; movl $23, %%eax; syscall" : : "r"(&iret) : "memory", "rax");
}

static void to_bad_segment(void)
{
    return_to((uintptr_t)pv_second, 0xE00B & ~3, PV_FLAT_DS, start->pt_base); /* hv's own code segment */
}

/* SYSCALL as the last instruction below the hole between the halves: its return address is none. */
static void syscall_at_the_edge(void)
{
    uint64_t *l4 = (uint64_t *)start->pt_base, *l3 = new_page(), *l2 = new_page(), *l1 = new_page();
    uint8_t *text = new_page();

    text[4094] = 0x0F;
    text[4095] = 0x05;
    l3[511] = frame_of(l2) * PAGE | RW;
    l2[511] = frame_of(l1) * PAGE | RW;
    l1[511] = frame_of(text) * PAGE | RO;
    map(l3, frame_of(l3) * PAGE | RO);
    map(l2, frame_of(l2) * PAGE | RO);
    map(l1, frame_of(l1) * PAGE | RO);
    if (write_entry(frame_of(l4) * PAGE + 255 * 8, frame_of(l3) * PAGE | RW))
        guest_fail("the last page below the hole cannot be mapped");
    __asm__ volatile("movl $17, %%eax; xorl %%edi, %%edi; jmp *%0" : : "r"(0x7FFFFFFFFFFEull) : "rax", "rdi", "memory");
}

void pv_main(void)
{
    char how[16] = "";

    option_text(guest_options, "how", how, sizeof(how));
    guest_print("how=%s", how);
    switch (how[0] << 8 | how[1]) {
    case 's' << 8 | 't': /* stack: a trap, and nowhere to put its frame */
        __asm__ volatile("movq $0x1000, %rsp; int3");
        break;
    case 'i' << 8 | 'r': /* iret: from a frame nowhere */
        __asm__ volatile("movabsq $0x8000000000000000, %rsp; movl $23, %eax; syscall");
        break;
    case 'r' << 8 | 'i': /* rip: to an address that is none */
        return_to(1ull << 60, PV_FLAT_CS64 & ~3ull, PV_FLAT_DS, start->pt_base);
        break;
    case 'u' << 8 | 's': /* user mode without tables for it */
        return_to((uintptr_t)pv_second, PV_FLAT_CS64, PV_FLAT_DS, start->pt_base);
        break;
    case 't' << 8 | 'r': /* trap: without a handler */
        CALL(HYPERCALL_SET_TRAP_TABLE, 0);
        __asm__ volatile("ud2");
        break;
    case 's' << 8 | 'e': /* segment: that cannot be loaded, and no failsafe callback */
        CALL(HYPERCALL_SET_CALLBACKS, pv_stub(VECTOR_EVENT), 0, pv_stub(VECTOR_SYSCALL));
        to_bad_segment();
        break;
    case 'e' << 8 | 'd':
        syscall_at_the_edge();
        break;
    case 's' << 8 | 'p': { /* spare: the same data segment, and the callback makes it null */
        extern uint64_t failsafe_count;
        uint16_t ds;

        CALL(HYPERCALL_SET_SEGMENT_BASE, SEGBASE_GS_USER_SEL, 0xE010 | 3); /* hv's data segment, in GS */
        __asm__ volatile("movw %%gs, %0" : "=r"(ds));
        guest_print("failsafe=%lu gs=%x", (unsigned long)failsafe_count, ds);
        break;
    }
    case 'h' << 8 | 'a': /* halt: for ever, with nothing that could wake it */
        CALL(HYPERCALL_SCHED_OP, SCHEDOP_BLOCK, 0);
        break;
    default:
        guest_fail("how=%s is none", how);
    }
}
