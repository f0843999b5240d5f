/* SPDX-License-Identifier: MIT */
#include "hv/vm/online_spare.h"

#include "hv/abi/control.h"
#include "hv/core/memory.h"
#include "hv/core/pci_config.h"
#include "hv/core/percore.h"
#include "hv/mca/dram_map.h"

#define SPARE_CONTROL 0xB0
#define DCTS 2
#define CHIP_SELECTS 8
#define SWAP_ENABLE(dct) (1u << (2 * (dct)))
#define SWAP_DONE(dct) (2u << (2 * (dct)))
#define BAD_SHIFT(dct) (4 + 4 * (dct))

static uint32_t read(void *ctx, unsigned node, unsigned function, unsigned reg)
{
    (void)ctx;
    if (reg < 0x100)
        return pci_config_read(PCI_NORTHBRIDGE(node), function, reg);
    return pci_config_read_extended(PCI_NORTHBRIDGE(node), function, reg);
}

static bool has_node(unsigned node)
{
    for (unsigned i = 0; i < percore_count; i++)
        if (percores[i].node == node)
            return true;
    return false;
}

static int64_t begin(const struct platform_hv_spare *op, uint32_t control)
{
    if (control & SWAP_ENABLE(op->dct)) /* once until reset */
        return -XEN_EBUSY;
    control &= ~(7u << BAD_SHIFT(op->dct));
    pci_config_write(PCI_NORTHBRIDGE(op->node), 3, SPARE_CONTROL,
                     control | op->chip_select << BAD_SHIFT(op->dct) | SWAP_ENABLE(op->dct));
    return 0;
}

static int64_t find(struct platform_hv_spare *op)
{
    struct dram_place place;

    if (!dram_map_find(op->frame << PAGE_SHIFT, read, NULL, &place))
        return -XEN_ENOENT;
    op->node = place.node;
    op->dct = place.dct;
    op->chip_select = place.chip_select;
    return 0;
}

int64_t platform_spare(struct hypercall *call)
{
    struct platform_op op;
    struct platform_hv_spare *spare = &op.hv_spare;
    int64_t error = 0;

    if (!hypercall_copy_in(call, &op, call->argument[0], sizeof(op)))
        return -XEN_EFAULT;
    if (spare->op == HV_SPARE_FIND)
        error = find(spare);
    else if (spare->op != HV_SPARE_BEGIN && spare->op != HV_SPARE_QUERY)
        error = -XEN_EINVAL;
    if (!error && (spare->dct >= DCTS || spare->chip_select >= CHIP_SELECTS || !has_node(spare->node)))
        error = -XEN_EINVAL;
    if (!error && spare->op == HV_SPARE_BEGIN)
        error = begin(spare, read(NULL, spare->node, 3, SPARE_CONTROL));
    if (error)
        return error;
    spare->control = read(NULL, spare->node, 3, SPARE_CONTROL);
    spare->done = !!(spare->control & SWAP_DONE(spare->dct));
    return hypercall_copy_out(call, call->argument[0], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}
