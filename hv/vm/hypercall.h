/* SPDX-License-Identifier: MIT */
/* Hypercalls: Xen's public ones (hv/abi), plus the simulator's scenario marks. */
#ifndef HV_VM_HYPERCALL_H
#define HV_VM_HYPERCALL_H

#include <stdint.h>

#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "hv/vm/exits.h"

/* Scenario marks, in EAX; the simulator watches for them, hv only answers the last. */
#define MARK_BEGIN 0x46310001u
#define MARK_END 0x46310002u
#define MSR_HYPERCALL_PAGE 0x40000000u /* Xen's; CPUID 4000_0002 names it */
#define MARK_DONE 0x46310003u /* RBX: the guest's result */

/*
 * Arguments in the caller's registers: RDI RSI RDX R10 R8, or EBX ECX EDX ESI EDI. A handler returns 0 or more, or one
 * of Xen's errors, negated; nothing that a guest passes harms hv.
 */
struct hypercall {
    struct vcpu *vcpu;
    uint64_t argument[5];
    bool in_64bit;
    bool control;            /* the caller may rule over others: dom0; without one, each guest may look (sysctl) */
    bool again;              /* not over: the VMMCALL repeats itself, with the caller's registers as they are */
    enum exit_result result; /* what becomes of the vCPU */
};

/* One command of a hypercall, or one hypercall: rows are the list of what there is. */
enum hypercall_caller { CALLER_ANY, CALLER_CONTROL };
struct hypercall_row {
    uint32_t number;
    const char *name;
    int64_t (*handle)(struct hypercall *call);
    enum hypercall_caller caller;
};
/* -ENOSYS if there is no such row, -EPERM if it is not for this caller. */
int64_t hypercall_dispatch(struct hypercall *call, const struct hypercall_row *rows, unsigned count, uint64_t number);
#define HYPERCALL_ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

int64_t hypercall_platform_op(struct hypercall *call);
int64_t hypercall_memory_op(struct hypercall *call);
int64_t hypercall_xen_version(struct hypercall *call);
int64_t hypercall_console_io(struct hypercall *call);
int64_t hypercall_grant_table_op(struct hypercall *call);
int64_t hypercall_vcpu_op(struct hypercall *call);
int64_t hypercall_sched_op(struct hypercall *call);
int64_t hypercall_event_channel_op(struct hypercall *call);
int64_t hypercall_hvm_op(struct hypercall *call);
int64_t hypercall_sysctl(struct hypercall *call);
int64_t hypercall_domctl(struct hypercall *call);
int64_t hypercall_mca(struct hypercall *call);
/* What carries out domctl's hv_migrate, and is told of domains that are destroyed; set once, before any guest runs. */
struct domctl_hv_migrate;
struct hypercall_mover {
    int64_t (*migrate)(struct hypercall *call, struct guest *source, struct domctl_hv_migrate *op);
    void (*destroyed)(const struct guest *guest);
};
void hypercall_domctl_init(const struct hypercall_mover *mover);
/*
 * For who does what domctl does: no command runs in between. False: one runs now. It may wait for this core's vCPU to
 * leave, so that nobody waits for it here.
 */
bool hypercall_domctl_try_hold(void);
void hypercall_domctl_release(void);
/* DOMID_SELF or a number; NULL: there is no such guest, or the caller has no business with it. */
struct guest *hypercall_guest(const struct hypercall *call, uint16_t domid);
/* MSR 4000_0000h is written: stubs at this guest-physical address. False: it is no page of the guest's RAM. */
bool hypercall_page_write(struct guest *guest, uint64_t value);
/* Copy between hv and the caller's linear memory. */
bool hypercall_copy_in(const struct hypercall *call, void *to, uint64_t linear, uint64_t size);
bool hypercall_copy_out(const struct hypercall *call, uint64_t linear, const void *from, uint64_t size);

#endif
