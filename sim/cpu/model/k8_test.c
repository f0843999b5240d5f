/* SPDX-License-Identifier: MIT */
/* Family 0Fh revisions: CPUID, what is not there, the password of the override MSRs, TLBs, no nested paging. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/model/cpuid.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define CODE BOARD_CODE

/* The masks fam_0f_rev_c .. rev_g, written out once more; of two cores. */
static const struct {
    const char *model;
    uint32_t ecx, edx, ext_ecx, ext_edx;
    bool sse3, cx16, svm, rdtscp, lahf64;
} revisions[] = {
    { "k8-c", 0x00000000, 0x078BFBFF, 0x000, 0xE1D3FBFF, false, false, false, false, false },
    { "k8-d", 0x00000000, 0x078BFBFF, 0x001, 0xE3D3FBFF, false, false, false, false, true },
    { "k8-e", 0x00000001, 0x178BFBFF, 0x003, 0xE3D3FBFF, true, false, false, false, true },
    { "k8-f", 0x00002001, 0x178BFBFF, 0x01F, 0xEBD3FBFF, true, true, true, true, true },
    { "k8-g", 0x00002001, 0x178BFBFF, 0x11F, 0xEBD3FBFF, true, true, true, true, true },
};

#define EACH_REVISION for (size_t r = 0; r < G_N_ELEMENTS(revisions); r++)

static struct board *begin(size_t revision)
{
    struct board *board = board_new(revisions[revision].model, 2, false);

    board_enter_long(board, 0, CODE);
    core_firmware(board->core[0], true);
    return board;
}

START_TEST(the_feature_words_are_the_revisions)
{
    EACH_REVISION {
        struct board *board = begin(r);
        struct cpuid_values one = cpuid_read(board->core[0], 1), ext = cpuid_read(board->core[0], 0x80000001);
        struct cpuid_values svm = cpuid_read(board->core[0], 0x8000000A);

        ck_assert_uint_eq(one.ecx, revisions[r].ecx);
        ck_assert_uint_eq(one.edx, revisions[r].edx);
        ck_assert_uint_eq(ext.ecx, revisions[r].ext_ecx);
        ck_assert_uint_eq(ext.edx, revisions[r].ext_edx);
        ck_assert_uint_eq(one.eax, ext.eax);
        ck_assert_uint_eq(bits(one.eax, 27, 20), 0); /* extended family: 0Fh alone */
        ck_assert_uint_eq(bits(one.eax, 11, 8), 0xF);
        ck_assert_uint_eq(cpuid_read(board->core[0], 5).eax, 0);
        ck_assert_uint_eq(svm.ebx, revisions[r].svm ? 64 : 0);
        ck_assert_uint_eq(svm.edx, 0); /* neither nested paging nor LBR virtualization */
        ck_assert_uint_eq(cpuid_read(board->core[0], 0x80000019).eax, 0);
        board_free(board);
    }
}
END_TEST

/* Run the bytes; whether they raised #UD. */
static bool is_undefined(size_t revision, const uint8_t *code, size_t size)
{
    struct board *board = begin(revision);
    struct core *core = board->core[0];
    bool undefined;

    spa_write_block(&board->space, CODE, code, size);
    core->cr4 |= CR4_OSFXSR;
    core->gpr[RSI] = core->gpr[RDI] = 0x40000;
    core_step(core);
    undefined = core->count->exceptions[EXC_UD] == 1;
    board_free(board);
    return undefined;
}

#define UNDEFINED(...) is_undefined(r, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

START_TEST(instructions_of_absent_features_are_undefined)
{
    EACH_REVISION {
        ck_assert(UNDEFINED(0xF3, 0x0F, 0xB8, 0xC0));                               /* popcnt */
        ck_assert(UNDEFINED(0x0F, 0x01, 0xC8));                                     /* monitor */
        ck_assert_int_eq(UNDEFINED(0x0F, 0x01, 0xF9), !revisions[r].rdtscp);        /* rdtscp */
        ck_assert_int_eq(UNDEFINED(0x48, 0x0F, 0xC7, 0x0E), !revisions[r].cx16);    /* cmpxchg16b */
        ck_assert_int_eq(UNDEFINED(0x9F), !revisions[r].lahf64);                    /* lahf */
        ck_assert(UNDEFINED(0x0F, 0x01, 0xDD));                                     /* clgi, EFER.SVME = 0 */
        ck_assert(!UNDEFINED(0x0F, 0x0D, 0x0E));                                    /* prefetchw: with 3DNow! */
        ck_assert(!UNDEFINED(0x0F, 0xAE, 0x3E));                                    /* clflush */
    }
}
END_TEST

START_TEST(without_abm_lzcnt_is_bsr)
{
    EACH_REVISION {
        struct board *board = begin(r);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xF3, 0x0F, 0xBD, 0xC3); /* lzcnt eax,ebx */
        core->gpr[RBX] = 0x10000;
        core_step(core);
        ck_assert_uint_eq(core->gpr[RAX], 16);
        board_free(board);
    }
}
END_TEST

START_TEST(before_revision_c_there_are_no_override_msrs)
{
    for (uint32_t msr = 0xC0011004; msr <= 0xC0011005; msr++) {
        struct board *board = board_new("k8-b", 1, false);
        struct core *core = board->core[0];

        board_enter_long(board, 0, CODE);
        core_firmware(core, true);
        board_put(board, CODE, 0x0F, 0x32); /* rdmsr */
        core->gpr[RCX] = msr;
        core->gpr[RDI] = 0x9C5A203A;
        core_step(core);
        ck_assert_uint_eq(core->count->exceptions[EXC_GP], 1);
        ck_assert_uint_eq(cpuid_read(core, 1).eax, 0xF51);
        board_free(board);
    }
}
END_TEST

START_TEST(the_override_msrs_want_the_password_in_edi)
{
    EACH_REVISION {
        struct board *board = begin(r);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x0F, 0x32, 0x0F, 0x30); /* rdmsr; wrmsr */
        core->gpr[RCX] = 0xC0011004;
        core->gpr[RDI] = UINT64_C(0xFFFFFFFF9C5A203A);
        core_step(core);
        ck_assert_uint_eq(core->gpr[RAX], revisions[r].edx);
        ck_assert_uint_eq(core->gpr[RDX], revisions[r].ecx);
        core->gpr[RAX] = 0x0FABFBFF;
        core_step(core);
        ck_assert_uint_eq(cpuid_read(core, 1).edx, 0x0FABFBFF);
        ck_assert_uint_eq(core->count->exceptions[EXC_GP], 0);
        core->rip = CODE;
        core->gpr[RDI] = 0;
        core_step(core);
        ck_assert_uint_eq(core->count->exceptions[EXC_GP], 1);
        board_free(board);
    }
}
END_TEST

START_TEST(msrs_of_family_10h_are_not_there)
{
    static const uint32_t absent[] = { 0xC0010061, 0xC0010062, 0xC0010064, 0xC0010058, 0xC0010140, 0xC001100C,
                                       0xC0011030, 0xC0010118, 0xC0000408 };

    EACH_REVISION {
        struct board *board = begin(r);
        struct core *core = board->core[0];
        uint64_t value;

        for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
            ck_assert_msg(!msr_read(core, absent[i], &value), "%x", absent[i]);
            ck_assert(!msr_write(core, absent[i], 0));
        }
        ck_assert_int_eq(msr_read(core, 0xC0010114, &value), revisions[r].svm);
        ck_assert_int_eq(msr_read(core, 0xC0010117, &value), revisions[r].svm);
        ck_assert_int_eq(msr_read(core, 0xC0000103, &value), revisions[r].rdtscp);
        ck_assert_int_eq(msr_write(core, 0xC0000080, core->efer | EFER_SVME), revisions[r].svm);
        ck_assert_int_eq(msr_write(core, 0xC0000080, core->efer | EFER_FFXSE), r >= 1);
        ck_assert(msr_write(core, 0xC0000080, core->efer | EFER_SCE | EFER_NXE));
        ck_assert(msr_read(core, 0xC0010015, &value));
        board_free(board);
    }
}
END_TEST

START_TEST(a_1g_page_is_a_reserved_bit_fault)
{
    static const char *const models[] = { "k8-f", "10h-b3" };

    for (unsigned m = 0; m < 2; m++) {
        struct board *board = board_new(models[m], 1, false);
        struct core *core = board->core[0];
        struct mmu_result result;

        board_enter_long(board, 0, CODE);
        spa_write(&board->space, BOARD_PML4 + 0x1000 + 8, 8, 0x87); /* 1 GiB: a 1G page at 0 */
        if (m == 0) {
            ck_assert_int_eq(mmu_translate(core->mmu, 0x40001000, MMU_READ, &result), MMU_PAGE_FAULT);
            ck_assert_uint_eq(result.code, 9); /* P, RSVD */
        } else {
            ck_assert_int_eq(mmu_translate(core->mmu, 0x40001000, MMU_READ, &result), MMU_OK);
            ck_assert_uint_eq(result.spa, 0x1000);
        }
        board_free(board);
    }
}
END_TEST

START_TEST(the_tlbs_are_the_k8_column)
{
    EACH_REVISION {
        const struct mmu_geometry *g = &cpu_model_find(revisions[r].model)->mmu;
        const char *right;

        ck_assert_ptr_null(mmu_geometry_error(g, &right));
        ck_assert_uint_eq(g->l1d.entries, 32);
        ck_assert_uint_eq(g->l1i_4k.entries, 32);
        ck_assert_uint_eq(g->l1i_2m.entries, 8);
        ck_assert_uint_eq(g->l2d_4k.entries, 512);
        ck_assert_uint_eq(g->l2d_4k.ways, 4);
        ck_assert_uint_eq(g->l2i_4k.entries, 512);
        ck_assert_uint_eq(g->l2d_2m.entries, 0);
        ck_assert_uint_eq(g->l2d_1g.entries, 0);
    }
}
END_TEST

START_TEST(vmrun_knows_no_nested_paging_and_no_lbr_virtualization)
{
    struct board *board = board_new("k8-f", 1, false);
    uint32_t words[INTERCEPT_WORDS] = { 0, 0, 0, 0, 1 };
    struct core *core = board->core[0];

    world_enter(board, WORLD_GUEST, 1);
    spa_write_block(&board->space, WORLD_VMCB, words, sizeof(words));
    spa_write(&board->space, WORLD_VMCB + 0x090, 8, 1);
    spa_write(&board->space, WORLD_VMCB + 0x0B8, 8, 1);
    spa_write(&board->space, WORLD_VMCB + 0x0B0, 8, UINT64_C(0xDEAD000)); /* no tables there */
    core->svm.gif = false;
    core_step(core);
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert(!core->svm.np_enable);
    ck_assert(!core->svm.lbr_virtual);
    board_free(board);
}
END_TEST

/* FID = (MHz - 800) / 100: 2200 0Eh, 2400 10h, 2800 14h, 2600 12h. */
START_TEST(frequency_and_voltage_change_by_fidvid)
{
    static const uint8_t fid[] = { 0x0E, 0x10, 0x10, 0x14, 0x12 };

    EACH_REVISION {
        struct board *board = begin(r);
        struct core *core = board->core[0];
        uint64_t status = 0, control = 0;

        ck_assert(msr_read(core, 0xC0010042, &status));
        ck_assert_uint_eq(status & 0xFFFFFFFF, fid[r] * UINT64_C(0x010101));
        ck_assert(msr_write(core, 0xC0010041, UINT64_C(0x190) << 32 | 0x1200 | 2)); /* no InitFidVid: nothing */
        ck_assert(msr_read(core, 0xC0010042, &control));
        ck_assert_uint_eq(control, status);
        ck_assert(msr_write(core, 0xC0010041, UINT64_C(0x190) << 32 | BIT(16) | 0x1200 | 2)); /* 1000 MHz, VID 12h */
        ck_assert(msr_read(core, 0xC0010041, &control));
        ck_assert_uint_eq(control, UINT64_C(0x190) << 32 | 0x1200 | 2);
        ck_assert(msr_read(core, 0xC0010042, &status));
        ck_assert_uint_eq(status & 0xFFFFFFFF, (unsigned)fid[r] * 0x10100u | 2); /* not pending */
        ck_assert_uint_eq(bits(status, 37, 32), 0x12);
        ck_assert(msr_write(core, 0xC0010041, BIT(16) | 0x2A)); /* faster than the part */
        ck_assert(msr_read(core, 0xC0010042, &control));
        ck_assert_uint_eq(control, status);
        ck_assert(!msr_write(core, 0xC0010042, 0));
        ck_assert(!msr_read(core, 0xC0010061, &control)); /* no P-states */
        board_free(board);
    }
}
END_TEST

UNIT_TESTS("Family 0Fh", the_feature_words_are_the_revisions, instructions_of_absent_features_are_undefined,
           without_abm_lzcnt_is_bsr, the_override_msrs_want_the_password_in_edi,
           before_revision_c_there_are_no_override_msrs, msrs_of_family_10h_are_not_there,
           a_1g_page_is_a_reserved_bit_fault, the_tlbs_are_the_k8_column,
           vmrun_knows_no_nested_paging_and_no_lbr_virtualization,
           frequency_and_voltage_change_by_fidvid)
