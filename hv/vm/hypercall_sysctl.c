/* SPDX-License-Identifier: MIT */
/* sysctl: the machine as a whole. Counts (perfc_op) may be read by any guest as long as there is no control domain. */
#include "hv/abi/control.h"
#include "hv/core/clock.h"
#include "hv/core/format.h"
#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/core/text.h"
#include "hv/vm/domain_info.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/machine_check_counts.h"
#include "hv/vm/map_counts.h"
#include "hv/vm/modules.h"
#include "hv/vm/page_offline.h"
#include "hv/vm/report.h"

static bool get(const struct hypercall *call, struct sysctl *op)
{
    return hypercall_copy_in(call, op, call->argument[0], sizeof(*op));
}

static int64_t put(const struct hypercall *call, const struct sysctl *op)
{
    return hypercall_copy_out(call, call->argument[0], op, sizeof(*op)) ? 0 : -XEN_EFAULT;
}

/* ---- perfc_op: hv's own counts, for comparison with the simulator's --------------------------------------- */

/* Counters come by number: exit reasons, what changed in the memory maps, machine checks. */
#define MAP_FIRST EXIT_COUNT_REASONS
#define MACHINE_CHECK_FIRST (MAP_FIRST + MAP_COUNTS)
#define COUNTERS (MACHINE_CHECK_FIRST + MACHINE_CHECK_COUNTERS)

static uint64_t counter_value(unsigned index)
{
    if (index < EXIT_COUNT_REASONS)
        return report_total(index).count;
    if (index >= MACHINE_CHECK_FIRST)
        return machine_check_counter((enum machine_check_counter)(index - MACHINE_CHECK_FIRST));
    return map_count_total((enum map_count)(index - MAP_FIRST));
}

static void name_counter(unsigned index, char *name, size_t size)
{
    const char *exit = index < EXIT_COUNT_REASONS ? svm_exit_name(counts_exitcode(index)) : NULL;

    if (index >= MACHINE_CHECK_FIRST)
        machine_check_counter_name((enum machine_check_counter)(index - MACHINE_CHECK_FIRST), name, (unsigned)size);
    else if (index >= MAP_FIRST)
        format_text(name, size, "%s", map_count_names[index - MAP_FIRST]);
    else if (exit)
        format_text(name, size, "vmexits %s", exit);
    else
        format_text(name, size, "vmexits VMEXIT_%03x", index);
}

static bool put_counter(const struct hypercall *call, const struct sysctl_perfc_op *op, uint32_t index,
                        unsigned counter, uint64_t value)
{
    struct sysctl_perfc_desc desc = { .nr_vals = 1 };
    uint32_t low = (uint32_t)value; /* Xen's counters have 32 bits */

    name_counter(counter, desc.name, sizeof(desc.name));
    return hypercall_copy_out(call, op->desc + index * sizeof(desc), &desc, sizeof(desc)) &&
           hypercall_copy_out(call, op->val + index * sizeof(low), &low, sizeof(low));
}

static int64_t perfc(struct hypercall *call)
{
    struct sysctl op;
    uint32_t count = 0;

    if (!get(call, &op))
        return -XEN_EFAULT;
    if (op.perfc_op.op != PERFC_OP_QUERY)
        return -XEN_EINVAL; /* counts are never set back: the report is made of them */
    for (unsigned counter = 0; counter < COUNTERS; counter++) {
        uint64_t value = counter_value(counter);

        if (!value)
            continue;
        if (op.perfc_op.desc && op.perfc_op.val && !put_counter(call, &op.perfc_op, count, counter, value))
            return -XEN_EFAULT;
        count++;
    }
    op.perfc_op.nr_counters = op.perfc_op.nr_vals = count;
    return put(call, &op);
}

/* ---- The control domain's -------------------------------------------------------------------------------- */

static int64_t read_console(struct hypercall *call)
{
    struct sysctl op;
    char bytes[128];
    uint64_t from;
    uint32_t done = 0;

    if (!get(call, &op))
        return -XEN_EFAULT;
    from = op.readconsole.incremental ? op.readconsole.index : 0;
    while (done < op.readconsole.count) {
        uint32_t room = op.readconsole.count - done;
        size_t piece = console_history(&from, bytes, room < sizeof(bytes) ? room : sizeof(bytes));

        if (!piece)
            break;
        if (!hypercall_copy_out(call, op.readconsole.buffer + done, bytes, piece))
            return -XEN_EFAULT;
        done += (uint32_t)piece;
    }
    op.readconsole.count = done;
    op.readconsole.index = (uint32_t)from;
    return put(call, &op);
}

static unsigned count_nodes(void)
{
    unsigned highest = 0;

    for (unsigned i = 0; i < percore_count; i++)
        if (percores[i].node > highest)
            highest = percores[i].node;
    return highest + 1;
}

static int64_t physinfo(struct hypercall *call)
{
    struct sysctl op;
    struct sysctl_physinfo *info = &op.physinfo;

    if (!get(call, &op))
        return -XEN_EFAULT;
    *info = (struct sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = (cpuid(0x80000008, 0).ecx & 0xFF) + 1,
        .nr_cpus = percore_count,
        .max_cpu_id = percore_count - 1,
        .nr_nodes = count_nodes(),
        .max_node_id = count_nodes() - 1,
        .cpu_khz = clock_khz(),
        .capabilities = PHYSCAP_HVM | (domain_info_has_hap() ? PHYSCAP_HAP : 0),
        .total_pages = memory_total_frames(),
        .free_pages = memory_free_frames(),
        .max_frame = memory_end() / PAGE_SIZE - 1,
        .hw_cap = { cpuid(1, 0).edx, cpuid(1, 0).ecx, cpuid(0x80000001, 0).edx, cpuid(0x80000001, 0).ecx },
    };
    return put(call, &op);
}

static int64_t scheduler_id(struct hypercall *call)
{
    struct sysctl op;

    if (!get(call, &op))
        return -XEN_EFAULT;
    op.sched_id.sched_id = SCHEDULER_CREDIT;
    return put(call, &op);
}

static int64_t domain_list(struct hypercall *call)
{
    struct sysctl op;
    uint32_t count = 0;
    unsigned domid;

    if (!get(call, &op))
        return -XEN_EFAULT;
    domid = op.getdomaininfolist.first;
    while (count < op.getdomaininfolist.max) {
        struct domctl_getdomaininfo info;

        if (!domain_info_next(domid, &info))
            break;
        if (!hypercall_copy_out(call, op.getdomaininfolist.buffer + count * sizeof(info), &info, sizeof(info)))
            return -XEN_EFAULT;
        domid = info.domain + 1u;
        count++;
    }
    op.getdomaininfolist.count = count;
    return put(call, &op);
}

static int64_t module_text(struct hypercall *call)
{
    struct sysctl op;
    const char *string;
    uint32_t size;

    if (!get(call, &op))
        return -XEN_EFAULT;
    if (!module_at(op.hv_module.index))
        return -XEN_ENOENT;
    string = module_string(op.hv_module.index);
    size = (uint32_t)text_length(string) + 1;
    if (op.hv_module.size < size)
        return -XEN_ENOSPC;
    op.hv_module.size = size;
    return hypercall_copy_out(call, op.hv_module.string, string, size) ? put(call, &op) : -XEN_EFAULT;
}

static const struct hypercall_row commands[] = {
    { SYSCTL_READCONSOLE, "readconsole", read_console, CALLER_CONTROL },
    { SYSCTL_PHYSINFO, "physinfo", physinfo, CALLER_CONTROL },
    { SYSCTL_SCHED_ID, "sched_id", scheduler_id, CALLER_CONTROL },
    { SYSCTL_PERFC_OP, "perfc_op", perfc, CALLER_ANY },
    { SYSCTL_GETDOMAININFOLIST, "getdomaininfolist", domain_list, CALLER_CONTROL },
    { SYSCTL_PAGE_OFFLINE, "page_offline_op", sysctl_page_offline, CALLER_CONTROL },
    { SYSCTL_HV_MODULE, "hv_module", module_text, CALLER_CONTROL },
};

int64_t hypercall_sysctl(struct hypercall *call)
{
    uint32_t head[2]; /* command, interface version */

    if (!hypercall_copy_in(call, head, call->argument[0], sizeof(head)))
        return -XEN_EFAULT;
    if (!call->control && guest_by_domid(DOMID_CONTROL))
        return -XEN_EPERM;
    if (head[1] != CONTROL_INTERFACE_VERSION)
        return -XEN_EACCES; /* Xen's answer to a tool of another version */
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), head[0]);
}
