/* SPDX-License-Identifier: MIT */
/* The polling period, records in both versions, both rings with their invariants. */
#include <string.h>

#include "hv/abi/xen.h"
#include "hv/mca/poll.h"
#include "hv/mca/record.h"
#include "hv/mca/ring_v1.h"
#include "hv/mca/ring_v2.h"
#include "sim/unit_test.h"

/*
 * ---- Polling
 * ------------------------------------------------------------------------------------------------------
 */

/* Xen 3.3's test vectors: nothing found 15 -> 30, 30 s; one core finds something 15 -> 7.5 -> 3.75 -> 2 -> 2 s. */
START_TEST(the_period_follows_what_is_found)
{
    struct mca_poll quiet = { MCA_POLL_FIRST_MS, MCA_POLL_MIN_MS, MCA_POLL_MAX_MS }, busy = quiet, storm = quiet;
    static const uint32_t halves[] = { 7500, 3750, 2000, 2000 };

    ck_assert_uint_eq(quiet.period_ms, 15000);
    ck_assert_uint_eq(mca_poll_next(&quiet, 0), 30000);
    ck_assert_uint_eq(mca_poll_next(&quiet, 0), 30000);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(mca_poll_next(&busy, 1), halves[i]);
    ck_assert_uint_eq(mca_poll_next(&storm, 4), 3000); /* 15 / 5 */
    ck_assert_uint_eq(mca_poll_next(&storm, 0), 6000);
}
END_TEST

START_TEST(what_the_threshold_counter_counted_adds_all_but_one)
{
    uint64_t counting = 1ull << 63 | 1ull << 62 | 1ull << 51;

    ck_assert_uint_eq(mca_poll_adjust(1, 0), 1);
    ck_assert_uint_eq(mca_poll_adjust(1, 1), 1);
    ck_assert_uint_eq(mca_poll_adjust(2, 7), 8);
    ck_assert_uint_eq(mca_block_count(counting | 7ull << 32, 0), 7);
    ck_assert_uint_eq(mca_block_count((counting & ~(1ull << 51)) | 7ull << 32, 0), 0); /* not counting */
    ck_assert_uint_eq(mca_block_count(counting | 1ull << 61 | 7ull << 32, 0), 0);      /* firmware's */
    ck_assert_uint_eq(mca_block_count((counting & ~(1ull << 62)) | 7ull << 32, 0), 0);
    ck_assert_uint_eq(mca_block_count((counting & ~(1ull << 63)) | 7ull << 32, 0), 0);
    ck_assert(mca_block_restart(counting | 3ull << 49 | 1ull << 48 | 7ull << 32 | 1ull << 24, 0) ==
              (counting | 1ull << 24));
    ck_assert(mca_block_restart(1ull << 61 | counting | 9ull << 32, 0) == (1ull << 61 | counting | 9ull << 32));
    /* BKDG10 MSR0000_0413: preload FFFh - N; interrupt type 1, APIC; LVT offset 0 */
    ck_assert(mca_block_restart(counting | 5ull << 52, 10) == (counting | 1ull << 49 | 0xFF5ull << 32));
    ck_assert_uint_eq(mca_block_count(counting | 0xFF8ull << 32, 10), 3);
    ck_assert_uint_eq(mca_block_count(counting | 0xFFFull << 32, 10), 10);
}
END_TEST

/*
 * ---- Records
 * -------------------------------------------------------------------------------------------------------
 */

static const struct mca_error sample = {
    .via = MCA_VIA_EXIT, .context = MCA_IN_GUEST, .mcg_status = MCG_RIPV | MCG_MCIP, .tsc = 77, .count = 2,
    .bank = { { .number = 3, .status = 0xB400000000000833, .addr = 0x12345000, .owner = MCA_OWNER_DOMU, .domid = 4 },
              { .number = 4, .status = 0xBC00200000080813, .addr = 0x12345040, .misc = 9, .owner = MCA_OWNER_XEN } },
    .has_extra = true, .extra = { 1, 2, 3 },
};
static const struct mca_telling telling = { .domid = 4, .vcpu = 1, .socket = 2, .apic_id = 6, .core = 1,
                                            .recovered = true, .frame = 0x12345 };

static uint64_t field(const struct mca_info *info, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, (const uint8_t *)info + offset, size);
    return value;
}

/* Offsets of Xen's public structures (hypervisor features, A6.6), counted by hand from the head of 4 bytes. */
START_TEST(a_record_of_version_1_lies_as_xen_3_3_lays_it)
{
    struct mca_info info;

    mca_record_v1(&info, &sample, &telling);
    ck_assert_uint_eq(field(&info, 0, 4), 5);
    ck_assert_uint_eq(field(&info, 4, 2), MCA_RECORD_GLOBAL);
    ck_assert_uint_eq(field(&info, 6, 2), 40);
    ck_assert_uint_eq(field(&info, 4 + 4, 2), 4);        /* domid */
    ck_assert_uint_eq(field(&info, 4 + 8, 4), 2);        /* socket */
    ck_assert_uint_eq(field(&info, 4 + 12, 2), 1);       /* core */
    ck_assert_uint_eq(field(&info, 4 + 16, 2), 1);       /* vcpu */
    ck_assert_uint_eq(field(&info, 4 + 24, 8), 5);       /* MCG_STATUS */
    ck_assert_uint_eq(field(&info, 4 + 32, 4), MCA_GLOBAL_UNCORRECTABLE | MCA_GLOBAL_RECOVERABLE | MCA_GLOBAL_MCE);
    ck_assert_uint_eq(field(&info, 44, 2), MCA_RECORD_BANK);
    ck_assert_uint_eq(field(&info, 46, 2), 32);
    ck_assert_uint_eq(field(&info, 44 + 4, 2), 3);
    ck_assert_uint_eq(field(&info, 44 + 6, 2), 4);
    ck_assert(field(&info, 44 + 8, 8) == 0xB400000000000833);
    ck_assert(field(&info, 44 + 16, 8) == 0x12345000);
    ck_assert_uint_eq(field(&info, 76 + 4, 2), 4);
    ck_assert_uint_eq(field(&info, 76 + 6, 2), DOMID_SELF);
    ck_assert_uint_eq(field(&info, 76 + 24, 8), 9);
    ck_assert_uint_eq(field(&info, 108, 2), MCA_RECORD_EXTENDED);
    ck_assert_uint_eq(field(&info, 110, 2), 88);
    ck_assert_uint_eq(field(&info, 108 + 4, 4), 3);
    ck_assert_uint_eq(field(&info, 108 + 8 + 16, 8), 0xC0000409);
    ck_assert_uint_eq(field(&info, 108 + 8 + 24, 8), 2);
    ck_assert_uint_eq(field(&info, 196, 2), MCA_RECORD_RECOVERY);
    ck_assert_uint_eq(field(&info, 196 + 6, 1), MCA_ACTION_RECOVERED);
    ck_assert_uint_eq(field(&info, 196 + 8, 8), 0x12345);
}
END_TEST

START_TEST(a_record_of_version_2_lies_as_xen_3_4_lays_it)
{
    struct mca_info info;

    mca_record_v2(&info, &sample, &telling);
    ck_assert_uint_eq(field(&info, 0, 4), 5);
    ck_assert_uint_eq(field(&info, 8 + 2, 2), 32);
    ck_assert_uint_eq(field(&info, 8 + 4, 2), 4);        /* domid */
    ck_assert_uint_eq(field(&info, 8 + 6, 2), 1);        /* vcpu */
    ck_assert_uint_eq(field(&info, 8 + 16, 4), 6);       /* APIC id */
    ck_assert_uint_eq(field(&info, 8 + 20, 4), MCA_GLOBAL_UNCORRECTABLE | MCA_GLOBAL_RECOVERABLE | MCA_GLOBAL_MCE);
    ck_assert_uint_eq(field(&info, 8 + 24, 8), 5);
    ck_assert_uint_eq(field(&info, 40 + 2, 2), 48);
    ck_assert_uint_eq(field(&info, 40 + 40, 8), 77);     /* TSC */
    ck_assert_uint_eq(field(&info, 136, 2), MCA_RECORD_RECOVERY);
    ck_assert_uint_eq(field(&info, 160, 2), MCA_RECORD_EXTENDED);
    ck_assert_uint_eq(field(&info, 162, 2), 520);
}
END_TEST

START_TEST(six_banks_fit_either_version_and_what_does_not_fit_is_left_out_whole)
{
    struct mca_error error = sample;
    const struct mca_common *at = NULL;
    unsigned seen = 0;
    struct mca_info info;

    error.count = MCA_BANKS;
    for (unsigned i = 0; i < MCA_BANKS; i++)
        error.bank[i].status = MCA_VAL;
    mca_record_v1(&info, &error, &telling);
    ck_assert_uint_eq(info.nentries, 1 + 6 + 1 + 1);
    mca_record_v2(&info, &error, &telling);
    ck_assert_uint_eq(info.nentries, 1 + 6 + 1); /* 32 + 6 x 48 + 24 + 520 > 760 */
    while ((at = mca_record_next(&info, 2, at)))
        seen++;
    ck_assert_uint_eq(seen, 8);
}
END_TEST

static uint64_t half(void *ctx, uint64_t spa)
{
    return spa == *(uint64_t *)ctx ? spa / 2 : ~0ull;
}

START_TEST(a_domu_sees_its_own_addresses_and_nobody_elses)
{
    uint64_t mine = 0x12345000;
    struct mca_info info;

    mca_record_v1(&info, &sample, &telling);
    ck_assert(mca_record_names(&info, 4, 1));
    ck_assert(!mca_record_names(&info, 4, 0));
    ck_assert(!mca_record_names(&info, 5, 1));
    mca_record_translate(&info, half, &mine);
    ck_assert_uint_eq(field(&info, 44 + 16, 8), mine / 2);
    ck_assert_uint_eq(field(&info, 44 + 6, 2), DOMID_SELF);
    ck_assert_uint_eq(field(&info, 76 + 16, 8), 0);
    ck_assert(!(field(&info, 76 + 8, 8) & MCA_ADDRV));
}
END_TEST

/*
 * ---- Version 1's ring
 * -------------------------------------------------------------------------------------------------
 */

static struct mca_ring_v1 ring;
static struct mca_ring_v2 entries;

static void begin(void)
{
    memset(&ring, 0, sizeof(ring));
    memset(&entries, 0, sizeof(entries));
}

static uint32_t produce(uint16_t domid)
{
    uint32_t index = mca_ring_take(&ring);
    struct mca_telling to = { .domid = domid, .vcpu = 0, .frame = index };
    struct mca_info info;

    mca_record_v1(&info, &sample, &to);
    mca_ring_commit(&ring, index, &info);
    return index;
}

static void check_invariants(void)
{
    mca_ring_clamp(&ring);
    ck_assert_uint_le(ring.fetch_idx, ring.error_idx);
    ck_assert_uint_le(ring.error_idx - ring.fetch_idx, 10);
}

START_TEST(records_are_fetched_once_and_oldest_first)
{
    uint32_t index;

    begin();
    ck_assert_ptr_null(mca_ring_fetch(&ring, &index));
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(produce(1), i);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
        ck_assert_uint_eq(index, i);
        check_invariants();
    }
    ck_assert_ptr_null(mca_ring_fetch(&ring, &index));
}
END_TEST

START_TEST(a_full_ring_loses_the_oldest_counts_it_and_tells_it_once)
{
    uint32_t index;

    begin();
    for (unsigned i = 0; i < 13; i++)
        produce(1);
    check_invariants();
    ck_assert_uint_eq(ring.lost, 3);
    ck_assert(mca_ring_tell_lost(&ring));
    ck_assert(!mca_ring_tell_lost(&ring));
    ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
    ck_assert_uint_eq(index, 3);
    ck_assert_ptr_null(mca_ring_at(&ring, 2));
    ck_assert_ptr_nonnull(mca_ring_at(&ring, 3));
    ck_assert_uint_eq(ring.lost, 3);
}
END_TEST

START_TEST(indices_may_wrap_around)
{
    uint32_t index;

    begin();
    ring.error_idx = ring.fetch_idx = UINT32_MAX - 5; /* 10 does not divide 2^32: slots move, records do not get lost */
    for (unsigned i = 0; i < 5; i++) {
        produce(1);
        ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
        ck_assert_uint_eq(index, UINT32_MAX - 5 + i);
    }
}
END_TEST

START_TEST(a_record_that_is_not_whole_yet_holds_back_those_behind_it)
{
    struct mca_info info = { .nentries = 0 };
    uint32_t first, index;

    begin();
    first = mca_ring_take(&ring);
    produce(1);
    ck_assert_ptr_null(mca_ring_fetch(&ring, &index));
    mca_ring_commit(&ring, first, &info);
    ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
    ck_assert_uint_eq(index, first);
}
END_TEST

START_TEST(a_released_record_is_not_fetched)
{
    uint32_t index;

    begin();
    produce(1);
    produce(2);
    mca_ring_release(&ring, 0);
    ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
    ck_assert_uint_eq(index, 1);
}
END_TEST

START_TEST(a_record_that_was_overtaken_leaves_its_slot_to_the_younger_one)
{
    struct mca_info info = { .nentries = 0 };
    uint32_t late, index;

    begin();
    late = mca_ring_take(&ring);
    for (unsigned i = 0; i < 10; i++)
        produce(1);
    mca_ring_commit(&ring, late, &info); /* its slot holds record 10 */
    ck_assert_ptr_null(mca_ring_at(&ring, late));
    ck_assert_ptr_nonnull(mca_ring_at(&ring, 10));
    mca_ring_forget(&ring, late);
    for (unsigned i = 1; i <= 10; i++) {
        ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
        ck_assert_uint_eq(index, i);
    }
    ck_assert_uint_eq(ring.lost, 1);
}
END_TEST

START_TEST(a_forgotten_record_is_skipped)
{
    uint32_t forgotten, index;

    begin();
    forgotten = mca_ring_take(&ring);
    produce(1);
    ck_assert_ptr_null(mca_ring_fetch(&ring, &index));
    mca_ring_forget(&ring, forgotten);
    ck_assert_ptr_nonnull(mca_ring_fetch(&ring, &index));
    ck_assert_uint_eq(index, 1);
    ck_assert_uint_eq(ring.lost, 0);
}
END_TEST

static uint16_t gone_domain;

static bool is_gone(uint16_t domid)
{
    return domid == gone_domain;
}

START_TEST(a_notified_domain_fetches_its_own_records_once_in_order)
{
    struct mca_notified overwritten;
    struct mca_info info;
    uint32_t index, fetched;

    begin();
    gone_domain = 99;
    for (unsigned i = 0; i < 3; i++) {
        produce((uint16_t)(1 + i % 2));
        mca_ring_fetch(&ring, &fetched);
    }
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(!mca_ring_notify(&ring, i, (uint16_t)(1 + i % 2), 0, is_gone, &overwritten));
        ck_assert_uint_le(ring.notify_idx, ring.fetch_idx);
    }
    ck_assert(!mca_ring_fetch_notified(&ring, 1, 1, &index, &info)); /* another vCPU */
    ck_assert(!mca_ring_fetch_notified(&ring, 3, 0, &index, &info));
    ck_assert(mca_ring_fetch_notified(&ring, 2, 0, &index, &info));
    ck_assert_uint_eq(index, 1);
    ck_assert(mca_ring_fetch_notified(&ring, 1, 0, &index, &info));
    ck_assert_uint_eq(index, 0);
    ck_assert(mca_ring_fetch_notified(&ring, 1, 0, &index, &info));
    ck_assert_uint_eq(index, 2);
    ck_assert(!mca_ring_fetch_notified(&ring, 1, 0, &index, &info));
}
END_TEST

START_TEST(dead_domains_entries_go_first_and_a_valid_one_that_gives_way_is_handed_back)
{
    struct mca_notified overwritten;

    begin();
    gone_domain = 99;
    for (uint32_t i = 0; i < 10; i++)
        ck_assert(!mca_ring_notify(&ring, produce(1), i == 4 ? 7 : 1, 0, is_gone, &overwritten));
    gone_domain = 7;
    ck_assert(!mca_ring_notify(&ring, produce(1), 1, 0, is_gone, &overwritten)); /* number 4's place */
    ck_assert(mca_ring_notify(&ring, produce(1), 1, 0, is_gone, &overwritten));
    ck_assert(overwritten.valid);
    ck_assert_uint_ne(overwritten.fetch_idx, 10);
    ck_assert(!mca_ring_notify(&ring, 0, 1, 0, is_gone, &overwritten)); /* its slot is another record's by now */
}
END_TEST

/*
 * ---- Version 2's
 * -------------------------------------------------------------------------------------------------------
 */

static bool put(bool urgent, uint32_t index)
{
    struct mca_entry *entry = mca_entry_reserve(&entries, urgent, index);
    struct mca_info info = { .nentries = index };

    if (entry)
        mca_entry_commit(entry, &info);
    return entry;
}

START_TEST(urgent_records_may_take_nonurgent_entries_and_not_the_other_way)
{
    uint32_t index = 0;

    begin();
    for (unsigned i = 0; i < 20; i++)
        ck_assert(put(false, index++));
    ck_assert(!put(false, index++));
    ck_assert_uint_eq(entries.lost, 1);
    for (unsigned i = 0; i < 10; i++)
        ck_assert(put(true, index++));
    ck_assert(!put(true, index++));
    ck_assert_uint_eq(entries.lost, 2);

    begin();
    for (unsigned i = 0; i < 30; i++)
        ck_assert(put(true, i));
    ck_assert(!put(true, 30));
    ck_assert(!put(false, 31));
    ck_assert_uint_eq(entries.lost, 2);
}
END_TEST

START_TEST(a_fetched_record_stays_until_it_is_acknowledged_by_id_and_class)
{
    const struct mca_entry *entry;

    begin();
    ck_assert_ptr_null(mca_entry_fetch(&entries, true));
    put(false, 5);
    put(true, 6);
    put(true, 7);
    entry = mca_entry_fetch(&entries, true);
    ck_assert_uint_eq(entry->info.nentries, 6);
    ck_assert_int_eq(entry->state, MCA_ENTRY_PROCESSING);
    ck_assert(!mca_entry_ack(&entries, mca_entry_id(entry), false));
    ck_assert(!mca_entry_ack(&entries, mca_entry_id(entry) + 1, true)); /* not fetched yet */
    ck_assert(mca_entry_ack(&entries, mca_entry_id(entry), true));
    ck_assert_int_eq(entry->state, MCA_ENTRY_FREE);
    ck_assert(!mca_entry_ack(&entries, 7, true));
    ck_assert_uint_eq(mca_entry_fetch(&entries, true)->info.nentries, 7);
    ck_assert_uint_eq(mca_entry_fetch(&entries, false)->info.nentries, 5);
    put(false, 8);
    mca_entry_release(&entries, 8);
    ck_assert_ptr_null(mca_entry_fetch(&entries, false));
}
END_TEST

UNIT_TESTS("machine check telemetry",
           the_period_follows_what_is_found,
           what_the_threshold_counter_counted_adds_all_but_one,
           a_record_of_version_1_lies_as_xen_3_3_lays_it,
           a_record_of_version_2_lies_as_xen_3_4_lays_it,
           six_banks_fit_either_version_and_what_does_not_fit_is_left_out_whole,
           a_domu_sees_its_own_addresses_and_nobody_elses,
           records_are_fetched_once_and_oldest_first,
           a_full_ring_loses_the_oldest_counts_it_and_tells_it_once,
           indices_may_wrap_around,
           a_record_that_is_not_whole_yet_holds_back_those_behind_it,
           a_released_record_is_not_fetched,
           a_record_that_was_overtaken_leaves_its_slot_to_the_younger_one, a_forgotten_record_is_skipped,
           a_notified_domain_fetches_its_own_records_once_in_order,
           dead_domains_entries_go_first_and_a_valid_one_that_gives_way_is_handed_back,
           urgent_records_may_take_nonurgent_entries_and_not_the_other_way,
           a_fetched_record_stays_until_it_is_acknowledged_by_id_and_class)
