/* SPDX-License-Identifier: MIT */
/*
 * Hypercall 48 (__HYPERVISOR_mca; Xen's public xen-mca.h in both its interface versions), as hv speaks it. One
 * argument:
 * a pointer to struct mca_call. `interface_version` chooses the layout of all that follows; both may be used by turns.
 *
 *   version 1 (03000001h, 2008): records come inside the call, fetch_idx names one, notifydomain tells a DomU.
 *   version 2 (01ECC003h, 2009; what Linux's /dev/mcelog driver of dom0 speaks): records come through a pointer and are
 *   acknowledged by their 64-bit id; notifydomain is -EINVAL; the control domain alone may call.
 *
 * Who may call, what comes back (R1 ... R10): doc/mca.md.
 */
#ifndef HV_ABI_MCA_H
#define HV_ABI_MCA_H

#include <stddef.h>
#include <stdint.h>

#define MCA_INTERFACE_V1 0x03000001u
#define MCA_INTERFACE_V2 0x01ECC003u

#define MCA_FETCH 1        /* v1: any domain; v2: the control domain */
#define MCA_NOTIFYDOMAIN 2 /* v1: the control domain; v2: unsupported */
#define MCA_PHYSCPUINFO 3  /* v2 */
#define MCA_MSRINJECT 4    /* v2 */
#define MCA_MCEINJECT 5    /* v2 */
#define MCA_HVM_REGISTER 0x100 /* hv's own, both versions: an HVM guest has (ready=1) a handler of vector 18, or not */

#define MCA_VCPU_INVALID 0xFFFFu
#define MCA_TRAP 18 /* vector, and number in a PV guest's trap table */

/* Flags of a call: in. */
#define MCA_V1_CORRECTABLE 0u
#define MCA_V1_TRAP 1u
#define MCA_V2_NONURGENT 1u
#define MCA_V2_URGENT 2u
#define MCA_V2_ACK 4u
/* Out, both versions. */
#define MCA_OK 0u
#define MCA_FETCHFAILED 1u
#define MCA_NODATA 2u
#define MCA_NOMATCH 4u
#define MCA_CANNOTHANDLE 8u
#define MCA_NOTDELIVERED 0x10u

/* ---- Records ------------------------------------------------------------------------------------------- */

#define MCA_RECORD_GLOBAL 0
#define MCA_RECORD_BANK 1
#define MCA_RECORD_EXTENDED 2
#define MCA_RECORD_RECOVERY 3 /* v2; v1 carries it too, for dom0 to see that hv has healed (XU-1, XU-5) */

/* Flags of a global record. */
#define MCA_GLOBAL_CORRECTABLE 0x01u
#define MCA_GLOBAL_UNCORRECTABLE 0x02u
#define MCA_GLOBAL_RECOVERABLE 0x04u
#define MCA_GLOBAL_POLLED 0x08u
#define MCA_GLOBAL_RESET 0x10u
#define MCA_GLOBAL_CMCI 0x20u
#define MCA_GLOBAL_MCE 0x40u
#define MCA_GLOBAL_LOST 0x80000000u /* hv's own: records before this one were lost */

/* Recovery records: action flags, action types. */
#define MCA_ACTION_RECOVERED 1u
#define MCA_ACTION_NONE 2u
#define MCA_ACTION_NEED_RESET 4u
#define MCA_ACTION_PAGE_OFFLINE 1u
#define MCA_ACTION_CPU_OFFLINE 2u
#define MCA_ACTION_CACHE_SHRINK 4u

struct mca_common {
    uint16_t type, size; /* of the whole record */
};

/* Version 1. */
struct mca_global_v1 {
    struct mca_common common;
    uint16_t domid, pad;   /* impacted; of the domain that ran, if none is */
    uint32_t socket;
    uint16_t core, thread;
    uint16_t vcpu, pad2[3];
    uint64_t gstatus;      /* MCG_STATUS */
    uint32_t flags, pad3;  /* MCA_GLOBAL_ */
};
struct mca_bank_v1 {
    struct mca_common common;
    uint16_t bank;
    uint16_t domid;        /* owner of the address; for dom0 alone, else DOMID_SELF */
    uint64_t status, addr, misc;
};
struct mca_register {
    uint64_t reg, value;
};
#define MCA_EXTENDED_V1 5
struct mca_extended_v1 {
    struct mca_common common;
    uint32_t count;
    struct mca_register msr[MCA_EXTENDED_V1];
};
/* Both versions. */
struct mca_recovery {
    struct mca_common common;
    uint16_t bank;
    uint8_t action_flags, action_types;
    union {
        struct {
            uint64_t mfn, status; /* PAGE_OFFLINE: as sysctl page_offline_op gives it */
        } page;
        struct {
            uint32_t socket;
            uint16_t core, thread;
        } cpu;
    };
};

/* Version 2. */
struct mca_global_v2 {
    struct mca_common common;
    uint16_t domid, vcpu;
    uint32_t socket;
    uint16_t core, thread;
    uint32_t apic_id;
    uint32_t flags;
    uint64_t gstatus;
};
struct mca_bank_v2 {
    struct mca_common common;
    uint16_t bank, domid;
    uint64_t status, addr, misc, ctrl2, tsc;
};
#define MCA_EXTENDED_V2 32
struct mca_extended_v2 {
    struct mca_common common;
    uint32_t count;
    struct mca_register msr[MCA_EXTENDED_V2];
};

#define MCA_INFO_BYTES 768
#define MCA_INFO_HEAD_V1 4
#define MCA_INFO_HEAD_V2 8
/* Records one behind the other, from offset 4 (v1) or 8 (v2: `flags` at 4) on. */
struct mca_info {
    uint32_t nentries;
    uint8_t data[MCA_INFO_BYTES - MCA_INFO_HEAD_V1];
};

/* ---- The call ------------------------------------------------------------------------------------------- */

struct mca_fetch_v1 {
    uint32_t flags;     /* in: MCA_V1_; out: MCA_OK ... */
    uint32_t fetch_idx; /* out: names the record for notifydomain */
    struct mca_info info;
};
struct mca_notify_v1 {
    uint16_t domid, vcpu;
    uint32_t fetch_idx;
    uint32_t flags; /* in: MCA_V1_TRAP; out: MCA_OK, MCA_NOMATCH, MCA_CANNOTHANDLE, MCA_NOTDELIVERED */
};
struct mca_fetch_v2 {
    uint32_t flags, pad; /* in: MCA_V2_; out */
    uint64_t id;         /* out; in, with MCA_V2_ACK */
    uint64_t data;       /* guest pointer to MCA_INFO_BYTES bytes; not used with MCA_V2_ACK */
};
struct mca_notify_v2 {
    uint16_t domid, vcpu;
    uint32_t flags;
};
struct mca_physcpu {
    uint32_t cpu, chip;
    uint16_t core, thread;
    uint32_t apic_id, cluster, cores, cores_active, threads;
    int32_t cpuid_level;
    uint32_t family, vendor, model, stepping;
    char vendor_text[16], brand[64];
    uint32_t caps[7];
    uint32_t cache_size, cache_alignment;
    uint32_t msr_count, pad;
    struct mca_register msr[8]; /* MCG_CAP first */
};
struct mca_physcpuinfo {
    uint32_t ncpus, pad; /* in: room (in elements); out: how many there are */
    uint64_t info;       /* guest pointer of struct mca_physcpu; NULL asks for the number alone */
};
#define MCA_INJECT_INTERPOSE 1u /* hv's handler reads these values; the hardware keeps its own */
#define MCA_INJECT_GPADDR 2u    /* values of ADDR registers are guest-physical, of domain `domid` */
struct mca_msrinject {
    uint32_t cpu, flags, count;
    uint16_t domid, pad;
    struct mca_register msr[8];
};
struct mca_mceinject {
    uint32_t cpu;
};
struct mca_hvm_register {
    uint32_t ready;
};

struct mca_call {
    uint32_t command, interface_version;
    union {
        struct mca_fetch_v1 fetch_v1;
        struct mca_notify_v1 notify_v1;
        struct mca_fetch_v2 fetch_v2;
        struct mca_notify_v2 notify_v2;
        struct mca_physcpuinfo physcpuinfo;
        struct mca_msrinject msrinject;
        struct mca_mceinject mceinject;
        struct mca_hvm_register hvm_register;
        uint8_t room[1024];
    };
};
#define MCA_CALL_BYTES_V1 1032u
#define MCA_CALL_BYTES_V2 152u

_Static_assert(sizeof(struct mca_call) == MCA_CALL_BYTES_V1, "struct xen_mc, version 1");
_Static_assert(8 + sizeof(struct mca_msrinject) == MCA_CALL_BYTES_V2, "struct xen_mc, version 2");
_Static_assert(sizeof(struct mca_info) == 768, "struct mc_info");
_Static_assert(sizeof(struct mca_global_v1) == 40 && offsetof(struct mca_global_v1, socket) == 8 &&
               offsetof(struct mca_global_v1, vcpu) == 16 && offsetof(struct mca_global_v1, gstatus) == 24 &&
               offsetof(struct mca_global_v1, flags) == 32, "struct mcinfo_global, version 1");
_Static_assert(sizeof(struct mca_global_v2) == 32 && offsetof(struct mca_global_v2, apic_id) == 16 &&
               offsetof(struct mca_global_v2, flags) == 20 && offsetof(struct mca_global_v2, gstatus) == 24,
               "struct mcinfo_global, version 2");
_Static_assert(sizeof(struct mca_bank_v1) == 32 && sizeof(struct mca_bank_v2) == 48, "struct mcinfo_bank");
_Static_assert(offsetof(struct mca_bank_v2, ctrl2) == 32 && offsetof(struct mca_bank_v2, tsc) == 40, "version 2");
_Static_assert(sizeof(struct mca_extended_v1) == 88 && sizeof(struct mca_extended_v2) == 520, "mcinfo_extended");
_Static_assert(sizeof(struct mca_recovery) == 24 && offsetof(struct mca_recovery, page) == 8, "mcinfo_recovery");
_Static_assert(sizeof(struct mca_fetch_v1) == 776 && sizeof(struct mca_fetch_v2) == 24, "fetch");
_Static_assert(sizeof(struct mca_notify_v1) == 12 && sizeof(struct mca_notify_v2) == 8, "notifydomain");
_Static_assert(sizeof(struct mca_physcpuinfo) == 16 && sizeof(struct mca_physcpu) == 304, "physcpuinfo");
_Static_assert(offsetof(struct mca_msrinject, msr) == 16, "msrinject");

/* ---- sysctl page_offline_op: the status word of a frame --------------------------------------------------------- */

/* Of offline (command 1). Owner's domain in bits 31:16 with PAGE_STATUS_OWNED. */
#define PAGE_STATUS_OFFLINED 0x0002u
#define PAGE_STATUS_PENDING 0x0004u  /* leaves when its owner gives it back */
#define PAGE_STATUS_FAILED 0x0008u
#define PAGE_STATUS_XENPAGE 0x0100u
#define PAGE_STATUS_DOM0PAGE 0x0200u
#define PAGE_STATUS_ANONYMOUS 0x0400u
#define PAGE_STATUS_NOT_RAM 0x0800u
#define PAGE_STATUS_OWNED 0x1000u
#define PAGE_STATUS_BROKEN 0x2000u
#define PAGE_STATUS_OWNER_SHIFT 16
/* Of online (command 2). */
#define PAGE_ONLINE_FAILED 0x0001u
#define PAGE_ONLINE_ONLINED 0x0002u
#define PAGE_ONLINE_BROKEN 0x0004u
/* Of query (command 3). */
#define PAGE_QUERY_OFFLINED 0x0002u
#define PAGE_QUERY_ONLINE 0x0004u
#define PAGE_QUERY_PENDING 0x0008u
#define PAGE_QUERY_BROKEN 0x0010u

/* ---- What a panic leaves behind ---------------------------------------------------------------------------- */

/* At hv's symbol mca_panic_record, written before hv stops; nothing clears it but a new start. */
#define MCA_PANIC_MAGIC 0x43494E415041434Dull /* "MCAPANIC" */
struct mca_panic_record {
    uint64_t magic;
    char row[8];           /* "XU-3" */
    uint32_t record, core;
    uint64_t mcg_status;
    struct mca_info info;  /* version 1 */
};

#endif
