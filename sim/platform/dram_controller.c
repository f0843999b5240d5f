/* SPDX-License-Identifier: MIT */
#include "sim/platform/dram_controller.h"

#include "sim/platform/dram_errors.h"

#define F3_SCRUB_RATE 0x58
#define F3_SCRUB_LOW 0x5C
#define F3_SCRUB_HIGH 0x60
#define F3_SPARE 0xB0

#define LINE_BYTES 64
#define RATE 4, 0                  /* F3x58: 40 ns x 2^(n - 1) for each line */
#define RATE_UNIT_PS UINT64_C(40000)
#define RATE_MOST 0x16

/* F3xB0 (fact sheet 5.10). */
#define SWAP_ENABLE(dct) BIT(2 * (dct))
#define SWAP_DONE(dct) BIT(2 * (dct) + 1)
#define SWAP_DONE_INT 13, 12
#define ECC_INT 15, 14
#define ECC_CS 18, 16
#define ECC_CHANNEL 20
#define ECC_WRITE BIT(23)
#define ECC_COUNT 27, 24
#define ECC_COUNT_MOST 15
#define LVT_OFFSET 31, 28

/* ---- The sequential scrubber ----------------------------------------------------------------------------- */

/* Time for each line; 0: off, reserved codes too. */
static uint64_t line_ps(const struct northbridge *nb)
{
    unsigned code = (unsigned)bits(nb_get(nb, 3, F3_SCRUB_RATE), RATE);

    return code == 0 || code > RATE_MOST ? 0 : RATE_UNIT_PS << (code - 1);
}

static uint64_t node_lines(const struct northbridge *nb)
{
    return nb->errors->map->node_bytes / LINE_BYTES;
}

/* A core that is behind may act at a time before the last restart. */
static uint64_t lines_passed(const struct northbridge *nb)
{
    uint64_t period = line_ps(nb), now = nb->wiring->clock->now_ps;

    return period && now > nb->scrub_since_ps ? (now - nb->scrub_since_ps) / period : 0;
}

static uint64_t scrub_line_now(const struct northbridge *nb)
{
    return (nb->scrub_line + lines_passed(nb)) % node_lines(nb);
}

static spa_t line_address(const struct northbridge *nb, uint64_t line)
{
    return map_node_address(nb->errors->map, nb->node, line * LINE_BYTES);
}

static void scrub_restart(struct northbridge *nb, uint64_t line)
{
    nb->scrub_line = line;
    nb->scrub_since_ps = nb->wiring->clock->now_ps;
}

/* The line of the first wrong word at or behind `line`, all around the node. */
static bool next_bad_line(const struct northbridge *nb, uint64_t line, uint64_t *ahead)
{
    struct map_node_range range = map_node_range(nb->errors->map, nb->node);
    spa_t from = line_address(nb, line), address;

    if (!dram_errors_next(nb->errors, from, range.limit, &address) &&
        !dram_errors_next(nb->errors, range.base, from ? from - 1 : 0, &address))
        return false;
    *ahead = (map_node_offset(nb->errors->map, address) / LINE_BYTES + node_lines(nb) - line) % node_lines(nb);
    return true;
}

void dram_controller_errors_changed(struct northbridge *nb)
{
    uint64_t period = line_ps(nb), line, ahead;

    if (!nb->wiring->clock)
        return;
    timer_disarm(&nb->scrub);
    if (!period)
        return;
    line = scrub_line_now(nb);
    if (next_bad_line(nb, line, &ahead)) /* a line is read at the end of its time */
        timer_arm(&nb->scrub, nb->scrub_since_ps + (lines_passed(nb) + ahead + 1) * period);
}

/* The wrong words of the line that the scrubber has just left. */
static void scrub_fire(void *ctx)
{
    struct northbridge *nb = ctx;
    uint64_t line = (scrub_line_now(nb) + node_lines(nb) - 1) % node_lines(nb);
    spa_t base = line_address(nb, line);

    for (unsigned at = 0; at < LINE_BYTES; at += ECC_WORD_BYTES)
        dram_errors_scrub(nb->errors, base + at);
    dram_controller_errors_changed(nb);
}

/* ---- The online spare ------------------------------------------------------------------------------------- */

static void interrupt(struct northbridge *nb, uint64_t type)
{
    uint32_t control = nb_get(nb, 3, F3_SPARE);

    if (type == 1 && nb->mca.port.signal)
        nb->mca.port.signal(nb->mca.port.ctx, nb->node, MCA_ALL_CORES, MCA_SIGNAL_LVT,
                            (unsigned)bits(control, LVT_OFFSET) & 3);
    else if (type == 2 && nb->mca.port.signal)
        nb->mca.port.signal(nb->mca.port.ctx, nb->node, 0, MCA_SIGNAL_SMI, 0);
}

static bool has_spare(const struct northbridge *nb, unsigned dct)
{
    for (unsigned cs = 0; cs < 8; cs++)
        if (bit(nb_get(nb, 2, 0x100 * dct + 0x40 + 4 * cs), 1))
            return true;
    return false;
}

static unsigned bad_chip_select(uint32_t control, unsigned dct)
{
    return (unsigned)bits(control, 6 + 4 * dct, 4 + 4 * dct);
}

/* Bytes of a chip select: its mask's ones, lowest comparable bit 13 and 27 (fact sheet 6.4). */
static uint64_t chip_select_bytes(const struct northbridge *nb, unsigned dct, unsigned cs)
{
    uint32_t mask = nb_get(nb, 2, 0x100 * dct + 0x60 + 4 * (cs / 2));

    return (bits(mask, 28, 19) + 1) << 27;
}

struct moved {
    const struct northbridge *nb;
    uint32_t done; /* SwapDone bits that are new */
};

static bool was_moved(void *ctx, spa_t address)
{
    const struct moved *moved = ctx;
    struct dram_place place;

    return dram_place_find(moved->nb - moved->nb->node, moved->nb->config->nodes, address, &place) &&
           place.node == moved->nb->node && place.spare && (moved->done & SWAP_DONE(place.channel));
}

/* The copy is complete: from now on the spare answers for the bad chip select. */
static void swap_fire(void *ctx)
{
    struct northbridge *nb = ctx;
    uint32_t control = nb_get(nb, 3, F3_SPARE);
    struct moved moved = { nb, 0 };

    for (unsigned dct = 0; dct < 2; dct++)
        if ((control & SWAP_ENABLE(dct)) && !(control & SWAP_DONE(dct)) && has_spare(nb, dct))
            moved.done |= (uint32_t)SWAP_DONE(dct);
    nb_set(nb, 3, F3_SPARE, control | moved.done);
    dram_errors_replaced(nb->errors, was_moved, &moved);
    dram_controller_errors_changed(nb);
    interrupt(nb, bits(control, SWAP_DONE_INT));
}

/* assumed: the copy runs at the fastest scrub rate, 40 ns for each line of the rank. */
static void swap_start(struct northbridge *nb, unsigned dct, uint32_t control)
{
    uint64_t lines = chip_select_bytes(nb, dct, bad_chip_select(control, dct)) / LINE_BYTES;

    if (has_spare(nb, dct))
        timer_arm(&nb->swap, nb->wiring->clock->now_ps + lines * RATE_UNIT_PS);
}

/* SwapEn is set once; SwapDone and, without EccErrCntWrEn, the counts are hardware's. */
static uint32_t spare_written(struct northbridge *nb, uint32_t old, uint32_t value)
{
    uint32_t kept = old & (uint32_t)(SWAP_ENABLE(0) | SWAP_ENABLE(1) | SWAP_DONE(0) | SWAP_DONE(1));

    value = (value & ~(uint32_t)(SWAP_DONE(0) | SWAP_DONE(1))) | kept;
    if (value & ECC_WRITE)
        nb->ecc_count[bit(value, ECC_CHANNEL)][bits(value, ECC_CS)] = (uint8_t)bits(value, ECC_COUNT);
    for (unsigned dct = 0; dct < 2; dct++)
        if ((value & ~old) & SWAP_ENABLE(dct))
            swap_start(nb, dct, value);
    return value & ~(uint32_t)bits_mask(ECC_COUNT);
}

void dram_controller_count(struct northbridge *nb, unsigned channel, unsigned chip_select)
{
    uint8_t *count = &nb->ecc_count[channel & 1][chip_select & 7];

    if (*count == ECC_COUNT_MOST)
        return;
    if (++*count == ECC_COUNT_MOST)
        interrupt(nb, bits(nb_get(nb, 3, F3_SPARE), ECC_INT));
}

/* ---- Registers ----------------------------------------------------------------------------------------------- */

uint32_t dram_controller_read(const struct northbridge *nb, unsigned offset, uint32_t stored)
{
    spa_t address;

    if (offset == F3_SPARE)
        return (uint32_t)bits_put(stored, ECC_COUNT, nb->ecc_count[bit(stored, ECC_CHANNEL)][bits(stored, ECC_CS)]);
    if ((offset != F3_SCRUB_LOW && offset != F3_SCRUB_HIGH) || !nb->wiring->clock)
        return stored;
    address = line_address(nb, scrub_line_now(nb));
    return offset == F3_SCRUB_HIGH ? (uint32_t)bits(address, 47, 32)
                                   : (uint32_t)((address & 0xFFFFFFC0) | (stored & 1));
}

uint32_t dram_controller_written(struct northbridge *nb, unsigned offset, uint32_t old, uint32_t value)
{
    if (offset == F3_SPARE)
        return spare_written(nb, old, value);
    if (offset == F3_SCRUB_RATE && nb->wiring->clock) {
        uint64_t line = scrub_line_now(nb);

        nb_set(nb, 3, offset, value);
        scrub_restart(nb, line);
    } else if ((offset == F3_SCRUB_LOW || offset == F3_SCRUB_HIGH) && nb->wiring->clock) {
        spa_t address = offset == F3_SCRUB_LOW
                            ? (uint64_t)dram_controller_read(nb, F3_SCRUB_HIGH, nb_get(nb, 3, F3_SCRUB_HIGH)) << 32 |
                                  (value & 0xFFFFFFC0)
                            : (uint64_t)value << 32 |
                                  (dram_controller_read(nb, F3_SCRUB_LOW, nb_get(nb, 3, F3_SCRUB_LOW)) & 0xFFFFFFC0);
        struct map_node_range range = map_node_range(nb->errors->map, nb->node);

        if (address >= range.base && address <= range.limit)
            scrub_restart(nb, map_node_offset(nb->errors->map, address) / LINE_BYTES);
    } else {
        return value;
    }
    dram_controller_errors_changed(nb);
    return value;
}

void dram_controller_connect(struct northbridge *nb, struct clock *clock)
{
    nb->scrub = (struct timer){ .name = "scrubber", .fire = scrub_fire, .ctx = nb };
    nb->swap = (struct timer){ .name = "online spare", .fire = swap_fire, .ctx = nb };
    clock_attach(clock, &nb->scrub);
    clock_attach(clock, &nb->swap);
}

void dram_controller_reset(struct northbridge *nb)
{
    nb->scrub_line = nb->scrub_since_ps = 0;
    for (unsigned channel = 0; channel < 2; channel++)
        for (unsigned cs = 0; cs < 8; cs++)
            nb->ecc_count[channel][cs] = 0;
    if (!nb->scrub.clock)
        return;
    timer_disarm(&nb->scrub);
    timer_disarm(&nb->swap);
}
