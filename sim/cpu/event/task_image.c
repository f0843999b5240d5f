/* SPDX-License-Identifier: MIT */
#include "sim/cpu/event/task.h"

#include <string.h>

static uint64_t get(const uint8_t *bytes, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, bytes + offset, size);
    return value;
}

static void put(uint8_t *bytes, unsigned offset, unsigned size, uint64_t value)
{
    memcpy(bytes + offset, &value, size);
}

void task_image_decode(struct task_image *image, const uint8_t *bytes, bool wide)
{
    unsigned size = wide ? 4 : 2, at = wide ? TSS32_SAVED : TSS16_SAVED, segments = wide ? 6 : 4;

    memset(image, 0, sizeof(*image));
    image->cr3 = wide ? get(bytes, 0x1C, 4) : 0;
    image->rip = get(bytes, at, size);
    image->rflags = get(bytes, at + size, size);
    at += 2 * size;
    for (unsigned i = 0; i < 8; i++, at += size)
        image->gpr[i] = get(bytes, at, size);
    for (unsigned i = 0; i < segments; i++, at += size) /* a 16-bit TSS has no FS and GS: null */
        image->selector[i] = (uint16_t)get(bytes, at, 2);
    image->ldt = (uint16_t)get(bytes, at, 2);
    image->trap = wide && bit(bytes[0x64], 0);
}

void task_image_encode(const struct task_image *image, uint8_t *bytes, bool wide)
{
    unsigned size = wide ? 4 : 2, at = 2 * size, segments = wide ? 6 : 4;

    put(bytes, 0, size, image->rip);
    put(bytes, size, size, image->rflags);
    for (unsigned i = 0; i < 8; i++, at += size)
        put(bytes, at, size, image->gpr[i]);
    for (unsigned i = 0; i < segments; i++, at += size)
        put(bytes, at, size, image->selector[i]); /* the upper words of a 32-bit TSS become 0 */
}
