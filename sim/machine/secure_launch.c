/* SPDX-License-Identifier: MIT */
/* What SKINIT asks of the rest of the machine (APM2 15.27): the other cores in INIT, and SLDEV. */
#include "sim/machine/machine_private.h"

/* Every other core waits for SIPI: they are marked, so that the SIPI starts them securely too. */
static bool handshake(struct machine *machine, unsigned core)
{
    for (unsigned i = 0; i < machine->core_count; i++)
        if (i != core && !core_is_in_init(machine->core[i]))
            return false;
    for (unsigned i = 0; i < machine->core_count; i++)
        if (i != core)
            core_secure_startup(machine->core[i]);
    return true;
}

static bool begin(void *ctx, unsigned core, spa_t loader)
{
    struct machine *machine = ctx;

    platform_guard_loader(machine->platform, loader);
    return handshake(machine, core);
}

struct secure_launch secure_launch_port(struct machine *machine)
{
    return (struct secure_launch){ machine, begin };
}
