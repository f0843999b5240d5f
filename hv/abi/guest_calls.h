/* SPDX-License-Identifier: MIT */
/* Xen's public hypercalls that any guest may make: commands and structures (4.17). */
#ifndef HV_ABI_GUEST_CALLS_H
#define HV_ABI_GUEST_CALLS_H

#include <stdint.h>

/* ---- memory_op ----------------------------------------------------------------------------------------- */

#define MEMORY_INCREASE_RESERVATION 0
#define MEMORY_DECREASE_RESERVATION 1
#define MEMORY_MAXIMUM_RAM_PAGE 2
#define MEMORY_CURRENT_RESERVATION 3
#define MEMORY_MAXIMUM_RESERVATION 4
#define MEMORY_POPULATE_PHYSMAP 6
#define MEMORY_ADD_TO_PHYSMAP 7
#define MEMORY_MEMORY_MAP 9

#define PHYSMAP_SHARED_INFO 0
#define PHYSMAP_GRANT_TABLE 1

struct memory_add_to_physmap_64 {
    uint16_t domid, size;
    uint32_t space;
    uint64_t index, gpfn;
};
struct memory_add_to_physmap_32 {
    uint16_t domid, size;
    uint32_t space;
    uint32_t index, gpfn;
};
struct memory_map_64 {
    uint32_t nr_entries, pad; /* in: room; out: written */
    uint64_t buffer;          /* of struct memory_map_entry */
};
struct memory_map_32 {
    uint32_t nr_entries;
    uint32_t buffer;
};
struct memory_map_entry { /* as E820 has it */
    uint64_t address, size;
    uint32_t type;
} __attribute__((packed));

/* ---- xen_version --------------------------------------------------------------------------------------- */

#define XENVER_VERSION 0
#define XENVER_EXTRAVERSION 1
#define XENVER_COMPILE_INFO 2
#define XENVER_CAPABILITIES 3
#define XENVER_CHANGESET 4
#define XENVER_PLATFORM_PARAMETERS 5
#define XENVER_GET_FEATURES 6
#define XENVER_PAGESIZE 7
#define XENVER_GUEST_HANDLE 8

#define XEN_VERSION 0x00040011u /* major 4, minor 17 */

struct xenver_feature_info {
    uint32_t submap_index, submap;
};
#define XENFEAT_AUTO_TRANSLATED 2
#define XENFEAT_PAE_PGDIR_ABOVE_4GB 4
#define XENFEAT_CALLBACK_VECTOR 8
#define XENFEAT_SAFE_PVCLOCK 9

/* ---- console_io ---------------------------------------------------------------------------------------- */

#define CONSOLEIO_WRITE 0 /* count, buffer */
#define CONSOLEIO_READ 1  /* count, buffer; returns how many there were */

/* ---- vcpu_op ------------------------------------------------------------------------------------------- */

#define VCPUOP_INITIALISE 0
#define VCPUOP_UP 1
#define VCPUOP_DOWN 2
#define VCPUOP_IS_UP 3
#define VCPUOP_GET_RUNSTATE_INFO 4
#define VCPUOP_REGISTER_RUNSTATE_AREA 5
#define VCPUOP_STOP_PERIODIC_TIMER 7
#define VCPUOP_SET_SINGLESHOT_TIMER 8
#define VCPUOP_STOP_SINGLESHOT_TIMER 9
#define VCPUOP_REGISTER_VCPU_INFO 10
#define VCPUOP_SEND_NMI 11

struct vcpu_runstate_info {
    uint32_t state, pad; /* now: RUNSTATE_ */
    uint64_t since;      /* system time at which it began */
    uint64_t time[4];    /* ns spent in each */
};
#define RUNSTATE_RUNNING 0
#define RUNSTATE_RUNNABLE 1
#define RUNSTATE_BLOCKED 2
#define RUNSTATE_OFFLINE 3

struct vcpu_singleshot_timer {
    uint64_t timeout_ns; /* system time */
    uint32_t flags;
} __attribute__((packed));
#define SINGLESHOT_FUTURE 1u /* -ETIME if the time has passed */

struct vcpu_register_info {
    uint64_t gfn;
    uint32_t offset, reserved;
};

/* VCPUOP_INITIALISE of an HVM vCPU. */
#define VCPU_HVM_MODE_32B 0
#define VCPU_HVM_MODE_64B 1
struct vcpu_hvm_x86_32 {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags;
    uint32_t cr0, cr3, cr4, pad1;
    uint64_t efer;
    uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
    uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
    uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar, pad2[3];
};
struct vcpu_hvm_x86_64 {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
};
struct vcpu_hvm_context {
    uint32_t mode, pad;
    union {
        struct vcpu_hvm_x86_32 x86_32;
        struct vcpu_hvm_x86_64 x86_64;
    };
};

/* ---- sched_op ------------------------------------------------------------------------------------------ */

#define SCHEDOP_YIELD 0
#define SCHEDOP_BLOCK 1
#define SCHEDOP_SHUTDOWN 2
#define SCHEDOP_POLL 3
#define SCHEDOP_REMOTE_SHUTDOWN 4

#define SHUTDOWN_POWEROFF 0
#define SHUTDOWN_REBOOT 1
#define SHUTDOWN_SUSPEND 2
#define SHUTDOWN_CRASH 3

struct sched_shutdown {
    uint32_t reason;
};
struct sched_remote_shutdown {
    uint16_t domid, pad;
    uint32_t reason;
};
struct sched_poll_64 {
    uint64_t ports; /* of uint32_t */
    uint32_t nr_ports, pad;
    uint64_t timeout; /* system time; 0: none */
};
struct sched_poll_32 {
    uint32_t ports, nr_ports;
    uint64_t timeout;
};
#define SCHED_POLL_PORTS 128

/* ---- event_channel_op ---------------------------------------------------------------------------------- */

#define EVTCHNOP_BIND_INTERDOMAIN 0
#define EVTCHNOP_BIND_VIRQ 1
#define EVTCHNOP_CLOSE 3
#define EVTCHNOP_SEND 4
#define EVTCHNOP_STATUS 5
#define EVTCHNOP_ALLOC_UNBOUND 6
#define EVTCHNOP_BIND_IPI 7
#define EVTCHNOP_BIND_VCPU 8
#define EVTCHNOP_UNMASK 9
#define EVTCHNOP_INIT_CONTROL 11

struct evtchn_alloc_unbound {
    uint16_t domid, remote_domid;
    uint32_t port; /* out */
};
struct evtchn_bind_interdomain {
    uint16_t remote_domid, pad;
    uint32_t remote_port;
    uint32_t local_port; /* out */
};
struct evtchn_bind_virq {
    uint32_t virq, vcpu;
    uint32_t port; /* out */
};
struct evtchn_bind_ipi {
    uint32_t vcpu;
    uint32_t port; /* out */
};
struct evtchn_port {
    uint32_t port; /* close, send, unmask */
};
struct evtchn_status {
    uint16_t domid, pad;
    uint32_t port;
    uint32_t status, vcpu; /* out; EVTCHNSTAT_ */
    union {
        struct {
            uint16_t domid;
        } unbound;
        struct {
            uint16_t domid, pad;
            uint32_t port;
        } interdomain;
        uint32_t virq;
    };
};
#define EVTCHNSTAT_CLOSED 0
#define EVTCHNSTAT_UNBOUND 1
#define EVTCHNSTAT_INTERDOMAIN 2
#define EVTCHNSTAT_PIRQ 3
#define EVTCHNSTAT_VIRQ 4
#define EVTCHNSTAT_IPI 5

struct evtchn_bind_vcpu {
    uint32_t port, vcpu;
};

/* ---- hvm_op -------------------------------------------------------------------------------------------- */

#define HVMOP_SET_PARAM 0
#define HVMOP_GET_PARAM 1

struct hvm_param {
    uint16_t domid, pad;
    uint32_t index;
    uint64_t value;
};
#define HVM_PARAM_CALLBACK_IRQ 0 /* type in bits 63:56; 2: the vector in bits 7:0 */
#define HVM_PARAM_STORE_PFN 1
#define HVM_PARAM_STORE_EVTCHN 2
#define HVM_PARAM_CONSOLE_PFN 17
#define HVM_PARAM_CONSOLE_EVTCHN 18
#define HVM_PARAM_COUNT 40
#define CALLBACK_TYPE_VECTOR 2

/* ---- grant_table_op ------------------------------------------------------------------------------------ */

#define GNTTABOP_QUERY_SIZE 6
#define GNTTABOP_SET_VERSION 8
#define GNTTABOP_GET_VERSION 10

struct gnttab_query_size {
    uint16_t domid, pad;
    uint32_t nr_frames, max_nr_frames; /* out */
    int16_t status;                    /* out; 0: okay */
};
struct gnttab_version {
    uint32_t version; /* SET_VERSION: in and out */
};
struct gnttab_get_version {
    uint16_t domid, pad;
    uint32_t version; /* out */
};

#endif
