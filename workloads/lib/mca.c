/* SPDX-License-Identifier: MIT */
#include "workloads/lib/mca.h"

#include "hv/abi/xen.h"

static int64_t go(struct mca_call *call, uint32_t command, uint32_t version)
{
    call->command = command;
    call->interface_version = version;
    return mca_hypercall(call);
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
