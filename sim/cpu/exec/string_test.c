/* SPDX-License-Identifier: MIT */
/* String instructions and I/O space: steps, directions, faults half way, permission bitmaps, intercepts. */
#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/intercept.h"

/* Call until the instruction is done; returns the number of steps. */
static unsigned run_steps(struct setup *s, const char *bytes, size_t size, enum outcome *last)
{
    unsigned steps = 0;

    do {
        *last = setup_run(s, bytes, size);
        steps++;
    } while (*last == OUTCOME_REPEAT);
    return steps;
}

START_TEST(rep_movs_makes_one_step_a_call_and_retires_with_the_last)
{
    struct setup *s = setup_new();
    enum outcome last;

    setup_64(s, 3);
    memcpy(s->ram + SETUP_DATA, "abcdef", 6);
    s->core.gpr[RSI] = SETUP_DATA;
    s->core.gpr[RDI] = SETUP_DATA + 0x100;
    s->core.gpr[RCX] = 6;
    ck_assert_int_eq(RUN(s, "\xF3\xA4"), OUTCOME_REPEAT);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP);
    ck_assert_uint_eq(s->core.gpr[RCX], 5);
    ck_assert_uint_eq(run_steps(s, "\xF3\xA4", 2, &last), 5);
    ck_assert_int_eq(last, OUTCOME_NEXT);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 2);
    ck_assert_mem_eq(s->ram + SETUP_DATA + 0x100, "abcdef", 7);
    ck_assert_uint_eq(s->core.gpr[RSI], SETUP_DATA + 6);
    ck_assert_uint_eq(s->core.gpr[RDI], SETUP_DATA + 0x106);
    ck_assert_uint_eq(s->core.gpr[RCX], 0);
    setup_free(s);
}
END_TEST

START_TEST(rep_with_a_zero_count_touches_nothing)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RDI] = 0x12000; /* not present */
    s->core.gpr[RCX] = 0;
    assert_retires(s, "\xF3\xAB");
    ck_assert_uint_eq(s->core.gpr[RDI], 0x12000);
    setup_free(s);
}
END_TEST

START_TEST(a_fault_in_the_middle_keeps_the_finished_steps)
{
    struct setup *s = setup_new();
    enum outcome last;

    setup_64(s, 3);
    s->core.gpr[RAX] = 0x1122334455667788;
    s->core.gpr[RDI] = 0x11FF0; /* two elements, then the page that is not present */
    s->core.gpr[RCX] = 4;
    run_steps(s, "\xF3\x48\xAB", 3, &last);
    ck_assert_int_eq(last, OUTCOME_FAULT);
    ck_assert_uint_eq(s->core.fault.vector, EXC_PF);
    ck_assert_uint_eq(s->core.fault.address, 0x12000);
    ck_assert_uint_eq(s->core.gpr[RCX], 2);
    ck_assert_uint_eq(s->core.gpr[RDI], 0x12000);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP);
    ck_assert_uint_eq(setup_peek(s, 0x11FF8, 8), 0x1122334455667788);
    setup_free(s);
}
END_TEST

START_TEST(the_direction_flag_turns_round_and_a32_counts_in_ecx)
{
    struct setup *s = setup_new();
    enum outcome last;

    setup_64(s, 3);
    s->core.rflags |= RFLAGS_DF;
    s->core.gpr[RSI] = 0xFFFFFFFF00010008;
    s->core.gpr[RCX] = 0xFFFFFFFF00000002;
    setup_poke(s, 0x10004, 4, 0xAAAA);
    ck_assert_uint_eq(run_steps(s, "\xF3\x67\xAD", 3, &last), 2); /* rep lodsd eax, [esi] */
    ck_assert_uint_eq(s->core.gpr[RAX], 0xAAAA);
    ck_assert_uint_eq(s->core.gpr[RSI], 0x10000); /* 32-bit results clear the upper half */
    ck_assert_uint_eq(s->core.gpr[RCX], 0);
    setup_free(s);
}
END_TEST

START_TEST(compares_stop_at_the_first_difference_or_match)
{
    struct setup *s = setup_new();
    enum outcome last;

    setup_64(s, 3);
    memcpy(s->ram + SETUP_DATA, "same!", 5);
    memcpy(s->ram + SETUP_DATA + 0x100, "same?", 5);
    s->core.gpr[RSI] = SETUP_DATA;
    s->core.gpr[RDI] = SETUP_DATA + 0x100;
    s->core.gpr[RCX] = 100;
    ck_assert_uint_eq(run_steps(s, "\xF3\xA6", 2, &last), 5); /* repe cmpsb: '!' - '?' */
    ck_assert_uint_eq(s->core.gpr[RCX], 95);
    ck_assert_uint_eq(rflags_read(&s->core) & (RFLAGS_ZF | RFLAGS_CF), RFLAGS_CF);
    s->core.gpr[RDI] = SETUP_DATA;
    s->core.gpr[RCX] = 100;
    s->core.gpr[RAX] = 'm';
    ck_assert_uint_eq(run_steps(s, "\xF2\xAE", 2, &last), 3); /* repne scasb */
    ck_assert_uint_eq(s->core.gpr[RDI], SETUP_DATA + 3);
    ck_assert(rflags_read(&s->core) & RFLAGS_ZF);
    setup_free(s);
}
END_TEST

START_TEST(the_source_takes_an_override_and_the_destination_does_not)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.seg[SEG_FS].base = 0x100;
    setup_poke(s, SETUP_DATA + 0x100, 1, 0x5A);
    s->core.gpr[RSI] = SETUP_DATA;
    s->core.gpr[RDI] = SETUP_DATA + 0x200;
    assert_retires(s, "\x64\xA4"); /* movsb es:[rdi], fs:[rsi] */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 0x200, 1), 0x5A);
    setup_free(s);
}
END_TEST

/* ---- I/O space ------------------------------------------------------------------------------------------ */

START_TEST(in_and_out_reach_ports_by_immediate_or_dx)
{
    struct setup *s = setup_new();

    setup_real(s);
    s->port_value = 0x12345678;
    s->core.gpr[RAX] = 0xFFFFFFFFFFFFFFFF;
    s->core.gpr[RDX] = 0xABCD03F8;
    assert_retires(s, "\xE4\x61"); /* in al, 61h */
    ck_assert_uint_eq(s->port, 0x61);
    ck_assert_uint_eq(s->core.gpr[RAX], 0xFFFFFFFFFFFFFF78);
    assert_retires(s, "\x66\xED"); /* in eax, dx */
    ck_assert_uint_eq(s->port, 0x3F8);
    ck_assert_uint_eq(s->port_size, 4);
    ck_assert_uint_eq(s->core.gpr[RAX], 0x12345678);
    s->core.gpr[RAX] = 0xBEEF;
    assert_retires(s, "\xEF"); /* out dx, ax */
    ck_assert_uint_eq(s->port_size, 2);
    ck_assert_uint_eq(s->port_value, 0xBEEF);
    ck_assert_uint_eq(s->core.horizon, 0);
    setup_free(s);
}
END_TEST

/* A 64-bit TSS at 11000 whose bitmap starts at 100 and covers ports 0-3FF. */
static void use_bitmap(struct setup *s)
{
    s->core.seg[SEG_TR] = (struct segment){ .attr = 0x8B, .base = 0x11000, .limit = 0x100 + 0x80 };
    setup_poke(s, 0x11066, 2, 0x100);
    memset(s->ram + 0x11100, 0xFF, 0x81);
}

START_TEST(above_iopl_the_tss_bitmap_decides)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    use_bitmap(s);
    s->core.gpr[RDX] = 0x60;
    assert_faults(s, "\xEC", EXC_GP);
    ck_assert_uint_eq(s->port_reads, 0);
    setup_poke(s, 0x1110C, 1, 0xFE); /* port 60h allowed */
    assert_retires(s, "\xEC");
    s->core.rip = SETUP_RIP;
    assert_faults(s, "\x66\xED", EXC_GP); /* port 61h is not */
    s->core.gpr[RDX] = 0x3FF;
    setup_poke(s, 0x1117F, 1, 0x7F);
    assert_retires(s, "\xEC");
    s->core.rip = SETUP_RIP;
    s->core.gpr[RDX] = 0x400; /* its second byte lies beyond the limit */
    setup_poke(s, 0x11180, 1, 0);
    assert_faults(s, "\xEC", EXC_GP);
    rflags_write(&s->core, RFLAGS_IOPL);
    assert_retires(s, "\xEC");
    setup_free(s);
}
END_TEST

START_TEST(a_16_bit_or_short_tss_allows_no_port)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    use_bitmap(s);
    memset(s->ram + 0x11100, 0, 0x81);
    assert_retires(s, "\xE4\x00");
    s->core.rip = SETUP_RIP;
    s->core.seg[SEG_TR].attr = 0x83;
    assert_faults(s, "\xE4\x00", EXC_GP);
    s->core.seg[SEG_TR].attr = 0x8B;
    s->core.seg[SEG_TR].limit = 0x66;
    assert_faults(s, "\xE4\x00", EXC_GP);
    setup_free(s);
}
END_TEST

START_TEST(virtual_8086_mode_asks_the_bitmap_whatever_iopl)
{
    struct setup *s = setup_new();

    setup_virtual_8086(s, 3);
    use_bitmap(s);
    assert_faults(s, "\xE4\x60", EXC_GP);
    setup_poke(s, 0x1110C, 1, 0xFE);
    assert_retires(s, "\xE4\x60");
    setup_free(s);
}
END_TEST

START_TEST(ins_checks_its_destination_before_it_reads_the_port)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RDX] = 0x1F0;
    s->core.gpr[RDI] = 0x12000;
    assert_faults(s, "\x6D", EXC_PF);
    ck_assert_uint_eq(s->port_reads, 0);
    s->core.gpr[RDI] = SETUP_DATA;
    s->port_value = 0xA5A5;
    assert_retires(s, "\x66\x6D");
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA, 4), 0xA5A5);
    ck_assert_uint_eq(s->core.gpr[RDI], SETUP_DATA + 2);
    setup_free(s);
}
END_TEST

START_TEST(outs_writes_what_memory_holds)
{
    struct setup *s = setup_new();
    enum outcome last;

    setup_64(s, 0);
    s->core.gpr[RDX] = 0x3F8;
    s->core.gpr[RSI] = SETUP_DATA;
    s->core.gpr[RCX] = 3;
    memcpy(s->ram + SETUP_DATA, "xyz", 3);
    ck_assert_uint_eq(run_steps(s, "\xF3\x6E", 2, &last), 3);
    ck_assert_uint_eq(s->port_writes, 3);
    ck_assert_uint_eq(s->port_value, 'z');
    s->core.gpr[RSI] = SETUP_DATA;
    assert_retires(s, "\x66\x6F"); /* outsw */
    ck_assert_uint_eq(s->port_value, 'x' | 'y' << 8);
    setup_free(s);
}
END_TEST

START_TEST(the_ioio_intercept_comes_after_privilege_and_before_memory)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.svm.guest = true;
    s->core.svm.intercept[VMEXIT_IOIO >> 5] |= 1u << (VMEXIT_IOIO & 31);
    s->core.svm.iopm = 0x100000;
    setup_poke(s, s->core.svm.iopm + 0x1F0 / 8, 1, 1);
    s->core.gpr[RDX] = 0x1F0;
    s->core.gpr[RDI] = 0x12000; /* not present, but the exit wins */
    s->core.gpr[RCX] = 2;
    ck_assert_int_eq(RUN(s, "\xF3\x67\x6D"), OUTCOME_VMEXIT);
    ck_assert_uint_eq(s->core.exit.code, VMEXIT_IOIO);
    /* IN, STR, REP, SZ32, A32, port */
    ck_assert_uint_eq(s->core.exit.info1, 0x01F00000 | 1 << 8 | 1 << 6 | 1 << 3 | 1 << 2 | 1);
    ck_assert_uint_eq(s->core.exit.info2, SETUP_RIP + 3);
    ck_assert_uint_eq(s->core.gpr[RCX], 2);
    ck_assert_int_eq(RUN(s, "\xEE"), OUTCOME_VMEXIT); /* out dx, al */
    ck_assert_uint_eq(s->core.exit.info1, 0x01F00000 | 1 << 9 | 1 << 4);
    s->core.gpr[RDX] = 0x1F1;
    assert_retires(s, "\xEE");
    s->core.rip = SETUP_RIP;
    setup_privilege(s, 3);
    s->core.gpr[RDX] = 0x1F0;
    assert_faults(s, "\xEE", EXC_GP);
    setup_free(s);
}
END_TEST

START_TEST(io_breakpoints_need_cr4_de)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.dr[2] = 0x3F8;
    s->core.dr7 = UINT64_C(1) << 4 | UINT64_C(2) << 24 | UINT64_C(1) << 26; /* L2, I/O, two ports */
    s->core.data_breakpoints = true;
    s->core.gpr[RDX] = 0x3F9;
    assert_retires(s, "\xEE");
    ck_assert_uint_eq(s->core.pending_dr6, 0);
    s->core.cr4 |= CR4_DE;
    assert_retires(s, "\xEE");
    ck_assert_uint_eq(s->core.pending_dr6, 4);
    setup_free(s);
}
END_TEST

UNIT_TESTS("string", rep_movs_makes_one_step_a_call_and_retires_with_the_last,
           rep_with_a_zero_count_touches_nothing, a_fault_in_the_middle_keeps_the_finished_steps,
           the_direction_flag_turns_round_and_a32_counts_in_ecx, compares_stop_at_the_first_difference_or_match,
           the_source_takes_an_override_and_the_destination_does_not, in_and_out_reach_ports_by_immediate_or_dx,
           above_iopl_the_tss_bitmap_decides, a_16_bit_or_short_tss_allows_no_port,
           virtual_8086_mode_asks_the_bitmap_whatever_iopl, ins_checks_its_destination_before_it_reads_the_port,
           outs_writes_what_memory_holds, the_ioio_intercept_comes_after_privilege_and_before_memory,
           io_breakpoints_need_cr4_de)
