/* SPDX-License-Identifier: MIT */
/* Decoded blocks: what a store into code does, by this core, another core, a device, at any offset. */
#include "sim/cpu/interp/block.h"
#include "sim/cpu/interp/test_board.h"
#include "sim/executed.h"
#include "sim/unit_test.h"

#define CODE BOARD_CODE
static const struct decode_mode code32 = { .code_bits = 32, .real_style = false };

START_TEST(a_block_ends_at_a_branch_a_system_instruction_and_the_page)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct block *block;

    board_put(board, CODE, 0x40, 0x40, 0xEB, 0x00, 0x40); /* inc; inc; jmp; inc */
    block = block_find(board->blocks, CODE, code32);
    ck_assert_uint_eq(block->count, 3);
    ck_assert_uint_eq(block->bytes, 4);
    ck_assert(block->plain_end);
    board_put(board, CODE + 0x100, 0x40, 0xFB, 0x40); /* inc; sti; inc */
    block = block_find(board->blocks, CODE + 0x100, code32);
    ck_assert_uint_eq(block->count, 2);
    ck_assert(!block->plain_end);
    board_put(board, CODE + 0xFFE, 0x40, 0xB8, 1, 2, 3, 4); /* inc; mov eax,imm32 over the page end */
    block = block_find(board->blocks, CODE + 0xFFE, code32);
    ck_assert_uint_eq(block->count, 1);
    ck_assert_uint_eq(block->bytes, 1);
    ck_assert_ptr_null(block_find(board->blocks, CODE + 0xFFF, code32)); /* the crossing one: in no block */
    ck_assert_ptr_null(block_find(board->blocks, BOARD_RAM + 0x1000, code32)); /* not memory */
    board_free(board);
}
END_TEST

START_TEST(a_block_is_found_again_and_decode_modes_have_their_own)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct decode_mode code64 = { .code_bits = 64 }, real = { .code_bits = 16, .real_style = true };
    struct block *block;

    board_put(board, CODE, 0x40, 0x90, 0xC3); /* inc eax, or REX */
    block = block_find(board->blocks, CODE, code32);
    ck_assert_ptr_eq(block_find(board->blocks, CODE, code32), block);
    ck_assert_uint_eq(block->insn[0].length, 1);
    ck_assert_uint_eq(block_find(board->blocks, CODE, code64)->insn[0].length, 2);
    ck_assert_uint_eq(block_find(board->blocks, CODE, real)->insn[0].op[0].size, 2);
    board_free(board);
}
END_TEST

START_TEST(a_store_invalidates_exactly_the_blocks_it_overlaps)
{
    for (unsigned at = 0; at < 12; at++) {
        struct board *board = board_new("10h-b3", 1, false);
        struct block *first, *second;

        /* first: offsets 2-5 (add eax,5; ret); second: 6-9 */
        board_put(board, CODE + 2, 0x83, 0xC0, 0x05, 0xC3, 0x83, 0xC0, 0x06, 0xC3);
        first = block_find(board->blocks, CODE + 2, code32);
        second = block_find(board->blocks, CODE + 6, code32);
        ck_assert_uint_eq(board->flags[CODE >> PAGE_SHIFT], DRAM_PAGE_CODE);
        spa_write(&board->space, CODE + at, 1, 0x90);
        ck_assert_int_eq(first->key != BLOCK_DEAD, at < 2 || at > 5);
        ck_assert_int_eq(second->key != BLOCK_DEAD, at < 6 || at > 9);
        board_free(board);
    }
}
END_TEST

START_TEST(a_page_without_blocks_loses_its_flag_at_the_next_store)
{
    struct board *board = board_new("10h-b3", 1, false);

    board_put(board, CODE, 0x40, 0xC3);
    block_find(board->blocks, CODE, code32);
    spa_write(&board->space, CODE, 1, 0x41);
    ck_assert_uint_eq(board->flags[CODE >> PAGE_SHIFT], DRAM_PAGE_CODE);
    spa_write(&board->space, CODE, 1, 0x42);
    ck_assert_uint_eq(board->flags[CODE >> PAGE_SHIFT], 0);
    block_find(board->blocks, CODE, code32);
    ck_assert_uint_eq(board->flags[CODE >> PAGE_SHIFT], DRAM_PAGE_CODE);
    board_free(board);
}
END_TEST

START_TEST(a_store_across_a_page_end_reaches_both_pages)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct block *low, *high;

    board_put(board, CODE + 0xFFE, 0x40, 0xC3, 0x40, 0xC3);
    low = block_find(board->blocks, CODE + 0xFFE, code32);
    high = block_find(board->blocks, CODE + 0x1000, code32);
    block_cache_stored(board->blocks, CODE + 0xFFF, 2);
    ck_assert_uint_eq(low->key, BLOCK_DEAD);
    ck_assert_uint_eq(high->key, BLOCK_DEAD);
    board_free(board);
}
END_TEST

/* Both engines must see the new bytes at once: C6 05 disp32 imm8 writes the immediate of a later ADD. */
START_TEST(an_instruction_sees_what_the_one_before_it_stored)
{
    for (int engine = 0; engine < 2; engine++) {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0xC6, 0x05, 0x09, 0x00, 0x01, 0x00, 0x2A, /* mov byte [10009h],42 */
                  0x83, 0xC0, 0x01, 0xF4);                             /* add eax,1 -> 42; hlt */
        board_enter_flat(board, 0, CODE);
        core_run(core, 1000);
        ck_assert_uint_eq(core->gpr[RAX], 0x2A);
        board_free(board);
    }
}
END_TEST

START_TEST(a_string_instruction_may_overwrite_what_follows_it)
{
    for (int engine = 0; engine < 2; engine++) {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        /* rep stosb with AL = 40h (inc eax) over the four NOPs behind it */
        board_put(board, CODE, 0xF3, 0xAA, 0x90, 0x90, 0x90, 0x90, 0xF4);
        board_enter_flat(board, 0, CODE);
        core->gpr[RAX] = 0x40;
        core->gpr[RDI] = CODE + 2;
        core->gpr[RCX] = 4;
        core_run(core, 1000);
        ck_assert_uint_eq(core->gpr[RAX], 0x44);
        board_free(board);
    }
}
END_TEST

START_TEST(a_loop_sees_a_store_of_another_core_at_its_next_instruction)
{
    for (int engine = 0; engine < 2; engine++) {
        struct board *board = board_new("10h-b3", 2, engine);
        struct core *core = board->core[0];

        board_put(board, CODE, 0x83, 0xC0, 0x01, 0xEB, 0xFB); /* add eax,1; jmp back */
        board_put(board, CODE + 0x2000, 0xC7, 0x05, 0x03, 0x00, 0x01, 0x00, 0xF4, 0xF4, 0xF4, 0xF4, 0xF4);
        board_enter_flat(board, 0, CODE);
        core_run(core, 1000);
        board_enter_flat(board, 1, CODE + 0x2000);
        core_run(board->core[1], 1000); /* mov dword [10003h],F4F4F4F4h; hlt */
        ck_assert_int_eq(core_run(core, 2000), CORE_STOP_WAITING);
        ck_assert_uint_eq(core->instructions, 2 * core->gpr[RAX]); /* ADD, then HLT instead of JMP */
        board_free(board);
    }
}
END_TEST

START_TEST(another_mapping_of_the_same_page_runs_the_new_bytes)
{
    for (int engine = 0; engine < 2; engine++) {
        struct board *board = board_new("10h-b3", 1, engine);
        struct core *core = board->core[0];

        board_enter_long(board, 0, CODE);
        spa_write(&board->space, BOARD_PML4 + 0x3000 + 8 * 0x50, 8, CODE | 7); /* 50000h names the page too */
        /* add eax,1; cmp eax,1; jne out; mov byte [50002h],16; jmp start; out: hlt */
        board_put(board, CODE, 0x83, 0xC0, 0x01, 0x83, 0xF8, 0x01, 0x75, 0x0A, 0xC6, 0x04, 0x25, 0x02, 0x00, 0x05, 0x00,
                  0x10, 0xEB, 0xEE, 0xF4);
        core->gpr[RAX] = 0;
        core_run(core, 3000);
        ck_assert_uint_eq(core->gpr[RAX], 17);
        board_free(board);
    }
}
END_TEST

START_TEST(a_loop_that_rewrites_itself_a_long_time_reuses_memory_rightly)
{
    struct board *board = board_new("10h-b3", 1, false);
    struct core *core = board->core[0];
    int32_t sum = 0;

    board_put(board, CODE, 0xFE, 0x05, 0x0C, 0x00, 0x01, 0x00, /* inc byte [1000Ch] */
              0x90, 0x90, 0x90, 0x90, 0x83, 0xC3, 0x00,        /* add ebx,imm8: offset 12 */
              0xE2, 0xF1, 0xF4);                               /* loop; hlt */
    board_enter_flat(board, 0, CODE);
    core->gpr[RCX] = 200000;
    core_run(core, UINT64_C(100000000));
    ck_assert_uint_eq(core->gpr[RCX], 0);
    for (unsigned i = 1; i <= 200000; i++)
        sum += (int8_t)i; /* the immediate runs 1, 2 ... 255, 0 ..., sign-extended */
    ck_assert_uint_eq(core->gpr[RBX], (uint32_t)sum);
    board_free(board);
}
END_TEST

START_TEST(the_cache_forgets_everything_when_it_is_full_and_goes_on)
{
    struct board *board = board_new("10h-b3", 1, false);
    spa_t last = CODE + 0x40000;

    memset(board->ram + CODE, 0x90, 0x40000);
    /* a block of 32 NOPs at each byte: 262144 x 2 KiB, eight times what the cache holds */
    for (spa_t at = CODE; at < last - 64; at++) {
        struct block *block = block_find(board->blocks, at, code32);

        ck_assert_uint_eq(block->spa, at);
        ck_assert_uint_eq(block->bytes, block->count);
        if ((at & 0xFFF) == 0xFF0)
            ck_assert_uint_eq(block->count, 16); /* to the page end */
    }
    /* short ones too, after all memory went to long ones */
    board_put(board, last - 16, 0xC3, 0x90, 0xC3);
    ck_assert_uint_eq(block_find(board->blocks, last - 16, code32)->count, 1);
    ck_assert_uint_eq(block_find(board->blocks, last - 15, code32)->count, 2);
    board_free(board);
}
END_TEST

static char *executed_text(struct board *board, bool reference, unsigned core)
{
    struct executed *executed = executed_new();
    struct executed_image *image = executed_image(executed, "t", "abc", 3);
    GString *text = g_string_new(NULL);

    executed_add_code(image, CODE, 0x7000, 0x40);
    block_cache_note_executed(board->blocks, image);
    core_set_reference(board->core[core], reference);
    core_run(board->core[core], 10000);
    executed_write(executed, text);
    block_cache_note_executed(board->blocks, NULL);
    executed_free(executed);
    return g_string_free(text, FALSE);
}

START_TEST(what_was_executed_is_noted_to_the_byte_by_both_engines)
{
    for (unsigned reference = 0; reference < 2; reference++) {
        struct board *board = board_new("10h-b3", 1, false);
        char *text;

        /*
         * 00 mov ecx,100; 05 jecxz +2 (never taken but the last time); 07 dec ecx; 08 jmp 05; 0A add eax,5; 0D ud2
         * faults and executes all the same; 0F nop, behind the fault, and 10 nop, outside any path, never do.
         */
        board_put(board, CODE, 0xB9, 100, 0, 0, 0, 0xE3, 0x03, 0x49, 0xEB, 0xFB, 0x83, 0xC0, 0x05, 0x0F, 0x0B, 0x90,
                  0x90);
        board_enter_flat(board, 0, CODE);
        text = executed_text(board, reference, 0);
        ck_assert_uint_eq(board->core[0]->gpr[RCX], 0);
        ck_assert_int_eq(board_vector(board->core[0]), EXC_UD);
        /* SHA-256 of "abc" is FIPS 180-2's first example */
        ck_assert_str_eq(text,
                         "fam10h-executed 1\nimage t ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
                               "7000 700f\n");
        g_free(text);
        board_free(board);
    }
}
END_TEST

START_TEST(a_branch_that_is_never_taken_leaves_its_target_unmarked)
{
    struct board *board = board_new("10h-b3", 1, false);
    char *text;

    /* 00 xor eax,eax; 02 jnz 06; 04 jmp 08; 06 nop; 07 nop; 08 hlt */
    board_put(board, CODE, 0x31, 0xC0, 0x75, 0x02, 0xEB, 0x02, 0x90, 0x90, 0xF4);
    board_enter_flat(board, 0, CODE);
    text = executed_text(board, false, 0);
    ck_assert_ptr_nonnull(strstr(text, "\n7000 7006\n7008 7009\n"));
    g_free(text);
    board_free(board);
}
END_TEST

UNIT_TESTS("block", what_was_executed_is_noted_to_the_byte_by_both_engines,
           a_branch_that_is_never_taken_leaves_its_target_unmarked,
           a_block_ends_at_a_branch_a_system_instruction_and_the_page,
           a_block_is_found_again_and_decode_modes_have_their_own,
           a_store_invalidates_exactly_the_blocks_it_overlaps,
           a_page_without_blocks_loses_its_flag_at_the_next_store, a_store_across_a_page_end_reaches_both_pages,
           an_instruction_sees_what_the_one_before_it_stored, a_string_instruction_may_overwrite_what_follows_it,
           a_loop_sees_a_store_of_another_core_at_its_next_instruction,
           another_mapping_of_the_same_page_runs_the_new_bytes,
           a_loop_that_rewrites_itself_a_long_time_reuses_memory_rightly,
           the_cache_forgets_everything_when_it_is_full_and_goes_on)
