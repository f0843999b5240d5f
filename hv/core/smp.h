/* SPDX-License-Identifier: MIT */
/* Starting the other cores: INIT, SIPI, a trampoline below 1 MiB (APM2 15.27.8 and 16.5). */
#ifndef HV_CORE_SMP_H
#define HV_CORE_SMP_H

#include <stdint.h>

#include "hv/core/acpi.h"

/*
 * On the boot core. Start the cores of the topology other than this one, at most `maxcpus` in all; each runs
 * `main` with its index once its own tables, GS and local APIC are up. Returns when all have answered or given up.
 */
void smp_start_cores(const struct acpi_topology *topology, unsigned maxcpus, uint32_t ticks_per_ms,
                     void (*main)(unsigned index));

#endif
