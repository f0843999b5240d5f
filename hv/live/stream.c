/* SPDX-License-Identifier: MIT */
#include "hv/live/stream.h"

#include "hv/core/format.h"
#include "hv/core/text.h"

#define PRIME 0x9E3779B97F4A7C15ull

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* ---- Writing --------------------------------------------------------------------------------------------- */

void stream_begin(struct stream_writer *writer, void *room, size_t size, enum stream_record_type type)
{
    struct stream_record head = { type, 0 };

    *writer = (struct stream_writer){ .room = room, .size = size };
    stream_put(writer, &head, sizeof(head));
}

void stream_put(struct stream_writer *writer, const void *data, size_t size)
{
    if (writer->full || writer->size - writer->used < padded(size)) {
        writer->full = true;
        return;
    }
    memcpy(writer->room + writer->used, data, size);
    text_zero(writer->room + writer->used + size, padded(size) - size);
    writer->used += padded(size);
}

void stream_put_u64(struct stream_writer *writer, uint64_t value)
{
    stream_put(writer, &value, sizeof(value));
}

void stream_put_fields(struct stream_writer *writer, const void *structure, const struct stream_field *fields,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[STREAM_NAME] = { 0 };

        memcpy(name, fields[i].name, text_length(fields[i].name));
        stream_put(writer, name, sizeof(name));
        stream_put_u64(writer, fields[i].size);
        stream_put(writer, (const char *)structure + fields[i].offset, fields[i].size);
    }
}

size_t stream_finish(struct stream_writer *writer)
{
    struct stream_record *head = (struct stream_record *)(void *)writer->room;

    if (writer->full)
        return 0;
    head->size = (uint32_t)(writer->used - sizeof(*head));
    return writer->used;
}

/* ---- Reading --------------------------------------------------------------------------------------------- */

void stream_open(struct stream_reader *reader, const void *body, size_t size)
{
    *reader = (struct stream_reader){ .at = body, .left = size };
}

const void *stream_get(struct stream_reader *reader, size_t size)
{
    const void *at = reader->at;

    if (reader->bad || size > reader->left || padded(size) > reader->left) {
        reader->bad = true;
        return NULL;
    }
    reader->at += padded(size);
    reader->left -= padded(size);
    return at;
}

uint64_t stream_get_u64(struct stream_reader *reader)
{
    const void *at = stream_get(reader, sizeof(uint64_t));
    uint64_t value = 0;

    if (at)
        memcpy(&value, at, sizeof(value));
    return value;
}

static const struct stream_field *find(const struct stream_field *fields, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (text_equal(fields[i].name, name))
            return &fields[i];
    return NULL;
}

/* One field; NULL, or what is wrong with it. */
static const char *get_field(struct stream_reader *reader, void *structure, const struct stream_field *fields,
                             unsigned count, uint64_t *seen, char name[STREAM_NAME])
{
    const char *sent = stream_get(reader, STREAM_NAME);
    uint64_t size = stream_get_u64(reader);
    const void *value = reader->bad ? NULL : stream_get(reader, size);
    const struct stream_field *field;

    if (!value || sent[STREAM_NAME - 1])
        return "is cut short";
    memcpy(name, sent, STREAM_NAME);
    field = find(fields, count, name);
    if (!field)
        return "is not known here: a newer sender's";
    if (size != field->size)
        return "has another size here";
    if (*seen & 1ull << (field - fields))
        return "comes twice";
    *seen |= 1ull << (field - fields);
    memcpy((char *)structure + field->offset, value, size);
    return NULL;
}

const char *stream_get_fields(struct stream_reader *reader, void *structure, const struct stream_field *fields,
                              unsigned count, char *why, size_t why_size)
{
    char name[STREAM_NAME] = "?";
    const char *wrong = NULL;
    uint64_t seen = 0;

    while (!wrong && reader->left)
        wrong = get_field(reader, structure, fields, count, &seen, name);
    for (unsigned i = 0; i < count && !wrong; i++) {
        if (!(seen & 1ull << i)) {
            memcpy(name, fields[i].name, text_length(fields[i].name) + 1);
            wrong = "is missing";
        }
    }
    if (!wrong)
        return NULL;
    format_text(why, why_size, "field %s %s", name, wrong);
    return why;
}

uint64_t stream_checksum(uint64_t sum, const void *body, size_t size)
{
    const uint64_t *words = body;

    for (size_t i = 0; i < size / 8; i++)
        sum = (sum ^ words[i]) * PRIME + 1;
    return sum;
}
