/* SPDX-License-Identifier: MIT */
/* FAM10H_PLANT plants one fault for the tests of the engines' equality (tests/system/plants.sh). */
#include "sim/cpu/interp/block.h"

#include <glib.h>
#include <string.h>

#include "sim/cpu/isa/isa.h"

#ifndef FAM10H_PLANT
#define FAM10H_PLANT 0
#endif
#define PLANT_STALE_BLOCK 4 /* a block whose bytes were stored to stays */

#define HASH_BUCKETS (1u << 14)
#define PAGE_BUCKETS (1u << 10)
#define ARENA_CHUNK ((size_t)1 << 20)
#define ARENA_CHUNKS 64 /* 64 MiB of decoded code, then everything is forgotten */

/* One page of code. `lines` has a bit for each 64 bytes that some valid block covers. */
struct code_page {
    spa_t spa;
    uint64_t lines;
    struct block *blocks;
    struct code_page *next;
};

struct block_cache {
    struct spa_space *space;
    struct core *running;
    struct block *hash[HASH_BUCKETS];
    struct code_page *pages[PAGE_BUCKETS];
    uint8_t *chunk[ARENA_CHUNKS];
    unsigned chunk_now;
    size_t chunk_used;
};

/* ---- Memory of blocks ------------------------------------------------------------------------------ */

static bool arena_is_full(const struct block_cache *cache, size_t size)
{
    return cache->chunk_now == ARENA_CHUNKS - 1 && cache->chunk_used + size > ARENA_CHUNK;
}

static void *arena_take(struct block_cache *cache, size_t size)
{
    void *place;

    if (cache->chunk_used + size > ARENA_CHUNK) {
        cache->chunk_now++;
        cache->chunk_used = 0;
    }
    if (!cache->chunk[cache->chunk_now])
        cache->chunk[cache->chunk_now] = g_malloc(ARENA_CHUNK);
    place = cache->chunk[cache->chunk_now] + cache->chunk_used;
    cache->chunk_used += size;
    return place;
}

/* ---- Tables ------------------------------------------------------------------------------------------ */

static unsigned hash_bucket(spa_t spa, unsigned mode)
{
    return (unsigned)((spa ^ spa >> 14 ^ spa >> 28 ^ (uint64_t)mode << 9) & (HASH_BUCKETS - 1));
}

static struct code_page **page_place(struct block_cache *cache, spa_t page)
{
    struct code_page **place = &cache->pages[(page >> PAGE_SHIFT ^ page >> 22) & (PAGE_BUCKETS - 1)];

    while (*place && (*place)->spa != page)
        place = &(*place)->next;
    return place;
}

/* Bits for the 64-byte lines of first..last (page offsets). */
static uint64_t lines_of(unsigned first, unsigned last)
{
    return bits_mask(last >> 6, first >> 6);
}

static uint64_t block_lines(const struct block *block)
{
    unsigned first = (unsigned)(block->spa & PAGE_MASK);

    return lines_of(first, first + block->bytes - 1);
}

struct block_cache *block_cache_new(struct spa_space *space)
{
    struct block_cache *cache = g_new0(struct block_cache, 1);

    cache->space = space;
    return cache;
}

void block_cache_clear(struct block_cache *cache)
{
    for (unsigned i = 0; i < PAGE_BUCKETS; i++) {
        while (cache->pages[i]) {
            struct code_page *page = cache->pages[i];

            cache->pages[i] = page->next;
            g_free(page);
        }
    }
    memset(cache->hash, 0, sizeof(cache->hash));
    cache->chunk_now = 0;
    cache->chunk_used = 0;
}

void block_cache_free(struct block_cache *cache)
{
    if (!cache)
        return;
    block_cache_clear(cache);
    for (unsigned i = 0; i < ARENA_CHUNKS; i++)
        g_free(cache->chunk[i]);
    g_free(cache);
}

void block_cache_run(struct block_cache *cache, struct core *core)
{
    cache->running = core;
}

/* ---- Decoding ---------------------------------------------------------------------------------------- */

/* Stage "before any exception check" of fact sheet 3.11: CPUID, PUSHF, INTn, PAUSE ... */
static enum outcome run_after_intercept(struct core *core, const struct insn *insn)
{
    if (intercepts(core, insn->row->intercept.code))
        return core_vmexit(core, insn->row->intercept.code, 0, 0);
    return insn->row->run(core, insn);
}

enum decode_result insn_prepare(const uint8_t *bytes, size_t size, struct decode_mode mode, struct insn *insn)
{
    enum decode_result result = decode(bytes, size, mode, insn);

    if (result == DECODE_OK && insn->row->intercept.stage == ISA_STAGE_PRE)
        insn->run = run_after_intercept;
    return result;
}

/* Fill `block` from the bytes of its page. false: not even one instruction fits. */
static bool block_decode(struct block *block, const uint8_t *page, struct decode_mode mode)
{
    unsigned at = (unsigned)(block->spa & PAGE_MASK), start = at;

    block->count = 0;
    block->plain_end = true;
    while (block->count < BLOCK_INSNS && at < PAGE_BYTES) {
        struct insn *insn = &block->insn[block->count];
        size_t rest = PAGE_BYTES - at;

        if (insn_prepare(page + at, rest < 15 ? rest : 15, mode, insn) != DECODE_OK)
            break;
        at += insn->length;
        block->count++;
        if (isa_row_ends_block(insn->row)) {
            block->plain_end = (insn->row->attributes & A_BRANCH) != 0;
            break;
        }
    }
    block->bytes = (uint16_t)(at - start);
    return block->count > 0;
}

static void block_register(struct block_cache *cache, struct block *block)
{
    spa_t page_spa = block->spa & ~PAGE_MASK;
    unsigned bucket = hash_bucket(block->spa, block->mode);
    struct code_page **place = page_place(cache, page_spa);

    if (!*place) {
        *place = g_new0(struct code_page, 1);
        (*place)->spa = page_spa;
        cache->space->flag_page(cache->space->ctx, page_spa, DRAM_PAGE_CODE);
    }
    (*place)->lines |= block_lines(block);
    block->page_next = (*place)->blocks;
    (*place)->blocks = block;
    block->hash_next = cache->hash[bucket];
    cache->hash[bucket] = block;
}

static struct block *block_build(struct block_cache *cache, spa_t spa, struct decode_mode mode)
{
    const uint8_t *page = cache->space->dram(cache->space->ctx, spa, false);
    struct block *scratch, *block = NULL;
    size_t most = sizeof(*block) + BLOCK_INSNS * sizeof(struct insn), size;

    if (!page)
        return NULL; /* a device, or absent memory that reads as zero */
    if (arena_is_full(cache, most))
        block_cache_clear(cache);
    scratch = g_malloc0(most);
    scratch->spa = spa;
    scratch->mode = (uint8_t)block_mode_key(mode);
    if (block_decode(scratch, page, mode)) {
        size = sizeof(*block) + scratch->count * sizeof(struct insn);
        size = (size + 15) & ~(size_t)15;
        block = arena_take(cache, size);
        memcpy(block, scratch, sizeof(*block) + scratch->count * sizeof(struct insn));
        block->valid = true;
        block_register(cache, block);
    }
    g_free(scratch);
    return block;
}

struct block *block_find(struct block_cache *cache, spa_t spa, struct decode_mode mode)
{
    unsigned key = block_mode_key(mode);
    struct block *block = cache->hash[hash_bucket(spa, key)];

    while (block && (block->spa != spa || block->mode != key))
        block = block->hash_next;
    return block ? block : block_build(cache, spa, mode);
}

/* ---- Stores into code ---------------------------------------------------------------------------------- */

static void block_invalidate(struct block_cache *cache, struct block *block)
{
    struct block **place = &cache->hash[hash_bucket(block->spa, block->mode)];

    while (*place != block)
        place = &(*place)->hash_next;
    *place = block->hash_next;
    block->valid = false;
}

/* Drop the blocks that overlap first..last (page offsets). true: there was one. */
static bool page_drop_overlap(struct block_cache *cache, struct code_page *page, unsigned first, unsigned last)
{
    struct block **place = &page->blocks;
    bool dropped = false;

    page->lines = 0;
    while (*place) {
        struct block *block = *place;
        unsigned start = (unsigned)(block->spa & PAGE_MASK);

        if (start <= last && first < start + block->bytes && FAM10H_PLANT != PLANT_STALE_BLOCK) {
            *place = block->page_next;
            block_invalidate(cache, block);
            dropped = true;
        } else {
            page->lines |= block_lines(block);
            place = &block->page_next;
        }
    }
    return dropped;
}

static void stored_in_page(struct block_cache *cache, spa_t address, unsigned size)
{
    struct code_page **place = page_place(cache, address & ~PAGE_MASK), *page = *place;
    unsigned first = (unsigned)(address & PAGE_MASK), last = first + size - 1;

    if (page && !(page->lines & lines_of(first, last)))
        return;
    if (page && page_drop_overlap(cache, page, first, last) && cache->running)
        core_attention(cache->running);
    if (!page || !page->blocks) {
        if (page) {
            *place = page->next;
            g_free(page);
        }
        cache->space->unflag_page(cache->space->ctx, address & ~PAGE_MASK, DRAM_PAGE_CODE);
    }
}

void block_cache_stored(struct block_cache *cache, spa_t address, unsigned size)
{
    while (size > 0) {
        uint64_t rest = PAGE_BYTES - (address & PAGE_MASK);
        unsigned piece = size < rest ? size : (unsigned)rest;

        stored_in_page(cache, address, piece);
        address += piece;
        size -= piece;
    }
}
