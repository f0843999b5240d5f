/* SPDX-License-Identifier: MIT */
#include "sim/machine/access_check.h"

#include <string.h>

#include "sim/machine/machine_private.h"
#include "sim/machine/race_check.h"
#include "sim/spa.h"

#define FINDINGS 1000 /* kept; more are counted in the last */
#define TEXT_PIECES 8
#define LOW_MEMORY UINT64_C(0x100000)

/* Whose a page is. */
enum owner {
    OWNER_NOBODY, /* firmware's, the loader's, a module's */
    OWNER_HV,     /* its data, and pages it took for itself: races are looked for in these */
    OWNER_LENT,   /* taken from its pool for whatever purpose: guests, stacks */
    OWNER_FREE,   /* in its pool */
};

struct page {
    uint8_t owner;
    bool whole;               /* every byte was written */
    uint64_t *written;        /* a bit for each byte; NULL: none, or whole */
    struct race_cell *cells;  /* PAGE_BYTES of them; NULL: no store yet */
};

/* What a core is doing. */
struct doing {
    uint64_t rip;
    bool atomic;     /* the line table says so of this instruction */
    uint64_t returns, order; /* of the allocation that runs; 0: none */
    uint64_t page_returns;
};

struct access_check {
    struct machine *machine;
    struct machine_check_rules rules;
    GArray *atomics;  /* the rules' struct machine_code_range, ascending */
    struct image_code text[TEXT_PIECES];
    unsigned texts;
    uint64_t alloc, alloc_in, release, add, init;   /* functions of its pool; 0: the image has none of that name */
    uint64_t alloc_page;
    uint64_t pool_first, pool_end;                  /* its own code */
    GHashTable *pages;                              /* page number -> struct page */
    struct page *last;
    uint64_t last_number;
    struct doing doing[MAX_CORES];
    struct race_check race;
    GArray *findings;
    struct core_watch watch;
};

/* ---- Pages -------------------------------------------------------------------------------------------- */

static void page_free(gpointer data)
{
    struct page *page = data;

    g_free(page->written);
    g_free(page->cells);
    g_free(page);
}

static struct page *page_of(struct access_check *check, spa_t address)
{
    uint64_t number = address >> PAGE_SHIFT;
    struct page *page = check->last;

    if (page && check->last_number == number)
        return page;
    page = g_hash_table_lookup(check->pages, &number);
    if (!page) {
        page = g_new0(struct page, 1);
        g_hash_table_insert(check->pages, g_memdup2(&number, sizeof(number)), page);
    }
    check->last = page;
    check->last_number = number;
    return page;
}

static void own(struct access_check *check, spa_t first, spa_t end, enum owner owner)
{
    for (spa_t at = first & ~PAGE_MASK; at < end; at += PAGE_BYTES) {
        struct page *page = page_of(check, at);

        page->owner = (uint8_t)owner;
        g_clear_pointer(&page->cells, g_free); /* what follows was ordered by the pool's lock */
    }
}

static void note_written(struct page *page, unsigned at, unsigned size)
{
    bool whole = true;

    if (page->whole)
        return;
    if (!page->written)
        page->written = g_new0(uint64_t, PAGE_BYTES / 64);
    for (unsigned i = at; i < at + size; i++)
        page->written[i / 64] |= UINT64_C(1) << i % 64;
    for (unsigned i = 0; whole && i < PAGE_BYTES / 64; i++)
        whole = page->written[i] == UINT64_MAX;
    if (whole) {
        page->whole = true;
        g_clear_pointer(&page->written, g_free);
    }
}

static bool was_written(const struct page *page, unsigned at, unsigned size)
{
    if (page->whole)
        return true;
    for (unsigned i = at; i < at + size; i++)
        if (!page->written || !(page->written[i / 64] >> i % 64 & 1))
            return false;
    return true;
}

/* ---- Findings ----------------------------------------------------------------------------------------- */

/* The same instruction doing the same is one finding, with its first address. */
static void find(struct access_check *check, enum machine_finding_kind kind, unsigned core, spa_t address,
                 unsigned size, uint64_t other)
{
    struct machine_finding finding = { kind, core, check->doing[core].rip, other, address, size, 1 };

    for (guint i = 0; i < check->findings->len; i++) {
        struct machine_finding *known = &g_array_index(check->findings, struct machine_finding, i);

        if ((known->kind == kind && known->rip == finding.rip && known->other == other) || i + 1 == FINDINGS) {
            known->count++;
            return;
        }
    }
    g_array_append_val(check->findings, finding);
}

/* Races of one access inside a page; `store`: it is one, and the bytes are this core's from now on. */
static void look_for_races(struct access_check *check, unsigned core, struct page *page, spa_t address, unsigned size,
                           bool store)
{
    struct race_cell *cells;
    bool found = false;

    if (page->owner != OWNER_HV || (!page->cells && !store))
        return;
    if (!page->cells)
        page->cells = g_new0(struct race_cell, PAGE_BYTES);
    cells = &page->cells[address & PAGE_MASK];
    for (unsigned i = 0; i < size; i++) {
        if (!found && race_unordered(&check->race, core, &cells[i])) {
            find(check, FINDING_RACE, core, address + i, size, cells[i].rip);
            found = true;
        }
        if (store)
            race_stored(&check->race, core, check->doing[core].rip, &cells[i]);
    }
}

static bool in_text(const struct access_check *check, spa_t address)
{
    for (unsigned i = 0; i < check->texts; i++)
        if (address - check->text[i].address < check->text[i].bytes)
            return true;
    return false;
}

static bool pool_itself(const struct access_check *check, uint64_t rip)
{
    return rip >= check->pool_first && rip < check->pool_end;
}

static void core_stores(void *ctx, unsigned core, spa_t address, unsigned size)
{
    struct access_check *check = ctx;
    const struct doing *doing = &check->doing[core];
    struct spa_space *space = platform_space(check->machine->platform);
    struct page *page;

    if (!space->is_dram(space->ctx, address))
        return;
    page = page_of(check, address);
    if (in_text(check, address))
        find(check, FINDING_TEXT_WRITE, core, address, size, 0);
    else if (page->owner == OWNER_FREE && check->pool_end && !pool_itself(check, doing->rip))
        find(check, FINDING_FREE_WRITE, core, address, size, 0);
    else if (page->owner == OWNER_NOBODY && check->add && address >= LOW_MEMORY)
        find(check, FINDING_FOREIGN_WRITE, core, address, size, 0);
    if (check->atomics->len == 0)
        return;
    if (doing->atomic)
        race_release(&check->race, core, address);
    else
        look_for_races(check, core, page, address, size, true);
}

/* Once all of a page is written, stores to it may go any way. */
void access_check_stored(struct access_check *check, spa_t address, unsigned size)
{
    struct spa_space *space = platform_space(check->machine->platform);

    while (size > 0) {
        unsigned rest = (unsigned)(PAGE_BYTES - (address & PAGE_MASK)), piece = MIN(size, rest);
        struct page *page = page_of(check, address);

        note_written(page, address & PAGE_MASK, piece);
        if (page->whole)
            space->unflag_page(space->ctx, address, DRAM_PAGE_WATCHED);
        address += piece;
        size -= piece;
    }
}

/* ---- What a core does ----------------------------------------------------------------------------------- */

static void core_loads(void *ctx, unsigned core, spa_t address, unsigned size)
{
    struct access_check *check = ctx;
    const struct doing *doing = &check->doing[core];
    struct spa_space *space = platform_space(check->machine->platform);
    struct page *page;

    if (!space->is_dram(space->ctx, address))
        return;
    page = page_of(check, address);
    if (address >= LOW_MEMORY && page->owner != OWNER_LENT && !was_written(page, address & PAGE_MASK, size))
        find(check, FINDING_UNINITIALISED, core, address, size, 0);
    else if (page->owner == OWNER_FREE && check->pool_end && !pool_itself(check, doing->rip))
        find(check, FINDING_FREE_READ, core, address, size, 0);
    if (check->atomics->len == 0)
        return;
    if (doing->atomic)
        race_acquire(&check->race, core, address);
    else
        look_for_races(check, core, page, address, size, false);
}

static uint64_t value_of(struct access_check *check, unsigned core, const char *name)
{
    uint64_t value = 0;

    core_register(check->machine->core[core], name, &value);
    return value;
}

/* The pool's functions, by the System V calling convention: arguments in rdi rsi rdx rcx, the result in rax. */
static void follow_pool(struct access_check *check, unsigned core, struct doing *doing)
{
    struct spa_space *space = platform_space(check->machine->platform);
    uint64_t rip = doing->rip;

    if (rip == check->init) {
        uint64_t state = value_of(check, core, "rcx");

        own(check, state, state + ((value_of(check, core, "rdx") - value_of(check, core, "rsi")) >> PAGE_SHIFT),
            OWNER_HV);
    } else if (rip == check->add) {
        own(check, value_of(check, core, "rsi"), value_of(check, core, "rdx"), OWNER_FREE);
    } else if (rip == check->release) {
        uint64_t first = value_of(check, core, "rsi");

        own(check, first, first + (PAGE_BYTES << (value_of(check, core, "rdx") & 31)), OWNER_FREE);
    } else if (rip == check->alloc || rip == check->alloc_in) {
        doing->order = value_of(check, core, "rsi") & 31;
        doing->returns = spa_read(space, value_of(check, core, "rsp"), 8);
    } else if (rip == check->alloc_page) {
        doing->page_returns = spa_read(space, value_of(check, core, "rsp"), 8);
    } else if (rip == doing->returns || rip == doing->page_returns) {
        uint64_t first = value_of(check, core, "rax");

        if (rip == doing->page_returns)
            own(check, first, first + PAGE_BYTES, OWNER_HV);
        else if (first)
            own(check, first, first + (PAGE_BYTES << doing->order), OWNER_LENT);
        *(rip == doing->returns ? &doing->returns : &doing->page_returns) = 0;
    }
}

static bool is_atomic(const struct access_check *check, uint64_t rip)
{
    guint low = 0, high = check->atomics->len;

    while (low < high) {
        guint middle = (low + high) / 2;
        const struct machine_code_range *range = &g_array_index(check->atomics, struct machine_code_range, middle);

        if (rip < range->first)
            high = middle;
        else if (rip >= range->end)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

static void core_fetches(void *ctx, unsigned core, spa_t address, uint64_t rip)
{
    struct access_check *check = ctx;
    struct doing *doing = &check->doing[core];
    uint64_t from = doing->rip;

    doing->rip = rip;
    if (!in_text(check, address)) {
        if (core_code_bits(check->machine->core[core]) == 64) /* a trampoline's copy is not */
            find(check, FINDING_EXECUTE, core, address, 1, from);
        return;
    }
    race_start(&check->race, core);
    doing->atomic = is_atomic(check, rip);
    follow_pool(check, core, doing);
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

struct access_check *access_check_new(struct machine *machine, const struct machine_check_rules *rules)
{
    struct access_check *check = g_new0(struct access_check, 1);

    check->machine = machine;
    check->rules = *rules;
    check->atomics = g_array_new(FALSE, FALSE, sizeof(struct machine_code_range));
    if (rules->atomic_count)
        g_array_append_vals(check->atomics, rules->atomic, (guint)rules->atomic_count);
    check->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, page_free);
    check->findings = g_array_new(FALSE, TRUE, sizeof(struct machine_finding));
    check->watch = (struct core_watch){ .ctx = check, .fetches = core_fetches, .loads = core_loads,
                                        .stores = core_stores };
    race_init(&check->race);
    return check;
}

void access_check_free(struct access_check *check)
{
    if (!check)
        return;
    race_clear(&check->race);
    g_hash_table_unref(check->pages);
    g_array_unref(check->findings);
    g_array_unref(check->atomics);
    g_free(check);
}

void access_check_reset(struct access_check *check)
{
    access_check_end(check);
    g_hash_table_remove_all(check->pages);
    check->last = NULL;
    memset(check->doing, 0, sizeof(check->doing));
    race_clear(&check->race);
    race_init(&check->race);
    platform_watch_stores(check->machine->platform, true);
}

void access_check_start(struct access_check *check, const struct image *kernel)
{
    const struct {
        const char *name;
        uint64_t *address;
    } functions[] = { { "pages_alloc", &check->alloc }, { "pages_alloc_in", &check->alloc_in },
                      { "pages_free", &check->release }, { "pages_add", &check->add },
                      { "pages_init", &check->init }, { "memory_alloc_page", &check->alloc_page } };
    struct image_code memory[TEXT_PIECES];
    unsigned pieces = image_memory(kernel, memory, TEXT_PIECES);
    uint64_t first, end;

    check->texts = image_code(kernel, check->text, TEXT_PIECES);
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++)
        if (!image_symbol(kernel, functions[i].name, functions[i].address))
            *functions[i].address = 0;
    /* The pool's own code lies in one piece, add_block ... pages_free: one source file. */
    check->pool_first = check->rules.pool.first;
    check->pool_end = check->rules.pool.end;
    for (unsigned i = 0; i < pieces; i++) /* .bss too: loaders clear it */
        access_check_stored(check, memory[i].address, (unsigned)memory[i].bytes);
    if (image_symbol(kernel, "hv_image_start", &first) && image_symbol(kernel, "hv_image_end", &end)) {
        own(check, first, end, OWNER_HV);
        for (spa_t at = first; at < end; at += PAGE_BYTES) /* and what lies between its segments */
            note_written(page_of(check, at), 0, PAGE_BYTES);
    } else {
        check->add = 0; /* whose memory is whose is not known */
    }
    for (unsigned i = 0; i < check->machine->core_count; i++)
        core_set_watch(check->machine->core[i], &check->watch);
}

void access_check_end(struct access_check *check)
{
    for (unsigned i = 0; i < check->machine->core_count; i++)
        core_set_watch(check->machine->core[i], NULL);
}

const struct machine_finding *access_check_findings(const struct access_check *check, size_t *count)
{
    *count = check->findings->len;
    return (const struct machine_finding *)(void *)check->findings->data;
}
