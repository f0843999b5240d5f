/* SPDX-License-Identifier: MIT */
/*
 * Xen's public interface as of 4.17, as far as hv speaks it: numbers, errors, the page that a guest shares with hv.
 * hv and the guest programs read the same headers; layouts are asserted where they could drift.
 */
#ifndef HV_ABI_XEN_H
#define HV_ABI_XEN_H

#include <stddef.h>
#include <stdint.h>

#define HYPERCALL_PLATFORM_OP 7
#define HYPERCALL_MEMORY_OP 12
#define HYPERCALL_XEN_VERSION 17
#define HYPERCALL_CONSOLE_IO 18
#define HYPERCALL_GRANT_TABLE_OP 20
#define HYPERCALL_VCPU_OP 24
#define HYPERCALL_SCHED_OP 29
#define HYPERCALL_EVENT_CHANNEL_OP 32
#define HYPERCALL_HVM_OP 34
#define HYPERCALL_SYSCTL 35
#define HYPERCALL_DOMCTL 36
#define HYPERCALL_MCA 48 /* __HYPERVISOR_arch_0; hv/abi/mca.h */

/* What a call gives back is 0 or more, or one of these negated. */
#define XEN_EPERM 1
#define XEN_ENOENT 2
#define XEN_ESRCH 3
#define XEN_EIO 5
#define XEN_E2BIG 7
#define XEN_EAGAIN 11
#define XEN_ENOMEM 12
#define XEN_EACCES 13
#define XEN_EFAULT 14
#define XEN_EBUSY 16
#define XEN_EEXIST 17
#define XEN_ENODEV 19
#define XEN_EINVAL 22
#define XEN_ENOSPC 28
#define XEN_ENOSYS 38
#define XEN_EOPNOTSUPP 95
#define XEN_ETIME 62

/* Where a domain's number is wanted. */
#define DOMID_CONTROL 0              /* dom0 */
#define DOMID_FIRST_RESERVED 0x7FF0u /* from here on numbers have meanings of their own */
#define DOMID_SELF 0x7FF0u

/* Virtual interrupts; those above 1 go to the control domain alone, but for VIRQ_SUSPEND. */
#define VIRQ_TIMER 0
#define VIRQ_DEBUG 1
#define VIRQ_CONSOLE 2 /* the UART has received something */
#define VIRQ_DOM_EXC 3 /* a domain has ended */
#define VIRQ_MCA 16    /* VIRQ_ARCH_0: a machine-check record waits */
#define VIRQ_SUSPEND 17 /* VIRQ_ARCH_1, hv's own: a paravirtual guest that binds it will suspend itself when it comes */
#define VIRQ_COUNT 24

/* pvclock: the guest retries while the version is odd or has changed. */
struct vcpu_time_info {
    uint32_t version, pad0;
    uint64_t tsc_timestamp; /* guest TSC at system_time */
    uint64_t system_time;   /* ns since hv started */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad1[2];
};

#define SHARED_VCPUS 32
#define SHARED_INFO_EVENTS_64 2048 /* pending bits; the masks follow */
#define SHARED_INFO_EVENTS_32 2048
#define EVENT_WORDS_64 64
#define EVENT_WORDS_32 32

struct vcpu_info_64 {
    uint8_t evtchn_upcall_pending, evtchn_upcall_mask;
    uint8_t pad[6];
    uint64_t evtchn_pending_sel;
    uint64_t arch_cr2, arch_pad;
    struct vcpu_time_info time;
};
struct vcpu_info_32 {
    uint8_t evtchn_upcall_pending, evtchn_upcall_mask;
    uint8_t pad[2];
    uint32_t evtchn_pending_sel;
    uint32_t arch_cr2, arch_pad[5];
    struct vcpu_time_info time;
};

/* The clock at hv's start, seconds and nanoseconds since 1970. */
struct shared_wallclock {
    uint32_t version, seconds, nanoseconds;
};

struct shared_info_64 {
    struct vcpu_info_64 vcpu_info[SHARED_VCPUS];
    uint64_t evtchn_pending[EVENT_WORDS_64], evtchn_mask[EVENT_WORDS_64];
    struct shared_wallclock wallclock;
    uint32_t wallclock_seconds_high;
    /* arch: where a paravirtual guest keeps its list of frames (P2M), for whoever moves one of them. */
    uint64_t max_pfn, pfn_to_mfn_frame_list_list;
};
struct shared_info_32 {
    struct vcpu_info_32 vcpu_info[SHARED_VCPUS];
    uint32_t evtchn_pending[EVENT_WORDS_32], evtchn_mask[EVENT_WORDS_32];
    struct shared_wallclock wallclock;
};

_Static_assert(sizeof(struct vcpu_time_info) == 32, "pvclock record");
_Static_assert(sizeof(struct vcpu_info_64) == 64 && sizeof(struct vcpu_info_32) == 64, "vcpu_info");
_Static_assert(offsetof(struct vcpu_info_64, time) == 32 && offsetof(struct vcpu_info_32, time) == 32, "same place");
_Static_assert(offsetof(struct shared_info_64, max_pfn) == 3088, "arch_shared_info");
_Static_assert(offsetof(struct shared_info_64, evtchn_pending) == SHARED_INFO_EVENTS_64, "shared_info, 64-bit");
_Static_assert(offsetof(struct shared_info_32, evtchn_pending) == SHARED_INFO_EVENTS_32, "shared_info, 32-bit");

#endif
