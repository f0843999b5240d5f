/* SPDX-License-Identifier: MIT */
#include "hv/vm/paging_choice.h"

enum paging_mode paging_choose(bool processor, bool boot, bool guest)
{
    return processor && boot && guest ? PAGING_NESTED : PAGING_SHADOW;
}

const char *paging_boot_line(bool processor, bool boot)
{
    if (!processor)
        return "nested paging is not supported: guests get shadow paging";
    return boot ? "nested paging is enabled" : "nested paging is supported but disabled (hap=off)";
}
