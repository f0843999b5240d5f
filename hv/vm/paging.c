/* SPDX-License-Identifier: MIT */
#include "hv/vm/paging.h"

#include "hv/core/options.h"
#include "hv/vm/paging_choice.h"

static bool processor_has, boot_wants;

void paging_init(const char *options, bool processor)
{
    processor_has = processor;
    boot_wants = option_flag(options, "hap", true);
    console_print("hv: %s", paging_boot_line(processor_has, boot_wants));
}

const struct paging *paging_of(bool guest_hap)
{
    return paging_choose(processor_has, boot_wants, guest_hap) == PAGING_NESTED ? &paging_nested : &paging_shadow;
}

void paging_flush(struct guest *guest)
{
    for (unsigned i = 0; guest->vcpus && i < guest->spec.vcpus; i++)
        svm_flush(&guest->vcpus[i].svm);
}
