/* SPDX-License-Identifier: MIT */
/* Instruction-based sampling through the run loop, on both engines (BKDG10 2.17.2; fact sheet 2.6). */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define CODE BOARD_CODE
#define FETCH_CTL 0xC0011030
#define FETCH_LINEAR 0xC0011031
#define FETCH_PHYSICAL 0xC0011032
#define OP_CTL 0xC0011033
#define OP_RIP 0xC0011034
#define OP_DATA 0xC0011035
#define OP_DATA3 0xC0011037
#define DC_LINEAR 0xC0011038
#define DC_PHYSICAL 0xC0011039
#define FETCH_EN BIT(48)
#define FETCH_VAL BIT(49)
#define FETCH_COMPLETE BIT(50)
#define FETCH_PHYSICAL_VALID BIT(52)
#define FETCH_L1_MISS BIT(55)
#define FETCH_L2_MISS BIT(56)
#define OP_EN BIT(17)
#define OP_VAL BIT(18)
#define OP_OPS BIT(19)

static uint64_t get(struct core *core, uint32_t msr)
{
    uint64_t value = 0;

    ck_assert(msr_read(core, msr, &value));
    return value;
}

/* 2000 times inc eax: a cycle and a byte each. */
static struct core *incs(struct board **board, const char *model, bool reference)
{
    *board = board_new(model, 1, reference);
    memset((*board)->ram + CODE, 0x40, 2000);
    board_enter_flat(*board, 0, CODE);
    return (*board)->core[0];
}

START_TEST(the_fetch_after_the_maximum_is_described_once)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = incs(&board, "10h-b3", engine);

        ck_assert(msr_write(core, FETCH_CTL, FETCH_EN | 10)); /* 10 << 4 = 160 fetches */
        core_run(core, core->cycles + 100);
        ck_assert_uint_eq(get(core, FETCH_CTL), FETCH_EN | 100 >> 4 << 16 | 10); /* the count's bits 19:4 */
        core_run(core, core->cycles + 100);
        ck_assert_uint_eq(get(core, FETCH_CTL) & ~(FETCH_L1_MISS | FETCH_L2_MISS),
                          FETCH_EN | FETCH_VAL | FETCH_COMPLETE | FETCH_PHYSICAL_VALID | 10);
        ck_assert_uint_eq(get(core, FETCH_LINEAR), CODE + 160);
        ck_assert_uint_eq(get(core, FETCH_PHYSICAL), CODE + 160);
        core_run(core, core->cycles + 300); /* at CODE + 500: nothing is counted while the sample is valid */
        ck_assert_uint_eq(get(core, FETCH_LINEAR), CODE + 160);
        ck_assert(msr_write(core, FETCH_CTL, FETCH_EN | 5));
        core_run(core, core->cycles + 200);
        ck_assert_uint_eq(get(core, FETCH_LINEAR), CODE + 500 + 80);
        board_free(board);
    }
}
END_TEST

START_TEST(ops_are_tagged_by_cycles_or_from_revision_c_on_by_ops)
{
    EACH_ENGINE {
        for (unsigned ops = 0; ops < 2; ops++) {
            struct board *board = board_new("10h-c2", 1, engine);
            struct core *core = board->core[0];

            for (unsigned i = 0; i < 400; i++) /* imul eax,eax: four cycles */
                board_put(board, CODE + 3 * i, 0x0F, 0xAF, 0xC0);
            board_enter_flat(board, 0, CODE);
            ck_assert(msr_write(core, OP_CTL, OP_EN | (ops ? OP_OPS : 0) | 10)); /* 160 */
            core_run(core, core->cycles + 80);
            ck_assert_uint_eq(get(core, OP_CTL) >> 32, ops ? 20 : 80);
            core_run(core, core->cycles + 1000);
            ck_assert_uint_ne(get(core, OP_CTL) & OP_VAL, 0);
            ck_assert_uint_eq(get(core, OP_RIP), CODE + 3 * (ops ? 160 : 40));
            ck_assert_uint_eq(get(core, OP_DATA), 4 << 16); /* from tag to retirement */
            ck_assert_uint_eq(get(core, OP_DATA3), 0);
            board_free(board);
        }
    }
}
END_TEST

START_TEST(revision_b_has_neither_a_visible_count_nor_a_count_of_ops)
{
    struct board *board;
    struct core *core = incs(&board, "10h-b3", false);

    ck_assert(msr_write(core, OP_CTL, OP_EN | OP_OPS | 10));
    core_run(core, core->cycles + 50);
    ck_assert_uint_eq(get(core, OP_CTL) >> 32, 0);
    board_free(board);
}
END_TEST

START_TEST(a_halted_core_is_not_sampled)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = incs(&board, "10h-c2", engine);

        board_put(board, CODE + 10, 0xF4);
        ck_assert(msr_write(core, OP_CTL, OP_EN | 10));
        core_run(core, core->cycles + 10000);
        ck_assert(core->halted);
        ck_assert_uint_eq(get(core, OP_CTL) & OP_VAL, 0);
        ck_assert_uint_eq(get(core, OP_CTL) >> 32, 10 + 20); /* HLT: ISA_COST_CONTROL */
        board_free(board);
    }
}
END_TEST

/* 16 NOPs, then one access: with a maximum of 1 << 4 it is the one that is tagged. */
static struct core *access_after_16(struct board **board, bool reference, const uint8_t *code, size_t size)
{
    struct core *core;

    *board = board_new("10h-c2", 1, reference);
    core = (*board)->core[0];
    memset((*board)->ram + CODE, 0x90, 16);
    memcpy((*board)->ram + CODE + 16, code, size);
    board_enter_long(*board, 0, CODE);
    core->gpr[RSI] = 0x20000;
    ck_assert(msr_write(core, OP_CTL, OP_EN | OP_OPS | 1));
    return core;
}

START_TEST(data_accesses_are_described)
{
    static const struct {
        uint8_t code[4], size;
        uint64_t address, data3; /* without bits 3:2, the misses */
    } cases[] = {
        { { 0x8B, 0x46, 0x08 }, 3, 0x20008, 0x60001 },             /* mov eax,[rsi+8]: load */
        { { 0x89, 0x46, 0x08 }, 3, 0x20008, 0x60002 },             /* mov [rsi+8],eax: store */
        { { 0x01, 0x46, 0x09 }, 3, 0x20009, 0x60103 },             /* add [rsi+9],eax: both, misaligned */
        { { 0xF0, 0x01, 0x46, 0x08 }, 4, 0x20008, 0x68003 },       /* locked */
        { { 0xD1, 0x26 }, 2, 0x20000, 0x60003 },                   /* shl dword [rsi],1 */
        { { 0x39, 0x06 }, 2, 0x20000, 0x60001 },                   /* cmp [rsi],eax */
        { { 0xAD }, 1, 0x20000, 0x60001 },                         /* lodsd */
    };

    EACH_ENGINE {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct board *board;
            struct core *core = access_after_16(&board, engine, cases[i].code, cases[i].size);

            for (unsigned n = 0; n < 17; n++)
                core_step(core);
            ck_assert_uint_ne(get(core, OP_CTL) & OP_VAL, 0);
            ck_assert_uint_eq(get(core, OP_RIP), CODE + 16);
            ck_assert_uint_eq(get(core, OP_DATA3) & ~UINT64_C(0xC), cases[i].data3);
            ck_assert_uint_eq(get(core, OP_DATA3) & 0xC, 0xC); /* first touched: neither TLB has it */
            ck_assert_uint_eq(get(core, DC_LINEAR), cases[i].address);
            ck_assert_uint_eq(get(core, DC_PHYSICAL), cases[i].address);
            board_free(board);
        }
    }
}
END_TEST

START_TEST(a_second_access_hits_the_tlb)
{
    static const uint8_t code[] = { 0x8B, 0x06 };
    struct board *board;
    struct core *core = access_after_16(&board, false, code, sizeof(code));

    board_put(board, CODE, 0x66, 0x8B, 0x06); /* in place of three NOPs */
    board_put(board, CODE + 16, 0x90, 0x90, 0x8B, 0x06);
    for (unsigned n = 0; n < 17; n++)
        core_step(core);
    ck_assert_uint_eq(get(core, OP_RIP), CODE + 18);
    ck_assert_uint_eq(get(core, OP_DATA3), 0x60001);
    board_free(board);
}
END_TEST

START_TEST(branches_say_whether_they_are_taken)
{
    static const struct {
        uint8_t code[3], size;
        uint64_t data; /* bits 37:32 */
    } cases[] = {
        { { 0xEB, 0x10 }, 2, 0x28 },  /* jmp: branch, taken */
        { { 0x74, 0x10 }, 2, 0x20 },  /* jz with ZF = 0 */
        { { 0xC3 }, 1, 0x2C },        /* ret */
        { { 0x90 }, 1, 0 },
    };

    EACH_ENGINE {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct board *board;
            struct core *core = access_after_16(&board, engine, cases[i].code, cases[i].size);

            for (unsigned n = 0; n < 17; n++)
                core_step(core);
            ck_assert_uint_eq(get(core, OP_DATA) >> 32, cases[i].data);
            board_free(board);
        }
    }
}
END_TEST

START_TEST(a_tagged_instruction_that_faults_hands_the_tag_on)
{
    EACH_ENGINE {
        struct board *board = board_new("10h-c2", 1, engine);
        struct core *core = board->core[0];

        world_enter(board, WORLD_LONG, 1);
        memset(board->ram + CODE, 0x90, 16);
        board_put(board, CODE + 16, 0x0F, 0x0B); /* ud2 */
        ck_assert(msr_write(core, OP_CTL, OP_EN | OP_OPS | 1));
        for (unsigned n = 0; n < 18; n++)
            core_step(core);
        ck_assert_uint_eq(get(core, OP_RIP), BOARD_HANDLERS + 16 * EXC_UD);
        board_free(board);
    }
}
END_TEST

static const struct msr_row control_row[] = {
    { 0xC001103A, "IbsCtl", 0, 0, 0, MSR_READ_ONLY, 0, NULL, NULL, "MSRC001_103A" },
};

/* Extended LVT entry 1, at 510h; the northbridge, which the board lacks, has IbsCtl. */
START_TEST(a_sample_interrupts_through_the_entry_that_ibsctl_names)
{
    uint64_t control[] = { 0x101, 0x001 }; /* valid; not valid */

    EACH_ENGINE {
        for (unsigned i = 0; i < G_N_ELEMENTS(control); i++) {
            struct board *board;
            struct core *core = incs(&board, "10h-b3", engine);

            core_attach_msrs(core, (struct msr_bank){ control_row, 1, &control[i] });
            core_firmware(core, true);
            core->apic_page.write(core->apic_page.ctx, 0x510, 4, 0x56);
            rflags_write(core, RFLAGS_IF);
            ck_assert(msr_write(core, FETCH_CTL, FETCH_EN | 10));
            core_run(core, core->cycles + 2000);
            ck_assert_uint_eq(core->count->interrupts, i == 0);
            if (i == 0) {
                ck_assert_int_eq(board_vector(core), 0x56);
                ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 4), CODE + 161); /* after the tagged one */
            }
            board_free(board);
        }
    }
}
END_TEST

START_TEST(a_maximum_of_zero_is_noted_and_never_samples)
{
    struct board *board;
    struct core *core = incs(&board, "10h-b3", false);

    ck_assert(msr_write(core, FETCH_CTL, FETCH_EN));
    core_run(core, core->cycles + 500);
    ck_assert_uint_eq(get(core, FETCH_CTL) & FETCH_VAL, 0);
    ck_assert_uint_eq(unmodelled_total(board->unmodelled), 1);
    board_free(board);
}
END_TEST

UNIT_TESTS("ibs", the_fetch_after_the_maximum_is_described_once, ops_are_tagged_by_cycles_or_from_revision_c_on_by_ops,
           revision_b_has_neither_a_visible_count_nor_a_count_of_ops, a_halted_core_is_not_sampled,
           data_accesses_are_described, a_second_access_hits_the_tlb, branches_say_whether_they_are_taken,
           a_tagged_instruction_that_faults_hands_the_tag_on,
           a_sample_interrupts_through_the_entry_that_ibsctl_names, a_maximum_of_zero_is_noted_and_never_samples)
