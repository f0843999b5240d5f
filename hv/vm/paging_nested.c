/* SPDX-License-Identifier: MIT */
/* Nested paging: the processor walks guest->npt itself. */
#include "hv/vm/paging.h"

static bool guest_begin(struct guest *guest)
{
    (void)guest;
    return true;
}

static void guest_end(struct guest *guest)
{
    (void)guest;
}

static bool vcpu_begin(struct vcpu *vcpu)
{
    (void)vcpu;
    return true;
}

static void enter(struct vcpu *vcpu)
{
    (void)vcpu;
}

/* INVLPGA takes guest-virtual addresses only: a changed nested entry wants new ASIDs (APM2 15.16). */
static void lowered(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    (void)gpa;
    (void)bytes;
    paging_flush(guest);
}

static void written(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    (void)guest;
    (void)gpa;
    (void)bytes;
}

const struct paging paging_nested = {
    .name = "nested",
    .guest_begin = guest_begin,
    .guest_end = guest_end,
    .vcpu_begin = vcpu_begin,
    .enter = enter,
    .lowered = lowered,
    .written = written,
};

/* A paravirtual guest's own tables are the processor's; guest->npt only says what frames it has. */
const struct paging paging_pv = {
    .name = "paravirtual",
    .guest_begin = guest_begin,
    .guest_end = guest_end,
    .vcpu_begin = vcpu_begin,
    .enter = enter,
    .lowered = written,
    .written = written,
};
