/* SPDX-License-Identifier: MIT */
#include "sim/platform/loader/plan.h"

/* Multiboot first: a hypervisor's image may have both a multiboot header and a PVH note (Xen's has). */
bool load_kernel(struct platform *platform, const struct image *kernel, const char *command_line,
                 const struct image *modules, size_t module_count, struct load_result *result, GError **error)
{
    if (image_is_bzimage(kernel))
        return load_bzimage(platform, kernel, command_line, modules, module_count, result, error);
    if (!image_is_multiboot(kernel) && image_is_pvh(kernel))
        return load_pvh(platform, kernel, command_line, modules, module_count, result, error);
    return load_multiboot(platform, kernel, command_line, modules, module_count, result, error);
}
