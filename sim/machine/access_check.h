/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor itself must not do, seen access by access (machine_check_kernel): see struct machine_finding.
 * Guests are watched only for what they initialise. A checked machine runs the hypervisor's code as the reference
 * engine does, with the same counts, slower.
 */
#ifndef FAM10H_MACHINE_ACCESS_CHECK_H
#define FAM10H_MACHINE_ACCESS_CHECK_H

#include "sim/machine/machine.h"

struct access_check;

struct access_check *access_check_new(struct machine *machine, const struct machine_check_rules *rules);
void access_check_free(struct access_check *check);
/* Memory is as after a reset; next the loader stores the images. */
void access_check_reset(struct access_check *check);
/* They are stored: the kernel may run. */
void access_check_start(struct access_check *check, const struct image *kernel);
/* The machine's state came from a snapshot: nothing is known of who wrote what, the checks end. */
void access_check_end(struct access_check *check);
/* Anybody's store of DRAM. */
void access_check_stored(struct access_check *check, spa_t address, unsigned size);
const struct machine_finding *access_check_findings(const struct access_check *check, size_t *count);

#endif
