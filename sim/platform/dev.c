/* SPDX-License-Identifier: MIT */
#include "sim/platform/dev.h"

#include "sim/bits.h"

#define DEV_HEADER 0xF0
#define DEV_INDEX 0xF4
#define DEV_DATA 0xF8
#define HEADER UINT32_C(0x0010000F)  /* capability 0Fh, DEV, with machine-check reporting */
#define FUNCTION 15, 8
enum { DEV_CAPABILITIES = 3, DEV_CONTROL = 4 };
#define CAPABILITIES UINT32_C(0x00040800) /* 8 domains, 4 maps */
#define CONTROL_RESET UINT32_C(2)
#define CONTROL_ENABLE BIT(0)
#define CONTROL_IO_DISABLE BIT(2)
#define CONTROL_SLDEV BIT(5)
#define CONTROL_WRITABLE (BIT(0) | BIT(2) | BIT(3) | BIT(5) | BIT(6)) /* bit 4, DevInv, clears itself */

void dev_init(struct dev *dev, bool present, struct unmodelled *unmodelled)
{
    dev->present = present;
    dev->unmodelled = unmodelled;
    dev_reset(dev);
}

void dev_reset(struct dev *dev)
{
    dev->index = 0;
    dev->control = dev->present ? CONTROL_RESET : 0;
    dev->guards = false;
    dev->loader = 0;
}

uint32_t dev_read(const struct dev *dev, unsigned offset)
{
    unsigned function = (unsigned)bits(dev->index, FUNCTION);

    if (!dev->present)
        return 0;
    if (offset == DEV_HEADER)
        return HEADER;
    if (offset == DEV_INDEX)
        return dev->index;
    return function == DEV_CAPABILITIES ? CAPABILITIES : function == DEV_CONTROL ? dev->control : 0;
}

static void write_data(struct dev *dev, uint32_t written, uint32_t lanes)
{
    unsigned function = (unsigned)bits(dev->index, FUNCTION);
    uint32_t writable = (uint32_t)CONTROL_WRITABLE & lanes;

    if (function == DEV_CAPABILITIES)
        return;
    if (function != DEV_CONTROL) {
        unmodelled_note(dev->unmodelled, "write of F3xF8 (DEV domains, maps and errors)");
        return;
    }
    dev->control = (dev->control & ~writable) | (written & writable);
    dev->guards = dev->guards && (dev->control & CONTROL_SLDEV);
    if (dev->control & CONTROL_ENABLE)
        unmodelled_note(dev->unmodelled, "DEV protection domains (DevEn)");
}

void dev_write(struct dev *dev, unsigned offset, uint32_t written, uint32_t lanes)
{
    if (dev->present && offset == DEV_INDEX)
        dev->index = ((dev->index & ~lanes) | (written & lanes)) & 0xFFFF;
    else if (dev->present && offset == DEV_DATA)
        write_data(dev, written, lanes);
}

void dev_guard_loader(struct dev *dev, spa_t loader)
{
    if (dev->present)
        dev->control |= (uint32_t)(CONTROL_IO_DISABLE | CONTROL_SLDEV);
    dev->guards = true; /* assumed: where there is no DEV, until the next reset */
    dev->loader = loader;
}

bool dev_blocks(const struct dev *dev, spa_t page)
{
    return dev->guards && page - dev->loader < LOADER_BYTES;
}
