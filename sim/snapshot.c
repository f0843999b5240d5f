/* SPDX-License-Identifier: MIT */
/*
 * Snapshot files: magic, schema version, configuration label, then every part in composition order with a
 * description of its fields before its values, then the SHA-256 of all that comes before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "sim/state_stream.h"

#define MAGIC "fam10h\x1a\x01"
#define MAGIC_BYTES 8
#define SCHEMA 1
#define HASH_BYTES 32
#define TEXT_LIMIT 4096 /* of a path, a field name, a label */

static bool refuse(GError **error, const char *file, const char *what)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", file, what);
    return false;
}

static bool refuse_errno(GError **error, const char *file, const char *verb)
{
    int number = errno;

    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "%s: cannot %s: %s", file, verb,
                g_strerror(number));
    return false;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static void write_text(struct state_writer *writer, const char *text)
{
    size_t length = strlen(text);

    state_write_u64(writer, length);
    state_write(writer, text, length);
}

static void write_description(struct state_writer *writer, const struct state_entry *entry)
{
    write_text(writer, entry->path);
    state_write_u64(writer, entry->part->count);
    for (size_t f = 0; f < entry->part->count; f++) {
        write_text(writer, entry->part->fields[f].name);
        state_write_u64(writer, entry->part->fields[f].size);
        state_write_u64(writer, entry->part->fields[f].count);
    }
}

static bool write_all(struct state *state, FILE *file, const char *label)
{
    struct state_writer writer = { file, g_checksum_new(G_CHECKSUM_SHA256), false };
    uint8_t digest[HASH_BYTES];
    gsize length = sizeof(digest);

    state_write(&writer, MAGIC, MAGIC_BYTES);
    state_write_u64(&writer, SCHEMA);
    write_text(&writer, label);
    state_write_u64(&writer, state->entries->len);
    for (guint i = 0; i < state->entries->len; i++) {
        const struct state_entry *entry = &g_array_index(state->entries, struct state_entry, i);

        write_description(&writer, entry);
        state_write_part(&writer, entry);
    }
    g_checksum_get_digest(writer.checksum, digest, &length);
    g_checksum_free(writer.checksum);
    return !writer.failed && fwrite(digest, 1, length, file) == length;
}

/* The old file stays whole until the new one is complete on disk. */
bool state_save(struct state *state, const char *file, const char *label, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", file);
    int fd = g_mkstemp_full(temporary, O_RDWR, 0666);
    FILE *stream;
    bool good;

    if (fd < 0)
        return refuse_errno(error, temporary, "create");
    stream = fdopen(fd, "wb");
    if (!stream) {
        close(fd);
        unlink(temporary);
        return refuse_errno(error, temporary, "open");
    }
    good = write_all(state, stream, label);
    good = fflush(stream) == 0 && fsync(fileno(stream)) == 0 && good;
    good = fclose(stream) == 0 && good;
    good = good && rename(temporary, file) == 0;
    if (!good) {
        refuse_errno(error, file, "write the snapshot");
        unlink(temporary);
    }
    return good;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

bool state_read(struct state_reader *reader, void *data, size_t size, GError **error)
{
    if (fread(data, 1, size, reader->file) == size)
        return true;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: the snapshot ends inside %s", reader->name,
                reader->path);
    return false;
}

/* Reads a text and compares; `what` says in a message what it names. */
static bool expect_text(struct state_reader *reader, const char *expected, const char *what, GError **error)
{
    g_autofree char *text = NULL, *printable = NULL;
    uint64_t length;

    if (!state_read_u64(reader, &length, error))
        return false;
    if (length > TEXT_LIMIT)
        return refuse(error, reader->name, "a name in the snapshot is too long: the file is damaged");
    text = g_malloc0(length + 1);
    if (!state_read(reader, text, length, error))
        return false;
    if (strcmp(text, expected) == 0)
        return true;
    printable = g_strescape(text, NULL); /* one line, whatever the file holds */
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: the snapshot's %s is \"%s\", this machine's is \"%s\"",
                reader->name, what, printable, expected);
    return false;
}

static bool expect_number(struct state_reader *reader, uint64_t expected, const char *what, GError **error)
{
    uint64_t number;

    if (!state_read_u64(reader, &number, error))
        return false;
    if (number == expected)
        return true;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: %s is %" G_GUINT64_FORMAT " in the snapshot, %" G_GUINT64_FORMAT " is right", reader->name, what,
                number, expected);
    return false;
}

static bool expect_description(struct state_reader *reader, const struct state_entry *entry, GError **error)
{
    if (!expect_text(reader, entry->path, "part", error) ||
        !expect_number(reader, entry->part->count, "the number of fields", error))
        return false;
    for (size_t f = 0; f < entry->part->count; f++) {
        const struct state_field *field = &entry->part->fields[f];

        if (!expect_text(reader, field->name, "field", error) ||
            !expect_number(reader, field->size, "a field's size", error) ||
            !expect_number(reader, field->count, "a field's count", error))
            return false;
    }
    return true;
}

/* Whether the file's last bytes are the hash of the others; leaves the stream at its start. */
static bool checksum_good(FILE *file, off_t size)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t buffer[65536], digest[HASH_BYTES], stored[HASH_BYTES];
    gsize length = sizeof(digest);
    off_t rest = size - HASH_BYTES;

    while (rest > 0) {
        size_t piece = rest < (off_t)sizeof(buffer) ? (size_t)rest : sizeof(buffer);

        if (fread(buffer, 1, piece, file) != piece)
            return false;
        g_checksum_update(checksum, buffer, (gssize)piece);
        rest -= (off_t)piece;
    }
    if (fread(stored, 1, sizeof(stored), file) != sizeof(stored))
        return false;
    g_checksum_get_digest(checksum, digest, &length);
    rewind(file);
    return memcmp(stored, digest, sizeof(stored)) == 0;
}

static bool file_sound(struct state_reader *reader, GError **error)
{
    char magic[MAGIC_BYTES];
    struct stat status;

    if (fstat(fileno(reader->file), &status) != 0 || !S_ISREG(status.st_mode))
        return refuse(error, reader->name, "not a regular file, a snapshot is right");
    if (fread(magic, 1, sizeof(magic), reader->file) != sizeof(magic) || memcmp(magic, MAGIC, sizeof(magic)) != 0)
        return refuse(error, reader->name, "not a snapshot of fam10h (wrong magic)");
    rewind(reader->file);
    if (status.st_size < MAGIC_BYTES + HASH_BYTES || !checksum_good(reader->file, status.st_size))
        return refuse(error, reader->name, "the snapshot is damaged or cut short (checksum differs)");
    return true;
}

static bool read_all(struct state *state, struct state_reader *reader, const char *label, GError **error)
{
    char magic[MAGIC_BYTES];
    bool good = true;

    if (!state_read(reader, magic, sizeof(magic), error) ||
        !expect_number(reader, SCHEMA, "the schema version", error) ||
        !expect_text(reader, label, "configuration", error) ||
        !expect_number(reader, state->entries->len, "the number of parts", error))
        return false;
    for (guint i = 0; good && i < state->entries->len; i++) {
        const struct state_entry *entry = &g_array_index(state->entries, struct state_entry, i);

        reader->path = entry->path;
        good = expect_description(reader, entry, error) && state_read_part(reader, entry, error);
    }
    /* Even when half of it was refused: a script may go on with the machine, whose derived values must fit. */
    for (guint i = 0; i < state->entries->len; i++) {
        const struct state_entry *entry = &g_array_index(state->entries, struct state_entry, i);

        if (entry->part->after)
            entry->part->after(entry->object);
    }
    return good;
}

bool state_restore(struct state *state, const char *file, const char *label, GError **error)
{
    struct state_reader reader = { fopen(file, "rb"), file, "its head" };
    bool good;

    if (!reader.file)
        return refuse_errno(error, file, "open");
    good = file_sound(&reader, error) && read_all(state, &reader, label, error);
    fclose(reader.file);
    return good;
}
