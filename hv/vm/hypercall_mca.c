/* SPDX-License-Identifier: MIT */
/* Hypercall 48 (hv/abi/mca.h): the telemetry of machine checks; results R1 to R10 of doc/mca.md. */
#include "hv/abi/mca.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/mca/record.h"
#include "hv/vm/frame_owner.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/machine_check_case.h"
#include "hv/vm/machine_check_inject.h"
#include "hv/vm/machine_check_log.h"
#include "hv/vm/machine_check_trap.h"

#define MSR_MCG_CAP 0x179
#define MCA_VENDOR_AMD 2 /* Linux's X86_VENDOR_AMD */
#define HEAD 8 /* command and version */

static bool get(const struct hypercall *call, void *to, uint64_t size)
{
    return hypercall_copy_in(call, to, call->argument[0] + HEAD, size);
}

static int64_t put(const struct hypercall *call, const void *from, uint64_t size)
{
    return hypercall_copy_out(call, call->argument[0] + HEAD, from, size) ? 0 : -XEN_EFAULT;
}

static bool dom0_has_handler(void)
{
    struct guest *control = guest_by_domid(DOMID_CONTROL);

    return control && control->outcome == GUEST_RUNS && machine_check_can_trap(&control->vcpus[0]);
}

static bool is_gone(uint16_t domid)
{
    return !guest_by_domid(domid);
}

/* ---- Version 1 ---------------------------------------------------------------------------------------------- */

static bool fetch_as_dom0(struct mca_fetch_v1 *op)
{
    const struct mca_info *info = mca_ring_fetch(&machine_check_ring, &op->fetch_idx);

    if (info)
        memcpy(&op->info, info, sizeof(*info));
    return info;
}

/* What dom0 passed on; if it passes nothing on, the head of the main ring. */
static bool fetch_as_domu(const struct vcpu *vcpu, struct mca_fetch_v1 *op)
{
    uint16_t domid = vcpu->guest->domid;
    const struct mca_info *info;

    if (mca_ring_fetch_notified(&machine_check_ring, domid, (uint16_t)vcpu->id, &op->fetch_idx, &op->info))
        return true;
    if (dom0_has_handler())
        return false;
    info = mca_ring_head(&machine_check_ring, &op->fetch_idx);
    if (!info || !mca_record_names(info, domid, (uint16_t)vcpu->id))
        return false;
    return fetch_as_dom0(op);
}

static int64_t fetch_v1(struct hypercall *call)
{
    struct mca_fetch_v1 op;
    bool had;

    if (!get(call, &op, offsetof(struct mca_fetch_v1, info)))
        return -XEN_EFAULT;
    if (op.flags != MCA_V1_CORRECTABLE && op.flags != MCA_V1_TRAP)
        return -XEN_EFAULT;
    if (!call->control && op.flags == MCA_V1_CORRECTABLE)
        return -XEN_EPERM;
    if (call->control)
        machine_check_note_version(1);
    machine_check_lock();
    had = call->control ? fetch_as_dom0(&op) : fetch_as_domu(call->vcpu, &op);
    machine_check_unlock();
    op.flags = had ? MCA_OK : MCA_NODATA;
    if (!had)
        return put(call, &op, sizeof(op.flags));
    if (!call->control)
        mca_record_translate(&op.info, frame_owner_gpa, call->vcpu->guest);
    return put(call, &op, sizeof(op));
}

static struct vcpu *find_vcpu(const struct mca_notify_v1 *op)
{
    struct guest *guest = op->domid == DOMID_CONTROL ? NULL : guest_by_domid(op->domid);

    return guest && op->vcpu < guest->spec.vcpus ? &guest->vcpus[op->vcpu] : NULL;
}

/* The copy for the vCPU, before it is called. */
static void pass_on(const struct mca_notify_v1 *op)
{
    struct mca_notified overwritten;

    if (mca_ring_notify(&machine_check_ring, op->fetch_idx, op->domid, op->vcpu, is_gone, &overwritten)) {
        console_print("mca record=%u step=3a event=overwritten domain=dom%u", overwritten.fetch_idx, overwritten.domid);
        machine_check_dump_info(&overwritten.info);
    }
}

static uint32_t notify(struct vcpu *vcpu, const struct mca_notify_v1 *op)
{
    const struct mca_info *info = mca_ring_at(&machine_check_ring, op->fetch_idx);

    if (!info || !mca_record_names(info, op->domid, op->vcpu))
        return MCA_NOMATCH;
    if (!machine_check_can_trap(vcpu))
        return MCA_CANNOTHANDLE;
    pass_on(op);
    return MCA_OK;
}

static const char *result_text(uint32_t result)
{
    return result == MCA_OK             ? "OK"
           : result == MCA_NOMATCH      ? "NOMATCH"
           : result == MCA_CANNOTHANDLE ? "CANNOTHANDLE"
                                        : "NOTDELIVERED";
}

static int64_t notify_v1(struct hypercall *call)
{
    struct mca_notify_v1 op;
    struct vcpu *vcpu;
    const char *step;
    unsigned core;

    if (!call->control)
        return -XEN_EPERM;
    if (!get(call, &op, sizeof(op)))
        return -XEN_EFAULT;
    if (op.flags != MCA_V1_TRAP)
        return -XEN_EFAULT;
    vcpu = find_vcpu(&op);
    if (!vcpu)
        return -XEN_EACCES;
    step = machine_check_domu_kind(vcpu) == MCA_DOMU_HVM ? "3b" : "3a";
    machine_check_lock();
    op.flags = notify(vcpu, &op);
    machine_check_unlock();
    core = machine_check_case_core(op.fetch_idx, vcpu);
    if (op.flags == MCA_OK && !machine_check_send(vcpu, core, op.fetch_idx, step))
        op.flags = MCA_NOTDELIVERED;
    machine_check_say(op.fetch_idx, step, "notify", "to=dom%u.%u by=trap from=dom0 result=%s", op.domid, op.vcpu,
                      result_text(op.flags));
    if (op.flags != MCA_NOMATCH)
        machine_check_case_notified(op.fetch_idx, vcpu, op.flags);
    return put(call, &op, sizeof(op));
}

/* ---- Version 2 ---------------------------------------------------------------------------------------------- */

static int64_t fetch_v2(struct hypercall *call)
{
    struct mca_fetch_v2 op;
    const struct mca_entry *entry;
    struct mca_info info;
    bool urgent;

    if (!get(call, &op, sizeof(op)))
        return -XEN_EFAULT;
    urgent = op.flags & MCA_V2_URGENT;
    if ((op.flags & ~MCA_V2_ACK) != MCA_V2_URGENT && (op.flags & ~MCA_V2_ACK) != MCA_V2_NONURGENT)
        return -XEN_EINVAL;
    machine_check_note_version(2);
    machine_check_lock();
    if (op.flags & MCA_V2_ACK) {
        mca_entry_ack(&machine_check_entries, op.id, urgent);
        machine_check_unlock();
        return 0;
    }
    entry = mca_entry_fetch(&machine_check_entries, urgent);
    op.flags = entry ? MCA_OK : MCA_NODATA;
    op.id = entry ? mca_entry_id(entry) : 0;
    if (entry)
        memcpy(&info, &entry->info, sizeof(info));
    machine_check_unlock();
    if (entry && !hypercall_copy_out(call, op.data, &info, sizeof(info)))
        return -XEN_EFAULT;
    return put(call, &op, sizeof(op));
}

/* What a core is, as Linux's /proc/cpuinfo would tell; the same on all cores but for its place. */
static void describe(const struct percore *core, struct mca_physcpu *info)
{
    struct cpuid_result basic = cpuid(0, 0), features = cpuid(1, 0), extended = cpuid(0x80000001, 0), sizes;
    uint32_t family = features.eax >> 8 & 0xF;

    *info = (struct mca_physcpu){ .cpu = core->index, .chip = core->node, .core = (uint16_t)core->index,
                                  .apic_id = core->apic_id, .cluster = core->apic_id, .threads = 1,
                                  .cpuid_level = (int32_t)basic.eax, .stepping = features.eax & 0xF,
                                  .caps = { features.edx, extended.edx, 0, 0, features.ecx, 0, extended.ecx } };
    info->cores = (cpuid(0x80000008, 0).ecx & 0xFF) + 1;
    info->cores_active = info->cores;
    info->family = family == 0xF ? family + (features.eax >> 20 & 0xFF) : family;
    info->model = (features.eax >> 4 & 0xF) | (features.eax >> 12 & 0xF0);
    info->vendor = MCA_VENDOR_AMD;
    memcpy(info->vendor_text, (uint32_t[]){ basic.ebx, basic.edx, basic.ecx }, 12);
    for (unsigned leaf = 0; leaf < 3; leaf++) {
        struct cpuid_result name = cpuid(0x80000002 + leaf, 0);

        memcpy(info->brand + 16 * leaf, &name, sizeof(name));
    }
    sizes = cpuid(0x80000006, 0);
    info->cache_size = sizes.ecx >> 16; /* KiB of L2 */
    info->cache_alignment = sizes.ecx & 0xFF;
    info->msr_count = 1;
    info->msr[0] = (struct mca_register){ MSR_MCG_CAP, msr_read(MSR_MCG_CAP) };
}

static int64_t physcpuinfo(struct hypercall *call)
{
    struct mca_physcpuinfo op;
    struct mca_physcpu info;

    if (!get(call, &op, sizeof(op)))
        return -XEN_EFAULT;
    for (unsigned i = 0; op.info && i < percore_count && i < op.ncpus; i++) {
        describe(&percores[i], &info);
        if (!hypercall_copy_out(call, op.info + i * sizeof(info), &info, sizeof(info)))
            return -XEN_EFAULT;
    }
    op.ncpus = percore_count;
    return put(call, &op, sizeof(op));
}

static int64_t msrinject(struct hypercall *call)
{
    struct mca_msrinject op;

    return get(call, &op, sizeof(op)) ? machine_check_inject_registers(&op) : -XEN_EFAULT;
}

static int64_t mceinject(struct hypercall *call)
{
    struct mca_mceinject op;

    return get(call, &op, sizeof(op)) ? machine_check_inject_exception(op.cpu) : -XEN_EFAULT;
}

/* ---- Both --------------------------------------------------------------------------------------------------- */

static int64_t hvm_register(struct hypercall *call)
{
    struct mca_hvm_register op;
    struct guest *guest = call->vcpu->guest;

    if (!get(call, &op, sizeof(op)))
        return -XEN_EFAULT;
    if (op.ready > 1 || guest->pv)
        return -XEN_EINVAL;
    guest->mca_driver = true;
    guest->mca_ready = op.ready;
    return 0;
}

static const struct hypercall_row commands_v1[] = {
    { MCA_FETCH, "fetch", fetch_v1, CALLER_ANY },
    { MCA_NOTIFYDOMAIN, "notifydomain", notify_v1, CALLER_CONTROL },
    { MCA_HVM_REGISTER, "hvm_register", hvm_register, CALLER_ANY },
};
static const struct hypercall_row commands_v2[] = {
    { MCA_FETCH, "fetch", fetch_v2, CALLER_CONTROL },
    { MCA_PHYSCPUINFO, "physcpuinfo", physcpuinfo, CALLER_CONTROL },
    { MCA_MSRINJECT, "msrinject", msrinject, CALLER_CONTROL },
    { MCA_MCEINJECT, "mceinject", mceinject, CALLER_CONTROL },
    { MCA_HVM_REGISTER, "hvm_register", hvm_register, CALLER_ANY },
};

int64_t hypercall_mca(struct hypercall *call)
{
    uint32_t head[2]; /* command, interface version */
    int64_t result;

    if (!hypercall_copy_in(call, head, call->argument[0], sizeof(head)))
        return -XEN_EFAULT;
    if (head[1] == MCA_INTERFACE_V1)
        result = hypercall_dispatch(call, HYPERCALL_ROWS(commands_v1), head[0]);
    else if (head[1] == MCA_INTERFACE_V2)
        result = hypercall_dispatch(call, HYPERCALL_ROWS(commands_v2), head[0]);
    else
        return -XEN_EACCES;
    return result == -XEN_ENOSYS ? -XEN_EINVAL : result; /* as Xen answers what it does not know here */
}
