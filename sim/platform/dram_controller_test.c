/* SPDX-License-Identifier: MIT */
/* Chip selects, ECC words, scrubbers and the online spare against fact sheet 5.8 to 5.10, 6.4 and 6.6. */
#include "sim/platform/fixture.h"

#define NS UINT64_C(1000)
#define MS UINT64_C(1000000000)
#define ALL_ON 0x0fffffff

static void config_write(struct fixture *f, unsigned node, unsigned function, unsigned reg, uint32_t value)
{
    out(f, 0xcf8, 4, UINT32_C(0x80000000) | (0x18 + node) << 11 | function << 8 | reg);
    out(f, 0xcfc, 4, value);
}

static struct northbridge *node_of(struct fixture *f, unsigned node)
{
    return &f->platform->node[node];
}

/* A machine whose northbridges log and report everything. */
static struct fixture *logging(unsigned nodes, uint64_t memory)
{
    struct fixture *f = fixture_new(nodes, 2, memory);

    for (unsigned node = 0; node < nodes; node++) {
        node_of(f, node)->mca.enabled = 1;
        config_write(f, node, 3, 0x40, ALL_ON);
    }
    return f;
}

static void plant(struct fixture *f, spa_t address, uint64_t mask, uint8_t kinds, bool hard)
{
    const struct planted_error planted = {
        .address = address, .mask = { { mask, 0 }, 0 }, .kinds = kinds, .hard = hard,
    };

    ck_assert(platform_plant_error(f->platform, &planted, NULL));
}

static bool meet(struct fixture *f, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                 struct mca_error *own)
{
    return dram_errors_meet(&f->platform->errors, address, size, kind, core, own);
}

static guint words(const struct fixture *f)
{
    return f->platform->errors.words->len;
}

static unsigned chip_select(struct fixture *f, spa_t address)
{
    struct dram_place place;

    ck_assert(dram_place_find(f->platform->node, f->platform->config.nodes, address, &place));
    return place.chip_select;
}

/* ---- Chip selects --------------------------------------------------------------------------------------- */

/* 3 x 256 MiB: code 1 is not used when 512 does not fit exactly; each chip select answers for its 256 MiB. */
START_TEST(an_address_lies_in_the_chip_select_of_its_offset)
{
    struct fixture *f = fixture_new(1, 1, 768 * MIB);
    struct dram_place place;

    for (spa_t address = 0; address < 768 * MIB; address += 16 * MIB)
        ck_assert_uint_eq(chip_select(f, address), address / (256 * MIB));
    ck_assert(!dram_place_find(f->platform->node, 1, 768 * MIB, &place)); /* F1x44's limit */
    fixture_free(f);
}
END_TEST

/* 8 GiB on 2 nodes, hole at 3 GiB: node 0 has 4 GiB in one chip select, its last GiB at 4 GiB; node 1 follows. */
START_TEST(what_the_hole_displaced_is_found_behind_it)
{
    struct fixture *f = fixture_new(2, 1, 8 * GIB);
    const struct {
        spa_t address;
        unsigned node;
    } cases[] = {
        { 0, 0 }, { 3 * GIB - 64, 0 }, { 4 * GIB, 0 }, { 5 * GIB - 64, 0 }, { 5 * GIB, 1 }, { 9 * GIB - 64, 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct dram_place place;

        ck_assert(dram_place_find(f->platform->node, 2, cases[i].address, &place));
        ck_assert_uint_eq(place.node, cases[i].node);
        ck_assert_uint_eq(place.channel, 0);
        ck_assert_uint_eq(place.chip_select, 0);
    }
    fixture_free(f);
    f = fixture_new(1, 1, 5 * GIB); /* 5 x 1 GiB; what lies at 4 GiB is the fourth */
    ck_assert_uint_eq(chip_select(f, 3 * GIB - 64), 2);
    ck_assert_uint_eq(chip_select(f, 4 * GIB), 3);
    ck_assert_uint_eq(chip_select(f, 5 * GIB), 4);
    fixture_free(f);
}
END_TEST

/* Fact sheet 6.4: 256 MB, DDR2, 64-bit, two ways: base and mask bits 28 and 15 change places. */
START_TEST(interleaved_chip_selects_are_told_by_the_low_bit)
{
    struct fixture *f = fixture_new(1, 1, 512 * MIB);
    struct northbridge *nb = node_of(f, 0);

    nb_set(nb, 2, 0x40, 1);
    nb_set(nb, 2, 0x44, 1 | 1 << 7);                     /* Base[15] */
    nb_set(nb, 2, 0x60, 0x00183fe0 & ~(UINT32_C(1) << 7)); /* Mask[28:27], [21:13] without 15 */
    for (spa_t address = 0; address < 512 * MIB; address += 8 * MIB + 0x8000)
        ck_assert_uint_eq(chip_select(f, address), address >> 15 & 1);
    fixture_free(f);
}
END_TEST

/* ---- Accesses --------------------------------------------------------------------------------------------- */

START_TEST(a_core_of_another_node_is_the_responders)
{
    struct fixture *f = logging(2, 512 * MIB);
    struct mca_error own;

    plant(f, 300 * MIB, 1, MEMORY_READ, false);
    ck_assert(!meet(f, 300 * MIB + 8, 4, MEMORY_READ, 1, &own)); /* core 1 is node 0's */
    /* fact sheet 5.5: RES, RD: 0A13h */
    ck_assert_uint_eq(node_of(f, 1)->mca.bank.status, UINT64_C(0x9400400000080A13) | ecc_status(0xE821));
    ck_assert_uint_eq(node_of(f, 1)->mca.bank.addr, 300 * MIB);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, 0);
    fixture_free(f);
}
END_TEST

START_TEST(lost_data_are_logged_by_who_asked_too)
{
    static const struct {
        enum memory_access kind;
        uint8_t bank;
        uint64_t status;
    } cases[] = { /* fact sheet 5.5 */
        { MEMORY_READ, MCA_LS, MCA_UC | MCA_ADDRV | 0x0833 }, { MEMORY_WRITE, MCA_LS, MCA_UC | MCA_ADDRV | 0x0843 },
        { MEMORY_FETCH, MCA_IC, MCA_UC | 0x0853 }, { MEMORY_WALK, MCA_BU, MCA_UC | MCA_ADDRV | 0x0813 },
    };
    struct fixture *f = logging(1, 512 * MIB);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct mca_error own = { 0 };

        plant(f, MIB, 0x11, (uint8_t)cases[i].kind, false);
        ck_assert(!meet(f, MIB, 8, cases[i].kind == MEMORY_READ ? MEMORY_WRITE : MEMORY_READ, 0, &own));
        ck_assert(meet(f, MIB, 8, cases[i].kind, 0, &own)); /* the kind that it waits for */
        ck_assert_uint_eq(own.bank, cases[i].bank);
        ck_assert_uint_eq(own.status, cases[i].status);
        ck_assert(own.precise);
        ck_assert(node_of(f, 0)->mca.bank.status & MCA_PCC);
    }
    fixture_free(f);
}
END_TEST

/* DRAM parts next to the word, before and behind it, do not meet it. */
START_TEST(only_accesses_that_touch_the_word_meet_it)
{
    struct fixture *f = logging(1, 512 * MIB);
    struct mca_error own;

    plant(f, MIB + 32, 0x11, MEMORY_ANY, false);
    ck_assert(!meet(f, MIB, 32, MEMORY_READ, 0, &own));
    ck_assert(!meet(f, MIB + 48, 16, MEMORY_READ, 0, &own));
    ck_assert(meet(f, MIB + 31, 2, MEMORY_READ, 0, &own));
    ck_assert(meet(f, MIB + 47, 1, MEMORY_READ, 0, &own));
    fixture_free(f);
}
END_TEST

START_TEST(a_store_makes_a_word_good_if_it_can)
{
    struct fixture *f = logging(1, 512 * MIB);
    uint8_t line[16] = { 0 };

    plant(f, MIB, 1, MEMORY_ANY, false);
    store(f, MIB + 4, 4, 7); /* corrected on the way */
    ck_assert_uint_eq(words(f), 0);
    plant(f, MIB, 0x11, MEMORY_ANY, false);
    store(f, MIB + 4, 4, 7); /* the rest of the word is lost */
    ck_assert_uint_eq(words(f), 1);
    spa_write_block(platform_space(f->platform), MIB, line, 16);
    ck_assert_uint_eq(words(f), 0);
    plant(f, MIB, 1, MEMORY_ANY, true); /* a broken cell */
    store(f, MIB, 8, 7);
    ck_assert_uint_eq(words(f), 1);
    fixture_free(f);
}
END_TEST

/* ---- Scrubbers ------------------------------------------------------------------------------------------------ */

/* Rate code 3: 160 ns for each 64-byte line, from the node's base (fact sheet 5.9). */
START_TEST(the_sequential_scrubber_finds_a_word_when_it_comes_to_its_line)
{
    struct fixture *f = logging(2, 512 * MIB);
    struct northbridge *nb = node_of(f, 1);
    spa_t base = 256 * MIB;

    config_write(f, 1, 3, 0x5c, (uint32_t)base);
    config_write(f, 1, 3, 0x58, 3);
    plant(f, base + 1000 * 64 + 16, 1, MEMORY_SCRUB, false);
    run_until(f, 1000 * 160 * NS);
    ck_assert_uint_eq(config_read(f, 1, 3, 0x5c), base + 1000 * 64);
    ck_assert_uint_eq(nb->mca.bank.status, 0);
    run_until(f, 1001 * 160 * NS);
    ck_assert_uint_eq(nb->mca.bank.status & ~(MCA_OVER | BITS(54, 47) | BITS(31, 24)),
                      MCA_VAL | MCA_EN | MCA_ADDRV | MCA_CECC | MCA_SCRUB | 0x080A13);
    ck_assert_uint_eq(nb->mca.bank.addr, base + 1000 * 64 + 16);
    ck_assert_uint_eq(words(f), 0);
    ck_assert_uint_eq(f->platform->errors.count.scrubbed, 1);
    fixture_free(f);
}
END_TEST

START_TEST(the_scrubber_wraps_and_finds_what_lay_behind_it)
{
    struct fixture *f = logging(1, 64 * MIB);
    uint64_t lines = 64 * MIB / 64;

    config_write(f, 0, 3, 0x58, 1);
    run_until(f, 10 * 40 * NS);
    plant(f, 64 * 3, 1, MEMORY_SCRUB, false);
    run_until(f, (lines + 3) * 40 * NS);
    ck_assert_uint_eq(words(f), 1);
    run_until(f, (lines + 4) * 40 * NS);
    ck_assert_uint_eq(words(f), 0);
    fixture_free(f);
}
END_TEST

START_TEST(what_cannot_be_corrected_is_reported_each_time_round)
{
    struct fixture *f = logging(1, 64 * MIB);
    uint64_t lines = 64 * MIB / 64;

    config_write(f, 0, 3, 0x58, 1);
    plant(f, 0x40, 0x11, MEMORY_SCRUB, false);
    run_until(f, 2 * 40 * NS);
    ck_assert_uint_eq(f->platform->errors.count.uncorrected, 1);
    ck_assert(!(node_of(f, 0)->mca.bank.status & MCA_PCC)); /* no processor asked */
    ck_assert_uint_eq(f->platform->errors.count.uncorrected, 1);
    run_until(f, (lines + 2) * 40 * NS);
    ck_assert_uint_eq(f->platform->errors.count.uncorrected, 2);
    ck_assert_uint_eq(words(f), 1);
    fixture_free(f);
}
END_TEST

START_TEST(the_redirect_scrubber_writes_back_what_an_access_found)
{
    struct fixture *f = logging(1, 512 * MIB);
    struct mca_error own;

    plant(f, MIB, 1, MEMORY_ANY, false);
    meet(f, MIB, 8, MEMORY_READ, 0, &own);
    ck_assert_uint_eq(words(f), 1); /* F3x5C[0] is clear */
    config_write(f, 0, 3, 0x5c, 1);
    meet(f, MIB, 8, MEMORY_READ, 0, &own);
    ck_assert_uint_eq(words(f), 0);
    ck_assert_uint_eq(f->platform->errors.count.redirected, 1);
    fixture_free(f);
}
END_TEST

/* ---- The online spare and F3xB0 ---------------------------------------------------------------------------------- */

START_TEST(corrected_errors_are_counted_for_their_chip_select)
{
    struct fixture *f = logging(1, 768 * MIB);
    struct mca_error own;

    plant(f, 300 * MIB, 1, MEMORY_ANY, true); /* chip select 1 */
    for (unsigned i = 0; i < 20; i++)
        meet(f, 300 * MIB, 8, MEMORY_READ, 0, &own);
    config_write(f, 0, 3, 0xb0, 1 << 16);
    ck_assert_uint_eq(bits(config_read(f, 0, 3, 0xb0), 27, 24), 15); /* saturated */
    config_write(f, 0, 3, 0xb0, 0 << 16);
    ck_assert_uint_eq(bits(config_read(f, 0, 3, 0xb0), 27, 24), 0);
    config_write(f, 0, 3, 0xb0, 1 << 16 | 1 << 23 | 5 << 24);
    config_write(f, 0, 3, 0xb0, 1 << 16);
    ck_assert_uint_eq(bits(config_read(f, 0, 3, 0xb0), 27, 24), 5);
    fixture_free(f);
}
END_TEST

struct signalled {
    unsigned count, in_node, argument;
    enum mca_signal signal;
};

static void record(void *ctx, unsigned node, unsigned in_node, enum mca_signal signal, unsigned argument)
{
    struct signalled *s = ctx;

    (void)node;
    *s = (struct signalled){ s->count + 1, in_node, argument, signal };
}

/* SwapDoneInt and EccErrInt: 1 an APIC interrupt by LvtOffset, 2 an SMI to core 0. */
START_TEST(the_spare_and_the_counts_interrupt_as_f3xb0_says)
{
    struct fixture *f = logging(1, 64 * MIB);
    struct signalled last = { 0 };
    struct mca_error own;

    node_of(f, 0)->mca.port = (struct mca_port){ &last, record, NULL };
    config_write(f, 0, 3, 0xb0, UINT32_C(2) << 28 | 2 << 14 | 1 << 12 | 1);
    run_until(f, 128 * MIB / 64 * 40 * NS); /* the smallest chip select has 128 MiB */
    ck_assert_uint_eq(last.count, 1);
    ck_assert_int_eq(last.signal, MCA_SIGNAL_LVT);
    ck_assert_uint_eq(last.in_node, MCA_ALL_CORES);
    ck_assert_uint_eq(last.argument, 2);
    plant(f, MIB, 1, MEMORY_ANY, true);
    for (unsigned i = 0; i < 20; i++)
        meet(f, MIB, 8, MEMORY_READ, 0, &own);
    ck_assert_uint_eq(last.count, 2); /* when the count saturated, once */
    ck_assert_int_eq(last.signal, MCA_SIGNAL_SMI);
    fixture_free(f);
}
END_TEST

/* 256 MiB at 40 ns for each line: 4 Mi lines, 167.8 ms. */
START_TEST(the_spare_takes_over_a_chip_select)
{
    struct fixture *f = logging(1, 768 * MIB);
    uint64_t copy = (256 * MIB / 64) * 40 * NS;
    struct dram_place place;

    store(f, 300 * MIB, 8, 0x1122334455667788);
    plant(f, 300 * MIB, 1, MEMORY_ANY, true);           /* chip select 1, a broken cell */
    plant(f, 300 * MIB + 64, 0x11, MEMORY_ANY, true);   /* its contents are lost already */
    plant(f, 10 * MIB, 1, MEMORY_ANY, true);            /* chip select 0 */
    config_write(f, 0, 3, 0xb0, 1 << 4 | 1);            /* BadDramCs0 = 1, SwapEn0 */
    run_until(f, copy - NS);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xb0) & 3, 1);
    ck_assert_uint_eq(words(f), 3);
    run_until(f, copy);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xb0) & 3, 3);
    ck_assert(dram_place_find(f->platform->node, 1, 300 * MIB, &place) && place.spare);
    ck_assert(dram_place_find(f->platform->node, 1, 10 * MIB, &place) && !place.spare);
    ck_assert_uint_eq(words(f), 2);
    ck_assert_uint_eq(load(f, 300 * MIB, 8), 0x1122334455667788);
    spa_write_block(platform_space(f->platform), 300 * MIB + 64, "0123456789abcdef", 16);
    ck_assert_uint_eq(words(f), 1); /* the spare's cells are sound */
    config_write(f, 0, 3, 0xb0, 0); /* SwapEn and SwapDone stay until reset */
    ck_assert_uint_eq(config_read(f, 0, 3, 0xb0) & 3, 3);
    fixture_free(f);
}
END_TEST

/* ---- Injection by F3xB8 and F3xBC (fact sheet 5.11) --------------------------------------------------------- */

#define DRAM_ECC_ARRAY UINT32_C(0x80000000)
#define ON_READ 0x10000u
#define ON_WRITE 0x20000u
#define WORD(n) (1u << (20 + (n)))

START_TEST(f3xbc_spoils_the_next_write)
{
    struct fixture *f = logging(1, 64 * MIB);
    struct mca_error own;

    config_write(f, 0, 3, 0xb8, DRAM_ECC_ARRAY | 1 << 1); /* bytes 16 to 31 of the line */
    config_write(f, 0, 3, 0xbc, ON_WRITE | WORD(0) | 1);
    ck_assert_uint_eq(words(f), 0); /* nothing has been written yet */
    ck_assert(!meet(f, MIB + 20, 4, MEMORY_READ, 0, &own));
    ck_assert(spa_page_is_bad(platform_space(f->platform), 3 * MIB)); /* any access may be the one */
    ck_assert(!meet(f, MIB + 20, 4, MEMORY_WRITE, 0, &own));
    store(f, MIB + 20, 4, 0xABCD);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xbc), WORD(0) | 1); /* done: the request bit is clear */
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, 0);       /* a write is not checked */
    ck_assert(!spa_page_is_bad(platform_space(f->platform), 3 * MIB));
    ck_assert(!meet(f, MIB, 16, MEMORY_READ, 0, &own)); /* another section */
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, 0);
    ck_assert(!meet(f, MIB + 24, 8, MEMORY_READ, 0, &own));
    /* bit 0 of D0: E821h (fact sheet 5.8); core 0 of this node: ErrCpu 1 */
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, UINT64_C(0x9400400100080813) | ecc_status(0xE821));
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.addr, MIB + 16);
    store(f, MIB + 20, 4, 1); /* a later store makes it good */
    ck_assert_uint_eq(words(f), 0);
    ck_assert_uint_eq(f->platform->errors.count.injected, 1);
    fixture_free(f);
}
END_TEST

START_TEST(f3xbc_spoils_the_next_read_once)
{
    struct fixture *f = logging(2, 512 * MIB);
    struct mca_error own;

    config_write(f, 1, 3, 0xb8, DRAM_ECC_ARRAY);
    config_write(f, 1, 3, 0xbc, ON_READ | WORD(0) | WORD(8) | 3);
    ck_assert(!meet(f, MIB, 8, MEMORY_READ, 0, &own)); /* node 0's */
    ck_assert(!meet(f, 300 * MIB, 8, MEMORY_FETCH, 2, &own)); /* from a cache */
    ck_assert_uint_eq(f->platform->errors.count.injected, 0);
    ck_assert(meet(f, 300 * MIB, 8, MEMORY_READ, 2, &own)); /* core 2 is node 1's first; two symbols wrong */
    ck_assert_uint_eq(own.bank, MCA_LS);
    /* bits 0 and 1 of D0 and of C0 (fact sheet 5.8): E821 ^ 7C32 ^ BE01 ^ D702 */
    ck_assert_uint_eq(node_of(f, 1)->mca.bank.status,
                      UINT64_C(0xB600200100080813) | ecc_status(0xE821 ^ 0x7C32 ^ 0xBE01 ^ 0xD702));
    ck_assert_uint_eq(words(f), 0);
    ck_assert(!meet(f, 300 * MIB, 8, MEMORY_READ, 2, &own)); /* what the DIMM holds is right */
    fixture_free(f);
}
END_TEST

/* The controller checks the whole line, the core waits for its own bytes alone. */
START_TEST(a_core_that_asked_for_other_bytes_of_the_line_consumes_nothing)
{
    struct fixture *f = logging(1, 64 * MIB);
    struct mca_error own;

    config_write(f, 0, 3, 0xb8, DRAM_ECC_ARRAY | 3 << 1);
    config_write(f, 0, 3, 0xbc, ON_READ | WORD(7) | 0x1001);
    ck_assert(!meet(f, MIB, 8, MEMORY_READ, 0, &own));
    ck_assert(node_of(f, 0)->mca.bank.status & MCA_UC);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.addr, MIB + 48);
    config_write(f, 0, 3, 0xb8, 0); /* another array */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    config_write(f, 0, 3, 0xbc, ON_READ | WORD(0) | 1);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    ck_assert_uint_eq(f->platform->errors.armed, 0);
    config_write(f, 0, 3, 0x58, 0x12); /* the DRAM scrubber is there */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    config_write(f, 0, 3, 0x58, 0x120012); /* those of caches have nothing to find */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 2);
    fixture_free(f);
}
END_TEST

START_TEST(a_warm_reset_keeps_what_is_logged_and_what_is_broken)
{
    struct fixture *f = logging(1, 64 * MIB);
    struct mca_error own;
    uint64_t logged;

    plant(f, MIB, 1, MEMORY_ANY, true);
    plant(f, 2 * MIB, 1, MEMORY_ANY, false);
    meet(f, MIB, 8, MEMORY_READ, 0, &own);
    logged = node_of(f, 0)->mca.bank.status;
    ck_assert_uint_ne(logged, 0);
    platform_reset(f->platform, true);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, logged);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.addr, MIB);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.ctl, 0);
    ck_assert_uint_eq(words(f), 1);
    ck_assert(spa_page_is_bad(platform_space(f->platform), MIB));
    platform_reset(f->platform, false);
    ck_assert_uint_eq(node_of(f, 0)->mca.bank.status, 0);
    ck_assert_uint_eq(words(f), 0);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("dram_controller", an_address_lies_in_the_chip_select_of_its_offset,
           what_the_hole_displaced_is_found_behind_it, interleaved_chip_selects_are_told_by_the_low_bit,
           a_core_of_another_node_is_the_responders, lost_data_are_logged_by_who_asked_too,
           only_accesses_that_touch_the_word_meet_it, a_store_makes_a_word_good_if_it_can,
           the_sequential_scrubber_finds_a_word_when_it_comes_to_its_line,
           the_scrubber_wraps_and_finds_what_lay_behind_it, what_cannot_be_corrected_is_reported_each_time_round,
           the_redirect_scrubber_writes_back_what_an_access_found, corrected_errors_are_counted_for_their_chip_select,
           the_spare_and_the_counts_interrupt_as_f3xb0_says, the_spare_takes_over_a_chip_select,
           f3xbc_spoils_the_next_write, f3xbc_spoils_the_next_read_once,
           a_core_that_asked_for_other_bytes_of_the_line_consumes_nothing,
           a_warm_reset_keeps_what_is_logged_and_what_is_broken)
