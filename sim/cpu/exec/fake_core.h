/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for what core.c gives, so that semantics can be tested without a whole core. Weak: where the
 * real ones are linked, they win.
 */
#ifndef FAM10H_CPU_EXEC_FAKE_CORE_H
#define FAM10H_CPU_EXEC_FAKE_CORE_H

#include "sim/cpu/core.h"

__attribute__((weak)) void core_touch_clock(struct core *core)
{
    core_attention(core);
}

__attribute__((weak)) void core_observe_time(struct core *core)
{
    (void)core;
}

__attribute__((weak)) void core_touch_devices(struct core *core)
{
    core_touch_clock(core);
}

__attribute__((weak)) void core_mode_changed(struct core *core, bool paging)
{
    (void)core;
    (void)paging;
}

__attribute__((weak)) void core_debug_changed(struct core *core)
{
    (void)core;
}

__attribute__((weak)) uint64_t core_now_ps(const struct core *core)
{
    return core->cycles;
}

#endif
