/* SPDX-License-Identifier: MIT */
/* An error as guests read it: records one behind the other in a struct mca_info, in either version. Pure. */
#ifndef HV_MCA_RECORD_H
#define HV_MCA_RECORD_H

#include "hv/abi/mca.h"
#include "hv/mca/classify.h"

/* What else a record tells. */
struct mca_telling {
    uint16_t domid, vcpu; /* impacted */
    uint32_t socket, apic_id;
    uint16_t core;        /* within its socket */
    uint32_t flags;       /* MCA_GLOBAL_ beside those that the error says by itself */
    bool recovered;       /* a recovery record follows: hv has healed */
    uint64_t frame;       /* that it took out of use */
};

void mca_record_v1(struct mca_info *info, const struct mca_error *error, const struct mca_telling *telling);
void mca_record_v2(struct mca_info *info, const struct mca_error *error, const struct mca_telling *telling);
/* The next record after `at` (NULL: the first) of an info in version 1 or 2; NULL: there is none. */
const struct mca_common *mca_record_next(const struct mca_info *info, unsigned version, const struct mca_common *at);
/* Whether a v1 record names this domain and vCPU in its global part. */
bool mca_record_names(const struct mca_info *info, uint16_t domid, uint16_t vcpu);
/* For a DomU's eyes (v1): addresses in its own terms, no owner. `gpa` of each bank of the error; ~0: not its own. */
void mca_record_translate(struct mca_info *info, uint64_t (*to_gpa)(void *ctx, uint64_t spa), void *ctx);

#endif
