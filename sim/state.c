/* SPDX-License-Identifier: MIT */
/* The description itself, its hash and its dump. Files are snapshot.c. */
#include "sim/state.h"

#include <string.h>

#include "sim/state_stream.h"

struct state *state_new(void)
{
    struct state *state = g_new0(struct state, 1);

    state->entries = g_array_new(FALSE, FALSE, sizeof(struct state_entry));
    return state;
}

void state_free(struct state *state)
{
    if (!state)
        return;
    for (guint i = 0; i < state->entries->len; i++)
        g_free(g_array_index(state->entries, struct state_entry, i).path);
    g_array_unref(state->entries);
    g_free(state);
}

void state_add(struct state *state, const char *path, const struct state_part *part, void *object)
{
    struct state_entry entry = { g_strdup(path), part, object };

    g_array_append_val(state->entries, entry);
}

/* ---- Values ----------------------------------------------------------------------------------- */

static const uint8_t *field_at(const struct state_field *field, const void *object, unsigned i)
{
    return (const uint8_t *)object + field->offset + i * field->stride;
}

/* The native machine is little-endian (configure says so), as the stream is. */
uint64_t state_field_value(const struct state_field *field, const void *object, unsigned i)
{
    uint64_t value = 0;

    memcpy(&value, field_at(field, object, i), field->size);
    return value;
}

void state_write_u64(struct state_writer *writer, uint64_t value)
{
    state_write(writer, &value, sizeof(value));
}

bool state_read_u64(struct state_reader *reader, uint64_t *value, GError **error)
{
    return state_read(reader, value, sizeof(*value), error);
}

void state_write(struct state_writer *writer, const void *data, size_t size)
{
    if (size == 0)
        return;
    g_checksum_update(writer->checksum, data, (gssize)size);
    if (writer->file && !writer->failed && fwrite(data, 1, size, writer->file) != size)
        writer->failed = true;
}

void state_write_part(struct state_writer *writer, const struct state_entry *entry)
{
    const struct state_part *part = entry->part;

    if (part->before)
        part->before(entry->object);
    for (size_t f = 0; f < part->count; f++)
        for (unsigned i = 0; i < part->fields[f].count; i++)
            state_write(writer, field_at(&part->fields[f], entry->object, i), part->fields[f].size);
    if (part->save)
        part->save(entry->object, writer);
}

/* Checked before it is stored: no object ever holds a value that its code cannot bear. */
static bool read_value(struct state_reader *reader, const struct state_field *field, void *object, unsigned i,
                       GError **error)
{
    uint64_t value = 0;

    if (!state_read(reader, &value, field->size, error))
        return false;
    if (field->max && value > field->max) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s: %s.%s[%u] is %" G_GUINT64_FORMAT " in the snapshot, at most %" G_GUINT64_FORMAT " is right",
                    reader->name, reader->path, field->name, i, value, field->max);
        return false;
    }
    memcpy((uint8_t *)object + field->offset + i * field->stride, &value, field->size);
    return true;
}

bool state_read_part(struct state_reader *reader, const struct state_entry *entry, GError **error)
{
    const struct state_part *part = entry->part;

    for (size_t f = 0; f < part->count; f++)
        for (unsigned i = 0; i < part->fields[f].count; i++)
            if (!read_value(reader, &part->fields[f], entry->object, i, error))
                return false;
    return !part->load || part->load(entry->object, reader, error);
}

char *state_hash(struct state *state)
{
    struct state_writer writer = { NULL, g_checksum_new(G_CHECKSUM_SHA256), false };
    char *hash;

    for (guint i = 0; i < state->entries->len; i++)
        state_write_part(&writer, &g_array_index(state->entries, struct state_entry, i));
    hash = g_strdup(g_checksum_get_string(writer.checksum));
    g_checksum_free(writer.checksum);
    return hash;
}

/* ---- Dump ------------------------------------------------------------------------------------- */

static void dump_field(const struct state_entry *entry, const struct state_field *field, GString *out)
{
    for (unsigned i = 0; i < field->count; i++) {
        g_string_append_printf(out, "%s.%s", entry->path, field->name);
        if (field->count > 1)
            g_string_append_printf(out, "[%u]", i);
        g_string_append_printf(out, " = %0*" G_GINT64_MODIFIER "X\n", (int)(2 * field->size),
                               state_field_value(field, entry->object, i));
    }
}

void state_dump(struct state *state, const char *prefix, GString *out)
{
    for (guint e = 0; e < state->entries->len; e++) {
        const struct state_entry *entry = &g_array_index(state->entries, struct state_entry, e);

        if (prefix && !g_str_has_prefix(entry->path, prefix))
            continue;
        if (entry->part->before)
            entry->part->before(entry->object);
        for (size_t f = 0; f < entry->part->count; f++)
            dump_field(entry, &entry->part->fields[f], out);
    }
}
