/* SPDX-License-Identifier: MIT */
#include "hv/live/stream.h"

#include <stdlib.h>
#include <string.h>

#include "hv/live/precopy.h"
#include "sim/unit_test.h"

struct thing {
    uint64_t a;
    uint8_t b[5];
    uint32_t c;
};

static const struct stream_field fields[] = { STREAM_FIELD(struct thing, a), STREAM_FIELD(struct thing, b),
                                              STREAM_FIELD(struct thing, c) };

static _Alignas(8) uint8_t room[512];

static size_t write_thing(const struct thing *thing, const struct stream_field *table, unsigned count)
{
    struct stream_writer writer;

    stream_begin(&writer, room, sizeof(room), STREAM_DEVICES);
    stream_put_fields(&writer, thing, table, count);
    return stream_finish(&writer);
}

static const char *read_thing(struct thing *thing, size_t size, const struct stream_field *table, unsigned count)
{
    static char why[64];
    struct stream_reader reader;

    stream_open(&reader, room + sizeof(struct stream_record), size - sizeof(struct stream_record));
    return stream_get_fields(&reader, thing, table, count, why, sizeof(why));
}

START_TEST(fields_come_back_as_they_went)
{
    struct thing out = { 1ull << 60, { 1, 2, 3, 4, 5 }, 77 }, in;
    size_t size = write_thing(&out, STREAM_FIELDS(fields));
    const struct stream_record *head = (const struct stream_record *)(void *)room;

    memset(&in, 0xEE, sizeof(in));
    ck_assert_uint_eq(head->type, STREAM_DEVICES);
    ck_assert_uint_eq(head->size, 3 * 24 + 8 + 8 + 8);
    ck_assert_ptr_null(read_thing(&in, size, STREAM_FIELDS(fields)));
    ck_assert_uint_eq(in.a, out.a);
    ck_assert_mem_eq(in.b, out.b, 5);
    ck_assert_uint_eq(in.c, 77);
}
END_TEST

START_TEST(unknown_missing_resized_and_repeated_fields_are_named)
{
    static const struct stream_field twice[] = { STREAM_FIELD(struct thing, a), STREAM_FIELD(struct thing, b),
                                                 STREAM_FIELD(struct thing, c), STREAM_FIELD(struct thing, a) };
    static const struct stream_field wider[] = { STREAM_FIELD(struct thing, a), { "b", 8, 6 },
                                                 STREAM_FIELD(struct thing, c) };
    struct thing thing = { 0 };

    ck_assert_str_eq(read_thing(&thing, write_thing(&thing, fields, 3), fields, 2),
                     "field c is not known here: a newer sender's");
    ck_assert_str_eq(read_thing(&thing, write_thing(&thing, fields, 2), fields, 3), "field c is missing");
    ck_assert_str_eq(read_thing(&thing, write_thing(&thing, wider, 3), fields, 3), "field b has another size here");
    ck_assert_str_eq(read_thing(&thing, write_thing(&thing, twice, 4), fields, 3), "field a comes twice");
}
END_TEST

START_TEST(no_cut_or_damaged_body_is_read_beyond_its_end)
{
    struct thing thing = { 0 };
    size_t size = write_thing(&thing, STREAM_FIELDS(fields));

    for (size_t cut = sizeof(struct stream_record); cut < size; cut++)
        ck_assert_ptr_nonnull(read_thing(&thing, cut, STREAM_FIELDS(fields)));
    for (size_t at = sizeof(struct stream_record); at < size; at++) {
        room[at] ^= 0xFF;
        read_thing(&thing, size, STREAM_FIELDS(fields)); /* whatever it says; under the sanitizers it must say it */
        room[at] ^= 0xFF;
    }
}
END_TEST

START_TEST(a_record_that_does_not_fit_says_so)
{
    struct stream_writer writer;

    stream_begin(&writer, room, 24, STREAM_PAGES);
    stream_put_u64(&writer, 1);
    stream_put_u64(&writer, 2);
    ck_assert_uint_eq(stream_finish(&writer), 24);
    stream_put_u64(&writer, 3);
    ck_assert_uint_eq(stream_finish(&writer), 0);
}
END_TEST

START_TEST(the_checksum_sees_every_bit_and_the_order)
{
    uint64_t words[16] = { 0 }, sum = stream_checksum(0, words, sizeof(words));

    for (unsigned bit = 0; bit < 1024; bit++) {
        words[bit / 64] ^= 1ull << bit % 64;
        ck_assert_uint_ne(stream_checksum(0, words, sizeof(words)), sum);
        words[bit / 64] ^= 1ull << bit % 64;
    }
    ck_assert_uint_ne(stream_checksum(0, words, 64), sum);
}
END_TEST

/* hypervisor-features.md A11, 4: rounds >= 29; sent + skipped < 50; total > 3 x memory. */
START_TEST(pre_copy_ends_on_the_three_conditions_and_on_no_other)
{
    struct precopy p = { .memory = 1000, .rounds = 28, .sent = 30, .skipped = 20, .total = 3000 };

    ck_assert_int_eq(precopy_decide(&p), PRECOPY_ANOTHER);
    p.rounds = 29;
    ck_assert_int_eq(precopy_decide(&p), PRECOPY_ENOUGH_ROUNDS);
    p.rounds = 1;
    p.skipped = 19;
    ck_assert_int_eq(precopy_decide(&p), PRECOPY_ALMOST_NOTHING);
    p.skipped = 20;
    p.total = 3001;
    ck_assert_int_eq(precopy_decide(&p), PRECOPY_TOO_MUCH);
}
END_TEST

UNIT_TESTS("hv stream", fields_come_back_as_they_went, unknown_missing_resized_and_repeated_fields_are_named,
           no_cut_or_damaged_body_is_read_beyond_its_end, a_record_that_does_not_fit_says_so,
           the_checksum_sees_every_bit_and_the_order, pre_copy_ends_on_the_three_conditions_and_on_no_other)
