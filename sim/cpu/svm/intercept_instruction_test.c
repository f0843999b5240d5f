/* SPDX-License-Identifier: MIT */
/*
 * Every instruction intercept, run through decoder and run loop: with its bit set the guest exits with the
 * code and EXITINFO of fact sheet 3.4, rIP at the instruction and no effect; without it, it does not exit.
 */
#include "sim/cpu/svm/guest_fixture.h"

#define MSR_LSTAR_READ_BYTE (0x0800 + 0x82 * 2 / 8)

struct intercept_case {
    const char *what;
    const char *code;   /* the instruction's bytes */
    unsigned length;
    unsigned bits;      /* 64 or 32 */
    unsigned intercept; /* the bit to set */
    uint64_t exitcode, info1, info2;
    uint64_t rax, rcx, rdx;
};

#define CODE(bytes) bytes, sizeof(bytes) - 1

static const struct intercept_case cases[] = {
    { "mov rax, cr0", CODE("\x0F\x20\xC0"), 64, 0x000, 0x000, 0, 0, 0, 0, 0 },
    { "mov rax, cr2", CODE("\x0F\x20\xD0"), 64, 0x002, 0x002, 0, 0, 0, 0, 0 },
    { "mov rax, cr3", CODE("\x0F\x20\xD8"), 64, 0x003, 0x003, 0, 0, 0, 0, 0 },
    { "mov rax, cr4", CODE("\x0F\x20\xE0"), 64, 0x004, 0x004, 0, 0, 0, 0, 0 },
    { "mov rax, cr8", CODE("\x44\x0F\x20\xC0"), 64, 0x008, 0x008, 0, 0, 0, 0, 0 },
    { "mov eax, cr8 as lock mov cr0", CODE("\xF0\x0F\x20\xC0"), 32, 0x008, 0x008, 0, 0, 0, 0, 0 },
    { "smsw eax", CODE("\x0F\x01\xE0"), 64, 0x000, 0x000, 0, 0, 0, 0, 0 },
    { "mov cr0, rax", CODE("\x0F\x22\xC0"), 64, 0x010, 0x010, 0, 0, 0x80000011, 0, 0 },
    { "mov cr2, rax", CODE("\x0F\x22\xD0"), 64, 0x012, 0x012, 0, 0, 0, 0, 0 },
    { "mov cr3, rax", CODE("\x0F\x22\xD8"), 64, 0x013, 0x013, 0, 0, 0x30000, 0, 0 },
    { "mov cr4, rax", CODE("\x0F\x22\xE0"), 64, 0x014, 0x014, 0, 0, 0x20, 0, 0 },
    { "mov cr8, rax", CODE("\x44\x0F\x22\xC0"), 64, 0x018, 0x018, 0, 0, 3, 0, 0 },
    { "lmsw ax", CODE("\x0F\x01\xF0"), 64, 0x010, 0x010, 0, 0, 0x11, 0, 0 },
    { "clts", CODE("\x0F\x06"), 64, 0x010, 0x010, 0, 0, 0, 0, 0 },
    { "mov rax, dr0", CODE("\x0F\x21\xC0"), 64, 0x020, 0x020, 0, 0, 0, 0, 0 },
    { "mov rax, dr1", CODE("\x0F\x21\xC8"), 64, 0x021, 0x021, 0, 0, 0, 0, 0 },
    { "mov rax, dr2", CODE("\x0F\x21\xD0"), 64, 0x022, 0x022, 0, 0, 0, 0, 0 },
    { "mov rax, dr3", CODE("\x0F\x21\xD8"), 64, 0x023, 0x023, 0, 0, 0, 0, 0 },
    { "mov rax, dr6", CODE("\x0F\x21\xF0"), 64, 0x026, 0x026, 0, 0, 0, 0, 0 },
    { "mov rax, dr7", CODE("\x0F\x21\xF8"), 64, 0x027, 0x027, 0, 0, 0, 0, 0 },
    { "mov dr0, rax", CODE("\x0F\x23\xC0"), 64, 0x030, 0x030, 0, 0, 0x55, 0, 0 },
    { "mov dr1, rax", CODE("\x0F\x23\xC8"), 64, 0x031, 0x031, 0, 0, 0x55, 0, 0 },
    { "mov dr2, rax", CODE("\x0F\x23\xD0"), 64, 0x032, 0x032, 0, 0, 0x55, 0, 0 },
    { "mov dr3, rax", CODE("\x0F\x23\xD8"), 64, 0x033, 0x033, 0, 0, 0x55, 0, 0 },
    { "mov dr6, rax", CODE("\x0F\x23\xF0"), 64, 0x036, 0x036, 0, 0, 0, 0, 0 },
    { "mov dr7, rax", CODE("\x0F\x23\xF8"), 64, 0x037, 0x037, 0, 0, 0x400, 0, 0 },
    { "mov cr0, rax with another EM", CODE("\x0F\x22\xC0"), 64, 0x065, 0x065, 0, 0, 0x80000015, 0, 0 },
    { "lmsw ax without a change", CODE("\x0F\x01\xF0"), 64, 0x065, 0x065, 0, 0, 0x11, 0, 0 },
    { "sidt [rbx]", CODE("\x0F\x01\x0B"), 64, 0x066, 0x066, 0, 0, 0, 0, 0 },
    { "sgdt [rbx]", CODE("\x0F\x01\x03"), 64, 0x067, 0x067, 0, 0, 0, 0, 0 },
    { "sldt eax", CODE("\x0F\x00\xC0"), 64, 0x068, 0x068, 0, 0, 0, 0, 0 },
    { "str eax", CODE("\x0F\x00\xC8"), 64, 0x069, 0x069, 0, 0, 0, 0, 0 },
    { "lidt [rbx]", CODE("\x0F\x01\x1B"), 64, 0x06A, 0x06A, 0, 0, 0, 0, 0 },
    { "lgdt [rbx]", CODE("\x0F\x01\x13"), 64, 0x06B, 0x06B, 0, 0, 0, 0, 0 },
    { "lldt ax", CODE("\x0F\x00\xD0"), 64, 0x06C, 0x06C, 0, 0, SEL_LDT64, 0, 0 },
    { "ltr ax", CODE("\x0F\x00\xD8"), 64, 0x06D, 0x06D, 0, 0, SEL_TSS64, 0, 0 },
    { "rdtsc", CODE("\x0F\x31"), 64, 0x06E, 0x06E, 0, 0, 0, 0, 0 },
    { "rdpmc", CODE("\x0F\x33"), 64, 0x06F, 0x06F, 0, 0, 0, 0, 0 },
    { "pushf", CODE("\x9C"), 64, 0x070, 0x070, 0, 0, 0, 0, 0 },
    { "popf", CODE("\x9D"), 64, 0x071, 0x071, 0, 0, 0, 0, 0 },
    { "cpuid", CODE("\x0F\xA2"), 64, 0x072, 0x072, 0, 0, 0, 0, 0 },
    { "rsm", CODE("\x0F\xAA"), 64, 0x073, 0x073, 0, 0, 0, 0, 0 },
    { "iret", CODE("\xCF"), 32, 0x074, 0x074, 0, 0, 0, 0, 0 },
    { "int 30h", CODE("\xCD\x30"), 64, 0x075, 0x075, 0, 0, 0, 0, 0 },
    { "invd", CODE("\x0F\x08"), 64, 0x076, 0x076, 0, 0, 0, 0, 0 },
    { "pause", CODE("\xF3\x90"), 64, 0x077, 0x077, 0, 0, 0, 0, 0 },
    { "hlt", CODE("\xF4"), 64, 0x078, 0x078, 0, 0, 0, 0, 0 },
    { "invlpg [rbx]", CODE("\x0F\x01\x3B"), 64, 0x079, 0x079, 0, 0, 0, 0, 0 },
    { "invlpga", CODE("\x0F\x01\xDF"), 64, 0x07A, 0x07A, 0, 0, 0, 1, 0 },
    /* IOIO: port 61h's bit is set. 0 IN, 2 STR, 3 REP, 6:4 size, 9:7 address size; INFO2 the next rIP. */
    { "in al, 61h", CODE("\xE4\x61"), 64, 0x07B, 0x07B, 0x00610211, GUEST_CODE + 2, 0, 0, 0 },
    { "out 61h, al", CODE("\xE6\x61"), 64, 0x07B, 0x07B, 0x00610210, GUEST_CODE + 2, 0, 0, 0 },
    { "in ax, dx over it", CODE("\x66\xED"), 32, 0x07B, 0x07B, 0x00600121, GUEST_CODE + 2, 0, 0, 0x60 },
    { "out dx, eax", CODE("\xEF"), 64, 0x07B, 0x07B, 0x005E0240, GUEST_CODE + 1, 0, 0, 0x5E },
    { "insb", CODE("\x6C"), 64, 0x07B, 0x07B, 0x00610215, GUEST_CODE + 1, 0, 0, 0x61 },
    { "rep outsd, 32-bit addresses", CODE("\x67\xF3\x6F"), 64, 0x07B, 0x07B, 0x0061014C, GUEST_CODE + 3, 0, 2, 0x61 },
    { "rep insw, 16-bit addresses", CODE("\x66\x67\xF3\x6D"), 32, 0x07B, 0x07B, 0x006100AD, GUEST_CODE + 4, 0, 2,
      0x61 },
    { "rdmsr", CODE("\x0F\x32"), 64, 0x07C, 0x07C, 0, 0, 0, 0xC0000082, 0 },
    { "wrmsr", CODE("\x0F\x30"), 64, 0x07C, 0x07C, 1, 0, 0, 0xC0000082, 0 },
    { "rdtscp", CODE("\x0F\x01\xF9"), 64, 0x087, 0x087, 0, 0, 0, 0, 0 },
    { "int1 (F1)", CODE("\xF1"), 64, 0x088, 0x088, 0, 0, 0, 0, 0 },
    { "wbinvd", CODE("\x0F\x09"), 64, 0x089, 0x089, 0, 0, 0, 0, 0 },
    { "monitor", CODE("\x0F\x01\xC8"), 64, 0x08A, 0x08A, 0, 0, GUEST_DATA, 0, 0 },
    { "mwait", CODE("\x0F\x01\xC9"), 64, 0x08B, 0x08B, 0, 0, 0, 0, 0 },
    { "vmload", CODE("\x0F\x01\xDA"), 64, 0x082, 0x082, 0, 0, 0xB000, 0, 0 },
    { "vmsave", CODE("\x0F\x01\xDB"), 64, 0x083, 0x083, 0, 0, 0xB000, 0, 0 },
    { "stgi", CODE("\x0F\x01\xDC"), 64, 0x084, 0x084, 0, 0, 0, 0, 0 },
    { "clgi", CODE("\x0F\x01\xDD"), 64, 0x085, 0x085, 0, 0, 0, 0, 0 },
    { "vmmcall", CODE("\x0F\x01\xD9"), 64, 0x081, 0x081, 0, 0, 0, 0, 0 },
};

static struct core *start(struct fixture *fix, const struct intercept_case *one, bool intercept)
{
    struct core *core;

    memset(fix->memory, 0, sizeof(fix->memory));
    put_guest(fix, one->bits == 64);
    memset(fix->memory + GUEST_CODE, 0x90, 64);
    memcpy(fix->memory + GUEST_CODE, one->code, one->length);
    put(fix, IOPM_PA + 0x61 / 8, 1, 1 << 0x61 % 8);
    put(fix, MSRPM_PA + MSR_LSTAR_READ_BYTE, 1, 3 << 0x82 * 2 % 8);
    put(fix, GUEST_DATA, 2, 0xFFF); /* a table for LGDT and LIDT */
    put(fix, GUEST_DATA + 2, 8, GUEST_GDT);
    put(fix, GUEST_STACK, 4, GUEST_CODE + 1); /* a frame for IRET, flags for POPF */
    put(fix, GUEST_STACK + 4, 4, SEL_CODE32);
    put(fix, GUEST_STACK + 8, 4, 0x202);
    put(fix, VMCB_PA + VMCB_RAX, 8, one->rax);
    if (intercept)
        put_intercept(fix, one->intercept);
    core = enter_guest(fix);
    core->gpr[RBX] = core->gpr[RSI] = core->gpr[RDI] = GUEST_DATA;
    core->gpr[RCX] = one->rcx;
    core->gpr[RDX] = one->rdx;
    return core;
}

START_TEST(an_intercepted_instruction_exits_with_its_code_and_info)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct intercept_case *one = &cases[i];
        struct core *core = start(fix, one, true);

        core_step(core);
        ck_assert_msg(!core->svm.guest, "%s: did not exit", one->what);
        ck_assert_msg(field(fix, VMCB_EXITCODE, 8) == one->exitcode, "%s: code %llX", one->what,
                      (unsigned long long)field(fix, VMCB_EXITCODE, 8));
        ck_assert_msg(field(fix, VMCB_EXITINFO1, 8) == one->info1, "%s: EXITINFO1 %llX", one->what,
                      (unsigned long long)field(fix, VMCB_EXITINFO1, 8));
        ck_assert_msg(field(fix, VMCB_EXITINFO2, 8) == one->info2, "%s: EXITINFO2 %llX", one->what,
                      (unsigned long long)field(fix, VMCB_EXITINFO2, 8));
        ck_assert_msg(field(fix, VMCB_RIP, 8) == GUEST_CODE, "%s: rIP %llX", one->what,
                      (unsigned long long)field(fix, VMCB_RIP, 8));
        ck_assert_msg(field(fix, VMCB_RAX, 8) == one->rax, "%s: rAX changed", one->what);
        ck_assert_msg(field(fix, VMCB_RSP, 8) == GUEST_STACK, "%s: rSP changed", one->what);
        ck_assert_msg(field(fix, VMCB_EXITINTINFO, 8) == 0, "%s: EXITINTINFO", one->what);
        ck_assert_uint_eq(core->rip, HOST_NEXT);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(an_instruction_that_is_not_intercepted_stays_in_the_guest)
{
    struct fixture *fix = fixture_new("10h-b3");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct core *core = start(fix, &cases[i], false);

        core_step(core);
        ck_assert_msg(core->svm.guest, "%s: exited with %llX", cases[i].what,
                      (unsigned long long)field(fix, VMCB_EXITCODE, 8));
        ck_assert_msg(core->rip != GUEST_CODE || core_waiting(core) || strstr(cases[i].what, "rep"), "%s: no progress",
                      cases[i].what);
        fixture_leave(core, VMEXIT_INTR, 0, 0);
        core->halted = core->mwaiting = false;
    }
    fixture_free(fix);
}
END_TEST

START_TEST(every_instruction_intercept_of_the_family_has_a_case)
{
    static const struct {
        unsigned first, last;
    } ranges[] = { { 0x065, 0x07C }, { 0x081, 0x085 }, { 0x087, 0x08B } };

    for (unsigned r = 0; r < G_N_ELEMENTS(ranges); r++) {
        for (unsigned code = ranges[r].first; code <= ranges[r].last; code++) {
            bool found = false;

            for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                found |= cases[i].intercept == code;
            ck_assert_msg(found, "%s", vmexit_name(code));
        }
    }
}
END_TEST

/* ---- Rules of their own ----------------------------------------------------------------------------------- */

START_TEST(ports_and_msrs_whose_bit_is_clear_do_not_exit)
{
    static const struct intercept_case clear[] = {
        { "in al, 62h", CODE("\xE4\x62"), 64, 0x07B, 0, 0, 0, 0, 0, 0 },
        { "in al, dx below", CODE("\xEC"), 64, 0x07B, 0, 0, 0, 0, 0, 0x60 },
        { "rdmsr 175h", CODE("\x0F\x32"), 64, 0x07C, 0, 0, 0, 0, 0x175, 0 },
    };
    struct fixture *fix = fixture_new("10h-b3");

    for (unsigned i = 0; i < G_N_ELEMENTS(clear); i++) {
        struct core *core = start(fix, &clear[i], true);

        core_step(core);
        ck_assert_msg(core->svm.guest, "%s", clear[i].what);
        fixture_leave(core, VMEXIT_INTR, 0, 0);
    }
    fixture_free(fix);
}
END_TEST

/* The conditional intercept looks at the monitor, and comes before the plain one (fact sheet 3.11). */
START_TEST(conditional_mwait_exits_only_with_an_armed_monitor)
{
    static const struct intercept_case mwait = { "mwait", CODE("\x0F\x01\xC9"), 64, 0x08C, 0, 0, 0, 0, 0, 0 };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = start(fix, &mwait, true);

    core->monitor_line = NEVER;
    core_step(core);
    ck_assert(core->svm.guest);
    fixture_leave(core, VMEXIT_INTR, 0, 0);
    core = start(fix, &mwait, true);
    core->svm.intercept[4] |= 1 << 11; /* the unconditional one too */
    core->monitor_line = GUEST_DATA;
    core_step(core);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), 0x08C);
    fixture_free(fix);
}
END_TEST

START_TEST(selective_cr0_writes_of_ts_and_mp_do_not_exit)
{
    static const struct intercept_case write = { "mov cr0", CODE("\x0F\x22\xC0"), 64, 0x065, 0, 0, 0, 0x8000001B,
                                                 0, 0 };
    static const struct intercept_case clts = { "clts", CODE("\x0F\x06"), 64, 0x065, 0, 0, 0, 0, 0, 0 };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = start(fix, &write, true);

    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_uint_eq(core->cr0 & (CR0_TS | CR0_MP), CR0_TS | CR0_MP);
    fixture_leave(core, VMEXIT_INTR, 0, 0);
    core = start(fix, &clts, true);
    core_step(core);
    ck_assert(core->svm.guest);
    fixture_free(fix);
}
END_TEST

/* After the privilege check, before the MSR's own rules (fact sheet 3.11). */
START_TEST(privilege_comes_before_the_intercept_and_the_intercept_before_operand_values)
{
    static const struct intercept_case user = { "rdmsr", CODE("\x0F\x32"), 64, 0x07C, 0, 0, 0, 0, 0xC0000082, 0 };
    static const struct intercept_case unknown = { "rdmsr", CODE("\x0F\x32"), 64, 0x07C, 0, 0, 0, 0, 0x12345678,
                                                   0 };
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = start(fix, &user, true);

    core->cpl = 3;
    core->seg[SEG_CS].selector = SEL_USER_CODE;
    core->seg[SEG_CS].attr |= 0x60;
    core_mode_changed(core, false);
    core_step(core);
    ck_assert(core->svm.guest);
    ck_assert_int_eq(guest_vector(core), EXC_GP);
    fixture_leave(core, VMEXIT_INTR, 0, 0);
    core = start(fix, &unknown, true);
    core_step(core);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), 0x07C); /* outside every range: exits, no #GP */
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("intercepted instructions", an_intercepted_instruction_exits_with_its_code_and_info,
           an_instruction_that_is_not_intercepted_stays_in_the_guest,
           every_instruction_intercept_of_the_family_has_a_case, ports_and_msrs_whose_bit_is_clear_do_not_exit,
           conditional_mwait_exits_only_with_an_armed_monitor, selective_cr0_writes_of_ts_and_mp_do_not_exit,
           privilege_comes_before_the_intercept_and_the_intercept_before_operand_values)
