/* SPDX-License-Identifier: MIT */
/*
 * walkbench: touches pages under one of eight paging modes, so that the simulator can count what each
 * translation costs.
 *
 *     mode=long4k|long2m|long1g|pae4k|pae2m|legacy4k|legacy4m|off
 *     region=ADDRESS   guest-physical start of the tables and, after them, of the touched memory (8M); put it
 *                      where the backing is of one size (1G for 1 GiB nested pages)
 *     touches=N        loads of one pass (256)
 *     stride=BYTES     from one to the next (the mode's page size; 4K for off)
 *     passes=N         between the marks (1)      warm=N   passes before the first mark (0)
 *     order=linear|chase|cold   chase: each word holds the address of the next, in a scattered order;
 *                      cold: CR3 is written before each touch, which empties this address space's TLB
 *
 * All table entries have A and D preset; the touched memory has never been accessed before (except by chase,
 * which must write its chain: paging is off then). Memory behind the touched pages wraps round, so that 256
 * pages of 1 GiB need not exist.
 */
#include "workloads/lib/guest.h"
#include "workloads/programs/walkbench/plan.h"
#include "workloads/programs/walkbench/tables.h"

#define IDENTITY_END 0x400000u /* the program lies between 2 and 4 MiB */
#define PAGE_4K 0x1000u
#define CR0_PG 0x80000000u

struct setup {
    struct touch_plan plan;
    const struct paging_mode *mode;
    uint64_t page;       /* size of the mode's pages */
    uint64_t data;       /* physical start of the touched memory */
    uint64_t data_bytes; /* of it there is; a multiple of page */
};

static uint64_t align_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static uint64_t number(const char *name, uint64_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(guest_options, name, fallback, &bad);

    if (bad)
        guest_fail("walkbench: %s= wants a number", name);
    return value;
}

static bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static void read_order(struct touch_plan *plan)
{
    char order[8] = "linear";

    option_text(guest_options, "order", order, sizeof(order));
    if (text_equal(order, "chase"))
        plan->kind = KIND_CHASE;
    else if (text_equal(order, "cold"))
        plan->kind = KIND_COLD;
    else if (!text_equal(order, "linear"))
        guest_fail("walkbench: order= must be linear, chase or cold");
}

static void read_options(struct setup *setup)
{
    char name[12] = "long4k";
    struct touch_plan *plan = &setup->plan;

    option_text(guest_options, "mode", name, sizeof(name));
    setup->mode = paging_mode_find(name);
    if (!setup->mode)
        guest_fail("walkbench: no mode %s (long4k long2m long1g pae4k pae2m legacy4k legacy4m off)", name);
    setup->page = setup->mode->levels ? 1ull << setup->mode->shift[setup->mode->levels - 1] : PAGE_4K;
    plan->count = (uint32_t)number("touches", 256);
    plan->stride = number("stride", setup->page);
    plan->passes = (uint32_t)number("passes", 1);
    plan->warm = (uint32_t)number("warm", 0);
    read_order(plan);
    if (!plan->count || !plan->passes || !plan->stride)
        guest_fail("walkbench: touches=, passes= and stride= must not be 0");
}

/* Where the touched memory begins, once it is known how much the tables in front of it take. */
static void place_data(struct setup *setup, uint64_t tables_end)
{
    setup->data = align_up(tables_end, setup->page);
    if (setup->data + setup->page > guest_memory_end)
        guest_fail("walkbench: memory= is too small for pages of this size above region=");
    setup->data_bytes = (guest_memory_end - setup->data) & ~(setup->page - 1);
}

/* Window pages in order, over and over the memory there is. */
static void map_window(struct setup *setup, struct tables *tables)
{
    uint64_t bytes = align_up(setup->plan.count * setup->plan.stride, setup->page), physical = 0;

    if (!setup->mode->long_mode && bytes > 0x100000000ull - setup->mode->window)
        guest_fail("walkbench: touches x stride exceed the window");
    for (uint64_t offset = 0; offset < bytes; offset += setup->page) {
        tables_map(tables, setup->mode->window + offset, setup->data + physical);
        physical += setup->page;
        if (physical >= setup->data_bytes)
            physical = 0;
    }
}

/* Upper bound of the pages that map_window's tables take: leaf tables, tables of these, and the top. */
static uint64_t table_bytes(const struct setup *setup)
{
    uint64_t pages = align_up(setup->plan.count * setup->plan.stride, setup->page) / setup->page;

    return (pages / 512 + pages / (512 * 512) + 16) * PAGE_4K * (8 / setup->mode->entry_bytes);
}

static void build_tables(struct setup *setup)
{
    uint32_t region = (uint32_t)number("region", 8 << 20);
    struct tables tables;

    tables_init(&tables, setup->mode, region);
    if (!setup->mode->levels) {
        place_data(setup, region);
        setup->plan.base = setup->data;
        if (setup->plan.count * setup->plan.stride > setup->data_bytes && setup->plan.kind != KIND_COLD)
            guest_fail("walkbench: touches x stride exceed the memory above region=");
        return;
    }
    place_data(setup, region + table_bytes(setup));
    for (uint64_t at = 0; at < IDENTITY_END; at += setup->page)
        tables_map(&tables, at, at);
    map_window(setup, &tables);
    setup->plan.base = setup->mode->window;
    setup->plan.cr3 = tables.root;
    setup->plan.cr4 = setup->mode->cr4;
    setup->plan.paging = CR0_PG;
}

/*
 * A chain through all touches: next = 5 i + 1 modulo a power of two visits each once (full period: the increment
 * is odd and the multiplier is 1 modulo 4).
 */
static void write_chain(const struct setup *setup)
{
    uint32_t count = setup->plan.count;

    if (count & (count - 1) || count * setup->plan.stride > setup->data_bytes)
        guest_fail("walkbench: order=chase wants a power of two of touches that fit into the memory");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t next = (5 * i + 1) & (count - 1);

        *(uint64_t *)(uintptr_t)(setup->data + i * setup->plan.stride) = setup->plan.base + next * setup->plan.stride;
    }
}

void guest_main(void)
{
    static struct setup setup;
    uint32_t last;

    read_options(&setup);
    build_tables(&setup);
    if (setup.plan.kind == KIND_CHASE)
        write_chain(&setup);
    if (!setup.mode->levels && setup.plan.kind == KIND_COLD)
        setup.plan.stride = 0; /* one page, again and again, each time after a flush */
    last = setup.mode->long_mode ? touch_run_long(&setup.plan) : touch_run_32(&setup.plan);
    if (setup.plan.kind == KIND_CHASE && last != (uint32_t)setup.plan.base)
        guest_fail("walkbench: the chain ended at %08x, not where it began", last);
    guest_print("walkbench: mode=%s touches=%u passes=%u", setup.mode->name, setup.plan.count, setup.plan.passes);
    guest_exit(setup.plan.count * setup.plan.passes);
}
