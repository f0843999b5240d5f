/* SPDX-License-Identifier: MIT */
#include "sim/platform/dram_errors.h"

#include "sim/platform/dram_controller.h"
#include "sim/platform/error.h"
#include "sim/unmodelled.h"

/* ---- The list -------------------------------------------------------------------------------------------- */

#define WORD(errors, i) (&g_array_index((errors)->words, struct planted_error, i))

/* The first word that ends behind `address`. */
static guint first_behind(const struct dram_errors *errors, spa_t address)
{
    guint low = 0, high = errors->words->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (WORD(errors, middle)->address + ECC_WORD_BYTES > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool page_has_error(const struct dram_errors *errors, spa_t page)
{
    guint i = first_behind(errors, page);

    return i < errors->words->len && WORD(errors, i)->address < page + PAGE_BYTES;
}

static void remove_word(struct dram_errors *errors, guint index)
{
    spa_t page = WORD(errors, index)->address & ~PAGE_MASK;
    struct spa_space *space = &errors->map->space;

    g_array_remove_index(errors->words, index);
    if (!page_has_error(errors, page))
        space->unflag_page(space->ctx, page, DRAM_PAGE_BAD);
}

void dram_errors_init(struct dram_errors *errors, struct map *map, struct northbridge *node, unsigned cores_per_node)
{
    errors->words = g_array_new(FALSE, TRUE, sizeof(struct planted_error));
    errors->map = map;
    errors->node = node;
    errors->cores_per_node = cores_per_node;
}

void dram_errors_clear(struct dram_errors *errors)
{
    g_array_set_size(errors->words, 0);
}

void dram_errors_free(struct dram_errors *errors)
{
    if (errors->words)
        g_array_unref(errors->words);
    errors->words = NULL;
}

/* The page must exist to carry the flag. */
static bool flag_word(struct dram_errors *errors, spa_t address)
{
    struct map *map = errors->map;
    struct spa_space *space = &map->space;

    if (!space->is_dram(map, address) || !space->dram(map, address, true))
        return false;
    space->flag_page(map, address, DRAM_PAGE_BAD);
    if (map->stored && (*space->page_flags(map, address) & DRAM_PAGE_CODE)) /* no decoded block of the page stays */
        map->stored(map->ctx, address & ~PAGE_MASK, PAGE_BYTES, DRAM_PAGE_CODE);
    return true;
}

bool dram_errors_plant(struct dram_errors *errors, const struct planted_error *planted, GError **error)
{
    struct planted_error word = *planted;
    guint at;

    word.address &= ~(spa_t)(ECC_WORD_BYTES - 1);
    if (errors->words->len >= DRAM_ERRORS_MOST)
        return platform_fail(error, "%u wrong words of memory are planted already; that is the most",
                             DRAM_ERRORS_MOST);
    if (!flag_word(errors, word.address))
        return platform_fail(error, "address %#" PRIx64 " is not DRAM of this machine", planted->address);
    at = first_behind(errors, word.address);
    if (at < errors->words->len && WORD(errors, at)->address == word.address)
        *WORD(errors, at) = word;
    else
        g_array_insert_val(errors->words, at, word);
    errors->count.planted++;
    return true;
}

/* ---- Becoming good again --------------------------------------------------------------------------------- */

static bool is_ecc(const struct planted_error *word)
{
    return word->named.status == 0;
}

static bool is_correctable(const struct planted_error *word)
{
    unsigned wrong;

    return ecc_symbol(ecc_syndrome(&word->mask), &wrong) >= 0;
}

#define LINE_BYTES 64
#define LINE(address) ((address) & ~(spa_t)(LINE_BYTES - 1))

/*
 * A store that covers the word makes new check bits; one of a part does so after correcting the rest. What F3xBC
 * injects waits in its line for the store, which is the one that it spoils.
 */
void dram_errors_stored(struct dram_errors *errors, spa_t address, uint64_t size)
{
    guint i = first_behind(errors, LINE(address));

    while (i < errors->words->len && WORD(errors, i)->address < LINE(address + size - 1) + LINE_BYTES) {
        struct planted_error *word = WORD(errors, i);
        bool touched = address < word->address + ECC_WORD_BYTES && word->address < address + size;
        bool covered = address <= word->address && word->address + ECC_WORD_BYTES <= address + size;

        if (word->kinds == 0) {
            word->kinds = MEMORY_ANY;
            i++;
        } else if (touched && is_ecc(word) && !word->hard && (covered || is_correctable(word))) {
            errors->count.rewritten++;
            remove_word(errors, i);
        } else {
            i++;
        }
    }
}

void dram_errors_replaced(struct dram_errors *errors, bool (*moved)(void *ctx, spa_t address), void *ctx)
{
    for (guint i = 0; i < errors->words->len;) {
        struct planted_error *word = WORD(errors, i);

        if (is_ecc(word) && moved(ctx, word->address)) {
            word->hard = false; /* the bad chip is out of use; what could not be corrected was copied as it was */
            if (is_correctable(word)) {
                remove_word(errors, i);
                continue;
            }
        }
        i++;
    }
}

void dram_errors_keep_hard(struct dram_errors *errors)
{
    guint kept = 0;

    for (guint i = 0; i < errors->words->len; i++)
        if (is_ecc(WORD(errors, i)) && WORD(errors, i)->hard && flag_word(errors, WORD(errors, i)->address))
            *WORD(errors, kept++) = *WORD(errors, i);
    g_array_set_size(errors->words, kept);
}

/* ---- What is logged -------------------------------------------------------------------------------------- */

/* DRAM ECC (fact sheet 5.5): BUS SRC or RES, RD or WR, MEM, LG; PCC for a processor's uncorrected read. */
static struct mca_error ecc_error(const struct planted_error *word, enum memory_access kind, bool remote, bool device)
{
    bool correctable = is_correctable(word), scrub = kind == MEMORY_SCRUB;
    struct mca_error error = { .bank = MCA_NB, .ctl = correctable ? 0 : 1, .addr = word->address, .precise = true };

    error.status = MCA_ADDRV | ecc_status(ecc_syndrome(&word->mask)) | UINT64_C(0x080813);
    if (kind == MEMORY_WRITE)
        error.status = bits_put(error.status, 7, 4, 2);
    if (remote || scrub)
        error.status = bits_put(error.status, 10, 9, 1);
    if (scrub)
        error.status |= MCA_SCRUB;
    error.status |= correctable ? MCA_CECC : MCA_UECC | MCA_UC;
    if (!correctable && !device) /* nor is the scrubber a processor */
        error.status |= MCA_PCC;
    return error;
}

/* What the unit that asked logs when wrong data come: LS, IC (no address) or BU (fact sheet 5.5). */
static struct mca_error unit_error(enum memory_access kind, spa_t address)
{
    struct mca_error error = { .bank = MCA_LS, .ctl = 0, .status = MCA_UC | MCA_ADDRV | 0x0833, .addr = address,
                               .precise = true };

    if (kind == MEMORY_WRITE) {
        error.ctl = 1;
        error.status = MCA_UC | MCA_ADDRV | 0x0843;
    } else if (kind == MEMORY_FETCH) {
        error.bank = MCA_IC;
        error.ctl = 9;
        error.status = MCA_UC | 0x0853;
    } else if (kind == MEMORY_WALK) {
        error.bank = MCA_BU;
        error.ctl = 1;
        error.status = MCA_UC | MCA_ADDRV | 0x0813;
    }
    return error;
}

static bool redirect_scrubs(const struct northbridge *nb)
{
    return nb_get(nb, 3, 0x5c) & 1;
}

/* A word read wrong. true: the data are lost. Removes the word when the redirect scrubber made it good. */
static bool meet_ecc(struct dram_errors *errors, guint index, enum memory_access kind, unsigned core)
{
    const struct planted_error word = *WORD(errors, index);
    struct spa_space *space = &errors->map->space;
    unsigned home = space->home_node(space->ctx, word.address);
    struct northbridge *nb = &errors->node[home];
    bool device = core == MCA_SOURCE_IO, remote = !device && core / errors->cores_per_node != home;
    struct mca_error error = ecc_error(&word, kind, remote, device);
    bool lost = error.status & MCA_UC;
    struct dram_place place;

    if (!(nb->mca.config & NB_DRAM_ECC_EN)) {
        unmodelled_note(errors->unmodelled, "wrong bits in DRAM with F3x44[22] DramEccEn clear");
        return false;
    }
    ++*(lost ? &errors->count.uncorrected : &errors->count.corrected);
    if (!lost && dram_place_find(errors->node, errors->map->nodes, word.address, &place))
        dram_controller_count(nb, place.channel, place.chip_select);
    mca_node_error(&nb->mca, &error,
                   device ? MCA_SOURCE_IO : remote ? MCA_SOURCE_REMOTE : core % errors->cores_per_node);
    if (!lost && !word.hard && redirect_scrubs(nb)) {
        errors->count.redirected++;
        remove_word(errors, index);
    }
    return lost;
}

/* A planted error of another unit: once, by the access that it waited for. */
static bool meet_named(struct dram_errors *errors, guint index, unsigned core, struct mca_error *own)
{
    struct planted_error word = *WORD(errors, index);
    struct spa_space *space = &errors->map->space;

    remove_word(errors, index);
    if (word.named.bank != MCA_NB) {
        *own = word.named;
        return core != MCA_SOURCE_IO;
    }
    mca_node_error(&errors->node[space->home_node(space->ctx, word.address)].mca, &word.named,
                   core == MCA_SOURCE_IO ? MCA_SOURCE_IO : core % errors->cores_per_node);
    return false;
}

/* Every word that the bytes lie in. */
static bool meet_words(struct dram_errors *errors, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                       struct mca_error *own)
{
    bool found = false;
    spa_t at = address;
    guint i;

    while ((i = first_behind(errors, at)) < errors->words->len && WORD(errors, i)->address < address + size) {
        at = WORD(errors, i)->address + ECC_WORD_BYTES;
        if (!(WORD(errors, i)->kinds & kind))
            continue;
        if (!is_ecc(WORD(errors, i))) {
            found |= meet_named(errors, i, core, own);
        } else {
            WORD(errors, i)->kinds = MEMORY_ANY; /* found once, the bits are wrong for everybody */
            if (meet_ecc(errors, i, kind, core) && core != MCA_SOURCE_IO) {
                *own = unit_error(kind, address);
                found = true;
            }
        }
    }
    return found;
}

/* ---- Injection by F3xB8 and F3xBC (fact sheet 5.11) ------------------------------------------------------------ */

#define F3_ARRAY_ADDRESS 0xB8
#define ARRAY_SELECT 31, 28
#define ARRAY_DRAM_ECC 8
#define ARRAY_SECTION 2, 1     /* which 16 bytes of the line */
#define F3_ARRAY_DATA 0xBC
#define INJECT_BITS 15, 0
#define INJECT_READ BIT(16)
#define INJECT_WRITE BIT(17)
#define INJECT_WORD(n) (20 + (n)) /* 0 to 7: 16 data bits each; 8: the check bits */

void dram_errors_arm(struct dram_errors *errors, unsigned node)
{
    const struct northbridge *nb = &errors->node[node];
    bool waits = bits(nb_get(nb, 3, F3_ARRAY_ADDRESS), ARRAY_SELECT) == ARRAY_DRAM_ECC &&
                 (nb_get(nb, 3, F3_ARRAY_DATA) & (INJECT_READ | INJECT_WRITE));
    unsigned old = errors->armed;

    errors->armed = (unsigned)bit_put(old, node, waits);
    if (!old != !errors->armed && errors->map->drop_native)
        errors->map->drop_native(errors->map->ctx, SPA_LIMIT);
}

static struct ecc_mask injected_mask(uint32_t data)
{
    struct ecc_mask mask = { { 0, 0 }, 0 };

    for (unsigned word = 0; word < 8; word++)
        if (bit(data, INJECT_WORD(word)))
            mask.data[word / 4] |= bits(data, INJECT_BITS) << (16 * (word % 4));
    if (bit(data, INJECT_WORD(8)))
        mask.check = (uint16_t)bits(data, INJECT_BITS);
    return mask;
}

/* Takes the injection that this access triggers. The request is done with it: its bit reads 0 again. */
static bool take_injection(struct dram_errors *errors, spa_t address, uint32_t request, struct planted_error *word)
{
    struct spa_space *space = &errors->map->space;
    unsigned node = space->home_node(space->ctx, address);
    struct northbridge *nb = &errors->node[node];
    uint32_t data = nb_get(nb, 3, F3_ARRAY_DATA);

    if (!bit(errors->armed, node) || !(data & request))
        return false;
    *word = (struct planted_error){
        .address = LINE(address) + ECC_WORD_BYTES * bits(nb_get(nb, 3, F3_ARRAY_ADDRESS), ARRAY_SECTION),
        .mask = injected_mask(data),
    };
    nb_set(nb, 3, F3_ARRAY_DATA, data & ~request);
    dram_errors_arm(errors, node);
    errors->count.injected++;
    return word->mask.data[0] || word->mask.data[1] || word->mask.check;
}

/* The word goes out to the DIMM with these bits wrong, as soon as the access stores. */
static void inject_write(struct dram_errors *errors, spa_t address)
{
    struct planted_error word;

    if (take_injection(errors, address, INJECT_WRITE, &word))
        dram_errors_plant(errors, &word, NULL); /* a full list takes no more: the injection is lost */
    dram_controller_errors_changed(&errors->node[errors->map->space.home_node(errors->map, address)]);
}

/* What comes from the DIMM is read with these bits wrong, this once; the controller checks the whole line. */
static bool inject_read(struct dram_errors *errors, spa_t address, unsigned size, unsigned core, struct mca_error *own)
{
    struct planted_error word, before = { 0 };
    bool found = false, had;
    guint i;

    if (!take_injection(errors, address, INJECT_READ, &word))
        return false;
    i = first_behind(errors, word.address);
    had = i < errors->words->len && WORD(errors, i)->address == word.address;
    if (had)
        before = *WORD(errors, i);
    word.kinds = MEMORY_ANY;
    if (!dram_errors_plant(errors, &word, NULL))
        return false;
    if (meet_ecc(errors, i, MEMORY_READ, core) && address < word.address + ECC_WORD_BYTES &&
        word.address < address + size) {
        *own = unit_error(MEMORY_READ, address);
        found = true;
    }
    if (i < errors->words->len && WORD(errors, i)->address == word.address)
        remove_word(errors, i);
    if (had)
        dram_errors_plant(errors, &before, NULL);
    return found;
}

/* deviation: fetches and page walks, which a processor makes from its caches, trigger no injection. */
bool dram_errors_meet(struct dram_errors *errors, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                      struct mca_error *own)
{
    bool found = false;

    if (errors->armed && kind == MEMORY_WRITE)
        inject_write(errors, address);
    else if (errors->armed && kind == MEMORY_READ)
        found = inject_read(errors, address, size, core, own);
    return meet_words(errors, address, size, kind, core, own) || found;
}

/* ---- Scrubbing ------------------------------------------------------------------------------------------- */

bool dram_errors_next(const struct dram_errors *errors, spa_t from, spa_t limit, spa_t *address)
{
    for (guint i = first_behind(errors, from); i < errors->words->len; i++) {
        const struct planted_error *word = WORD(errors, i);

        if (word->address > limit)
            break;
        if (word->kinds & MEMORY_SCRUB) {
            *address = word->address;
            return true;
        }
    }
    return false;
}

void dram_errors_scrub(struct dram_errors *errors, spa_t address)
{
    guint i = first_behind(errors, address);
    struct mca_error own;

    if (i >= errors->words->len || WORD(errors, i)->address != address || !(WORD(errors, i)->kinds & MEMORY_SCRUB))
        return;
    if (!is_ecc(WORD(errors, i))) {
        meet_named(errors, i, MCA_SOURCE_IO, &own);
        return;
    }
    if (meet_ecc(errors, i, MEMORY_SCRUB, MCA_SOURCE_IO) || i >= errors->words->len ||
        WORD(errors, i)->address != address || WORD(errors, i)->hard)
        return;
    errors->count.scrubbed++;
    remove_word(errors, i);
}

/* ---- Counters and snapshot ----------------------------------------------------------------------------------- */

#define ROW(name, unit, meaning, member) \
    { name, unit, meaning, offsetof(struct dram_errors, count.member), { { 0 } } }

const struct counter_row dram_error_counter_rows[] = {
    ROW("dram.planted", "words", "wrong words of memory that a scenario or F3xBC planted", planted),
    ROW("dram.injected", "words", "of them: errors that F3xBC asked for and an access triggered", injected),
    ROW("dram.corrected", "accesses", "accesses that met a word with wrong bits in one symbol", corrected),
    ROW("dram.uncorrected", "accesses", "accesses that met a word with wrong bits in several symbols", uncorrected),
    ROW("scrub.sequential", "words", "words that the sequential scrubber made good", scrubbed),
    ROW("scrub.redirect", "words", "words that the redirect scrubber made good after an access", redirected),
    ROW("dram.rewritten", "words", "wrong words that a store made good", rewritten),
};
const size_t dram_error_counter_count = G_N_ELEMENTS(dram_error_counter_rows);

static void save_word(const struct planted_error *word, struct state_writer *writer)
{
    state_write_u64(writer, word->address);
    state_write_u64(writer, word->mask.data[0]);
    state_write_u64(writer, word->mask.data[1]);
    state_write_u64(writer, word->mask.check | (uint64_t)word->kinds << 16 | (uint64_t)word->hard << 24 |
                                (uint64_t)word->named.bank << 32 | (uint64_t)word->named.ctl << 40 |
                                (uint64_t)word->named.precise << 48);
    state_write_u64(writer, word->named.status);
    state_write_u64(writer, word->named.addr);
}

static void errors_save(void *object, struct state_writer *writer)
{
    const struct dram_errors *errors = object;

    state_write_u64(writer, errors->words->len);
    for (guint i = 0; i < errors->words->len; i++)
        save_word(WORD(errors, i), writer);
}

static bool load_word(struct dram_errors *errors, struct state_reader *reader, GError **error)
{
    uint64_t value[6];
    struct planted_error word = { 0 };

    for (unsigned i = 0; i < 6; i++)
        if (!state_read_u64(reader, &value[i], error))
            return false;
    word.address = value[0];
    word.mask = (struct ecc_mask){ { value[1], value[2] }, (uint16_t)value[3] };
    word.kinds = (uint8_t)bits(value[3], 23, 16);
    word.hard = bit(value[3], 24);
    word.named = (struct mca_error){ .bank = (uint8_t)bits(value[3], 39, 32), .ctl = (uint8_t)bits(value[3], 45, 40),
                                     .status = value[4], .addr = value[5], .precise = bit(value[3], 48) };
    if (word.named.bank >= MCA_BANKS)
        return platform_fail(error, "snapshot: a planted error names bank %u, of which there are %d", word.named.bank,
                             MCA_BANKS);
    return dram_errors_plant(errors, &word, error);
}

static bool errors_load(void *object, struct state_reader *reader, GError **error)
{
    struct dram_errors *errors = object;
    uint64_t count;

    dram_errors_clear(errors);
    if (!state_read_u64(reader, &count, error))
        return false;
    while (count--)
        if (!load_word(errors, reader, error))
            return false;
    return true;
}

const struct state_part dram_errors_state = { .name = "dram_errors", .save = errors_save, .load = errors_load };
