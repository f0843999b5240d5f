/* SPDX-License-Identifier: MIT */
#include "workloads/lib/mca.h"

#include "hv/abi/xen.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define CR4_MCE 0x40u
#define GATE_INTERRUPT 0x8E00u

static struct {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
} idt[MCA_TRAP + 1] __attribute__((aligned(16)));

static const struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) idt_pointer = { sizeof(idt) - 1, (uintptr_t)idt };

void mca_trap(void (*handler)(struct interrupt_frame *frame))
{
    uintptr_t at = (uintptr_t)handler;

    idt[MCA_TRAP].offset_low = (uint16_t)at;
    idt[MCA_TRAP].offset_middle = (uint16_t)(at >> 16);
    idt[MCA_TRAP].offset_high = (uint32_t)(at >> 32);
    idt[MCA_TRAP].selector = cs_read();
    idt[MCA_TRAP].attributes = handler ? GATE_INTERRUPT : 0;
    idt_load(&idt_pointer);
    cr4_write(handler ? cr4_read() | CR4_MCE : cr4_read() & ~(uintptr_t)CR4_MCE);
}

static int64_t go(struct mca_call *call, uint32_t command, uint32_t version)
{
    call->command = command;
    call->interface_version = version;
    return hypercall3(HYPERCALL_MCA, (uintptr_t)call, 0, 0);
}

int64_t mca_register(bool ready)
{
    static struct mca_call call;

    call.hvm_register.ready = ready;
    return go(&call, MCA_HVM_REGISTER, MCA_INTERFACE_V1);
}

int64_t mca_fetch(struct mca_call *call, uint32_t version, uint32_t flags)
{
    call->fetch_v1.flags = flags;
    return go(call, MCA_FETCH, version);
}

int64_t mca_notify(struct mca_call *call, uint16_t domain, uint16_t vcpu, uint32_t fetch_idx, uint32_t flags)
{
    call->notify_v1 = (struct mca_notify_v1){ .domid = domain, .vcpu = vcpu, .fetch_idx = fetch_idx, .flags = flags };
    return go(call, MCA_NOTIFYDOMAIN, MCA_INTERFACE_V1);
}

const void *mca_record(const struct mca_info *info, uint16_t type)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < info->nentries && at + sizeof(struct mca_common) <= sizeof(info->data); i++) {
        const struct mca_common *common = (const struct mca_common *)(info->data + at);

        if (common->type == type)
            return common;
        if (common->size < sizeof(*common))
            return NULL;
        at += common->size;
    }
    return NULL;
}

const char *mca_result(int64_t error, uint32_t flags)
{
    if (error)
        return error == -XEN_EPERM ? "EPERM" : error == -XEN_EACCES ? "EACCES" : error == -XEN_EFAULT ? "EFAULT" :
               error == -XEN_EINVAL ? "EINVAL" : error == -XEN_ENOSYS ? "ENOSYS" : "error";
    return flags == MCA_OK ? "OK" : flags & MCA_NODATA ? "NODATA" : flags & MCA_NOMATCH ? "NOMATCH" :
           flags & MCA_CANNOTHANDLE ? "CANNOTHANDLE" : flags & MCA_NOTDELIVERED ? "NOTDELIVERED" : "FETCHFAILED";
}
