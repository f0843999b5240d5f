/* SPDX-License-Identifier: MIT */
#include "hv/mca/record.h"

#include "hv/abi/xen.h"
#include "hv/core/text.h"

#define MSR_MC4_MISC1 0xC0000408u
#define UNTOLD ~0ull

static void begin(struct mca_info *info)
{
    text_zero(info, sizeof(*info));
}

/* Version 1 begins at offset 4: records lie as they come, so that they are copied, not pointed into. */
static bool append(struct mca_info *info, unsigned head, const struct mca_common *record)
{
    uint8_t *bytes = (uint8_t *)info, *at = bytes + head;

    for (uint32_t i = 0; i < info->nentries; i++)
        at += ((const struct mca_common *)(const void *)at)->size;
    if (at + record->size > bytes + sizeof(*info))
        return false;
    memcpy(at, record, record->size);
    info->nentries++;
    return true;
}

static uint32_t flags_of(const struct mca_error *error, const struct mca_telling *telling)
{
    uint32_t flags = telling->flags;
    bool uncorrected = false;

    for (unsigned i = 0; i < error->count; i++)
        uncorrected = uncorrected || error->bank[i].status & MCA_UC;
    flags |= uncorrected ? MCA_GLOBAL_UNCORRECTABLE : MCA_GLOBAL_CORRECTABLE;
    if (uncorrected && !mca_is_final(error))
        flags |= MCA_GLOBAL_RECOVERABLE;
    flags |= error->via == MCA_VIA_POLL ? MCA_GLOBAL_POLLED : error->via == MCA_VIA_THRESHOLD ? 0 : MCA_GLOBAL_MCE;
    return flags;
}

static uint16_t domid_of(const struct mca_bank *bank)
{
    return bank->owner == MCA_OWNER_DOM0 || bank->owner == MCA_OWNER_DOMU ? bank->domid : DOMID_SELF;
}

static void append_recovery(struct mca_info *info, unsigned head, const struct mca_error *error,
                            const struct mca_telling *telling)
{
    struct mca_recovery recovery = { .common = { MCA_RECORD_RECOVERY, sizeof(recovery) },
                                     .bank = error->count ? error->bank[0].number : 0,
                                     .action_flags = MCA_ACTION_RECOVERED, .action_types = MCA_ACTION_PAGE_OFFLINE,
                                     .page = { telling->frame, 0 } };

    if (telling->recovered)
        append(info, head, &recovery.common);
}

void mca_record_v1(struct mca_info *info, const struct mca_error *error, const struct mca_telling *telling)
{
    struct mca_global_v1 global = { .common = { MCA_RECORD_GLOBAL, sizeof(global) }, .domid = telling->domid,
                                    .socket = telling->socket, .core = telling->core, .vcpu = telling->vcpu,
                                    .gstatus = error->mcg_status, .flags = flags_of(error, telling) };
    struct mca_extended_v1 extended = { .common = { MCA_RECORD_EXTENDED, sizeof(extended) }, .count = MCA_EXTRA };

    begin(info);
    append(info, MCA_INFO_HEAD_V1, &global.common);
    for (unsigned i = 0; i < error->count; i++) {
        const struct mca_bank *from = &error->bank[i];
        struct mca_bank_v1 bank = { .common = { MCA_RECORD_BANK, sizeof(bank) }, .bank = from->number,
                                    .domid = domid_of(from), .status = from->status, .addr = from->addr,
                                    .misc = from->misc };

        append(info, MCA_INFO_HEAD_V1, &bank.common);
    }
    for (unsigned i = 0; i < MCA_EXTRA; i++)
        extended.msr[i] = (struct mca_register){ MSR_MC4_MISC1 + i, error->extra[i] };
    if (error->has_extra)
        append(info, MCA_INFO_HEAD_V1, &extended.common);
    append_recovery(info, MCA_INFO_HEAD_V1, error, telling);
}

/* The long extended record comes last: with all banks valid there is no room for it. */
void mca_record_v2(struct mca_info *info, const struct mca_error *error, const struct mca_telling *telling)
{
    struct mca_global_v2 global = { .common = { MCA_RECORD_GLOBAL, sizeof(global) }, .domid = telling->domid,
                                    .vcpu = telling->vcpu, .socket = telling->socket, .core = telling->core,
                                    .apic_id = telling->apic_id, .flags = flags_of(error, telling),
                                    .gstatus = error->mcg_status };
    struct mca_extended_v2 extended = { .common = { MCA_RECORD_EXTENDED, sizeof(extended) }, .count = MCA_EXTRA };

    begin(info);
    append(info, MCA_INFO_HEAD_V2, &global.common);
    for (unsigned i = 0; i < error->count; i++) {
        const struct mca_bank *from = &error->bank[i];
        struct mca_bank_v2 bank = { .common = { MCA_RECORD_BANK, sizeof(bank) }, .bank = from->number,
                                    .domid = domid_of(from), .status = from->status, .addr = from->addr,
                                    .misc = from->misc, .ctrl2 = from->ctrl2, .tsc = error->tsc };

        append(info, MCA_INFO_HEAD_V2, &bank.common);
    }
    append_recovery(info, MCA_INFO_HEAD_V2, error, telling);
    for (unsigned i = 0; i < MCA_EXTRA; i++)
        extended.msr[i] = (struct mca_register){ MSR_MC4_MISC1 + i, error->extra[i] };
    if (error->has_extra)
        append(info, MCA_INFO_HEAD_V2, &extended.common);
}

const struct mca_common *mca_record_next(const struct mca_info *info, unsigned version, const struct mca_common *at)
{
    const uint8_t *first = (const uint8_t *)info + (version == 1 ? MCA_INFO_HEAD_V1 : MCA_INFO_HEAD_V2), *walk = first;

    for (uint32_t i = 0; i < info->nentries; i++) {
        const struct mca_common *here = (const void *)walk;

        if (!at)
            return here;
        walk += here->size;
        if (here == at)
            at = NULL;
    }
    return NULL;
}

bool mca_record_names(const struct mca_info *info, uint16_t domid, uint16_t vcpu)
{
    const struct mca_common *first = mca_record_next(info, 1, NULL);
    struct mca_global_v1 global;

    if (!first || first->type != MCA_RECORD_GLOBAL)
        return false;
    memcpy(&global, first, sizeof(global));
    return global.domid == domid && global.vcpu == vcpu;
}

void mca_record_translate(struct mca_info *info, uint64_t (*to_gpa)(void *ctx, uint64_t spa), void *ctx)
{
    for (const struct mca_common *at = mca_record_next(info, 1, NULL); at; at = mca_record_next(info, 1, at)) {
        struct mca_bank_v1 bank;
        uint64_t gpa;

        if (at->type != MCA_RECORD_BANK)
            continue;
        memcpy(&bank, at, sizeof(bank));
        bank.domid = DOMID_SELF;
        gpa = mca_has_frame(bank.bank, bank.status) ? to_gpa(ctx, bank.addr) : bank.addr;
        if (gpa == UNTOLD)
            bank.status &= ~MCA_ADDRV;
        bank.addr = gpa == UNTOLD ? 0 : gpa;
        memcpy((void *)(uintptr_t)at, &bank, sizeof(bank));
    }
}
