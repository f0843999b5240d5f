/* SPDX-License-Identifier: MIT */
#include "hv/vm/modules.h"

#include <stddef.h>

#include "hv/core/memory.h"

static const struct multiboot_module *modules;
static unsigned count;

void modules_init(const struct multiboot_info *info)
{
    if (!(info->flags & MULTIBOOT_INFO_MODULES))
        return;
    modules = memory_pointer(info->mods_addr);
    count = info->mods_count;
}

unsigned modules_count(void)
{
    return count;
}

const struct multiboot_module *module_at(unsigned index)
{
    return index < count ? &modules[index] : NULL;
}

const char *module_string(unsigned index)
{
    return index < count ? memory_pointer(modules[index].string) : "";
}
