/* SPDX-License-Identifier: MIT */
/*
 * Xen's public hypercalls for the control domain: domctl and sysctl (interface 15h, 4.17), platform_op. Commands
 * from 46310000h on are hv's own.
 */
#ifndef HV_ABI_CONTROL_H
#define HV_ABI_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#define CONTROL_INTERFACE_VERSION 0x15u

/* ---- domctl -------------------------------------------------------------------------------------------- */

#define DOMCTL_CREATEDOMAIN 1
#define DOMCTL_DESTROYDOMAIN 2
#define DOMCTL_PAUSEDOMAIN 3
#define DOMCTL_UNPAUSEDOMAIN 4
#define DOMCTL_GETDOMAININFO 5
#define DOMCTL_SETVCPUAFFINITY 9
#define DOMCTL_SHADOW_OP 10
#define DOMCTL_MAX_MEM 11
#define DOMCTL_GETVCPUINFO 14
#define DOMCTL_MAX_VCPUS 15
#define DOMCTL_SCHEDULER_OP 16
#define DOMCTL_GETVCPUAFFINITY 25
#define DOMCTL_HV_BUILD 0x46310100u   /* fill a created domain from one of the loader's modules */
#define DOMCTL_HV_MEMORY 0x46310110u  /* changes of a domain's memory map */
#define DOMCTL_HV_MIGRATE 0x46310101u /* live, to a new domain of this machine or of the one that it is linked to */

struct domctl_createdomain {
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t flags; /* DOMCTL_CDF_ */
    uint32_t iommu_options;
    uint32_t max_vcpus, max_evtchn_port;
    int32_t max_grant_frames, max_maptrack_frames;
    uint32_t grant_options, vmtrace_size, cpupool_id;
    uint32_t emulation_flags, misc_flags;
};
#define DOMCTL_CDF_HVM (1u << 0)
#define DOMCTL_CDF_HAP (1u << 1)

struct domctl_getdomaininfo {
    uint16_t domain, pad1;
    uint32_t flags; /* DOMINF_, shutdown reason in bits 23:16 */
    uint64_t total_pages, max_pages, outstanding_pages, shared_pages, paged_pages;
    uint64_t shared_info_frame, cpu_time_ns;
    uint32_t online_vcpus, max_vcpu_id;
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t cpupool;
    uint8_t gpaddr_bits, pad2[7];
    uint32_t emulation_flags, misc_flags;
};
#define DOMINF_DYING (1u << 0)
#define DOMINF_HVM (1u << 1)
#define DOMINF_SHUTDOWN (1u << 2)
#define DOMINF_PAUSED (1u << 3)
#define DOMINF_BLOCKED (1u << 4)
#define DOMINF_RUNNING (1u << 5)
#define DOMINF_HAP (1u << 8)
#define DOMINF_REASON_SHIFT 16

struct control_bitmap {
    uint64_t bits; /* guest pointer */
    uint32_t count, pad;
};
struct domctl_vcpuaffinity {
    uint32_t vcpu, flags;
    struct control_bitmap hard, soft;
};
#define AFFINITY_HARD 1u
#define AFFINITY_SOFT 2u

struct domctl_max_mem {
    uint64_t kib;
};
struct domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online, blocked, running, pad;
    uint64_t cpu_time_ns;
    uint32_t cpu, pad2;
};
struct domctl_max_vcpus {
    uint32_t max;
};
struct domctl_scheduler_op {
    uint32_t scheduler, command;
    uint16_t weight, cap;
};
#define SCHEDULER_CREDIT 5
#define SCHEDOP_PUT_INFO 0
#define SCHEDOP_GET_INFO 1

#define BUILD_REASON_MAX 96
struct domctl_hv_build {
    uint32_t module, string_length;
    uint64_t string;                 /* guest pointer: what the module's own string would say */
    char reason[BUILD_REASON_MAX];   /* out, with -EINVAL: what is wrong, one line */
};
/* Log-dirty: Xen's numbers and operations. */
#define SHADOW_OP_OFF 0
#define SHADOW_OP_ENABLE_LOGDIRTY 2
#define SHADOW_OP_CLEAN 11
#define SHADOW_OP_PEEK 12
struct domctl_shadow_op {
    uint32_t op, mode, mb, pad;
    uint64_t dirty_bitmap; /* guest pointer, 0: none wanted */
    uint64_t pages;        /* in: bits of room; out: bits given */
    uint32_t fault_count, dirty_count;
};
#define HV_MEMORY_PROMOTE 0     /* result: pages joined */
#define HV_MEMORY_BALLOON_OUT 1 /* of frame gfn, as all below */
#define HV_MEMORY_BALLOON_IN 2
#define HV_MEMORY_SHARE 3       /* map a page of hv's there */
#define HV_MEMORY_MMIO 4
#define HV_MEMORY_READ_ONLY 5
#define HV_MEMORY_RAM 6
#define HV_MEMORY_RETIRE 7
#define HV_MEMORY_RETIRE_FRAME 9 /* the same, and gfn is the machine's; result: the guest's */
#define HV_MEMORY_ENTRIES 8     /* result: nested entries of 1 << (12 + 9 * gfn) bytes */
struct domctl_hv_memory {
    uint32_t op, pad;
    uint64_t gfn;
    uint64_t result;
};
#define MIGRATE_TO_SAME 0 /* the paging mode that the guest's own string asks for */
#define MIGRATE_TO_NESTED 1
#define MIGRATE_TO_SHADOW 2
#define MIGRATE_HERE 0 /* to this machine */
#define MIGRATE_LINK 1
#define MIGRATE_REASON_MAX 80
struct domctl_hv_migrate {
    uint32_t new_domain;  /* out, as all to downtime_ns */
    uint32_t rounds;      /* the last one, with the guest stopped, included */
    uint64_t pages, downtime_ns;
    uint64_t cut_after;   /* in, for tests: the link is lost after so many records; 0: never */
    uint32_t mode, where; /* in: MIGRATE_TO_; MIGRATE_HERE or MIGRATE_LINK */
    uint32_t node, pad;   /* in, with MIGRATE_HERE: 1 + the node whose cores and memory it gets, 0: any */
    char reason[MIGRATE_REASON_MAX]; /* out, with -EIO: what went wrong */
};

struct domctl {
    uint32_t command, interface_version;
    uint16_t domain, pad[3];
    union {
        struct domctl_createdomain createdomain;
        struct domctl_getdomaininfo getdomaininfo;
        struct domctl_vcpuaffinity vcpuaffinity;
        struct domctl_max_mem max_mem;
        struct domctl_getvcpuinfo getvcpuinfo;
        struct domctl_max_vcpus max_vcpus;
        struct domctl_scheduler_op scheduler_op;
        struct domctl_hv_build hv_build;
        struct domctl_hv_migrate hv_migrate;
        struct domctl_shadow_op shadow_op;
        struct domctl_hv_memory hv_memory;
        uint8_t room[128];
    };
};
_Static_assert(sizeof(struct domctl) == 144 && offsetof(struct domctl, room) == 16, "struct xen_domctl");
_Static_assert(offsetof(struct domctl_getdomaininfo, cpu_time_ns) == 56, "struct xen_domctl_getdomaininfo");

/* ---- sysctl -------------------------------------------------------------------------------------------- */

#define SYSCTL_READCONSOLE 1
#define SYSCTL_PHYSINFO 3
#define SYSCTL_SCHED_ID 4
#define SYSCTL_PERFC_OP 5
#define SYSCTL_GETDOMAININFOLIST 6
#define SYSCTL_PAGE_OFFLINE 14
#define SYSCTL_HV_MODULE 0x46310200u /* the string of one of the loader's modules */

struct sysctl_readconsole {
    uint8_t clear, incremental, pad[2];
    uint32_t index;  /* in and out: where to go on, if incremental */
    uint64_t buffer; /* guest pointer */
    uint32_t count;  /* in: room; out: read */
    uint32_t pad2;
};
struct sysctl_physinfo {
    uint32_t threads_per_core, cores_per_socket, nr_cpus, max_cpu_id, nr_nodes, max_node_id, cpu_khz;
    uint32_t capabilities, arch_capabilities, pad;
    uint64_t total_pages, free_pages, scrub_pages, outstanding_pages, max_frame;
    uint32_t hw_cap[8];
};
#define PHYSCAP_HVM (1u << 0)
#define PHYSCAP_PV (1u << 1)
#define PHYSCAP_HAP (1u << 3)
#define PHYSCAP_SHADOW (1u << 4)

struct sysctl_sched_id {
    uint32_t sched_id;
};
struct sysctl_perfc_desc {
    char name[80];
    uint32_t nr_vals;
};
/* Query: one descriptor per exit reason that occurred, one value each. */
struct sysctl_perfc_op {
    uint32_t op;
    uint32_t nr_counters, nr_vals, pad;
    uint64_t desc, val; /* guest pointers; 0 asks for the numbers only */
};
#define PERFC_OP_RESET 1
#define PERFC_OP_QUERY 2
struct sysctl_getdomaininfolist {
    uint16_t first, pad;
    uint32_t max;
    uint64_t buffer; /* guest pointer, of struct domctl_getdomaininfo */
    uint32_t count, pad2; /* out */
};
/* Frames start to end; one status word for each (PAGE_STATUS_ bits; owner in bits 31:16). */
struct sysctl_page_offline_op {
    uint32_t command, start, end, pad;
    uint64_t status; /* guest pointer of uint32_t */
};
#define PAGE_OFFLINE 1u
#define PAGE_ONLINE 2u
#define PAGE_QUERY 3u
struct sysctl_hv_module {
    uint32_t index, size; /* size: in: room; out: length and the final zero */
    uint64_t string;      /* guest pointer */
};

struct sysctl {
    uint32_t command, interface_version;
    union {
        struct sysctl_readconsole readconsole;
        struct sysctl_physinfo physinfo;
        struct sysctl_sched_id sched_id;
        struct sysctl_perfc_op perfc_op;
        struct sysctl_getdomaininfolist getdomaininfolist;
        struct sysctl_page_offline_op page_offline;
        struct sysctl_hv_module hv_module;
        uint8_t room[128];
    };
};
_Static_assert(sizeof(struct sysctl) == 136, "struct xen_sysctl");

/* ---- platform_op ---------------------------------------------------------------------------------------- */

#define PLATFORM_INTERFACE_VERSION 0x03000000u
#define PLATFORM_CPU_ONLINE 56u
#define PLATFORM_CPU_OFFLINE 57u
#define PLATFORM_HV_CPUID_MASK 0x100u /* hv's own, as the next */
#define PLATFORM_HV_SPARE 0x101u      /* online spare: a chip-select of DRAM goes to the spare rank */

struct platform_hv_mask {
    char name[16];                    /* empty: the words below */
    uint32_t ecx1, edx1, ecx81, edx81; /* in, and out: what the cores report from now on */
};
struct platform_cpu {
    uint32_t cpu;
};
#define HV_SPARE_BEGIN 1 /* BadDramCs and SwapEn of F3xB0 (BKDG10) */
#define HV_SPARE_QUERY 2
#define HV_SPARE_FIND 3  /* out: which chip-select `frame` lies in */
struct platform_hv_spare {
    uint32_t op, node, dct, chip_select;
    uint64_t frame;
    uint32_t control, done; /* out: F3xB0; SwapDone of the dct */
};
struct platform_op {
    uint32_t command, interface_version;
    union {
        struct platform_cpu cpu;
        struct platform_hv_spare hv_spare;
        struct platform_hv_mask hv_mask;
        uint8_t room[128];
    };
};

#endif
