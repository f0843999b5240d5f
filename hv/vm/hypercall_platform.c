/* SPDX-License-Identifier: MIT */
/*
 * platform_op, of which hv has one command of its own: the CPUID mask of all cores. It may not take from a guest what
 * the guest has seen: -EBUSY while one runs with more.
 */
#include "hv/abi/control.h"
#include "hv/core/text.h"
#include "hv/migrate/cpuid_mask.h"
#include "hv/migrate/mask_cores.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/machine_check_case.h"
#include "hv/vm/online_spare.h"
#include "hv/vm/schedule.h"

/* By its name, else by the four words. */
static int64_t read_mask(const struct platform_hv_mask *op, struct cpu_features *mask)
{
    char name[CPUID_MASK_NAME_MAX];
    const struct cpuid_mask *found;

    *mask = (struct cpu_features){ op->ecx1, op->edx1, op->ecx81, op->edx81 };
    if (!op->name[0])
        return 0;
    memcpy(name, op->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    found = cpuid_mask_find(name);
    if (!found)
        return -XEN_ENOENT;
    *mask = found->features;
    return 0;
}

static bool takes_from_a_guest(const struct cpu_features *mask, const struct guest *caller)
{
    char text[8];
    bool takes = false;

    guests_hold();
    for (unsigned g = 0; g < guest_count; g++)
        if (&guests[g] != caller && guest_is_alive(&guests[g]) && guests[g].outcome == GUEST_RUNS)
            takes = takes || features_missing(&guests[g].features, mask, text, sizeof(text));
    guests_release();
    return takes;
}

static int64_t set_mask(struct hypercall *call)
{
    static bool busy; /* atomic: no lock, because this waits for the cores, which may be here too */
    struct cpu_features hardware = mask_cores_hardware(), mask, effective;
    struct platform_op op;
    int64_t error;

    if (!hypercall_copy_in(call, &op, call->argument[0], sizeof(op)))
        return -XEN_EFAULT;
    error = read_mask(&op.hv_mask, &mask);
    if (error)
        return error;
    effective = features_common(&mask, &hardware);
    if (takes_from_a_guest(&effective, call->vcpu->guest) || __atomic_exchange_n(&busy, true, __ATOMIC_ACQ_REL))
        return -XEN_EBUSY;
    mask_cores_set(&mask);
    mask_cores_follow(percore_self());
    while (!mask_cores_settled())
        schedule_call_cores();
    __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
    op.hv_mask.ecx1 = effective.ecx1;
    op.hv_mask.edx1 = effective.edx1;
    op.hv_mask.ecx81 = effective.ecx81;
    op.hv_mask.edx81 = effective.edx81;
    return hypercall_copy_out(call, call->argument[0], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}

/* ---- Cores -------------------------------------------------------------------------------------------------- */

static int64_t set_online(struct hypercall *call, bool online)
{
    struct platform_op op;
    int64_t error;

    if (!hypercall_copy_in(call, &op, call->argument[0], sizeof(op)))
        return -XEN_EFAULT;
    error = schedule_set_online(op.cpu.cpu, online);
    if (!error && !online)
        machine_check_operation_on_core("core_offline", op.cpu.cpu);
    return error;
}

static int64_t cpu_online(struct hypercall *call)
{
    return set_online(call, true);
}

static int64_t cpu_offline(struct hypercall *call)
{
    return set_online(call, false);
}

static const struct hypercall_row commands[] = {
    { PLATFORM_CPU_ONLINE, "cpu_online", cpu_online, CALLER_CONTROL },
    { PLATFORM_CPU_OFFLINE, "cpu_offline", cpu_offline, CALLER_CONTROL },
    { PLATFORM_HV_SPARE, "hv_spare", platform_spare, CALLER_CONTROL },
    { PLATFORM_HV_CPUID_MASK, "hv_cpuid_mask", set_mask, CALLER_CONTROL },
};

int64_t hypercall_platform_op(struct hypercall *call)
{
    uint32_t head[2]; /* command, interface version */

    if (!hypercall_copy_in(call, head, call->argument[0], sizeof(head)))
        return -XEN_EFAULT;
    if (head[1] != PLATFORM_INTERFACE_VERSION)
        return -XEN_EACCES;
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), head[0]);
}
