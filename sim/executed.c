/* SPDX-License-Identifier: MIT */
#include "sim/executed.h"

#include <inttypes.h>
#include <string.h>

struct piece {
    spa_t address;
    uint64_t virtual_address, bytes;
    uint8_t *marked; /* a bit for each byte */
};

struct executed_image {
    char *name, *sha256;
    GArray *pieces; /* struct piece */
};

struct executed {
    GPtrArray *images;
};

static void piece_clear(gpointer data)
{
    g_free(((struct piece *)data)->marked);
}

static void image_free(gpointer data)
{
    struct executed_image *image = data;

    g_free(image->name);
    g_free(image->sha256);
    g_array_unref(image->pieces);
    g_free(image);
}

struct executed *executed_new(void)
{
    struct executed *executed = g_new0(struct executed, 1);

    executed->images = g_ptr_array_new_with_free_func(image_free);
    return executed;
}

void executed_free(struct executed *executed)
{
    if (!executed)
        return;
    g_ptr_array_unref(executed->images);
    g_free(executed);
}

struct executed_image *executed_image(struct executed *executed, const char *name, const void *data, size_t size)
{
    g_autofree char *sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);
    struct executed_image *image;

    for (guint i = 0; i < executed->images->len; i++) {
        image = executed->images->pdata[i];
        if (strcmp(image->sha256, sha256) == 0 && strcmp(image->name, name) == 0)
            return image;
    }
    image = g_new0(struct executed_image, 1);
    image->name = g_strdup(name);
    image->sha256 = g_steal_pointer(&sha256);
    image->pieces = g_array_new(FALSE, TRUE, sizeof(struct piece));
    g_array_set_clear_func(image->pieces, piece_clear);
    g_ptr_array_add(executed->images, image);
    return image;
}

/* The piece that holds `address`, or NULL. */
static struct piece *piece_of(const struct executed_image *image, spa_t address)
{
    for (guint i = 0; i < image->pieces->len; i++) {
        struct piece *piece = &g_array_index(image->pieces, struct piece, i);

        if (address - piece->address < piece->bytes)
            return piece;
    }
    return NULL;
}

void executed_add_code(struct executed_image *image, spa_t address, uint64_t virtual_address, uint64_t bytes)
{
    struct piece piece = { address, virtual_address, bytes, NULL };

    if (bytes == 0 || piece_of(image, address))
        return;
    piece.marked = g_malloc0((bytes + 7) / 8);
    g_array_append_val(image->pieces, piece);
}

void executed_mark(struct executed_image *image, spa_t address, uint64_t length)
{
    struct piece *piece = piece_of(image, address);

    if (!piece)
        return;
    for (uint64_t at = address - piece->address; length > 0 && at < piece->bytes; at++, length--)
        piece->marked[at / 8] |= (uint8_t)(1u << at % 8);
}

static bool is_marked(const struct piece *piece, uint64_t at)
{
    return piece->marked[at / 8] >> at % 8 & 1;
}

bool executed_knows(const struct executed_image *image, spa_t address, uint64_t length)
{
    const struct piece *piece = piece_of(image, address);

    if (!piece)
        return true;
    for (uint64_t at = address - piece->address; length > 0 && at < piece->bytes; at++, length--)
        if (!is_marked(piece, at))
            return false;
    return true;
}

static void write_piece(const struct piece *piece, GString *out)
{
    for (uint64_t at = 0; at < piece->bytes; at++) {
        uint64_t first = at;

        while (at < piece->bytes && is_marked(piece, at))
            at++;
        if (at > first)
            g_string_append_printf(out, "%" PRIx64 " %" PRIx64 "\n", piece->virtual_address + first,
                                   piece->virtual_address + at);
    }
}

void executed_write(const struct executed *executed, GString *out)
{
    g_string_append(out, "fam10h-executed 1\n");
    for (guint i = 0; i < executed->images->len; i++) {
        const struct executed_image *image = executed->images->pdata[i];

        g_string_append_printf(out, "image %s %s\n", image->name, image->sha256);
        for (guint k = 0; k < image->pieces->len; k++)
            write_piece(&g_array_index(image->pieces, struct piece, k), out);
    }
}
