/* SPDX-License-Identifier: MIT */
/* Reset and entry states, derived state, registers by name. */
#include <stdio.h>
#include <unistd.h>

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_board.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

static uint64_t reg(struct core *core, const char *name)
{
    uint64_t value = 0xDEAD;

    ck_assert_msg(core_register(core, name, &value), "%s", name);
    return value;
}

/* APM2 table 14-1; EDX is the signature, EAX 0 without a built-in self test. */
START_TEST(a_cold_reset_gives_the_manuals_state)
{
    static const struct {
        const char *name;
        uint64_t value;
    } expected[] = {
        { "rax", 0 }, { "rbx", 0 }, { "rcx", 0 }, { "rdx", 0x00100F23 }, { "rsp", 0 }, { "r15", 0 },
        { "rip", 0xFFF0 }, { "rflags", 2 }, { "cr0", 0x60000010 }, { "cr2", 0 }, { "cr3", 0 }, { "cr4", 0 },
        { "efer", 0 }, { "cs", 0xF000 }, { "cs.base", 0xFFFF0000 }, { "cs.limit", 0xFFFF }, { "ds", 0 },
        { "ds.base", 0 }, { "ds.limit", 0xFFFF }, { "ss.limit", 0xFFFF }, { "gdtr.base", 0 }, { "gdtr.limit", 0xFFFF },
        { "idtr.base", 0 }, { "idtr.limit", 0xFFFF }, { "ldtr", 0 }, { "ldtr.limit", 0xFFFF }, { "tr", 0 },
        { "dr0", 0 }, { "dr6", 0xFFFF0FF0 }, { "dr7", 0x400 }, { "cpl", 0 }, { "cr8", 0 },
    };
    struct board *board = board_new("10h-b3", 1, false);

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        ck_assert_msg(reg(board->core[0], expected[i].name) == expected[i].value, "%s is %llx", expected[i].name,
                      (unsigned long long)reg(board->core[0], expected[i].name));
    ck_assert(board->core[0]->svm.gif);
    ck_assert(!core_waiting(board->core[0]));
    ck_assert_uint_eq(core_linear_rip(board->core[0]), 0xFFFFFFF0);
    ck_assert_uint_eq(core_code_bits(board->core[0]), 16);
    board_free(board);
}
END_TEST

START_TEST(init_keeps_caches_msrs_and_the_time_stamp)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    uint64_t tsc;

    core->cycles = 5000;
    core->cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_NW;
    core->efer = EFER_SVME | EFER_SCE;
    core->star = 7;
    core->mca.node->bank.ctl_mask = 9;
    core->svm.vm_cr = VM_CR_SVMDIS; /* cleared: Lock = 0 */
    core_reset(core, CORE_RESET_INIT);
    ck_assert_uint_eq(core->cr0, CR0_ET | CR0_NW);
    ck_assert_uint_eq(core->efer, 0);
    ck_assert_uint_eq(core->star, 7);
    ck_assert_uint_eq(core->mca.node->bank.ctl_mask, 9);
    ck_assert_uint_eq(core->svm.vm_cr & VM_CR_SVMDIS, 0);
    ck_assert(core_msr(core, 0x10, &tsc));
    ck_assert_uint_eq(tsc, 5000);
    core->svm.vm_cr = VM_CR_SVMDIS | VM_CR_LOCK;
    core_reset(core, CORE_RESET_INIT);
    ck_assert_uint_eq(core->svm.vm_cr, VM_CR_SVMDIS | VM_CR_LOCK);
    core_reset(core, CORE_RESET_COLD);
    ck_assert_uint_eq(core->star, 0);
    ck_assert(core_msr(core, 0x10, &tsc));
    ck_assert_uint_eq(tsc, 0);
    ck_assert_uint_eq(core->cycles, 5000); /* virtual time goes on */
    board_free(board);
}
END_TEST

/* APM2 table 14-1: FCW 0040, FTW 5555 (every register holds zero), MXCSR 1F80; INIT changes none of it. */
START_TEST(reset_clears_media_state_and_init_keeps_it)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    ck_assert_uint_eq(core->x87.control, 0x0040);
    ck_assert_uint_eq(core->x87.status, 0);
    ck_assert_uint_eq(core->x87.full, 0xFF);
    ck_assert_uint_eq(core->mxcsr, 0x1F80);
    core->x87.control = 0x037F;
    core->x87.reg[3] = (struct x87_register){ 1, 2 };
    core->xmm[15].q[1] = 3;
    core->mxcsr = 0;
    core_reset(core, CORE_RESET_INIT);
    ck_assert_uint_eq(core->x87.control, 0x037F);
    ck_assert_uint_eq(core->x87.reg[3].exponent, 2);
    ck_assert_uint_eq(core->xmm[15].q[1], 3);
    ck_assert_uint_eq(core->mxcsr, 0);
    core_reset(core, CORE_RESET_COLD);
    ck_assert_uint_eq(core->x87.reg[3].significand, 0);
    ck_assert_uint_eq(core->xmm[15].q[1], 0);
    board_free(board);
}
END_TEST

/* Each byte of the registers is in the hash, hence in snapshots. */
START_TEST(media_state_is_part_of_the_hash)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    uint8_t *const bytes[] = {
        (uint8_t *)&core->xmm[0], (uint8_t *)&core->xmm[15].b[15], (uint8_t *)&core->mxcsr,
        (uint8_t *)&core->x87.reg[0].significand, (uint8_t *)&core->x87.reg[7].exponent, (uint8_t *)&core->x87.control,
        (uint8_t *)&core->x87.status, (uint8_t *)&core->x87.full, (uint8_t *)&core->x87.opcode,
        (uint8_t *)&core->x87.instruction, (uint8_t *)&core->x87.data, (uint8_t *)&core->x87.code_selector,
        (uint8_t *)&core->x87.data_selector, (uint8_t *)&core->x87.error_reported, (uint8_t *)&core->x87.error_ignored,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bytes); i++) {
        g_autofree char *before = state_hash(board->state), *after = NULL;

        *bytes[i] ^= 1;
        after = state_hash(board->state);
        ck_assert_msg(strcmp(before, after) != 0, "byte %zu", i);
    }
    board_free(board);
}
END_TEST

START_TEST(flat_entry_is_what_multiboot_asks_for)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    const struct core_entry entry = { .rip = 0x100000, .rax = 0x2BADB002, .rbx = 0x9000, .protected_flat = true };

    core_enter(core, &entry);
    ck_assert_uint_eq(reg(core, "rip"), 0x100000);
    ck_assert_uint_eq(reg(core, "rax"), 0x2BADB002);
    ck_assert_uint_eq(reg(core, "rbx"), 0x9000);
    ck_assert_uint_eq(reg(core, "cr0"), CR0_PE | CR0_ET);
    ck_assert_uint_eq(reg(core, "cs.base"), 0);
    ck_assert_uint_eq(reg(core, "cs.limit"), 0xFFFFFFFF);
    ck_assert_uint_eq(reg(core, "ss.limit"), 0xFFFFFFFF);
    ck_assert_uint_eq(core_code_bits(core), 32);
    ck_assert_uint_eq(core->stack_size, 4);
    board_free(board);
}
END_TEST

START_TEST(mode_follows_pe_lma_vm_and_cs)
{
    static const struct {
        uint64_t cr0, efer, rflags;
        uint16_t cs_attr;
        enum mode mode;
        unsigned bits, cpl;
    } expected[] = {
        { 0, 0, 0, 0x09B, MODE_REAL, 16, 0 },
        { 0, 0, 0, 0x49B, MODE_REAL, 32, 0 }, /* entered with a big CS */
        { CR0_PE, 0, 0, 0x09B, MODE_PROTECTED, 16, 1 },
        { CR0_PE, 0, 0, 0x49B, MODE_PROTECTED, 32, 1 },
        { CR0_PE, 0, 0, 0x29B, MODE_PROTECTED, 16, 1 }, /* L means nothing outside long mode */
        { CR0_PE, 0, RFLAGS_VM, 0x0F3, MODE_VIRTUAL_8086, 16, 3 },
        { CR0_PE, EFER_LMA, 0, 0x49B, MODE_COMPATIBILITY, 32, 1 },
        { CR0_PE, EFER_LMA, 0, 0x09B, MODE_COMPATIBILITY, 16, 1 },
        { CR0_PE, EFER_LMA, 0, 0x29B, MODE_64BIT, 64, 1 },
    };
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        core->cr0 = expected[i].cr0;
        core->efer = expected[i].efer;
        rflags_write(core, expected[i].rflags);
        core->seg[SEG_CS].attr = expected[i].cs_attr;
        core->cpl = 1;
        core_mode_changed(core, false);
        ck_assert_int_eq(core->mode, expected[i].mode);
        ck_assert_uint_eq(core_code_bits(core), expected[i].bits);
        ck_assert_uint_eq(core->cpl, expected[i].cpl);
        ck_assert_uint_eq(core->access, expected[i].cpl == 3 ? MMU_USER : 0);
    }
    board_free(board);
}
END_TEST

START_TEST(every_named_register_reads_and_all_but_apic_id_and_asid_write)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];

    for (const char *const *name = core_register_names(); *name; name++) {
        uint64_t value, before = reg(core, *name);

        if (strcmp(*name, "apic_id") == 0 || strcmp(*name, "asid") == 0) {
            ck_assert(!core_set_register(core, *name, 1));
            continue;
        }
        ck_assert_msg(core_set_register(core, *name, 3), "%s", *name);
        value = reg(core, *name);
        if (strcmp(*name, "fcw") == 0)
            ck_assert_uint_eq(value, 0x43); /* bit 6 is always 1 */
        else if (strcmp(*name, "fsw") == 0)
            ck_assert_uint_eq(value, 0x8083); /* nothing is masked after reset: ES and B */
        else
            ck_assert_msg(value == 3 || strcmp(*name, "cpl") == 0, "%s is %llx", *name, (unsigned long long)value);
        ck_assert(core_set_register(core, *name, before));
    }
    ck_assert(!core_set_register(core, "eax", 0));
    ck_assert(!core_register(core, "", &(uint64_t){ 0 }));
    board_free(board);
}
END_TEST

START_TEST(setting_cs_by_name_changes_the_mode)
{
    struct board *board = board_new("10h-b3", 1, false);

    board_enter_flat(board, 0, BOARD_CODE);
    ck_assert(core_set_register(board->core[0], "cs.attr", 0x09B));
    ck_assert_uint_eq(core_code_bits(board->core[0]), 16);
    board_free(board);
}
END_TEST

START_TEST(a_restored_core_goes_on_as_the_saved_one)
{
    struct board *a = board_new("10h-b3", 1, false), *b = board_new("10h-b3", 1, true);
    g_autofree char *file = g_strdup_printf("core-test-%d.snapshot", (int)getpid()), *ah = NULL, *bh = NULL;
    GError *error = NULL;

    /* add eax,3; rol eax,5; pushf; pop ebx; jmp back: flags are lazy when the state is taken */
    board_put(a, BOARD_CODE, 0x83, 0xC0, 0x03, 0xC1, 0xC0, 0x05, 0x9C, 0x5B, 0xEB, 0xF6);
    board_enter_flat(a, 0, BOARD_CODE);
    core_run(a->core[0], 1001);
    ck_assert_msg(state_save(a->state, file, "test", &error), "%s", error ? error->message : "");
    memcpy(b->ram, a->ram, BOARD_RAM); /* RAM is the platform's, not in this state */
    ck_assert_msg(state_restore(b->state, file, "test", &error), "%s", error ? error->message : "");
    remove(file);
    core_run(a->core[0], 5000);
    core_run(b->core[0], 5000); /* in the other engine, too */
    ah = state_hash(a->state);
    bh = state_hash(b->state);
    ck_assert_str_eq(ah, bh);
    ck_assert_uint_eq(a->core[0]->gpr[RBX], b->core[0]->gpr[RBX]);
    board_free(a);
    board_free(b);
}
END_TEST

UNIT_TESTS("core", a_cold_reset_gives_the_manuals_state, init_keeps_caches_msrs_and_the_time_stamp,
           reset_clears_media_state_and_init_keeps_it, media_state_is_part_of_the_hash,
           flat_entry_is_what_multiboot_asks_for, mode_follows_pe_lma_vm_and_cs,
           every_named_register_reads_and_all_but_apic_id_and_asid_write, setting_cs_by_name_changes_the_mode,
           a_restored_core_goes_on_as_the_saved_one)
