/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/ras.h"

#include "hv/abi/xen.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "workloads/dom0/calls.h"
#include "workloads/dom0/domains.h"
#include "workloads/dom0/verbs.h"
#include "workloads/lib/instructions.h"

#define PAGE_SHIFT 12
#define BANK_NB 4
#define EXT_CODE(status) ((unsigned)((status) >> 16 & 0x1F))
#define EXT_ECC 8
#define ADDRV (1ull << 58)
#define MS_PER_HOUR 3600000ull
#define BUCKETS 64

/* ---- Operations ------------------------------------------------------------------------------------------------ */

static const char *outcome(int64_t error)
{
    return error < 0 ? calls_error(error) : "done";
}

static int64_t page_op(uint32_t command, uint64_t frame, uint32_t *status)
{
    struct sysctl op = { .command = 0 };

    return calls_page_offline(&op, command, frame, status);
}

static int64_t retire(uint16_t domain, uint64_t frame, uint64_t *gfn)
{
    struct domctl op = { .hv_memory = { .op = HV_MEMORY_RETIRE_FRAME, .gfn = frame } };
    int64_t error = calls_domctl(DOMCTL_HV_MEMORY, domain, &op);

    *gfn = op.hv_memory.result;
    return error;
}

static int64_t set_core(uint32_t core, bool online)
{
    struct platform_op op = { .cpu = { core } };

    return calls_platform(online ? PLATFORM_CPU_ONLINE : PLATFORM_CPU_OFFLINE, &op);
}

static int64_t spare(uint32_t what, struct platform_hv_spare *place)
{
    struct platform_op op = { .hv_spare = *place };
    int64_t error;

    op.hv_spare.op = what;
    error = calls_platform(PLATFORM_HV_SPARE, &op);
    *place = op.hv_spare;
    return error;
}

/* ---- Buckets ---------------------------------------------------------------------------------------------------- */

enum kind { OF_FRAME, OF_CHIP_SELECT, OF_CORE, KINDS };
static const char *const kind_names[KINDS] = { "page", "cs", "core" };
static uint32_t limits[KINDS] = { 10, 100, 50 }; /* errors in the hours below */
static uint32_t hours = 24;

/* It leaks: after `hours` without an error it is empty. */
static struct bucket {
    enum kind kind;
    bool used, acted;
    uint64_t key;
    uint32_t level;
    uint64_t since_ms;
} buckets[BUCKETS];

static uint64_t now_ms(void)
{
    static uint32_t khz;
    struct sysctl op = { .command = 0 };
    uint32_t low, high;

    if (!khz && !calls_sysctl(SYSCTL_PHYSINFO, &op))
        khz = op.physinfo.cpu_khz;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return khz ? ((uint64_t)high << 32 | low) / khz : 0;
}

static void leak(struct bucket *bucket)
{
    uint64_t now = now_ms(), out = (now - bucket->since_ms) * limits[bucket->kind] / (hours * MS_PER_HOUR);

    if (!out)
        return;
    bucket->level = out < bucket->level ? bucket->level - (uint32_t)out : 0;
    bucket->since_ms = now;
}

/* Of this thing; a new one takes the place of the emptiest. */
static struct bucket *find(enum kind kind, uint64_t key)
{
    struct bucket *least = &buckets[0];

    for (unsigned i = 0; i < BUCKETS; i++) {
        struct bucket *b = &buckets[i];

        if (b->used && b->kind == kind && b->key == key) {
            leak(b);
            return b;
        }
        if (least->used && (!b->used || b->level < least->level))
            least = b;
    }
    *least = (struct bucket){ .kind = kind, .used = true, .key = key, .since_ms = now_ms() };
    return least;
}

static void act_on_frame(uint64_t frame, uint16_t owner)
{
    uint32_t status = 0;
    uint64_t gfn = 0;
    int64_t error;

    if (owner != DOMID_CONTROL && owner < DOMID_FIRST_RESERVED) {
        error = retire(owner, frame, &gfn);
        say("mca: policy page frame=%lx domain=%u retire: %s gfn=%lx", (unsigned long)frame, owner, outcome(error),
            (unsigned long)gfn);
        return;
    }
    error = page_op(PAGE_OFFLINE, frame, &status);
    say("mca: policy page frame=%lx offline: %s status=%x", (unsigned long)frame, outcome(error), status);
}

static void act_on_chip_select(struct platform_hv_spare *place)
{
    int64_t error = spare(HV_SPARE_BEGIN, place);

    say("mca: policy cs node=%u dct=%u cs=%u spare: %s", place->node, place->dct, place->chip_select, outcome(error));
}

static void act_on_core(uint32_t core)
{
    say("mca: policy core core=%u offline: %s", core, outcome(set_core(core, false)));
}

/* True: it is full, for the first time. */
static bool fill(enum kind kind, uint64_t key)
{
    struct bucket *bucket = find(kind, key);

    bucket->level++;
    if (bucket->level < limits[kind] || bucket->acted)
        return false;
    bucket->acted = true;
    return true;
}

static void count_bank(const struct mca_bank_v1 *bank, uint32_t core)
{
    struct platform_hv_spare place = { .frame = bank->addr >> PAGE_SHIFT };

    if (bank->bank != BANK_NB) {
        if (fill(OF_CORE, core))
            act_on_core(core);
        return;
    }
    if (EXT_CODE(bank->status) != EXT_ECC || !(bank->status & ADDRV))
        return;
    if (fill(OF_FRAME, bank->addr >> PAGE_SHIFT))
        act_on_frame(bank->addr >> PAGE_SHIFT, bank->domid);
    if (!spare(HV_SPARE_FIND, &place) &&
        fill(OF_CHIP_SELECT, place.node << 8 | place.dct << 4 | place.chip_select))
        act_on_chip_select(&place);
}

void ras_count(const struct mca_info *info)
{
    const uint8_t *at = info->data;
    struct mca_global_v1 global = { .core = 0 };
    struct mca_bank_v1 bank;

    for (uint32_t i = 0; i < info->nentries; i++) {
        const struct mca_common *common = (const void *)at;

        if (common->type == MCA_RECORD_GLOBAL)
            memcpy(&global, at, sizeof(global));
        if (common->type == MCA_RECORD_BANK) {
            memcpy(&bank, at, sizeof(bank));
            count_bank(&bank, global.core);
        }
        at += common->size;
    }
}

/*
 * ---- Verbs
 * --------------------------------------------------------------------------------------------------------
 */

bool ras_number(const char *word, unsigned base, uint64_t *value)
{
    *value = 0;
    for (const char *c = word; *c; c++) {
        unsigned digit = *c >= 'a' && *c <= 'f' ? (unsigned)(*c - 'a') + 10u : (unsigned)(*c - '0');

        if (digit >= base)
            return false;
        *value = *value * base + digit;
    }
    return *word;
}

void ras_policy(unsigned count, char *const *words)
{
    bool bad = false;

    for (unsigned i = 1; i < count; i++) {
        for (unsigned k = 0; k < KINDS; k++)
            limits[k] = (uint32_t)option_size(words[i], kind_names[k], limits[k], &bad);
        hours = (uint32_t)option_size(words[i], "hours", hours, &bad);
    }
    hours = hours ? hours : 1;
    say("mca-policy: page=%u cs=%u core=%u hours=%u%s", limits[OF_FRAME], limits[OF_CHIP_SELECT], limits[OF_CORE],
        hours, bad ? " (numbers are wanted)" : "");
}

void ras_page(unsigned count, char *const *words)
{
    uint32_t command = text_equal(words[0], "offline-page") ? PAGE_OFFLINE
                       : text_equal(words[0], "online-page") ? PAGE_ONLINE
                                                              : PAGE_QUERY;
    uint32_t status = 0;
    uint64_t frame;
    int64_t error;

    (void)count;
    if (!ras_number(words[1], 16, &frame)) {
        say("%s: wants a frame's number, hexadecimal", words[0]);
        return;
    }
    error = page_op(command, frame, &status);
    say("%s %lx: %s status=%x", words[0], (unsigned long)frame, outcome(error), status);
}

void ras_core(unsigned count, char *const *words)
{
    uint64_t core;

    (void)count;
    if (ras_number(words[1], 10, &core))
        say("%s %lu: %s", words[0], (unsigned long)core,
            outcome(set_core((uint32_t)core, text_equal(words[0], "core-online"))));
    else
        say("%s: wants a core's number", words[0]);
}

void ras_retire(unsigned count, char *const *words)
{
    uint64_t frame, gfn = 0;
    uint16_t domain;
    int64_t error;

    (void)count;
    if (!domains_find(words[1], &domain) || !ras_number(words[2], 16, &frame)) {
        say("retire-page: DOMAIN FRAME, the frame hexadecimal");
        return;
    }
    error = retire(domain, frame, &gfn);
    say("retire-page %lx: %s gfn=%lx", (unsigned long)frame, outcome(error), (unsigned long)gfn);
}

void ras_spare(unsigned count, char *const *words)
{
    struct platform_hv_spare place = { .node = 0 };
    uint64_t value[3] = { 0 };
    int64_t error;

    for (unsigned i = 1; i < count && i < 4; i++) {
        if (!ras_number(words[i], 10, &value[i - 1])) {
            say("spare: NODE DCT CS, or nothing");
            return;
        }
    }
    place.node = (uint32_t)value[0];
    place.dct = (uint32_t)value[1];
    place.chip_select = (uint32_t)value[2];
    error = spare(count > 3 ? HV_SPARE_BEGIN : HV_SPARE_QUERY, &place);
    say("spare node=%u dct=%u: %s control=%x done=%u", place.node, place.dct, outcome(error), place.control,
        place.done);
}
