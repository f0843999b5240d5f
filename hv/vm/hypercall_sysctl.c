/* SPDX-License-Identifier: MIT */
/* sysctl perfc_op: hv's own counts, for comparison with the simulator's. */
#include "hv/vm/hypercall.h"

#include "hv/core/format.h"
#include "hv/vm/report.h"

static bool put_counter(const struct hypercall *call, const struct sysctl_perfc_op *op, uint32_t index, unsigned reason,
                        uint64_t value)
{
    struct sysctl_perfc_desc desc = { .nr_vals = 1 };
    const char *name = svm_exit_name(counts_exitcode(reason));
    uint32_t low = (uint32_t)value; /* Xen's counters have 32 bits */

    if (name)
        format_text(desc.name, sizeof(desc.name), "vmexits %s", name);
    else
        format_text(desc.name, sizeof(desc.name), "vmexits VMEXIT_%03x", reason);
    return hypercall_copy_out(call, op->desc + index * sizeof(desc), &desc, sizeof(desc)) &&
           hypercall_copy_out(call, op->val + index * sizeof(low), &low, sizeof(low));
}

static int64_t query(const struct hypercall *call, struct sysctl_perfc_op *op)
{
    uint32_t count = 0;

    for (unsigned reason = 0; reason < EXIT_COUNT_REASONS; reason++) {
        uint64_t value = report_total(reason).count;

        if (!value)
            continue;
        if (op->desc && op->val && !put_counter(call, op, count, reason, value))
            return -XEN_EFAULT;
        count++;
    }
    op->nr_counters = op->nr_vals = count;
    return hypercall_copy_out(call, call->argument[0], op, sizeof(*op)) ? 0 : -XEN_EFAULT;
}

int64_t hypercall_sysctl(const struct hypercall *call)
{
    struct sysctl_perfc_op op;

    if (!hypercall_copy_in(call, &op, call->argument[0], sizeof(op)))
        return -XEN_EFAULT;
    if (op.cmd != SYSCTL_PERFC_OP || op.op != SYSCTL_PERFC_OP_QUERY)
        return -XEN_ENOSYS;
    return query(call, &op);
}
