/* SPDX-License-Identifier: MIT */
/*
 * Xen's public interface for paravirtual x86-32 guests with PAE on a 64-bit hypervisor (4.17's arch-x86/xen-x86_32.h,
 * and the compat structures). Numbers are hv/abi/pv.h's; mmu_update's list is the same in both widths.
 */
#ifndef HV_ABI_PV32_H
#define HV_ABI_PV32_H

#define PV32_HYPERCALL_VECTOR 0x82 /* INT; arguments in EBX ECX EDX ESI EDI */

/* The kernel is at CPL 1, its user code at CPL 3; flat segments for both. */
#define PV32_KERNEL_CS 0xE019
#define PV32_KERNEL_DS 0xE021
#define PV32_USER_CS 0xE02B
#define PV32_USER_DS 0xE033

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#define PV32_START_INFO_MAGIC "xen-3.0-x86_32p"

struct pv32_start_info {
    char magic[32];
    uint32_t nr_pages;
    uint32_t shared_info; /* machine address */
    uint32_t flags;
    uint32_t store_mfn, store_evtchn, console_mfn, console_evtchn;
    uint32_t pt_base; /* linear address of the first L3, four entries of which count */
    uint32_t nr_pt_frames;
    uint32_t mfn_list;
    uint32_t mod_start, mod_len;
    char cmd_line[1024];
    uint32_t first_p2m_pfn, nr_p2m_frames;
};
_Static_assert(offsetof(struct pv32_start_info, pt_base) == 60 && offsetof(struct pv32_start_info, cmd_line) == 80,
               "start_info, 32-bit");

struct pv32_trap_info {
    uint8_t vector, flags;
    uint16_t cs;
    uint32_t address;
};

/* On the kernel's stack at hypercall iret; esp and ss only if cs is of CPL 3. */
struct pv32_iret {
    uint32_t eax, eip, cs, eflags, esp, ss;
};
#define PV32_IRET_SAME_RING_BYTES 16
#define PV32_MASK_SHIFT 16 /* of the saved events' mask in a bounce frame's CS */

struct pv32_mmuext {
    uint32_t command, arg1, arg2;
};
#define MMUEXT_PIN_L3_TABLE 2

struct pv32_callback_register {
    uint16_t type, flags;
    uint32_t cs, address;
};

struct pv32_multicall {
    uint32_t op, result, args[6];
};

#endif
#endif
