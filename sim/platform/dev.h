/* SPDX-License-Identifier: MIT */
/*
 * The device exclusion vector's registers of one northbridge (BKDG10 F3xF0-F8, fact sheet 3.15), and what SKINIT makes
 * of them: SLDEV, which keeps devices off the 64 KiB of the secure loader. The tables of the eight domains protect
 * nothing here: no device of the model reaches memory through them.
 */
#ifndef FAM10H_PLATFORM_DEV_H
#define FAM10H_PLATFORM_DEV_H

#include "sim/addr.h"
#include "sim/state.h"
#include "sim/unmodelled.h"

#define DEV_FIRST 0xF0u /* F3xF0 to F3xFB */
#define DEV_END 0xFCu
#define LOADER_BYTES 0x10000u

struct dev {
    bool present;      /* gone from revision D on: there SLDEV has no register */
    uint32_t index;    /* F3xF4 */
    uint32_t control;  /* DevFunction 4 */
    bool guards;       /* the loader at `loader` is protected */
    uint64_t loader;
    struct unmodelled *unmodelled;
};

void dev_init(struct dev *dev, bool present, struct unmodelled *unmodelled);
void dev_reset(struct dev *dev);
uint32_t dev_read(const struct dev *dev, unsigned offset);
/* `written` to the bytes of `lanes`. */
void dev_write(struct dev *dev, unsigned offset, uint32_t written, uint32_t lanes);
/* SKINIT: control bits 2 and 5. */
void dev_guard_loader(struct dev *dev, spa_t loader);
bool dev_blocks(const struct dev *dev, spa_t page);

#define DEV_STATE(type, member) \
    STATE_VALUE(type, member.index), STATE_VALUE(type, member.control), STATE_VALUE(type, member.guards), \
    STATE_VALUE(type, member.loader)

#endif
