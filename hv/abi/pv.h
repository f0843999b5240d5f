/* SPDX-License-Identifier: MIT */
/* Xen's public interface for paravirtual x86-64 guests (4.17): structures, numbers, selectors. */
#ifndef HV_ABI_PV_H
#define HV_ABI_PV_H

#include <stddef.h>
#include <stdint.h>

#define HYPERCALL_SET_TRAP_TABLE 0
#define HYPERCALL_MMU_UPDATE 1
#define HYPERCALL_SET_GDT 2
#define HYPERCALL_STACK_SWITCH 3
#define HYPERCALL_SET_CALLBACKS 4
#define HYPERCALL_FPU_TASKSWITCH 5
#define HYPERCALL_SET_DEBUGREG 8
#define HYPERCALL_GET_DEBUGREG 9
#define HYPERCALL_UPDATE_DESCRIPTOR 10
#define HYPERCALL_MULTICALL 13
#define HYPERCALL_UPDATE_VA_MAPPING 14
#define HYPERCALL_SET_TIMER_OP 15
#define HYPERCALL_VM_ASSIST 21
#define HYPERCALL_IRET 23
#define HYPERCALL_STUB_BYTES 32 /* of a hypercall page, which has one for each number */
#define HYPERCALL_SET_SEGMENT_BASE 25
#define HYPERCALL_MMUEXT_OP 26
#define HYPERCALL_CALLBACK_OP 30
#define HYPERCALL_PHYSDEV_OP 33
#define HYPERCALL_COUNT 64


/* Linear addresses that belong to hv: entries 256-271 of every L4. The machine-to-physical table lies first. */
#define PV_RESERVED_FIRST 256
#define PV_RESERVED_END 272
#define PV_RESERVED_START 0xFFFF800000000000ull
#define PV_M2P_START 0xFFFF800000000000ull
#define PV_M2P_END 0xFFFF804000000000ull

/* Flat segments that every guest has, whatever its own GDT; from PV_GDT_RESERVED on the GDT is hv's. */
#define PV_GDT_RESERVED 0xE000
#define PV_GDT_FRAMES 14
#define PV_FLAT_CS32 0xE023
#define PV_FLAT_DS 0xE02B
#define PV_FLAT_CS64 0xE033

#define START_INFO_MAGIC "xen-3.0-x86_64"
#define SIF_PRIVILEGED 1u
#define SIF_INITDOMAIN 2u
#define SIF_MOD_START_PFN 8u

struct pv_start_info {
    char magic[32];
    uint64_t nr_pages;
    uint64_t shared_info; /* machine address */
    uint32_t flags, pad0;
    uint64_t store_mfn;
    uint32_t store_evtchn, pad1;
    uint64_t console_mfn;
    uint32_t console_evtchn, pad2;
    uint64_t pt_base; /* linear address of the first L4 */
    uint64_t nr_pt_frames;
    uint64_t mfn_list; /* linear address: machine frame of each of the guest's frames */
    uint64_t mod_start, mod_len;
    char cmd_line[1024];
    uint64_t first_p2m_pfn, nr_p2m_frames;
};
_Static_assert(offsetof(struct pv_start_info, pt_base) == 88 && offsetof(struct pv_start_info, cmd_line) == 128,
               "start_info");

struct pv_trap_info {
    uint8_t vector;
    uint8_t flags; /* 1:0 privilege that may raise it by INT n; bit 2: events are masked in the handler */
    uint16_t cs;
    uint32_t pad;
    uint64_t address;
};
#define TRAP_INFO_DPL(flags) ((flags) & 3u)
#define TRAP_INFO_MASKS 4u

/* On the kernel's stack at hypercall iret. */
struct pv_iret {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
#define VGCF_IN_SYSCALL (1u << 8) /* RCX and R11 are as SYSRET leaves them */

/* What hv puts on the kernel's stack for a trap, an event, a system call; some have an error code between. */
struct pv_bounce_low {
    uint64_t rcx, r11;
};
struct pv_bounce_high {
    uint64_t rip, cs, rflags, rsp, ss; /* byte 4 of cs: the events' mask as it was */
};

struct pv_mmu_update {
    uint64_t ptr; /* bits 1:0: command; the rest: machine address */
    uint64_t value;
};
#define MMU_NORMAL_PT_UPDATE 0
#define MMU_MACHPHYS_UPDATE 1
#define MMU_PT_UPDATE_PRESERVE_AD 2

struct pv_mmuext {
    uint32_t command, pad;
    uint64_t arg1; /* machine frame, or linear address */
    uint64_t arg2; /* pointer to a vCPU mask, number of entries, or source frame */
};
#define MMUEXT_PIN_L1_TABLE 0
#define MMUEXT_PIN_L4_TABLE 3
#define MMUEXT_UNPIN_TABLE 4
#define MMUEXT_NEW_BASEPTR 5
#define MMUEXT_TLB_FLUSH_LOCAL 6
#define MMUEXT_INVLPG_LOCAL 7
#define MMUEXT_TLB_FLUSH_MULTI 8
#define MMUEXT_INVLPG_MULTI 9
#define MMUEXT_TLB_FLUSH_ALL 10
#define MMUEXT_INVLPG_ALL 11
#define MMUEXT_FLUSH_CACHE 12
#define MMUEXT_SET_LDT 13
#define MMUEXT_NEW_USER_BASEPTR 15
#define MMUEXT_CLEAR_PAGE 16
#define MMUEXT_COPY_PAGE 17

/* update_va_mapping's flags: what to flush, and where. */
#define UVMF_TYPE 3u
#define UVMF_TLB_FLUSH 1u
#define UVMF_INVLPG 2u
#define UVMF_WHERE (~3ull)
#define UVMF_ALL (1ull << 2) /* else 0: this vCPU, or a pointer to a mask */

#define CALLBACKOP_REGISTER 0
#define CALLBACKOP_UNREGISTER 1
#define CALLBACKTYPE_EVENT 0
#define CALLBACKTYPE_FAILSAFE 1
#define CALLBACKTYPE_SYSCALL 2
#define CALLBACKTYPE_NMI 4
#define CALLBACKTYPE_SYSENTER 5
#define CALLBACKTYPE_SYSCALL32 7
#define CALLBACKTYPE_COUNT 8
#define CALLBACKF_MASK_EVENTS 1u
struct pv_callback_register {
    uint16_t type, flags;
    uint32_t pad;
    uint64_t address;
};
struct pv_callback_unregister {
    uint16_t type, pad;
};

#define SEGBASE_FS 0
#define SEGBASE_GS_USER 1
#define SEGBASE_GS_KERNEL 2
#define SEGBASE_GS_USER_SEL 3

struct pv_multicall {
    uint64_t op, result, args[6];
};

#define VMASST_CMD_ENABLE 0
#define VMASST_CMD_DISABLE 1
#define VMASST_TYPE_4GB_SEGMENTS 0
#define VMASST_TYPE_WRITABLE_PAGETABLES 2
#define VMASST_TYPE_ARCHITECTURAL_IOPL 4
#define VMASST_TYPE_RUNSTATE_UPDATE_FLAG 5

#define PHYSDEVOP_SET_IOPL 6
#define PHYSDEVOP_SET_IOBITMAP 7

struct memory_reservation {
    uint64_t extent_start; /* of frame numbers, 0: none */
    uint64_t nr_extents;
    uint32_t extent_order, mem_flags;
    uint16_t domid, pad[3];
};
#define MEMORY_EXCHANGE 11
#define MEMORY_MACHPHYS_MAPPING 12
struct memory_exchange {
    struct memory_reservation in, out;
    uint64_t nr_exchanged;
};
struct memory_machphys_mapping {
    uint64_t v_start, v_end, max_mfn;
};

/* vcpu_op initialise. */
struct pv_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, entry_vector;
    uint64_t rip;
    uint16_t cs, pad0;
    uint8_t saved_upcall_mask, pad1[3];
    uint64_t rflags, rsp, ss, es, ds, fs, gs;
};
#define VGCF_IN_KERNEL (1u << 2)
#define VGCF_SYSCALL_DISABLES_EVENTS (1u << 4)
struct pv_vcpu_context {
    uint8_t fpu[512];
    uint64_t flags;
    struct pv_user_regs user_regs;
    struct pv_trap_info traps[256];
    uint64_t ldt_base, ldt_ents;
    uint64_t gdt_frames[16], gdt_ents;
    uint64_t kernel_ss, kernel_sp;
    uint64_t ctrlreg[8]; /* 3: the kernel's L4, 1: the user's, as machine addresses */
    uint64_t debugreg[8];
    uint64_t event_callback, failsafe_callback, syscall_callback;
    uint64_t vm_assist;
    uint64_t fs_base, gs_base_kernel, gs_base_user;
};
_Static_assert(sizeof(struct pv_user_regs) == 200 && sizeof(struct pv_vcpu_context) == 5168, "vcpu_guest_context");

#endif
