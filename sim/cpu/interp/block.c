/* SPDX-License-Identifier: MIT */
/* FAM10H_PLANT plants one fault for the tests of the engines' equality (tests/system/plants.sh). */
#include "sim/cpu/interp/block.h"

#include <glib.h>
#include <string.h>

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/isa/isa.h"
#include "sim/executed.h"

#ifndef FAM10H_PLANT
#define FAM10H_PLANT 0
#endif
#define PLANT_STALE_BLOCK 4 /* a block whose bytes were stored to stays */

#define HASH_BUCKETS (1u << 16)
#define PAGE_BUCKETS (1u << 10)
#define SIZE_CLASSES 6 /* room for 1, 2, 4 ... 32 instructions */
#define CHUNK_BYTES ((size_t)1 << 20)
#define CHUNKS 64 /* 64 MiB of decoded code, then everything is forgotten; and one chunk a class more */

/* One page of code. `lines` has a bit for each 64 bytes that some live block covers. */
struct code_page {
    spa_t spa;
    uint64_t lines;
    struct block *blocks;
    struct code_page *next;
};

/* Memory of blocks of one size class, for ever: a pointer to a block always points to some block. */
struct chunk {
    uint8_t *memory, *bytes; /* as allocated, aligned */
    unsigned size_class;
    size_t used;
};

struct block_cache {
    struct spa_space *space;
    uint32_t absent; /* what the processor lacks: all cores of a machine are of one model */
    struct core *running;
    struct executed_image *noted; /* NULL: nobody asks what executes */
    struct block *hash[HASH_BUCKETS];
    struct code_page *pages[PAGE_BUCKETS];
    struct chunk chunk[CHUNKS + SIZE_CLASSES];
    unsigned chunks;
    int current[SIZE_CLASSES];        /* chunk that the class is cut from, -1: none */
    struct block *free[SIZE_CLASSES]; /* by hash_next */
    struct block *scratch;            /* where a block is decoded before its size is known */
};

/* ---- Memory of blocks ------------------------------------------------------------------------------ */

static size_t class_bytes(unsigned size_class)
{
    size_t bytes = sizeof(struct block) + sizeof(struct quick_op) * ((1u << size_class) + 1) +
                   (sizeof(struct insn) << size_class);

    return (bytes + BLOCK_ALIGNMENT - 1) & ~(size_t)(BLOCK_ALIGNMENT - 1);
}

/* A block of the class with nothing in it. */
static struct block *block_place(uint8_t *bytes, unsigned size_class)
{
    struct block *block = (struct block *)(void *)bytes;

    *block = (struct block){ .size_class = (uint8_t)size_class, .key = BLOCK_DEAD };
    block->insn = (struct insn *)(void *)(block->quick + (1u << size_class) + 1);
    return block;
}

static void block_release(struct block_cache *cache, struct block *block)
{
    block->key = BLOCK_DEAD;
    block->next[0] = block->next[1] = NULL;
    block->hash_next = cache->free[block->size_class];
    cache->free[block->size_class] = block;
}

static void chunk_open(struct chunk *chunk, unsigned size_class)
{
    uint8_t *memory = g_malloc(CHUNK_BYTES + BLOCK_ALIGNMENT);

    *chunk = (struct chunk){ memory, memory + (-(uintptr_t)memory & (BLOCK_ALIGNMENT - 1)), size_class, 0 };
}

/* Cut a new block from the class's chunk, opening one if there may be another. NULL: the cache is full. */
static struct block *chunk_cut(struct block_cache *cache, unsigned size_class)
{
    int *current = &cache->current[size_class];
    struct chunk *chunk;

    if (*current < 0 || cache->chunk[*current].used + class_bytes(size_class) > CHUNK_BYTES) {
        if (*current >= 0 && cache->chunks >= CHUNKS)
            return NULL;
        *current = (int)cache->chunks++;
        chunk_open(&cache->chunk[*current], size_class);
    }
    chunk = &cache->chunk[*current];
    chunk->used += class_bytes(size_class);
    return block_place(chunk->bytes + chunk->used - class_bytes(size_class), size_class);
}

static struct block *block_take(struct block_cache *cache, unsigned size_class)
{
    struct block *block = cache->free[size_class];

    if (!block && (block = chunk_cut(cache, size_class)))
        return block;
    if (!block) {
        block_cache_clear(cache);
        block = cache->free[size_class];
    }
    cache->free[size_class] = block->hash_next;
    return block;
}

/* ---- Tables ------------------------------------------------------------------------------------------ */

static unsigned hash_bucket(spa_t spa, unsigned mode)
{
    return (unsigned)((spa ^ spa >> 16 ^ spa >> 32 ^ (uint64_t)mode << 9) & (HASH_BUCKETS - 1));
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
    cache->scratch = block_place(g_malloc0(class_bytes(SIZE_CLASSES - 1)), SIZE_CLASSES - 1);
    for (unsigned c = 0; c < SIZE_CLASSES; c++)
        cache->current[c] = -1;
    return cache;
}

static void release_chunk(struct block_cache *cache, const struct chunk *chunk)
{
    for (size_t at = 0; at < chunk->used; at += class_bytes(chunk->size_class))
        block_release(cache, (struct block *)(void *)(chunk->bytes + at));
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
    memset(cache->free, 0, sizeof(cache->free));
    for (unsigned i = 0; i < cache->chunks; i++)
        release_chunk(cache, &cache->chunk[i]);
}

void block_cache_free(struct block_cache *cache)
{
    if (!cache)
        return;
    block_cache_clear(cache);
    for (unsigned i = 0; i < cache->chunks; i++)
        g_free(cache->chunk[i].memory);
    g_free(cache->scratch);
    g_free(cache);
}

void block_cache_set_absent(struct block_cache *cache, uint32_t absent)
{
    cache->absent = absent;
}

void block_cache_run(struct block_cache *cache, struct core *core)
{
    cache->running = core;
}

void block_cache_note_executed(struct block_cache *cache, struct executed_image *image)
{
    block_cache_clear(cache);
    cache->noted = image;
}

void block_cache_fetched(struct block_cache *cache, spa_t spa, unsigned length)
{
    if (cache->noted)
        executed_mark(cache->noted, spa, length);
}

/* ---- Decoding ---------------------------------------------------------------------------------------- */

/* Stage "before any exception check" of fact sheet 3.11: CPUID, PUSHF, INTn, PAUSE ... */
static enum outcome run_after_intercept(struct core *core, const struct insn *insn)
{
    if (intercepts(core, insn->row->intercept.code))
        return core_vmexit(core, insn->row->intercept.code, 0, 0);
    return insn->row->run(core, insn);
}

static enum outcome run_undefined(struct core *core, const struct insn *insn)
{
    (void)insn;
    return core_fault(core, EXC_UD);
}

/* LAHF and SAHF are only announced for 64-bit mode; without ABM LZCNT is BSR (exec_lzcnt). */
static bool is_absent(const struct isa_row *row, struct decode_mode mode, uint32_t absent)
{
    if (row->feature == ISA_FEATURE_ABM || (row->feature == ISA_FEATURE_LAHF64 && mode.code_bits != 64))
        return false;
    return absent >> row->feature & 1;
}

enum decode_result insn_prepare(const uint8_t *bytes, size_t size, struct decode_mode mode, uint32_t absent,
                                struct insn *insn)
{
    enum decode_result result = decode(bytes, size, mode, insn);

    if (result == DECODE_OK && is_absent(insn->row, mode, absent))
        return DECODE_INVALID;
    if (result == DECODE_OK && insn->row->intercept.stage == ISA_STAGE_PRE)
        insn->run = run_after_intercept;
    if (result != DECODE_INVALID)
        return result;
    insn->row = NULL;
    insn->run = run_undefined;
    insn->cost = 1;
    return DECODE_OK;
}

static bool insn_ends_block(const struct insn *insn)
{
    return !insn->row || isa_row_ends_block(insn->row);
}

/* Fill `block` from the bytes of its page. false: not even one instruction fits. */
static bool block_decode(struct block *block, const uint8_t *page, struct decode_mode mode, uint32_t absent)
{
    unsigned at = (unsigned)(block->spa & PAGE_MASK), start = at;

    block->count = 0;
    block->plain_end = true;
    while (block->count < BLOCK_INSNS && at < PAGE_BYTES) {
        struct insn *insn = &block->insn[block->count];
        size_t rest = PAGE_BYTES - at;

        if (insn_prepare(page + at, rest < 15 ? rest : 15, mode, absent, insn) != DECODE_OK)
            break;
        at += insn->length;
        block->count++;
        if (insn_ends_block(insn)) {
            block->plain_end = insn->row && (insn->row->attributes & A_BRANCH);
            break;
        }
    }
    block->bytes = (uint16_t)(at - start);
    block->end_key = block->key + block->bytes;
    return block->count > 0;
}

/* The quick forms of the instructions of a block in its place. */
static void block_quicken(struct block *block)
{
    struct quick_flags flags = { LAZY_NONE, 0 };
    unsigned end = 0, forms = 0;

    for (unsigned n = 0; n < block->count; n++) {
        struct quick_op *op = &block->quick[n];

        end += block->insn[n].length;
        *op = (struct quick_op){ .before = block->cost };
        quick_choose(op, &block->insn[n], end, &flags);
        block->cost = (uint16_t)(block->cost + block->insn[n].cost);
        forms += op->has_form;
    }
    quick_finish(&block->quick[block->count], block->bytes);
    block->quick_end = &block->quick[block->count];
    block->weight = (uint64_t)block->count << 32 | block->cost;
    block->is_quick = 2 * forms > block->count;
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

static unsigned size_class_of(unsigned count)
{
    unsigned size_class = 0;

    while (1u << size_class < count)
        size_class++;
    return size_class;
}

/* What has been decoded, without the quick forms, into the place of a block. */
static void block_copy(struct block *block, const struct block *scratch)
{
    struct insn *insn = block->insn;

    *block = *scratch;
    block->insn = insn;
    memcpy(insn, scratch->insn, scratch->count * sizeof(*insn));
}

static struct block *block_build(struct block_cache *cache, spa_t spa, struct decode_mode mode)
{
    const uint8_t *page = cache->space->dram(cache->space->ctx, spa, false);
    struct block *scratch = cache->scratch, *block;

    if (!page)
        return NULL; /* a device, or absent memory that reads as zero */
    scratch->spa = spa;
    scratch->mode = (uint8_t)block_mode_key(mode);
    scratch->key = block_key(spa, scratch->mode);
    if (!block_decode(scratch, page, mode, cache->absent))
        return NULL;
    if (cache->noted && !executed_knows(cache->noted, spa, scratch->bytes))
        return NULL; /* its instructions go one by one, through fetch_insn_at, until each has been noted */
    scratch->size_class = (uint8_t)size_class_of(scratch->count);
    block = block_take(cache, scratch->size_class);
    block_copy(block, scratch);
    if (mode.code_bits == 64)
        block_quicken(block);
    block_register(cache, block);
    return block;
}

struct block *block_find(struct block_cache *cache, spa_t spa, struct decode_mode mode)
{
    unsigned key = block_mode_key(mode);
    struct block *block = cache->hash[hash_bucket(spa, key)];

    while (block && !block_is(block, spa, key))
        block = block->hash_next;
    if (block || spa_page_is_bad(cache->space, spa)) /* every fetch from a bad page asks for its errors */
        return block;
    return block_build(cache, spa, mode);
}

/* ---- Stores into code ---------------------------------------------------------------------------------- */

static void block_invalidate(struct block_cache *cache, struct block *block)
{
    struct block **place = &cache->hash[hash_bucket(block->spa, block->mode)];

    while (*place != block)
        place = &(*place)->hash_next;
    *place = block->hash_next;
    block_release(cache, block);
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

/* A page whose last block died keeps its flag until the next store: code that is rewritten is soon run again. */
static void stored_in_page(struct block_cache *cache, spa_t address, unsigned size)
{
    struct code_page **place = page_place(cache, address & ~PAGE_MASK), *page = *place;
    unsigned first = (unsigned)(address & PAGE_MASK), last = first + size - 1;

    if (page && page->blocks) {
        if ((page->lines & lines_of(first, last)) && page_drop_overlap(cache, page, first, last) && cache->running)
            core_attention(cache->running);
        return;
    }
    if (page) {
        *place = page->next;
        g_free(page);
    }
    cache->space->unflag_page(cache->space->ctx, address & ~PAGE_MASK, DRAM_PAGE_CODE);
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
