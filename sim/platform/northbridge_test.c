/* SPDX-License-Identifier: MIT */
/* Expected values: fact sheet sections 6 and 11.4 (BKDG10 functions 0-4). */
#include "sim/platform/fixture.h"

static void select_register(struct fixture *f, unsigned device, unsigned function, unsigned reg)
{
    out(f, 0xcf8, 4, 0x80000000u | (reg >> 8) << 24 | device << 11 | function << 8 | (reg & 0xfc));
}

static uint32_t read_cf8(struct fixture *f, unsigned device, unsigned function, unsigned reg)
{
    select_register(f, device, function, reg);
    return in(f, 0xcfc, 4);
}

static void write_cf8(struct fixture *f, unsigned device, unsigned function, unsigned reg, uint32_t value)
{
    select_register(f, device, function, reg);
    out(f, 0xcfc, 4, value);
}

static const struct msr_row *find_msr(struct msr_bank bank, uint32_t msr)
{
    for (size_t i = 0; i < bank.count; i++) {
        if (bank.rows[i].msr == msr)
            return &bank.rows[i];
    }
    ck_abort_msg("no such MSR");
    return NULL;
}

static uint64_t rdmsr(struct fixture *f, unsigned node, uint32_t msr)
{
    struct msr_bank bank = platform_node_msrs(f->platform, node);
    const struct msr_row *row = find_msr(bank, msr);

    return row->read(bank.ctx, row);
}

static void wrmsr(struct fixture *f, unsigned node, uint32_t msr, uint64_t value)
{
    struct msr_bank bank = platform_node_msrs(f->platform, node);
    const struct msr_row *row = find_msr(bank, msr);

    ck_assert(row->write(bank.ctx, row, (row->read(bank.ctx, row) & ~row->writable) | (value & row->writable)));
}

START_TEST(every_node_shows_five_functions_and_nobody_else_answers)
{
    struct fixture *f = fixture_new(2, 4, GIB);

    for (unsigned node = 0; node < 2; node++) {
        for (unsigned function = 0; function < 5; function++) {
            ck_assert_uint_eq(read_cf8(f, 0x18 + node, function, 0x00), (0x1200 + function) << 16 | 0x1022);
            ck_assert_uint_eq(read_cf8(f, 0x18 + node, function, 0x08), 0x06000000);
            ck_assert_uint_eq(read_cf8(f, 0x18 + node, function, 0x0c), 0x00800000);
        }
        ck_assert_uint_eq(read_cf8(f, 0x18 + node, 5, 0x00), 0xffffffff);
    }
    ck_assert_uint_eq(read_cf8(f, 0x1a, 0, 0x00), 0xffffffff);
    ck_assert_uint_eq(read_cf8(f, 0x00, 0, 0x00), 0xffffffff);
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x04), 0x00100000);
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x34), 0x80);
    ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x34), 0xf0);
    fixture_free(f);
}
END_TEST

START_TEST(node_ids_and_counts)
{
    struct fixture *f = fixture_new(4, 4, 4 * GIB);

    /* 2:0 NodeId, 6:4 NodeCnt = 3, 20:16 CpuCnt = 15 */
    for (unsigned node = 0; node < 4; node++)
        ck_assert_uint_eq(read_cf8(f, 0x18 + node, 0, 0x60), node | 3 << 4 | 15 << 16);
    ck_assert_uint_eq(config_read(f, 0, 0, 0x160), 0);
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x68), 0x004e4800 | 1 << 5);
    fixture_free(f);
    f = fixture_new(8, 6, 8 * GIB); /* 48 cores: CpuCnt = 47 = 1:01111b */
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x60) >> 16, 15);
    ck_assert_uint_eq(config_read(f, 0, 0, 0x160), 1 << 16);
    fixture_free(f);
}
END_TEST

START_TEST(two_nodes_route_over_their_one_link)
{
    struct fixture *f = fixture_new(2, 4, GIB);

    /* To itself: bit 0 in RQ and RP; broadcasts of node 0 stay and go over link 0: 3. */
    ck_assert_uint_eq(config_read(f, 0, 0, 0x40), 1 | 1 << 9 | 3 << 18);
    ck_assert_uint_eq(config_read(f, 0, 0, 0x44), 2 | 2 << 9 | 1 << 18);
    ck_assert_uint_eq(config_read(f, 1, 0, 0x40), 2 | 2 << 9 | 1 << 18);
    ck_assert_uint_eq(config_read(f, 1, 0, 0x44), 1 | 1 << 9 | 3 << 18);
    ck_assert_uint_eq(config_read(f, 0, 0, 0x48), 0x00040201); /* reset: no such node */
    /* F0x98: link 0 coherent on both, link 1 of node 0 leads to the south bridge (bit 2), F0x64[10:8] says so. */
    ck_assert_uint_eq(config_read(f, 0, 0, 0x98), 3);
    ck_assert_uint_eq(config_read(f, 1, 0, 0x98), 3);
    ck_assert_uint_eq(config_read(f, 0, 0, 0xb8), 7);
    ck_assert_uint_eq(config_read(f, 1, 0, 0xb8), 0);
    ck_assert_uint_eq(config_read(f, 0, 0, 0x64), 0xe0 | 1 << 8);
    fixture_free(f);
}
END_TEST

START_TEST(the_eight_node_ladder_has_the_sheets_distances)
{
    static const uint8_t slit[8][8] = { /* section 7.5, with probe filter: 10 + 6 x hops */
        { 10, 16, 16, 22, 22, 28, 22, 28 }, { 16, 10, 22, 22, 16, 22, 16, 22 }, { 16, 22, 10, 16, 22, 28, 22, 28 },
        { 22, 22, 16, 10, 16, 22, 16, 22 }, { 22, 16, 22, 16, 10, 16, 22, 22 }, { 28, 22, 28, 22, 16, 10, 22, 16 },
        { 22, 16, 22, 16, 22, 22, 10, 16 }, { 28, 22, 28, 22, 22, 16, 16, 10 },
    };
    struct fabric fabric;

    fabric_init(&fabric, 8);
    for (unsigned a = 0; a < 8; a++)
        for (unsigned b = 0; b < 8; b++)
            ck_assert_uint_eq(10 + 6 * fabric.hops[a][b], slit[a][b]);
}
END_TEST

/* Follows the request routes from node to node. */
static unsigned route_length(const struct fabric *fabric, unsigned from, unsigned to)
{
    unsigned steps = 0;

    while (steps <= 8) {
        uint32_t request = fabric_route(fabric, from, to) & 0x1ff;

        if (request == 1)
            return from == to ? steps : 99;
        ck_assert(request == 2 || request == 4 || request == 8);
        from = fabric->neighbour[from][request == 2 ? 0 : request == 4 ? 1 : 2];
        ck_assert_uint_ne(from, FABRIC_NOBODY);
        steps++;
    }
    return 99;
}

/* How often a broadcast of `source` arrives at each node, followed from `node`. */
static void spread(const struct fabric *fabric, unsigned node, unsigned source, unsigned *seen)
{
    uint32_t route = fabric_route(fabric, node, source) >> 18 & 0x1ff;

    seen[node] += route & 1;
    ck_assert_uint_le(seen[node], 1);
    for (unsigned link = 0; link < FABRIC_LINKS; link++) {
        if (route >> (1 + link) & 1)
            spread(fabric, fabric->neighbour[node][link], source, seen);
    }
}

START_TEST(routes_are_shortest_and_broadcasts_reach_every_node_once)
{
    for (unsigned nodes = 1; nodes <= 8; nodes++) {
        struct fabric fabric;

        fabric_init(&fabric, nodes);
        ck_assert_uint_eq(fabric.neighbour[0][fabric.io_link], FABRIC_NOBODY);
        for (unsigned from = 0; from < nodes; from++) {
            unsigned seen[8] = { 0 };

            for (unsigned to = 0; to < nodes; to++)
                ck_assert_uint_eq(route_length(&fabric, from, to), fabric.hops[from][to]);
            spread(&fabric, from, from, seen);
            for (unsigned node = 0; node < nodes; node++)
                ck_assert_uint_eq(seen[node], 1);
        }
    }
}
END_TEST

START_TEST(dram_maps_and_hole_of_two_nodes_with_eight_gib)
{
    struct fixture *f = fixture_new(2, 4, 8 * GIB);

    for (unsigned node = 0; node < 2; node++) { /* the same maps on every node */
        ck_assert_uint_eq(config_read(f, node, 1, 0x40), 0x00000003); /* 0, RE WE */
        ck_assert_uint_eq(config_read(f, node, 1, 0x44), 0x013f0000); /* 13FFFFFFF, node 0 */
        ck_assert_uint_eq(config_read(f, node, 1, 0x48), 0x01400003); /* 140000000 */
        ck_assert_uint_eq(config_read(f, node, 1, 0x4c), 0x023f0001); /* 23FFFFFFF, node 1 */
        ck_assert_uint_eq(config_read(f, node, 1, 0x50), 0);
    }
    /* Node 0 spans the hole: base C0h, offset {40h, 0} = 080h at 15:7 -> 4000h, hoist and valid. */
    ck_assert_uint_eq(config_read(f, 0, 1, 0xf0), 0xc0004003);
    ck_assert_uint_eq(config_read(f, 1, 1, 0xf0), 0xc0000002);
    ck_assert_uint_eq(config_read(f, 1, 1, 0x120), 0x140000000 >> 27);
    ck_assert_uint_eq(config_read(f, 1, 1, 0x124), 0x23fffffff >> 27);
    fixture_free(f);
}
END_TEST

START_TEST(a_small_machine_has_no_hole)
{
    struct fixture *f = fixture_new(2, 1, GIB);

    ck_assert_uint_eq(config_read(f, 0, 1, 0xf0), 0);
    ck_assert_uint_eq(config_read(f, 0, 1, 0x44), 0x001f0000);
    ck_assert_uint_eq(config_read(f, 0, 1, 0x48), 0x00200003);
    ck_assert_uint_eq(config_read(f, 0, 1, 0x80), 0x00400003); /* MMIO from 40000000h */
    fixture_free(f);
}
END_TEST

/* Section 6.6 step 10: the chip select that an address inside the node hits. */
static unsigned hit_chip_select(struct fixture *f, uint64_t channel_address)
{
    uint32_t input = (uint32_t)(channel_address >> 8);
    unsigned found = 8;

    for (unsigned cs = 0; cs < 8; cs++) {
        uint32_t base = config_read(f, 0, 2, 0x40 + 4 * cs);
        uint32_t mask = (config_read(f, 0, 2, 0x60 + 4 * (cs / 2)) | 0x0007c01f) & 0x1fffffff;

        if ((base & 1) && (input & ~mask) == (base & 0x1ff83fe0 & ~mask)) {
            ck_assert_uint_eq(found, 8); /* no two chip selects overlap */
            found = cs;
        }
    }
    return found;
}

START_TEST(chip_selects_cover_the_nodes_memory)
{
    static const uint64_t sizes[] = { 64 * MIB, 256 * MIB, 512 * MIB, 3 * GIB, 4 * GIB, 36 * GIB, 64 * GIB };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct fixture *f = fixture_new(1, 1, sizes[i]);

        for (uint64_t at = 0; at < sizes[i]; at += 64 * MIB)
            ck_assert_uint_lt(hit_chip_select(f, at), 8);
        fixture_free(f);
    }
}
END_TEST

START_TEST(chip_select_registers_of_512_mib)
{
    struct fixture *f = fixture_new(1, 1, 512 * MIB);

    ck_assert_uint_eq(config_read(f, 0, 2, 0x40), 1);
    ck_assert_uint_eq(config_read(f, 0, 2, 0x44), 2); /* the spare rank: F2x44[1] */
    ck_assert_uint_eq(config_read(f, 0, 2, 0x60), 0x00183fe0); /* the sheet's 256 MB mask 00083FE0 and one bit more */
    ck_assert_uint_eq(config_read(f, 0, 2, 0x80), 2);          /* code 2: 512 MB */
    ck_assert_uint_eq(config_read(f, 0, 2, 0x110) & 0x500, 0x500);
    fixture_free(f);
}
END_TEST

START_TEST(capabilities_and_signature)
{
    struct fixture *f = fixture_new(1, 4, GIB);

    ck_assert_uint_eq(config_read(f, 0, 3, 0xfc), 0x00100f23);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xe8), 0x02f0771d); /* CmpCap 3 */
    ck_assert_uint_eq(config_read(f, 0, 3, 0x80), 0xe600a681);
    ck_assert_uint_eq(config_read(f, 0, 3, 0x84), 0xa0e641e6);
    ck_assert_uint_eq(config_read(f, 0, 4, 0x1e0) & 0x1ff, 7); /* FID 7: 100 MHz x 23 = 2300 MHz */
    fixture_free(f);
}
END_TEST

START_TEST(only_writable_bits_change_and_bytes_go_to_their_lanes)
{
    struct fixture *f = fixture_new(1, 1, GIB);

    write_cf8(f, 0x18, 0, 0x00, 0);
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x00), 0x12001022);
    write_cf8(f, 0x18, 3, 0x58, 0xffffffff);
    ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x58), 0x1f1f1f1f);
    select_register(f, 0x18, 3, 0x58);
    out(f, 0xcfd, 1, 0x05);
    ck_assert_uint_eq(in(f, 0xcfc, 4), 0x1f1f051f);
    ck_assert_uint_eq(in(f, 0xcfe, 2), 0x1f1f);
    out(f, 0xcfe, 2, 0);
    ck_assert_uint_eq(in(f, 0xcfc, 4), 0x0000051f);
    ck_assert_uint_eq(in(f, 0xcfd, 2), 0x0005); /* misaligned: two byte accesses */
    out(f, 0xcff, 2, 0xffff);                   /* across the end: only the last byte is a register */
    ck_assert_uint_eq(in(f, 0xcfc, 4), 0x1f00051f);
    fixture_free(f);
}
END_TEST

START_TEST(write_1_to_clear_bits_clear)
{
    struct fixture *f = fixture_new(1, 1, GIB);

    nb_set(&f->platform->node[0], 3, 0x64, 0x20);
    write_cf8(f, 0x18, 3, 0x64, 0x00000001);
    ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x64), 0x21);
    write_cf8(f, 0x18, 3, 0x64, 0x00000021);
    ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x64), 0x01);
    fixture_free(f);
}
END_TEST

START_TEST(extended_registers_need_nb_cfg_46)
{
    struct fixture *f = fixture_new(1, 1, GIB);

    ck_assert_uint_eq(read_cf8(f, 0x18, 2, 0x110), config_read(f, 0, 2, 0x10));
    wrmsr(f, 0, 0xc001001f, rdmsr(f, 0, 0xc001001f) | BIT(46));
    ck_assert_uint_eq(read_cf8(f, 0x18, 2, 0x110), config_read(f, 0, 2, 0x110));
    ck_assert_uint_ne(config_read(f, 0, 2, 0x110), config_read(f, 0, 2, 0x10));
    fixture_free(f);
}
END_TEST

START_TEST(nb_cfg_is_f3x88_of_its_own_node)
{
    struct fixture *f = fixture_new(2, 2, GIB);

    ck_assert_uint_eq(rdmsr(f, 1, 0xc001001f), UINT64_C(0x0040000000000008)); /* reset 8h, bit 54 by firmware */
    wrmsr(f, 1, 0xc001001f, UINT64_C(0x0040400000000208));
    ck_assert_uint_eq(config_read(f, 1, 3, 0x88), 0x208);
    ck_assert_uint_eq(config_read(f, 1, 3, 0x8c), 0x00404000);
    ck_assert_uint_eq(config_read(f, 0, 3, 0x88), 8);
    write_cf8(f, 0x18, 3, 0x64, 1);
    ck_assert_uint_eq(rdmsr(f, 0, 0xc001003e), 1);
    write_cf8(f, 0x18, 3, 0x1cc, 0);
    ck_assert_uint_eq(rdmsr(f, 0, 0xc001103a), 0x101);
    fixture_free(f);
}
END_TEST

START_TEST(the_mmio_window_opens_where_the_msr_says)
{
    struct fixture *f = fixture_new(1, 1, GIB);

    ck_assert_uint_eq(load(f, 0xe00c0000, 4), 0xffffffff);
    wrmsr(f, 0, 0xc0010058, 0xe0000021); /* section 7.1: enable, 256 buses */
    ck_assert_uint_eq(load(f, 0xe00c0000, 4), 0x12001022);   /* 0:18.0 register 0 */
    ck_assert_uint_eq(load(f, 0xe00c2110, 4), config_read(f, 0, 2, 0x110)); /* 0:18.2 register 110h */
    store(f, 0xe00c3058, 1, 0x07);
    ck_assert_uint_eq(config_read(f, 0, 3, 0x58), 7);
    ck_assert_uint_eq(load(f, 0xefffffff, 1), 0xff);
    wrmsr(f, 0, 0xc0010058, 0);
    ck_assert_uint_eq(load(f, 0xe00c0000, 4), 0xffffffff);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    wrmsr(f, 0, 0xc0010058, 0x21); /* over DRAM */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    ck_assert_uint_eq(load(f, 0xc0000, 4), 0);
    fixture_free(f);
}
END_TEST

START_TEST(what_is_not_modelled_is_told)
{
    struct fixture *f = fixture_new(1, 1, GIB);

    write_cf8(f, 0x18, 1, 0x40, 0x00000003); /* no change */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    write_cf8(f, 0x18, 1, 0x40, 0x00010003);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    write_cf8(f, 0x18, 0, 0xfc - 0x40 + 0x14, 0); /* F0xD0: link 2 buffers exist */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    write_cf8(f, 0x18, 0, 0x10, 0xffffffff); /* a base address register that is not there */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0x10), 0);
    write_cf8(f, 0x18, 1, 0xf8, 0); /* no such register */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 2);
    fixture_free(f);
}
END_TEST

/* Fact sheet 3.15: SKINIT's SLDEV keeps devices off 64 KiB until software clears F3xF4 function 4 bit 5. */
START_TEST(the_secure_loader_is_kept_from_devices)
{
    struct fixture *f = fixture_new(2, 1, GIB);
    struct dma_port port = platform_dma_port(f->platform, 0x0100);
    uint8_t bytes[2] = { 0, 0 };

    ck_assert_uint_eq(config_read(f, 0, 3, 0xf0), 0x0010000f);
    write_cf8(f, 0x18, 3, 0xf4, 0x0300);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xf8), 0x00040800);
    write_cf8(f, 0x18, 3, 0xf4, 0x0400);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xf8), 2);
    store(f, 0x2ffff, 4, 0x44332211);
    platform_guard_loader(f->platform, 0x30000);
    ck_assert_uint_eq(config_read(f, 0, 3, 0xf8), 0x26);
    ck_assert(!port.read(port.ctx, port.device_id, 0x2ffff, bytes, 2)); /* one byte on each side */
    ck_assert_uint_eq(bytes[0], 0x11);
    ck_assert_uint_eq(bytes[1], 0xff);
    ck_assert(!port.write(port.ctx, port.device_id, 0x3ffff, bytes, 2));
    ck_assert_uint_eq(load(f, 0x3ffff, 1), 0);
    ck_assert_uint_eq(load(f, 0x40000, 1), 0xff);
    write_cf8(f, 0x18, 3, 0xf8, 0);
    ck_assert(!port.read(port.ctx, port.device_id, 0x30000, bytes, 1)); /* the other node still guards */
    write_cf8(f, 0x19, 3, 0xf4, 0x0400);
    write_cf8(f, 0x19, 3, 0xf8, 0);
    ck_assert(port.read(port.ctx, port.device_id, 0x30000, bytes, 1));
    ck_assert_uint_eq(bytes[0], 0x22);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    write_cf8(f, 0x18, 3, 0xf8, 1); /* DevEn */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    fixture_free(f);
}
END_TEST

START_TEST(the_table_is_sound)
{
    for (size_t i = 0; i < nb_register_count; i++) {
        const struct nb_register *a = &nb_registers[i];

        ck_assert_uint_eq(a->writable & a->write_1_clear, 0);
        ck_assert_uint_eq(a->offset & 3, 0);
        for (size_t k = 0; k < i; k++) { /* no two rows claim one register */
            const struct nb_register *b = &nb_registers[k];

            for (unsigned x = 0; x < a->count; x++)
                for (unsigned y = 0; y < b->count; y++)
                    ck_assert(a->function != b->function ||
                              a->offset + x * a->stride != b->offset + y * b->stride);
        }
    }
}
END_TEST

/* BKDG of Family 0Fh: ids 1100 to 1103, no function 4, three links; thermal control, DEV and SVM from revision F on. */
START_TEST(family_0fh_has_four_functions_and_fewer_registers)
{
    static const uint32_t signature[] = { 0x00020f12, 0x00040f13 }; /* E, F */

    for (unsigned i = 0; i < 2; i++) {
        struct fixture *f = fixture_new_signature(2, 2, GIB, signature[i]);

        for (unsigned function = 0; function < 4; function++)
            ck_assert_uint_eq(read_cf8(f, 0x19, function, 0x00), (0x1100 + function) << 16 | 0x1022);
        ck_assert_uint_eq(read_cf8(f, 0x18, 4, 0x00), 0xffffffff);
        ck_assert_uint_eq(read_cf8(f, 0x19, 0, 0x60) & 0x77, 0x11); /* node 1 of 2 */
        ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0xe0), 0);           /* no fourth link */
        ck_assert_uint_eq(read_cf8(f, 0x18, 0, 0xc0), 0x20010008);  /* the third is the list's end */
        ck_assert_uint_eq(read_cf8(f, 0x18, 1, 0x48), 0x00200003);  /* node 1's DRAM: 512 MiB on, as in Family 10h */
        ck_assert_uint_eq(read_cf8(f, 0x18, 1, 0xc0), 0x00000013);  /* VE, where Family 10h has F1xF4 */
        ck_assert_uint_eq(read_cf8(f, 0x18, 1, 0xf4), 0);
        ck_assert_uint_eq(read_cf8(f, 0x18, 1, 0x120), 0);          /* 256 bytes of configuration space */
        ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0xfc), signature[i]);
        ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0xe8), i ? 0x171f : 0x111f); /* two cores; HTC and SVM */
        ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x34), i ? 0xf0 : 0);
        ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0xf0), i ? 0x0010000f : 0);
        write_cf8(f, 0x18, 3, 0x68, 0x20);
        ck_assert_uint_eq(read_cf8(f, 0x18, 3, 0x68), i ? 0x20 : 0);
        fixture_free(f);
    }
}
END_TEST

UNIT_TESTS("northbridge", every_node_shows_five_functions_and_nobody_else_answers, node_ids_and_counts,
           two_nodes_route_over_their_one_link, the_eight_node_ladder_has_the_sheets_distances,
           routes_are_shortest_and_broadcasts_reach_every_node_once,
           dram_maps_and_hole_of_two_nodes_with_eight_gib, a_small_machine_has_no_hole,
           chip_selects_cover_the_nodes_memory, chip_select_registers_of_512_mib, capabilities_and_signature,
           only_writable_bits_change_and_bytes_go_to_their_lanes, write_1_to_clear_bits_clear,
           extended_registers_need_nb_cfg_46, nb_cfg_is_f3x88_of_its_own_node,
           the_mmio_window_opens_where_the_msr_says, what_is_not_modelled_is_told,
           the_secure_loader_is_kept_from_devices, the_table_is_sound,
           family_0fh_has_four_functions_and_fewer_registers)
