/* SPDX-License-Identifier: MIT */
/* SMI, the save map and RSM through the run loop, on both engines. Offsets and values: fact sheet 2.8. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/cpu/isa/evidence_setup.h"
#include "sim/cpu/model/msr.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define CODE BOARD_CODE
#define SMM_BASE 0x30000
#define HANDLER (SMM_BASE + 0x8000)
#define RSM 0x0F, 0xAA
#define HWCR 0xC0010015
#define SMM_CTL 0xC0010116

static uint64_t map(struct board *board, unsigned offset, unsigned size)
{
    return spa_read(&board->space, SMM_BASE + offset, size);
}

/* 64-bit code of NOPs, a handler that is only RSM. */
static struct core *begin(struct board **board, bool reference)
{
    *board = board_new("10h-b3", 1, reference);
    memset((*board)->ram + CODE, 0x90, 64);
    board_put(*board, HANDLER, RSM);
    board_enter_long(*board, 0, CODE);
    return (*board)->core[0];
}

START_TEST(an_smi_enters_at_smm_base_in_big_real_mode)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        core->cr0 |= CR0_EM | CR0_TS | CR0_WP;
        core->dr7 = 0x455;
        core->efer |= EFER_SVME | EFER_NXE;
        rflags_write(core, RFLAGS_IF | RFLAGS_ZF);
        core->smi_pending = true;
        core_step(core);
        ck_assert(core->smm.active);
        ck_assert(!core->smi_pending);
        ck_assert_int_eq(core->mode, MODE_REAL);
        ck_assert_uint_eq(core->rip, 0x8000);
        ck_assert_uint_eq(core->seg[SEG_CS].selector, 0x3000);
        ck_assert_uint_eq(core->seg[SEG_CS].base, SMM_BASE);
        ck_assert_uint_eq(core->seg[SEG_DS].selector, 0);
        ck_assert_uint_eq(core->seg[SEG_DS].base, 0);
        ck_assert_uint_eq(core->seg[SEG_DS].limit, 0xFFFFFFFF);
        ck_assert_uint_eq(core->cr0, CR0_ET | CR0_WP);
        ck_assert_uint_eq(core->cr4, 0);
        ck_assert_uint_eq(core->dr7, 0x400);
        ck_assert_uint_eq(core->efer, EFER_SVME);
        ck_assert_uint_eq(rflags_read(core), 2);
        ck_assert(core->nmi_masked);
        board_free(board);
    }
}
END_TEST

START_TEST(the_save_map_has_every_register_in_its_place)
{
    static const unsigned place[GPR_COUNT] = { 0xFFF8, 0xFFF0, 0xFFE8, 0xFFE0, 0xFFD8, 0xFFD0, 0xFFC8, 0xFFC0,
                                               0xFFB8, 0xFFB0, 0xFFA8, 0xFFA0, 0xFF98, 0xFF90, 0xFF88, 0xFF80 };
    struct board *board;
    struct core *core = begin(&board, true);

    for (unsigned r = 0; r < GPR_COUNT; r++)
        core->gpr[r] = UINT64_C(0x1122334455667700) + r;
    core->seg[SEG_FS] = (struct segment){ 0x33, 0xCF3, 0xFFFFFFFF, UINT64_C(0x00007FAB12345678) };
    core->seg[SEG_TR] = (struct segment){ 0x28, 0x08B, 0x67, UINT64_C(0xFFFF800000001000) };
    core->smi_pending = true;
    core_step(core);
    for (unsigned r = 0; r < GPR_COUNT; r++)
        ck_assert_uint_eq(map(board, place[r], 8), UINT64_C(0x1122334455667700) + r);
    ck_assert_uint_eq(map(board, 0xFE10, 2), BOARD_CODE_SELECTOR);
    ck_assert_uint_eq(map(board, 0xFE18, 8), UINT64_C(0x00AF9B000000FFFF) | UINT64_C(0xF) << 48);
    ck_assert_uint_eq(map(board, 0xFE40, 2), 0x33);
    ck_assert_uint_eq(map(board, 0xFE44, 4), 0x7FAB);
    ck_assert_uint_eq(map(board, 0xFE48, 8), UINT64_C(0x12CFF3345678FFFF));
    ck_assert_uint_eq(map(board, 0xFE64, 2), 0x17);
    ck_assert_uint_eq(map(board, 0xFE68, 8), BOARD_GDT);
    ck_assert_uint_eq(map(board, 0xFE84, 2), 0x7FF);
    ck_assert_uint_eq(map(board, 0xFE90, 8), UINT64_C(0x00000067008B0028));
    ck_assert_uint_eq(map(board, 0xFE98, 8), UINT64_C(0xFFFF800000001000));
    ck_assert_uint_eq(map(board, 0xFED0, 8), EFER_LME | EFER_LMA);
    ck_assert_uint_eq(map(board, 0xFED8, 8), 0);
    ck_assert_uint_eq(map(board, 0xFEFC, 4), 0x00030064);
    ck_assert_uint_eq(map(board, 0xFF00, 4), SMM_BASE);
    ck_assert_uint_eq(map(board, 0xFF48, 8), CR4_PAE);
    ck_assert_uint_eq(map(board, 0xFF50, 8), BOARD_PML4);
    ck_assert_uint_eq(map(board, 0xFF58, 8), CR0_PG | CR0_PE | CR0_ET);
    ck_assert_uint_eq(map(board, 0xFF60, 8), 0x400);
    ck_assert_uint_eq(map(board, 0xFF68, 8), 0xFFFF0FF0);
    ck_assert_uint_eq(map(board, 0xFF70, 8), 2);
    ck_assert_uint_eq(map(board, 0xFF78, 8), CODE);
    board_free(board);
}
END_TEST

START_TEST(rsm_brings_everything_back)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine), *before = g_memdup2(core, sizeof(*core));

        for (unsigned r = 0; r < GPR_COUNT; r++)
            core->gpr[r] = before->gpr[r] = UINT64_C(0xFEDCBA9876543210) * (r + 1);
        core->seg[SEG_GS].base = before->seg[SEG_GS].base = UINT64_C(0xFFFF888000001000);
        rflags_write(core, RFLAGS_CF | RFLAGS_OF);
        board_put(board, HANDLER, 0x66, 0x31, 0xC0, 0x0F, 0x22, 0xD8, RSM); /* xor eax,eax; mov cr3,eax; rsm */
        core->smi_pending = true;
        for (unsigned i = 0; i < 4; i++)
            core_step(core);
        ck_assert(!core->smm.active);
        ck_assert_mem_eq(core->gpr, before->gpr, sizeof(core->gpr));
        ck_assert_mem_eq(core->seg, before->seg, sizeof(core->seg));
        ck_assert_int_eq(core->mode, MODE_64BIT);
        ck_assert_uint_eq(core->rip, CODE);
        ck_assert_uint_eq(rflags_read(core), RFLAGS_CF | RFLAGS_OF | 2);
        ck_assert_uint_eq(core->cr0, before->cr0);
        ck_assert_uint_eq(core->cr3, BOARD_PML4);
        ck_assert_uint_eq(core->cr4, before->cr4);
        ck_assert_uint_eq(core->efer, before->efer);
        ck_assert(!core->nmi_masked);
        ck_assert_int_eq(core_run(core, core->cycles + 5), CORE_STOP_LIMIT); /* NOPs of the program */
        ck_assert_uint_gt(core->rip, CODE);
        g_free(before);
        board_free(board);
    }
}
END_TEST

START_TEST(rsm_outside_smm_is_an_invalid_opcode)
{
    static const uint8_t rsm[] = { RSM };
    struct board *board;
    struct core *core = begin(&board, false);
    struct insn insn;

    ck_assert_int_eq(decode(rsm, sizeof(rsm), (struct decode_mode){ .code_bits = 64 }, &insn), DECODE_OK);
    ck_assert_int_eq(insn.run(core, &insn), OUTCOME_FAULT);
    ck_assert_uint_eq(core->fault.vector, EXC_UD);
    record_evidence(core, insn.row, OUTCOME_FAULT);
    core->smm.active = true;
    ck_assert_int_eq(insn.run(core, &insn), OUTCOME_RSM);
    record_evidence(core, insn.row, OUTCOME_RSM);
    board_free(board);
}
END_TEST

START_TEST(smm_base_moves_by_the_save_map)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        board_put(board, HANDLER, 0x67, 0x66, 0xC7, 0x05, 0x00, 0xFF, 0x03, 0x00, 0x00, 0x00, 0x05, 0x00, RSM);
        core->smi_pending = true; /* handler: mov dword [3FF00h],50000h; rsm */
        for (unsigned i = 0; i < 3; i++)
            core_step(core);
        ck_assert_uint_eq(core->msr->smm_base, 0x50000);
        core->smi_pending = true;
        core_step(core);
        ck_assert_uint_eq(core->seg[SEG_CS].base, 0x50000);
        ck_assert_uint_eq(core->seg[SEG_CS].selector, 0x5000);
        ck_assert_uint_eq(spa_read(&board->space, 0x5FF00, 4), 0x50000);
        board_free(board);
    }
}
END_TEST

START_TEST(a_halted_core_halts_again_unless_the_handler_says_no)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        board_put(board, CODE, 0xF4, 0x48, 0xFF, 0xC0, 0xF4); /* hlt; inc rax; hlt */
        core_run(core, 1000);
        core->smi_pending = true;
        ck_assert(core_wakes(core));
        core_run(core, 5000);
        ck_assert_uint_eq(map(board, 0xFEC9, 1), 1);
        ck_assert_uint_eq(map(board, 0xFF78, 8), CODE + 1);
        ck_assert(!core->smm.active);
        ck_assert(core->halted);
        ck_assert_uint_eq(core->rip, CODE + 1);
        board_put(board, HANDLER, 0x67, 0xC6, 0x05, 0xC9, 0xFE, 0x03, 0x00, 0x00, RSM); /* mov byte [3FEC9h],0; rsm */
        core->smi_pending = true;
        core_run(core, 10000);
        ck_assert_uint_eq(core->rip, CODE + 5);
        ck_assert_uint_eq(core->gpr[RAX], 1);
        board_free(board);
    }
}
END_TEST

START_TEST(nmi_init_and_another_smi_wait_for_rsm)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        core->smi_pending = true;
        core_step(core);
        core->smi_pending = core->nmi_pending = core->init_pending = true;
        core_step(core); /* RSM */
        ck_assert(!core->smm.active);
        ck_assert(core->smi_pending && core->nmi_pending && core->init_pending);
        core_step(core); /* SMI is the highest of the three */
        ck_assert(core->smm.active);
        core_step(core);
        core_step(core);
        ck_assert(!core->init_pending);
        ck_assert_uint_eq(core->rip, 0xFFF0);
        board_free(board);
    }
}
END_TEST

/* SMI_ON_IO_TRAP1: writes of port 80h; control: SmiEn_1, IoTrapEn. */
static void trap_port_80(struct core *core)
{
    ck_assert(msr_write(core, 0xC0010051, BIT(62) | UINT64_C(0xFFFF) << 32 | 0x80));
    ck_assert(msr_write(core, 0xC0010054, BIT(15) | BIT(3)));
}

START_TEST(an_io_trap_raises_an_smi_behind_the_instruction)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        trap_port_80(core);
        board_put(board, CODE, 0xE6, 0x81, 0xE4, 0x80, 0xE6, 0x80, 0x90); /* out 81; in 80; out 80 */
        core->gpr[RCX] = 7;
        for (unsigned i = 0; i < 3; i++)
            core_step(core);
        ck_assert(!core->smm.active);
        core_step(core);
        ck_assert(core->smm.active);
        ck_assert_uint_eq(board->outs, 2); /* it has been done */
        ck_assert_uint_eq(map(board, 0xFF78, 8), CODE + 6);
        ck_assert_uint_eq(map(board, 0xFEC0, 4), 0x00800012); /* port, SZ8, V, OUT */
        ck_assert_uint_eq(map(board, 0xFEC4, 4), BIT(1));
        ck_assert_uint_eq(map(board, 0xFEA0, 8), CODE + 4);
        ck_assert_uint_eq(map(board, 0xFEA8, 8), 7);
        ck_assert_uint_eq(map(board, 0xFEC8, 1), 0);
        board_free(board);
    }
}
END_TEST

/* What port CF8h selects: device 18h function 3 register 44h if bit 31 is set. */
static uint32_t config_selected;

static uint32_t config_in(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)size;
    return port == 0xCF8 ? config_selected : 0;
}

/* SMI_ON_IO_TRAP0: reads of F3x44 by way of CFCh to CFFh, whatever the low two bits. */
START_TEST(a_configuration_trap_compares_what_cf8_selects)
{
    static const struct { uint32_t selected; uint8_t port; bool trapped; } rows[] = {
        { 0x8000C344, 0xFC, true }, { 0x8000C344, 0xFE, true }, { 0x8000C348, 0xFC, false },
        { 0x0000C344, 0xFC, false }, { 0x8000C344, 0xF8, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct board *board;
        struct core *core = begin(&board, false);

        board->pio.read = config_in;
        config_selected = rows[i].selected;
        ck_assert(msr_write(core, 0xC0010050, BIT(63) | BIT(61) | UINT64_C(0xFFFFFC) << 32 | 0x00C344));
        ck_assert(msr_write(core, 0xC0010054, BIT(15) | BIT(1)));
        board_put(board, CODE, 0xEF, 0xEC, 0x90); /* out dx,eax: a write, no trap; in al,dx */
        core->gpr[RDX] = 0xC00 | rows[i].port;
        core_step(core);
        core_step(core);
        ck_assert(!core->smm.active);
        core_step(core);
        ck_assert_int_eq(core->smm.active, rows[i].trapped);
        board_free(board);
    }
}
END_TEST

START_TEST(io_restart_goes_back_to_the_string_step_that_was_trapped)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        trap_port_80(core);
        board_put(board, CODE, 0xF3, 0x6E, 0x90); /* rep outsb */
        board_put(board, HANDLER, 0x67, 0xC6, 0x05, 0xC8, 0xFE, 0x03, 0x00, 0xFF, RSM); /* mov byte [3FEC8h],FFh; rsm */
        core->gpr[RCX] = 3;
        core->gpr[RSI] = 0x40000;
        core->gpr[RDX] = 0x80;
        core_step(core); /* one step */
        ck_assert_uint_eq(core->gpr[RCX], 2);
        core_step(core); /* SMI */
        ck_assert_uint_eq(map(board, 0xFF78, 8), CODE);
        ck_assert_uint_eq(map(board, 0xFFF0, 8), 2);
        ck_assert_uint_eq(map(board, 0xFEC0, 4), 0x0080001E); /* STR, REP */
        core_step(core);
        core_step(core);
        ck_assert_uint_eq(core->rip, CODE);
        ck_assert_uint_eq(core->gpr[RCX], 3);
        ck_assert_uint_eq(core->gpr[RSI], 0x40000);
        board_free(board);
    }
}
END_TEST

START_TEST(an_illegal_state_in_the_map_shuts_the_core_down)
{
    static const struct {
        unsigned offset;
        uint64_t value;
    } cases[] = {
        { 0xFF58, CR0_PG | CR0_ET }, { 0xFF58, CR0_PE | CR0_NW | CR0_ET }, { 0xFF58, BIT(32) },
        { 0xFF48, CR4_PAE | BIT(11) }, { 0xFF48, 0 }, { 0xFED0, EFER_LME | BIT(9) }, { 0xFF50, BIT(48) },
        { 0xFF60, BIT(32) }, { 0xFE18, UINT64_C(0x00EF9B000000FFFF) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct board *board;
        struct core *core = begin(&board, false);

        core->smi_pending = true;
        core_step(core);
        spa_write(&board->space, SMM_BASE + cases[i].offset, 8, cases[i].value);
        ck_assert_int_eq(core_step(core), CORE_STOP_SHUTDOWN);
        board_free(board);
    }
}
END_TEST

/* Whatever lies in the map: a shutdown, or a state that runs on. Some fields legal, or every one would shut down. */
START_TEST(no_save_map_breaks_the_simulator)
{
    uint64_t seed = 0x5A5A1234;
    unsigned survived = 0;

    for (unsigned round = 0; round < 400; round++) {
        struct board *board = board_new(round % 2 ? "10h-d0" : "10h-b3", 1, round % 3 == 0);
        struct core *core = board->core[0];

        world_enter(board, WORLD_GUEST, seed);
        board_put(board, HANDLER, RSM);
        core->smi_pending = true;
        core_step(core);
        for (unsigned offset = 0xFE00; offset < 0x10000; offset += 8)
            if (next_random(&seed) % 4 == 0)
                spa_write(&board->space, SMM_BASE + offset, 8, next_random(&seed));
        if (round % 4) {
            spa_write(&board->space, SMM_BASE + 0xFF48, 8, next_random(&seed) & 0x7FF);
            spa_write(&board->space, SMM_BASE + 0xFF50, 8, next_random(&seed) & 0xFFFFFF);
            spa_write(&board->space, SMM_BASE + 0xFF58, 8, next_random(&seed) & 0x8005003F);
            spa_write(&board->space, SMM_BASE + 0xFED0, 8, next_random(&seed) & 0x7D01);
            spa_write(&board->space, SMM_BASE + 0xFF60, 8, next_random(&seed) & 0xFFFF27FF);
            spa_write(&board->space, SMM_BASE + 0xFF68, 8, 0xFFFF0FF0);
            spa_write(&board->space, SMM_BASE + 0xFEE0, 8, WORLD_VMCB);
            spa_write(&board->space, SMM_BASE + 0xFED8, 8, next_random(&seed) & 7);
        }
        core_step(core);
        survived += !core->shutdown;
        core->smi_pending = true;
        core_run(core, core->cycles + 5000);
        board_free(board);
    }
    ck_assert_uint_gt(survived, 50);
}
END_TEST

/* SMMMask: AValid, TValid, AClose, TClose in bits 3:0; TSEG of 128 KiB at 2 MiB. */
#define SMM_MASK_TSEG (UINT64_C(0xFFFFFFFE0000))
#define TSEG 0x200000

static struct core *with_segments(struct board **board, bool reference, uint64_t bits)
{
    struct core *core = begin(board, reference);

    ck_assert(msr_write(core, 0xC0010112, TSEG));
    ck_assert(msr_write(core, 0xC0010113, SMM_MASK_TSEG | bits));
    spa_write(&(*board)->space, 0xA1000, 4, 0x11111111);
    spa_write(&(*board)->space, TSEG + 0x1000, 4, 0x22222222);
    /* mov eax,[A1000h]; mov [5000h],eax; mov eax,[201000h]; mov [5004h],eax, all 32 bits; rsm */
    board_put(*board, TSEG + 0x8000, 0x67, 0x66, 0xA1, 0x00, 0x10, 0x0A, 0x00, 0x66, 0xA3, 0x00, 0x50,
              0x67, 0x66, 0xA1, 0x00, 0x10, 0x20, 0x00, 0x66, 0xA3, 0x04, 0x50, RSM);
    core->msr->smm_base = TSEG;
    return core;
}

START_TEST(aseg_and_tseg_are_dram_in_smm_alone)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = with_segments(&board, engine, 3);

        /* mov ebx,[A1000h]; mov ecx,[201000h]; mov [A1000h],ecx; hlt */
        board_put(board, CODE, 0x8B, 0x1C, 0x25, 0x00, 0x10, 0x0A, 0x00, 0x8B, 0x0C, 0x25, 0x00, 0x10, 0x20, 0x00,
                  0x89, 0x0C, 0x25, 0x00, 0x10, 0x0A, 0x00, 0xF4);
        core_run(core, 2000);
        ck_assert_uint_eq(core->gpr[RBX], 0xFFFFFFFF);
        ck_assert_uint_eq(core->gpr[RCX], 0xFFFFFFFF);
        core->smi_pending = true;
        core_run(core, 6000);
        ck_assert_uint_eq(spa_read(&board->space, 0x5000, 4), 0x11111111); /* the write outside did not reach it */
        ck_assert_uint_eq(spa_read(&board->space, 0x5004, 4), 0x22222222);
        ck_assert(!core->smm.active && core->halted);
        core->halted = false;
        core->rip = TSEG + 0x8000; /* what SMM ran is no code outside */
        core_step(core);
        ck_assert_uint_eq(core->count->exceptions[EXC_UD], 1); /* FF FF */
        board_free(board);
    }
}
END_TEST

START_TEST(the_close_bits_hide_the_segments_from_data_but_not_from_fetches)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = with_segments(&board, engine, 7); /* AClose */
        struct core *closed;

        core->smi_pending = true;
        core_run(core, 3000);
        ck_assert_uint_eq(spa_read(&board->space, 0x5000, 4), 0xFFFFFFFF);
        ck_assert_uint_eq(spa_read(&board->space, 0x5004, 4), 0x22222222);
        board_free(board);
        closed = with_segments(&board, engine, 3);
        closed->smi_pending = true;
        core_step(closed);
        ck_assert(msr_write(closed, 0xC0010113, SMM_MASK_TSEG | 0xB)); /* TClose, as a handler would */
        for (unsigned i = 0; i < 4; i++)
            core_step(closed);
        ck_assert_uint_eq(spa_read(&board->space, 0x5000, 4), 0x11111111);
        ck_assert_uint_eq(spa_read(&board->space, 0x5004, 4), 0xFFFFFFFF);
        board_free(board);
    }
}
END_TEST

START_TEST(smm_lock_makes_the_registers_read_only)
{
    struct board *board;
    struct core *core = begin(&board, false);
    uint64_t value;

    ck_assert(msr_write(core, HWCR, BIT(0) | BIT(4)));
    ck_assert(msr_write(core, HWCR, BIT(4)));
    ck_assert(msr_read(core, HWCR, &value));
    ck_assert_uint_eq(value & 1, 1); /* set once */
    ck_assert(msr_write(core, 0xC0010111, 0x60000));
    ck_assert(msr_write(core, 0xC0010112, 0x20000));
    ck_assert(msr_write(core, 0xC0010113, 0xF));
    ck_assert_uint_eq(core->msr->smm_base, 0x30000);
    ck_assert_uint_eq(core->msr->smm_addr, 0);
    ck_assert_uint_eq(core->msr->smm_mask, 0xC); /* the Close bits alone */
    ck_assert(!msr_write(core, SMM_CTL, 1));
    board_free(board);
}
END_TEST

START_TEST(smm_ctl_enters_dismisses_and_leaves)
{
    struct board *board;
    struct core *core = begin(&board, false);
    uint64_t value;

    ck_assert(!msr_read(core, SMM_CTL, &value));
    ck_assert(!msr_write(core, SMM_CTL, BIT(5)));
    core->smi_pending = true;
    core->smm.status = BIT(16);
    ck_assert(msr_write(core, SMM_CTL, 3)); /* enter, then dismiss */
    ck_assert(core->smm.active && core->nmi_masked);
    ck_assert(!core->smi_pending);
    ck_assert_uint_eq(core->rip, CODE); /* no jump */
    ck_assert(msr_read(core, 0xC001011A, &value));
    ck_assert_uint_eq(value, BIT(16));
    ck_assert(msr_write(core, SMM_CTL, BIT(3)));
    ck_assert(!core->smm.active && !core->nmi_masked);
    board_free(board);
}
END_TEST

START_TEST(every_byte_of_smm_state_is_in_the_hash)
{
    struct board *board;
    struct core *core = begin(&board, false);
    uint8_t *bytes = (uint8_t *)&core->smm;
    g_autofree char *before = state_hash(board->state);
    unsigned unnoticed = 0;

    for (size_t i = 0; i < offsetof(struct smm_core, windows); i++) {
        g_autofree char *after = NULL;

        bytes[i] ^= 1;
        after = state_hash(board->state);
        unnoticed += strcmp(before, after) == 0;
        bytes[i] ^= 1;
    }
    ck_assert_uint_eq(unnoticed, 3); /* padding behind io_valid */
    board_free(board);
}
END_TEST

/* BKDG10 MSRC001_0055: the register says which cycle the halting processor makes. */
START_TEST(a_halting_processor_writes_to_the_chipset_and_gets_an_smi)
{
    EACH_ENGINE {
        struct board *board;
        struct core *core = begin(&board, engine);

        board_put(board, CODE + 5, 0xF4);
        ck_assert(msr_write(core, 0xC0010055, BIT(27) | 0xA5 << 16 | 0xB0));
        core_run(core, core->cycles + 1000);
        ck_assert_uint_eq(board->outs, 1);
        ck_assert_uint_eq(board->out[0], 0xB0 << 16 | 0xA5);
        ck_assert_uint_eq(map(board, 0xFEC4, 4), 1u << 9);
        ck_assert_uint_eq(map(board, 0xFEC9, 1), 1);
        ck_assert(core->halted); /* again, by RSM; and once is enough */
        ck_assert(!core->smm.active);
        board_free(board);
    }
}
END_TEST

UNIT_TESTS("smm", an_smi_enters_at_smm_base_in_big_real_mode, the_save_map_has_every_register_in_its_place,
           rsm_brings_everything_back, rsm_outside_smm_is_an_invalid_opcode, smm_base_moves_by_the_save_map,
           a_halted_core_halts_again_unless_the_handler_says_no, nmi_init_and_another_smi_wait_for_rsm,
           an_io_trap_raises_an_smi_behind_the_instruction, a_configuration_trap_compares_what_cf8_selects,
           io_restart_goes_back_to_the_string_step_that_was_trapped, an_illegal_state_in_the_map_shuts_the_core_down,
           no_save_map_breaks_the_simulator,
           aseg_and_tseg_are_dram_in_smm_alone, the_close_bits_hide_the_segments_from_data_but_not_from_fetches,
           smm_lock_makes_the_registers_read_only, smm_ctl_enters_dismisses_and_leaves,
           every_byte_of_smm_state_is_in_the_hash,
           a_halting_processor_writes_to_the_chipset_and_gets_an_smi)
