/* SPDX-License-Identifier: MIT */
/* Models, CPUID and MSRs against the fact sheet's values, written out here once more. */
#include "sim/cpu/interp/test_board.h"
#include "sim/cpu/model/cpuid.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

static void ck_leaf(const struct core *core, uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    struct cpuid_values v = cpuid_read(core, leaf);

    ck_assert_msg(v.eax == eax && v.ebx == ebx && v.ecx == ecx && v.edx == edx,
                  "leaf %08x: %08x %08x %08x %08x, not %08x %08x %08x %08x", leaf, v.eax, v.ebx, v.ecx, v.edx, eax,
                  ebx, ecx, edx);
}

START_TEST(revision_b3_reports_the_sheets_leaves)
{
    struct board *board = board_new("10h-b3", 2, false);
    struct core *core = board->core[1];

    core_firmware(core, true);
    ck_leaf(core, 0, 5, 0x68747541, 0x444D4163, 0x69746E65);
    ck_leaf(core, 1, 0x00100F23, 0x01020800, 0x00802009, 0x178BFBFF); /* APIC id 1, two cores */
    ck_leaf(core, 2, 0, 0, 0, 0);
    ck_leaf(core, 4, 0, 0, 0, 0);
    ck_leaf(core, 5, 0x40, 0x40, 3, 0);
    ck_leaf(core, 6, 0, 0, 0, 0);
    ck_leaf(core, 0x80000000, 0x8000001A, 0x68747541, 0x444D4163, 0x69746E65);
    ck_leaf(core, 0x80000001, 0x00100F23, 0, 0x000007FF, 0xEFD3FBFF);
    ck_leaf(core, 0x80000005, 0xFF30FF10, 0xFF30FF20, 0x40020140, 0x40020140);
    ck_leaf(core, 0x80000006, 0x20800000, 0x42004200, 0x02008140, 0x0010A140);
    ck_leaf(core, 0x80000007, 0, 0, 0, 0x1F9);
    ck_leaf(core, 0x80000008, 0x3030, 0, 0x2001, 0);
    ck_leaf(core, 0x80000009, 0, 0, 0, 0);
    ck_leaf(core, 0x8000000A, 1, 0x40, 0, 7);
    ck_leaf(core, 0x80000019, 0xF0300000, 0, 0, 0);
    ck_leaf(core, 0x8000001A, 3, 0, 0, 0);
    ck_leaf(core, 0x8000001B, 0, 0, 0, 0);
    ck_leaf(core, 0x40000000, 0, 0, 0, 0);
    ck_leaf(core, 0xFFFFFFFF, 0, 0, 0, 0);
    board_free(board);
}
END_TEST

START_TEST(later_revisions_differ_where_the_sheet_says)
{
    struct board *c2 = board_new("10h-c2", 2, false), *d0 = board_new("10h-d0", 2, false);

    core_firmware(c2->core[0], true);
    core_firmware(d0->core[0], true);
    ck_leaf(c2->core[0], 1, 0x00100F42, 0x00020800, 0x00802009, 0x178BFBFF);
    ck_leaf(c2->core[0], 0x80000001, 0x00100F42, 0, 0x000037FF, 0xEFD3FBFF);
    ck_leaf(c2->core[0], 0x80000006, 0x20800000, 0x42004200, 0x02008140, 0x0030B140);
    ck_leaf(c2->core[0], 0x8000000A, 1, 0x40, 0, 0xF);
    ck_leaf(c2->core[0], 0x80000019, 0xF0300000, 0x60100000, 0, 0);
    ck_leaf(c2->core[0], 0x8000001B, 0x1F, 0, 0, 0);
    ck_leaf(d0->core[0], 0x8000000A, 1, 0x40, 0, 0x40F);
    ck_leaf(d0->core[0], 0x80000008, 0x3030, 0, 0x3001, 0);
    ck_assert(!cpu_model_find("10h-b3")->nrip);
    ck_assert(cpu_model_find("10h-c2")->nrip);
    ck_assert_ptr_null(cpu_model_find("10h"));
    board_free(c2);
    board_free(d0);
}
END_TEST

START_TEST(every_listed_model_is_found_and_every_listed_name_is_listed)
{
    unsigned count = 0;

    for (const char *const *name = cpu_model_names(); *name; name++, count++)
        ck_assert_str_eq(cpu_model_find(*name)->name, *name);
    ck_assert_uint_eq(count, 9);
}
END_TEST

START_TEST(tlb_geometry_is_what_the_leaves_say)
{
    const struct mmu_geometry *b = &cpu_model_find("10h-b3")->mmu, *c = &cpu_model_find("10h-c2")->mmu;

    ck_assert_uint_eq(b->l1d.entries, 0x30);    /* 8000_0005 EBX[23:16] */
    ck_assert_uint_eq(b->l1i_4k.entries, 0x20); /* EBX[7:0] */
    ck_assert_uint_eq(b->l1i_2m.entries, 0x10); /* EAX[7:0] */
    ck_assert_uint_eq(b->l2d_4k.entries, 0x200);
    ck_assert_uint_eq(b->l2d_4k.ways, 4);
    ck_assert_uint_eq(b->l2i_4k.entries, 0x200);
    ck_assert_uint_eq(b->l2d_2m.entries, 0x80); /* 8000_0006 EAX[27:16] */
    ck_assert_uint_eq(b->l2d_2m.ways, 2);
    ck_assert_uint_eq(b->l2d_1g.entries, 0);
    ck_assert_uint_eq(c->l2d_1g.entries, 16);   /* 8000_0019 EBX[27:16] */
    ck_assert_uint_eq(c->l2d_1g.ways, 8);       /* code 6 */
}
END_TEST

START_TEST(name_string_comes_from_its_msrs)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    char text[49] = { 0 };

    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        struct cpuid_values v = cpuid_read(core, 0x80000002 + leaf);

        ck_assert_uint_eq(v.eax | v.ebx | v.ecx | v.edx, 0); /* firmware writes it */
    }
    core_firmware(core, true);
    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        struct cpuid_values v = cpuid_read(core, 0x80000002 + leaf);

        memcpy(text + 16 * leaf, &v, 16);
    }
    ck_assert_str_eq(text, "Quad-Core AMD Opteron(tm) Processor 8356");
    ck_assert(msr_write(core, 0xC0010030, UINT64_C(0x4847464544434241)));
    ck_assert_uint_eq(cpuid_read(core, 0x80000002).eax, 0x44434241);
    board_free(board);
}
END_TEST

START_TEST(a_single_core_node_reports_neither_htt_nor_cmp_legacy)
{
    struct board *board = board_new("10h-b3", 1, false);

    ck_assert_uint_eq(cpuid_read(board->core[0], 1).edx & BIT(28), 0);
    ck_assert_uint_eq(cpuid_read(board->core[0], 0x80000001).ecx & BIT(1), 0);
    board_free(board);
}
END_TEST

START_TEST(cpuid_follows_its_dynamic_bits)
{
    struct board *board = board_new("10h-b3", 2, false);
    struct core *core = board->core[0];
    uint64_t bar;

    core_firmware(core, true);
    ck_assert(core_msr(core, 0x1B, &bar));
    ck_assert(msr_write(core, 0x1B, bar & ~BIT(11))); /* ApicEn */
    ck_assert_uint_eq(cpuid_read(core, 1).edx, 0x178BFBFF & ~BIT(9));
    ck_assert_uint_eq(cpuid_read(core, 0x80000001).edx, 0xEFD3FBFF & ~BIT(9));
    ck_assert(msr_write(core, 0xC0010015, HWCR_MON_MWAIT_DIS));
    ck_assert_uint_eq(cpuid_read(core, 1).ecx, 0x00802001);
    ck_assert(msr_write(core, 0xC0010015, HWCR_SSE_DIS));
    ck_assert_uint_eq(cpuid_read(core, 1).ecx, 0x00802008);
    ck_assert_uint_eq(cpuid_read(core, 1).edx & (BIT(25) | BIT(26)), 0);
    ck_assert_uint_eq(cpuid_read(core, 0x80000001).ecx, 0x7BF);
    ck_assert(msr_write(core, 0xC0010015, HWCR_MISALIGN_SSE_DIS));
    ck_assert_uint_eq(cpuid_read(core, 0x80000001).ecx, 0x77F);
    ck_assert(msr_write(core, 0xC0010015, HWCR_LIMIT_CPUID));
    ck_assert_uint_eq(cpuid_read(core, 0).eax, 1);
    ck_assert_uint_eq(cpuid_read(core, 5).eax, 0);
    ck_assert_uint_eq(cpuid_read(core, 0x80000000).eax, 0x8000001A);
    board_free(board);
}
END_TEST

START_TEST(feature_override_msrs_replace_what_cpuid_reports)
{
    struct board *board = board_new("10h-b3", 2, false);
    struct core *core = board->core[0];
    uint64_t value;

    ck_assert(msr_read(core, 0xC0011004, &value));
    ck_assert_uint_eq(value, UINT64_C(0x00802009178BFBFF));
    ck_assert(msr_read(core, 0xC0011005, &value));
    ck_assert_uint_eq(value, UINT64_C(0x000007FFEFD3FBFF));
    core_firmware(core, true);
    ck_assert(msr_write(core, 0xC0011004, UINT64_C(0x8000000000000001))); /* a bit may be turned on too */
    ck_assert_uint_eq(cpuid_read(core, 1).ecx, 0x80000000);
    ck_assert_uint_eq(cpuid_read(core, 1).edx, 1 | BIT(9)); /* APIC still follows ApicEn */
    ck_assert(msr_write(core, 0xC0011005, 0));
    ck_assert_uint_eq(cpuid_read(core, 0x80000001).ecx, 0);
    board_free(board);
}
END_TEST

/* ---- MSRs ---------------------------------------------------------------------------------------------- */

START_TEST(reset_values_are_the_sheets)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } expected[] = {
        { 0x10, 0 }, { 0x2A, 0 }, { 0xFE, 0x508 }, { 0x179, 0x106 }, { 0x17A, 0 }, { 0x17B, 0 }, { 0x1D9, 0 },
        { 0x277, 0x0007040600070406 }, { 0x2FF, 0 }, { 0x400, 0 }, { 0x403, 0 },
        { 0xC0000080, 0 }, { 0xC0000081, 0 }, { 0xC0000103, 0 }, { 0xC000040F, 0 },
        { 0xC0010010, 0x20600 }, { 0xC0010015, 0x10 }, { 0xC0010022, 0 },
        { 0xC0010044, 0x80 }, { 0xC0010045, 0x80 }, { 0xC0010046, 0x200 }, { 0xC0010047, 0 },
        { 0xC0010061, 0x10 }, { 0xC0010062, 0 }, { 0xC0010111, 0x30000 }, { 0xC0010114, 0 }, { 0xC0010117, 0 },
        { 0xC0010118, 0 }, { 0xC0010140, 0 }, { 0xC0011022, UINT64_C(3) << 34 }, { 0xC0011023, 0x10200020 },
        { 0xC001102A, 0x010080C0 },
    };
    struct board *board = board_new("10h-b3", 1, false);
    uint64_t value;

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        ck_assert_msg(msr_read(board->core[0], expected[i].msr, &value), "%x", expected[i].msr);
        ck_assert_msg(value == expected[i].value, "%x: %llx", expected[i].msr, (unsigned long long)value);
    }
    board_free(board);
}
END_TEST

START_TEST(unknown_msrs_do_not_exist)
{
    static const uint32_t unknown[] = { 2, 0x11, 0xE7, 0xE8, 0x418, 0x800, 0x1000, 0xC0000085, 0xC0000104, 0xC0000410,
                                        0xC0010073, 0xC0011002, 0xC0011003, 0xC0011000, 0x40000000 };
    struct board *board = board_new("10h-b3", 1, false);
    uint64_t value;

    for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
        ck_assert_msg(!msr_read(board->core[0], unknown[i], &value), "%x", unknown[i]);
        ck_assert_msg(!msr_write(board->core[0], unknown[i], 0), "%x", unknown[i]);
        ck_assert(!core_msr(board->core[0], unknown[i], &value));
    }
    board_free(board);
}
END_TEST

START_TEST(revisions_differ_in_bu_cfg2_and_the_node_id_msr)
{
    static const struct {
        const char *model;
        uint64_t bu_cfg2;
        bool node_id;
    } expected[] = {
        { "10h-b3", 0x010080C0, false }, { "10h-c2", 0x40010080C0, false }, { "10h-d0", 0x5001008040, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        struct board *board = board_new(expected[i].model, 1, false);
        uint64_t value;

        ck_assert(msr_read(board->core[0], 0xC001102A, &value));
        ck_assert_uint_eq(value, expected[i].bu_cfg2);
        ck_assert_int_eq(msr_read(board->core[0], 0xC001100C, &value), expected[i].node_id);
        board_free(board);
    }
}
END_TEST

START_TEST(no_two_rows_of_a_core_name_the_same_msr)
{
    struct board *board = board_new("10h-d0", 1, false);
    struct core *core = board->core[0];
    GHashTable *seen = g_hash_table_new(NULL, NULL);

    for (size_t b = 0; b < core->bank_count; b++)
        for (size_t i = 0; i < core->banks[b].count; i++)
            ck_assert_msg(g_hash_table_add(seen, GUINT_TO_POINTER(core->banks[b].rows[i].msr + 1)), "%x",
                          core->banks[b].rows[i].msr);
    g_hash_table_unref(seen);
    board_free(board);
}
END_TEST

static void ck_write(struct core *core, uint32_t msr, uint64_t value, uint64_t read_back)
{
    uint64_t now;

    ck_assert_msg(msr_write(core, msr, value), "%x", msr);
    ck_assert(msr_read(core, msr, &now));
    ck_assert_msg(now == read_back, "%x: %llx", msr, (unsigned long long)now);
}

START_TEST(write_masks_hold)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    uint64_t value;

    ck_write(core, 0x174, UINT64_MAX, 0xFFFF);
    ck_write(core, 0xC0000084, UINT64_MAX, 0xFFFFFFFF);
    ck_write(core, 0xC0000103, UINT64_MAX, 0xFFFFFFFF);
    ck_write(core, 0xC0010004, UINT64_MAX, UINT64_C(0xFFFFFFFFFFFF));
    ck_write(core, 0x17B, UINT64_MAX, 0x3F);
    ck_write(core, 0xC0010140, UINT64_MAX, 0xFFFF);
    ck_write(core, 0x403, UINT64_MAX, 0);            /* reads 0, writes ignored */
    ck_assert(!msr_write(core, 0x1D9, BIT(6)));      /* MBZ */
    ck_assert(!msr_write(core, 0xC0010062, 8));      /* 63:3 MBZ */
    ck_assert(!msr_write(core, 0xC0010061, 0));      /* write #GP */
    ck_assert(!msr_write(core, 0xC0010063, 0));
    ck_assert(!msr_write(core, 0x179, 0x106));
    ck_assert(!msr_write(core, 0xFE, 0));
    ck_assert(!msr_read(core, 0xC0010116, &value));  /* SMM_CTL: read always #GP */
    ck_assert(!msr_read(core, 0xC0010020, &value));
    board_free(board);
}
END_TEST

START_TEST(addresses_must_be_canonical)
{
    static const uint32_t msrs[] = { 0xC0000082, 0xC0000083, 0xC0000100, 0xC0000101, 0xC0000102 };
    struct board *board = board_new("10h-b3", 1, false);

    for (size_t i = 0; i < G_N_ELEMENTS(msrs); i++) {
        ck_assert(!msr_write(board->core[0], msrs[i], UINT64_C(0x0000800000000000)));
        ck_assert(!msr_write(board->core[0], msrs[i], UINT64_C(0xFFFF7FFFFFFFFFFF)));
        ck_write(board->core[0], msrs[i], UINT64_C(0xFFFF800000000000), UINT64_C(0xFFFF800000000000));
    }
    ck_assert_uint_eq(board->core[0]->seg[SEG_FS].base, UINT64_C(0xFFFF800000000000));
    board_free(board);
}
END_TEST

START_TEST(efer_keeps_its_rules)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    ck_assert(!msr_write(core, 0xC0000080, BIT(9)));
    ck_assert(!msr_write(core, 0xC0000080, BIT(15)));
    ck_assert(!msr_write(core, 0xC0000080, BIT(63)));
    ck_write(core, 0xC0000080, 0xFE | EFER_LMA | EFER_SCE | EFER_NXE, EFER_SCE | EFER_NXE); /* 7:1 RAZ, LMA kept */
    ck_write(core, 0xC0000080, EFER_SVME, EFER_SVME);
    core->svm.vm_cr = VM_CR_SVMDIS;
    ck_assert(!msr_write(core, 0xC0000080, EFER_SVME));
    ck_write(core, 0xC0000080, EFER_LME, EFER_LME);
    core->cr0 |= CR0_PG;
    ck_assert(!msr_write(core, 0xC0000080, 0)); /* LME under paging */
    ck_write(core, 0xC0000080, EFER_LME | EFER_NXE, EFER_LME | EFER_NXE);
    board_free(board);
}
END_TEST

START_TEST(pat_refuses_reserved_types)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    for (unsigned byte = 0; byte < 8; byte++) {
        ck_assert(!msr_write(core, 0x277, UINT64_C(2) << (8 * byte)));
        ck_assert(!msr_write(core, 0x277, UINT64_C(3) << (8 * byte)));
        ck_assert(!msr_write(core, 0x277, UINT64_C(8) << (8 * byte)));
        ck_assert(msr_write(core, 0x277, UINT64_C(7) << (8 * byte)));
    }
    board_free(board);
}
END_TEST

START_TEST(machine_check_status_takes_only_zero_without_hwcr_18)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    ck_assert(!msr_write(core, 0x401, 1));
    ck_assert(!msr_write(core, 1, 1)); /* alias of 40D */
    ck_write(core, 0x401, 0, 0);
    ck_assert(msr_write(core, 0xC0010015, 0x10 | HWCR_MC_STATUS_WR_EN));
    ck_write(core, 0x401, UINT64_C(0xB600000000010015), UINT64_C(0xB600000000010015));
    ck_write(core, 1, 7, 7);
    ck_write(core, 0x40D, 7, 7);
    ck_write(core, 0x40E, 5, 5);
    ck_write(core, 0, 5, 5); /* alias of 40E */
    board_free(board);
}
END_TEST

START_TEST(smm_lock_is_set_once_and_freezes_smm_registers)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    ck_write(core, 0xC0010111, 0x40000, 0x40000);
    ck_write(core, 0xC0010015, 0x10 | HWCR_SMM_LOCK | HWCR_SMI_SP_CYC_DIS, 0x10 | HWCR_SMM_LOCK | HWCR_SMI_SP_CYC_DIS);
    ck_write(core, 0xC0010015, 0x10, 0x10 | HWCR_SMM_LOCK | HWCR_SMI_SP_CYC_DIS);
    ck_write(core, 0xC0010111, 0x50000, 0x40000);
    ck_write(core, 0xC0010113, UINT64_MAX, 0xC); /* the Close bits stay open */
    board_free(board);
}
END_TEST

START_TEST(tsc_counts_from_what_was_written_and_a_guest_sees_its_offset)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    uint64_t value;

    core->cycles = 1000;
    ck_assert(msr_write(core, 0x10, 5));
    core->cycles += 10;
    ck_assert(msr_read(core, 0x10, &value));
    ck_assert_uint_eq(value, 15);
    core->svm.guest = true;
    core->svm.tsc_offset = 100;
    ck_assert(msr_read(core, 0x10, &value));
    ck_assert_uint_eq(value, 115);
    board_free(board);
}
END_TEST

START_TEST(pstate_commands_beyond_the_limit_do_not_change_the_state)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    uint64_t value;

    ck_assert(msr_write(core, 0xC0010062, 1));
    ck_assert(msr_read(core, 0xC0010063, &value));
    ck_assert_uint_eq(value, 1);
    ck_write(core, 0xC0010062, 6, 6); /* reads the value last written */
    ck_assert(msr_read(core, 0xC0010063, &value));
    ck_assert_uint_eq(value, 1);
    board_free(board);
}
END_TEST

UNIT_TESTS("model", revision_b3_reports_the_sheets_leaves, later_revisions_differ_where_the_sheet_says,
           every_listed_model_is_found_and_every_listed_name_is_listed, tlb_geometry_is_what_the_leaves_say,
           name_string_comes_from_its_msrs, a_single_core_node_reports_neither_htt_nor_cmp_legacy,
           cpuid_follows_its_dynamic_bits, feature_override_msrs_replace_what_cpuid_reports,
           reset_values_are_the_sheets, unknown_msrs_do_not_exist,
           revisions_differ_in_bu_cfg2_and_the_node_id_msr, no_two_rows_of_a_core_name_the_same_msr,
           write_masks_hold, addresses_must_be_canonical, efer_keeps_its_rules, pat_refuses_reserved_types,
           machine_check_status_takes_only_zero_without_hwcr_18, smm_lock_is_set_once_and_freezes_smm_registers,
           tsc_counts_from_what_was_written_and_a_guest_sees_its_offset,
           pstate_commands_beyond_the_limit_do_not_change_the_state)
