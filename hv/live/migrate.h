/* SPDX-License-Identifier: MIT */
/*
 * Live migration by pre-copy (hypervisor-features.md A11): log-dirty on, all pages once, then round by round what was
 * written meanwhile, until little is left or it does not get less; then the guest stops, the rest and its state
 * follow, and it goes on at the other end. Until then it is unharmed here, whatever happens to the other end.
 * A paravirtual guest suspends itself first and is copied while it stands still (hv/live/pv_state.h).
 */
#ifndef HV_LIVE_MIGRATE_H
#define HV_LIVE_MIGRATE_H

#include "hv/abi/control.h"
#include "hv/vm/hypercall.h"

/* After an interrupt of the link. */
void migrate_link_work(void);

/*
 * domctl hv_migrate, to a new domain of this machine: one batch of pages, then the caller's VMMCALL repeats itself
 * (call->again), so that others run in between. Called with domctl's lock held; one migration at a time.
 */
int64_t migrate_domctl(struct hypercall *call, struct guest *source, struct domctl_hv_migrate *op);

/* Just before a domain is destroyed, with domctl's lock held: its move, if one is under way, ends at both ends. */
void migrate_source_destroyed(const struct guest *guest);

#endif
