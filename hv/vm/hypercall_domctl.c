/* SPDX-License-Identifier: MIT */
/*
 * domctl: the control domain makes, rules and ends the others. One command at a time: control_lock keeps a guest that a
 * command has found alive until the command is over, because only destroydomain ends one.
 */
#include "hv/abi/control.h"
#include "hv/core/format.h"
#include "hv/core/percore.h"
#include "hv/core/text.h"
#include "hv/vm/control_memory.h"
#include "hv/vm/domain_info.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/machine_check_case.h"
#include "hv/vm/modules.h"
#include "hv/vm/schedule.h"

static struct lock control_lock;

static bool get(const struct hypercall *call, struct domctl *op)
{
    return hypercall_copy_in(call, op, call->argument[0], sizeof(*op));
}

static int64_t put(const struct hypercall *call, const struct domctl *op)
{
    return hypercall_copy_out(call, call->argument[0], op, sizeof(*op)) ? 0 : -XEN_EFAULT;
}

/* A guest other than the caller. */
static int64_t get_other(const struct hypercall *call, struct domctl *op, struct guest **guest)
{
    if (!get(call, op))
        return -XEN_EFAULT;
    if (op->domain == DOMID_SELF || op->domain == call->vcpu->guest->domid)
        return -XEN_EINVAL;
    *guest = guest_by_domid(op->domain);
    return *guest ? 0 : -XEN_ESRCH;
}

static int64_t get_any(const struct hypercall *call, struct domctl *op, struct guest **guest)
{
    if (!get(call, op))
        return -XEN_EFAULT;
    *guest = hypercall_guest(call, op->domain);
    return *guest ? 0 : -XEN_ESRCH;
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

static int64_t create(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;

    if (!get(call, &op))
        return -XEN_EFAULT;
    if (!(op.createdomain.flags & DOMCTL_CDF_HVM))
        return -XEN_EINVAL; /* paravirtual guests are not built */
    if (op.createdomain.max_vcpus < 1 || op.createdomain.max_vcpus > GUEST_VCPUS_MAX)
        return -XEN_EINVAL;
    guest = guest_claim(false);
    if (!guest)
        return -XEN_ENOMEM;
    guest->vcpus_allowed = op.createdomain.max_vcpus;
    guest_set_created(guest);
    op.domain = guest->domid;
    return put(call, &op);
}

/* A domain that is created and not built: nobody else's until guest_set_created. */
static int64_t get_created(const struct hypercall *call, struct domctl *op, struct guest **guest)
{
    if (!get(call, op))
        return -XEN_EFAULT;
    *guest = guest_take_created(op->domain);
    if (*guest)
        return 0;
    return guest_by_domid(op->domain) ? -XEN_EINVAL : -XEN_ESRCH;
}

/* A created domain has a limit only; memory comes with its build. */
static int64_t max_mem(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_created(call, &op, &guest);

    if (error)
        return error;
    guest->memory_allowed = op.max_mem.kib << 10;
    guest_set_created(guest);
    return 0;
}

static int64_t max_vcpus(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_created(call, &op, &guest);

    if (error)
        return error;
    if (op.max_vcpus.max >= 1 && op.max_vcpus.max <= GUEST_VCPUS_MAX)
        guest->vcpus_allowed = op.max_vcpus.max;
    else
        error = -XEN_EINVAL;
    guest_set_created(guest);
    return error;
}

/* From one of the loader's modules. The domain is alive and paused then, or, when something is wrong, gone. */
static int64_t build(struct hypercall *call)
{
    static char string[GUEST_STRING_MAX]; /* control_lock */
    const struct multiboot_module *module;
    struct guest *guest;
    struct domctl op;
    const char *wrong;

    if (!get(call, &op))
        return -XEN_EFAULT;
    module = module_at(op.hv_build.module);
    if (!module)
        return -XEN_ENOENT;
    if (op.hv_build.string_length >= sizeof(string))
        return -XEN_E2BIG;
    if (!hypercall_copy_in(call, string, op.hv_build.string, op.hv_build.string_length))
        return -XEN_EFAULT;
    string[op.hv_build.string_length] = '\0';
    guest = guest_take_created(op.domain);
    if (!guest)
        return guest_by_domid(op.domain) ? -XEN_EEXIST : -XEN_ESRCH;
    guest->pauses = 1;
    wrong = guest_build(guest, module, string);
    if (!wrong)
        return 0;
    format_text(op.hv_build.reason, sizeof(op.hv_build.reason), "%s", wrong);
    return put(call, &op) ? -XEN_EFAULT : -XEN_EINVAL;
}

static const struct hypercall_mover *mover;

void hypercall_domctl_init(const struct hypercall_mover *who)
{
    mover = who;
}

static int64_t destroy(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_other(call, &op, &guest);

    if (!error) {
        machine_check_operation("destroydomain", guest, MACHINE_CHECK_ALL_FRAMES, 0, true);
        mover->destroyed(guest);
        guest_destroy(guest);
        return 0;
    }
    if (error != -XEN_ESRCH)
        return error;
    guest = guest_take_created(op.domain);
    if (guest)
        guest_forget(guest);
    return guest ? 0 : -XEN_ESRCH;
}

static int64_t pause(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_other(call, &op, &guest);

    if (error)
        return error;
    schedule_pause(guest);
    machine_check_operation("pausedomain", guest, MACHINE_CHECK_ALL_FRAMES, 0, false);
    return 0;
}

static int64_t unpause(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_other(call, &op, &guest);

    if (error)
        return error;
    if (!guest->pauses)
        return -XEN_EINVAL;
    schedule_unpause(guest);
    machine_check_operation("unpausedomain", guest, MACHINE_CHECK_ALL_FRAMES, 0, false);
    return 0;
}

/* ---- What there is --------------------------------------------------------------------------------------- */

/* Of the domain, or of the next one above that number: that is how all are found. */
static int64_t get_info(struct hypercall *call)
{
    struct domctl op;
    unsigned first;

    if (!get(call, &op))
        return -XEN_EFAULT;
    first = op.domain == DOMID_SELF ? call->vcpu->guest->domid : op.domain;
    if (!domain_info_next(first, &op.getdomaininfo))
        return -XEN_ESRCH;
    op.domain = op.getdomaininfo.domain;
    return put(call, &op);
}

static int64_t get_vcpu_info(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_any(call, &op, &guest);

    if (error)
        return error;
    if (op.getvcpuinfo.vcpu >= guest->spec.vcpus)
        return -XEN_ESRCH;
    domain_info_vcpu(&guest->vcpus[op.getvcpuinfo.vcpu], &op.getvcpuinfo);
    return put(call, &op);
}

/* ---- Scheduling ------------------------------------------------------------------------------------------ */

static int64_t put_cores(const struct hypercall *call, const struct control_bitmap *map, uint64_t cores)
{
    uint32_t bytes = (map->count + 7) / 8 < sizeof(cores) ? (map->count + 7) / 8 : (uint32_t)sizeof(cores);

    return hypercall_copy_out(call, map->bits, &cores, bytes) ? 0 : -XEN_EFAULT;
}

static int64_t get_affine(const struct hypercall *call, struct domctl *op, struct vcpu **vcpu)
{
    struct guest *guest;
    int64_t error = get_any(call, op, &guest);

    if (error)
        return error;
    if (op->vcpuaffinity.vcpu >= guest->spec.vcpus)
        return -XEN_ESRCH;
    if (op->vcpuaffinity.flags != AFFINITY_HARD)
        return -XEN_EOPNOTSUPP; /* soft affinity is a hint: nobody here would take it */
    *vcpu = &guest->vcpus[op->vcpuaffinity.vcpu];
    return 0;
}

static int64_t set_affinity(struct hypercall *call)
{
    struct domctl op;
    struct vcpu *vcpu;
    uint64_t cores = 0;
    int64_t error = get_affine(call, &op, &vcpu);
    const struct control_bitmap *map = &op.vcpuaffinity.hard;

    if (error)
        return error;
    if (!hypercall_copy_in(call, &cores, map->bits, map->count >= 64 ? sizeof(cores) : (map->count + 7) / 8))
        return -XEN_EFAULT;
    if (map->count < 64)
        cores &= (1ull << map->count) - 1;
    cores = schedule_set_affinity(vcpu, cores);
    return cores ? put_cores(call, map, cores) : -XEN_EINVAL;
}

static int64_t get_affinity(struct hypercall *call)
{
    struct domctl op;
    struct vcpu *vcpu;
    int64_t error = get_affine(call, &op, &vcpu);

    return error ? error : put_cores(call, &op.vcpuaffinity.hard, vcpu->affinity);
}

static int64_t scheduler(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_any(call, &op, &guest);

    if (error)
        return error;
    if (op.scheduler_op.scheduler != SCHEDULER_CREDIT)
        return -XEN_EINVAL;
    if (op.scheduler_op.command == SCHEDOP_GET_INFO) {
        op.scheduler_op.weight = guest->share.weight;
        op.scheduler_op.cap = guest->share.cap;
        return put(call, &op);
    }
    if (op.scheduler_op.command != SCHEDOP_PUT_INFO)
        return -XEN_EINVAL;
    if (op.scheduler_op.weight) /* 0, and FFFFh: leave it */
        guest->share.weight = op.scheduler_op.weight;
    if (op.scheduler_op.cap != UINT16_MAX)
        guest->share.cap = op.scheduler_op.cap;
    return 0;
}

/* ---- Memory ---------------------------------------------------------------------------------------------- */

/* A paravirtual guest's map is its own tables, which hv does not rewrite behind its back. */
static int64_t get_translated(const struct hypercall *call, struct domctl *op, struct guest **guest)
{
    int64_t error = get_other(call, op, guest);

    return error ? error : (*guest)->pv ? -XEN_EOPNOTSUPP : 0;
}

static int64_t shadow(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_translated(call, &op, &guest);

    if (!error)
        error = control_shadow_op(call, guest, &op.shadow_op);
    return error ? error : put(call, &op);
}

static int64_t migrate(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_other(call, &op, &guest);

    if (!error)
        error = mover->migrate(call, guest, &op.hv_migrate);
    if (call->again || (error && error != -XEN_EIO))
        return error;
    return put(call, &op) ? -XEN_EFAULT : error;
}

static int64_t memory(struct hypercall *call)
{
    struct domctl op;
    struct guest *guest;
    int64_t error = get_other(call, &op, &guest);

    if (!error)
        error = guest->pv ? control_pv_memory(call, guest, &op.hv_memory) : control_hv_memory(guest, &op.hv_memory);
    return error || call->again ? error : put(call, &op);
}

/* ---------------------------------------------------------------------------------------------------------- */

static const struct hypercall_row commands[] = {
    { DOMCTL_CREATEDOMAIN, "createdomain", create, CALLER_CONTROL },
    { DOMCTL_DESTROYDOMAIN, "destroydomain", destroy, CALLER_CONTROL },
    { DOMCTL_PAUSEDOMAIN, "pausedomain", pause, CALLER_CONTROL },
    { DOMCTL_UNPAUSEDOMAIN, "unpausedomain", unpause, CALLER_CONTROL },
    { DOMCTL_GETDOMAININFO, "getdomaininfo", get_info, CALLER_CONTROL },
    { DOMCTL_SETVCPUAFFINITY, "setvcpuaffinity", set_affinity, CALLER_CONTROL },
    { DOMCTL_SHADOW_OP, "shadow_op", shadow, CALLER_CONTROL },
    { DOMCTL_MAX_MEM, "max_mem", max_mem, CALLER_CONTROL },
    { DOMCTL_GETVCPUINFO, "getvcpuinfo", get_vcpu_info, CALLER_CONTROL },
    { DOMCTL_MAX_VCPUS, "max_vcpus", max_vcpus, CALLER_CONTROL },
    { DOMCTL_SCHEDULER_OP, "scheduler_op", scheduler, CALLER_CONTROL },
    { DOMCTL_GETVCPUAFFINITY, "getvcpuaffinity", get_affinity, CALLER_CONTROL },
    { DOMCTL_HV_BUILD, "hv_build", build, CALLER_CONTROL },
    { DOMCTL_HV_MIGRATE, "hv_migrate", migrate, CALLER_CONTROL },
    { DOMCTL_HV_MEMORY, "hv_memory", memory, CALLER_CONTROL },
};

int64_t hypercall_domctl(struct hypercall *call)
{
    uint32_t head[2]; /* command, interface version */
    int64_t value;

    if (!hypercall_copy_in(call, head, call->argument[0], sizeof(head)))
        return -XEN_EFAULT;
    if (head[1] != CONTROL_INTERFACE_VERSION)
        return -XEN_EACCES;
    lock_acquire(&control_lock);
    value = hypercall_dispatch(call, HYPERCALL_ROWS(commands), head[0]);
    lock_release(&control_lock);
    return value;
}

bool hypercall_domctl_try_hold(void)
{
    return lock_try(&control_lock);
}

void hypercall_domctl_release(void)
{
    lock_release(&control_lock);
}
