/* SPDX-License-Identifier: MIT */
#include "sim/platform/dram.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/bus.h"
#include "sim/platform/error.h"

struct dram_chunk {
    uint8_t *bytes;   /* aligned to its size */
    uint8_t flags[DRAM_CHUNK_PAGES];
};

void dram_init(struct dram *dram, uint64_t size, uint64_t limit)
{
    dram->size = size;
    dram->limit = limit;
    dram->used = 0;
    dram->tracked = dram->watched = false;
    dram->chunks = (size + DRAM_CHUNK_BYTES - 1) >> DRAM_CHUNK_SHIFT;
    dram->chunk = g_new0(struct dram_chunk *, dram->chunks);
}

void dram_clear(struct dram *dram)
{
    for (size_t i = 0; i < dram->chunks; i++) {
        if (!dram->chunk[i])
            continue;
        munmap(dram->chunk[i]->bytes, DRAM_CHUNK_BYTES);
        free(dram->chunk[i]);
        dram->chunk[i] = NULL;
    }
    dram->used = 0;
    dram->tracked = dram->watched = false;
}

void dram_free(struct dram *dram)
{
    dram_clear(dram);
    g_free(dram->chunk);
    dram->chunk = NULL;
    dram->chunks = 0;
}

/*
 * Zeroed pages that cost nothing until they are touched, aligned so that one native 2 MiB page may hold the
 * chunk: what misses the guest's TLBs then does not miss the native ones as well.
 */
static uint8_t *chunk_map(void)
{
    uint8_t *room = mmap(NULL, 2 * DRAM_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before, after;

    if (room == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)room & (DRAM_CHUNK_BYTES - 1);
    after = DRAM_CHUNK_BYTES - before;
    if (before)
        munmap(room, before);
    munmap(room + before + DRAM_CHUNK_BYTES, after);
#ifdef MADV_HUGEPAGE
    madvise(room + before, DRAM_CHUNK_BYTES, MADV_HUGEPAGE); /* advice: nothing depends on the answer */
#endif
    return room + before;
}

/* NULL and no g_malloc: running out is a stated limit (status 3), not an abort. */
static struct dram_chunk *dram_chunk_new(void)
{
    struct dram_chunk *chunk = calloc(1, sizeof *chunk);

    if (!chunk)
        return NULL;
    chunk->bytes = chunk_map();
    if (!chunk->bytes) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

static struct dram_chunk *dram_chunk_allocate(struct dram *dram, size_t index, bool *exhausted)
{
    struct dram_chunk *chunk = NULL;

    if (dram->used + DRAM_CHUNK_BYTES <= dram->limit)
        chunk = dram_chunk_new();
    if (!chunk) {
        *exhausted = true;
        return NULL;
    }
    memset(chunk->flags, (dram->tracked ? DRAM_PAGE_CLEAN : 0) | (dram->watched ? DRAM_PAGE_WATCHED : 0),
           sizeof(chunk->flags));
    dram->used += DRAM_CHUNK_BYTES;
    dram->chunk[index] = chunk;
    return chunk;
}

uint8_t *dram_page(struct dram *dram, uint64_t offset, bool allocate, bool *exhausted)
{
    size_t index = offset >> DRAM_CHUNK_SHIFT;
    struct dram_chunk *chunk;

    if (index >= dram->chunks)
        return NULL;
    chunk = dram->chunk[index];
    if (!chunk && allocate)
        chunk = dram_chunk_allocate(dram, index, exhausted);
    return chunk ? chunk->bytes + (offset & (DRAM_CHUNK_BYTES - 1) & ~PAGE_MASK) : NULL;
}

uint8_t *dram_page_flags(struct dram *dram, uint64_t offset)
{
    size_t index = offset >> DRAM_CHUNK_SHIFT;

    if (index >= dram->chunks || !dram->chunk[index])
        return NULL;
    return &dram->chunk[index]->flags[(offset & (DRAM_CHUNK_BYTES - 1)) >> PAGE_SHIFT];
}

static void flag_all(struct dram *dram, uint8_t flag, bool on)
{
    for (size_t i = 0; i < dram->chunks; i++) {
        for (size_t page = 0; dram->chunk[i] && page < DRAM_CHUNK_PAGES; page++) {
            uint8_t *flags = &dram->chunk[i]->flags[page];

            *flags = (uint8_t)(on ? *flags | flag : *flags & ~flag);
        }
    }
}

void dram_track(struct dram *dram, bool on)
{
    flag_all(dram, DRAM_PAGE_CLEAN, on);
    dram->tracked = on;
}

void dram_watch(struct dram *dram, bool on)
{
    flag_all(dram, DRAM_PAGE_WATCHED, on);
    dram->watched = on;
}

uint64_t dram_next_stored(const struct dram *dram, uint64_t offset)
{
    size_t page = offset >> PAGE_SHIFT;

    while (dram->tracked && page < dram->size >> PAGE_SHIFT) {
        const struct dram_chunk *chunk = dram->chunk[page / DRAM_CHUNK_PAGES];

        if (!chunk) {
            page = (page / DRAM_CHUNK_PAGES + 1) * DRAM_CHUNK_PAGES;
            continue;
        }
        if (!(chunk->flags[page % DRAM_CHUNK_PAGES] & DRAM_PAGE_CLEAN))
            return (uint64_t)page << PAGE_SHIFT;
        page++;
    }
    return UINT64_MAX;
}

/* ---- Snapshot ------------------------------------------------------------------------------------------ */

#define DRAM_END UINT64_MAX

static bool page_is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/*
 * Records of (page number, flags, 4096 bytes). A page of zeros without a flag that lasts is left out, so that an
 * absent page and a page of zeros give the same snapshot. DRAM_PAGE_CODE is not state: blocks are not saved.
 */
static void dram_save(void *object, struct state_writer *writer)
{
    struct dram *dram = object;

    for (size_t i = 0; i < dram->chunks; i++) {
        const struct dram_chunk *chunk = dram->chunk[i];

        for (size_t page = 0; chunk && page < DRAM_CHUNK_PAGES; page++) {
            const uint8_t *bytes = chunk->bytes + page * PAGE_BYTES;
            uint64_t flags = chunk->flags[page] & DRAM_PAGE_ARMED;

            if (!flags && page_is_zero(bytes))
                continue;
            state_write_u64(writer, i * DRAM_CHUNK_PAGES + page);
            state_write_u64(writer, flags);
            state_write(writer, bytes, PAGE_BYTES);
        }
    }
    state_write_u64(writer, DRAM_END);
}

static bool dram_load_page(struct dram *dram, uint64_t number, struct state_reader *reader, GError **error)
{
    uint64_t flags;
    bool exhausted = false;
    uint8_t *bytes;

    if (!state_read_u64(reader, &flags, error))
        return false;
    if (number >= dram->size >> PAGE_SHIFT || flags & ~(uint64_t)DRAM_PAGE_ARMED)
        return platform_fail(error, "snapshot: RAM page %#" PRIx64 " (flags %#" PRIx64 ") is not a page of this "
                             "machine, which has %#" PRIx64, number, flags, dram->size >> PAGE_SHIFT);
    bytes = dram_page(dram, number << PAGE_SHIFT, true, &exhausted);
    if (!bytes)
        return platform_fail(error, "snapshot: its RAM does not fit into the limit on native memory of %" PRIu64
                             " MiB; give a larger --host-memory", dram->limit >> 20);
    *dram_page_flags(dram, number << PAGE_SHIFT) = (uint8_t)flags;
    return state_read(reader, bytes, PAGE_BYTES, error);
}

static bool dram_load(void *object, struct state_reader *reader, GError **error)
{
    struct dram *dram = object;
    uint64_t number;

    dram_clear(dram);
    for (;;) {
        if (!state_read_u64(reader, &number, error))
            return false;
        if (number == DRAM_END)
            return true;
        if (!dram_load_page(dram, number, reader, error))
            return false;
    }
}

const struct state_part dram_state = { .name = "dram", .save = dram_save, .load = dram_load };
