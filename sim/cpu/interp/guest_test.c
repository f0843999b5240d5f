/* SPDX-License-Identifier: MIT */
/* Boundaries in a guest: which intercept or interrupt comes first, what stays pending. On both engines. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/interp/test_worlds.h"
#include "sim/unit_test.h"

#define EACH_ENGINE for (int engine = 0; engine < 2; engine++)
#define V_IRQ BIT(8)
#define V_INTR_PRIO(n) ((uint64_t)(n) << 16)
#define V_INTR_MASKING BIT(24)
#define V_INTR_VECTOR(n) ((uint64_t)(n) << 32)

struct guest {
    const uint8_t *code;
    size_t size;
    uint64_t v_intr, rflags;
    unsigned intercepts[4]; /* exit codes, 0 ends */
};

static uint64_t vmcb(struct board *board, unsigned offset)
{
    return spa_read(&board->space, WORLD_VMCB + offset, 8);
}

static struct board *begin(bool reference, const struct guest *guest)
{
    struct board *board = board_new("10h-b3", 1, reference);
    uint32_t words[INTERCEPT_WORDS] = { 0, 0, 0, 0, 1 }; /* VMRUN */

    world_enter(board, WORLD_GUEST, 1);
    for (unsigned i = 0; i < 4 && guest->intercepts[i]; i++)
        words[guest->intercepts[i] >> 5] |= 1u << (guest->intercepts[i] & 31);
    spa_write_block(&board->space, WORLD_VMCB, words, sizeof(words));
    spa_write(&board->space, WORLD_VMCB + 0x060, 8, guest->v_intr);
    spa_write(&board->space, WORLD_VMCB + 0x570, 8, 2 | guest->rflags);
    spa_write(&board->space, WORLD_VMCB + 0x090, 8, 0);
    spa_write_block(&board->space, BOARD_CODE, guest->code, guest->size);
    core_step(board->core[0]); /* mov eax,VMCB */
    board->core[0]->svm.gif = false; /* as after CLGI: nothing is taken before VMRUN sets it */
    return board;
}

/* Into the guest, then on to the next exit or `steps` boundaries. */
static bool run_to_exit(struct board *board, unsigned steps)
{
    struct core *core = board->core[0];

    core_step(core); /* vmrun */
    for (unsigned i = 0; i < steps && core->svm.guest; i++)
        core_step(core);
    return !core->svm.guest;
}

static void raise_intr(struct board *board)
{
    struct core_pins pins = core_pins(board->core[0]);

    pins.extint(pins.ctx, true);
}

static const uint8_t loop[] = { 0xEB, 0xFE }, sti_hlt[] = { 0xFB, 0xF4 }, hlt[] = { 0xF4 }, ud[] = { 0x0F, 0x0B };

#define GUEST(bytes, ...) (&(const struct guest){ .code = bytes, .size = sizeof(bytes), __VA_ARGS__ })

START_TEST(an_intercepted_intr_exits_and_stays_pending_for_the_host)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(loop, .rflags = RFLAGS_IF, .intercepts = { VMEXIT_INTR }));
        struct core *core = board->core[0];

        raise_intr(board);
        ck_assert(run_to_exit(board, 5));
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_INTR);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE);
        ck_assert_uint_eq(vmcb(board, 0x088), 0); /* no EXITINTINFO: not acknowledged */
        for (unsigned i = 0; i < 3; i++)
            core_step(core); /* inc, stgi, and at the next boundary the host takes it */
        ck_assert_uint_eq(core->rip, BOARD_HANDLERS + 16 * 0x30);
        ck_assert_uint_eq(core->count->interrupts, 1);
        board_free(board);
    }
}
END_TEST

START_TEST(an_intr_that_is_not_intercepted_goes_through_the_guests_idt)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(loop, .rflags = RFLAGS_IF));
        struct core *core = board->core[0];

        raise_intr(board);
        ck_assert(!run_to_exit(board, 1)); /* the boundary after VMRUN delivers */
        ck_assert_uint_eq(core->rip, BOARD_HANDLERS + 16 * 0x30);
        board_free(board);
    }
}
END_TEST

START_TEST(with_masking_the_hosts_if_decides_and_without_it_the_guests)
{
    EACH_ENGINE {
        struct board *masked =
            begin(engine, GUEST(loop, .v_intr = V_INTR_MASKING, .intercepts = { VMEXIT_INTR }));
        struct board *plain = begin(engine, GUEST(loop, .intercepts = { VMEXIT_INTR }));

        raise_intr(masked); /* guest IF = 0 in both; the host ran VMRUN with IF = 1 */
        raise_intr(plain);
        ck_assert(run_to_exit(masked, 5));
        ck_assert_uint_eq(vmcb(masked, 0x070), VMEXIT_INTR);
        ck_assert(!run_to_exit(plain, 5));
        board_free(masked);
        board_free(plain);
    }
}
END_TEST

START_TEST(a_virtual_interrupt_needs_a_priority_above_v_tpr)
{
    EACH_ENGINE {
        uint64_t v_intr = V_IRQ | V_INTR_PRIO(5) | V_INTR_VECTOR(0x44);
        struct board *above = begin(engine, GUEST(loop, .rflags = RFLAGS_IF, .v_intr = v_intr | 4));
        struct board *equal = begin(engine, GUEST(loop, .rflags = RFLAGS_IF, .v_intr = v_intr | 5));
        struct board *closed = begin(engine, GUEST(loop, .v_intr = v_intr));

        ck_assert(!run_to_exit(above, 1));
        ck_assert_uint_eq(above->core[0]->rip, BOARD_HANDLERS + 16 * 0x44);
        ck_assert(!above->core[0]->svm.v_irq);
        ck_assert(!run_to_exit(equal, 3));
        ck_assert_uint_eq(equal->core[0]->rip, BOARD_CODE);
        ck_assert(equal->core[0]->svm.v_irq);
        ck_assert(!run_to_exit(closed, 3)); /* IF = 0 */
        ck_assert_uint_eq(closed->core[0]->rip, BOARD_CODE);
        board_free(above);
        board_free(equal);
        board_free(closed);
    }
}
END_TEST

START_TEST(the_vintr_intercept_exits_with_v_irq_still_set)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(loop, .rflags = RFLAGS_IF, .intercepts = { VMEXIT_VINTR },
                                                  .v_intr = V_IRQ | V_INTR_PRIO(1) | V_INTR_VECTOR(0x44)));

        ck_assert(run_to_exit(board, 3));
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_VINTR);
        ck_assert_uint_eq(vmcb(board, 0x060) & V_IRQ, V_IRQ);
        board_free(board);
    }
}
END_TEST

/* What comes first when everything waits: INIT, NMI, INTR, virtual INTR. */
START_TEST(events_exit_in_the_order_of_their_priority)
{
    static const unsigned codes[] = { VMEXIT_INIT, VMEXIT_NMI, VMEXIT_INTR, VMEXIT_VINTR };

    EACH_ENGINE {
        for (unsigned first = 0; first < 4; first++) {
            struct board *board = begin(engine, GUEST(loop, .rflags = RFLAGS_IF,
                                                      .v_intr = V_IRQ | V_INTR_PRIO(1) | V_INTR_VECTOR(0x44),
                                                      .intercepts = { codes[0], codes[1], codes[2], codes[3] }));
            struct core *core = board->core[0];

            core->init_pending = first == 0;
            core->nmi_pending = first <= 1;
            if (first <= 2)
                raise_intr(board);
            ck_assert(run_to_exit(board, 3));
            ck_assert_uint_eq(vmcb(board, 0x070), codes[first]);
            ck_assert_uint_eq(core->init_pending, first == 0);
            ck_assert_uint_eq(core->nmi_pending, first <= 1);
            board_free(board);
        }
    }
}
END_TEST

START_TEST(a_halted_guest_wakes_for_a_virtual_interrupt)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(hlt, .rflags = RFLAGS_IF,
                                                  .v_intr = V_IRQ | V_INTR_PRIO(3) | V_INTR_VECTOR(0x44) | 7));
        struct core *core = board->core[0];

        ck_assert(!run_to_exit(board, 1));
        ck_assert(core->halted);
        ck_assert(!core_wakes(core));
        core->svm.v_tpr = 2;
        ck_assert(core_wakes(core));
        core_step(core);
        ck_assert(!core->halted);
        ck_assert_uint_eq(core->rip, BOARD_HANDLERS + 16 * 0x44);
        board_free(board);
    }
}
END_TEST

START_TEST(an_exit_in_the_shadow_of_sti_reports_the_shadow)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(sti_hlt, .intercepts = { VMEXIT_HLT, VMEXIT_INTR }));

        raise_intr(board); /* held off by the shadow */
        ck_assert(run_to_exit(board, 3));
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_HLT);
        ck_assert_uint_eq(vmcb(board, 0x068), 1);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE + 1);
        ck_assert(!board->core[0]->interrupt_shadow); /* not the host's */
        board_free(board);
    }
}
END_TEST

START_TEST(an_injected_event_is_delivered_before_the_first_guest_instruction)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(ud, .intercepts = { VMEXIT_EXCP0 + EXC_UD }));
        struct core *core = board->core[0];

        spa_write(&board->space, WORLD_VMCB + 0x0A8, 8, BIT(31) | 3 << 8 | EXC_UD); /* itself not intercepted */
        core_step(core);
        ck_assert(core->svm.guest);
        ck_assert_uint_eq(core->rip, BOARD_HANDLERS + 16 * EXC_UD);
        ck_assert_uint_eq(spa_read(&board->space, core->gpr[RSP], 8), BOARD_CODE);
        board_free(board);
    }
}
END_TEST

START_TEST(an_intercepted_exception_saves_rip_at_the_instruction)
{
    EACH_ENGINE {
        struct board *board = begin(engine, GUEST(ud, .intercepts = { VMEXIT_EXCP0 + EXC_UD }));

        ck_assert(run_to_exit(board, 2));
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_EXCP0 + EXC_UD);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE);
        board_free(board);
    }
}
END_TEST

START_TEST(a_triple_fault_exits_when_intercepted_and_stops_the_core_when_not)
{
    EACH_ENGINE {
        struct board *caught = begin(engine, GUEST(ud, .intercepts = { VMEXIT_SHUTDOWN }));
        struct board *missed = begin(engine, GUEST(ud));

        spa_write(&caught->space, WORLD_VMCB + 0x484, 4, 0); /* IDTR limit */
        spa_write(&missed->space, WORLD_VMCB + 0x484, 4, 0);
        ck_assert(run_to_exit(caught, 2));
        ck_assert_uint_eq(vmcb(caught, 0x070), VMEXIT_SHUTDOWN);
        run_to_exit(missed, 1);
        ck_assert(missed->core[0]->shutdown);
        ck_assert_int_eq(core_run(missed->core[0], NEVER), CORE_STOP_SHUTDOWN);
        board_free(caught);
        board_free(missed);
    }
}
END_TEST

START_TEST(single_step_in_a_guest_traps_after_its_first_instruction)
{
    EACH_ENGINE {
        static const uint8_t nops[] = { 0x90, 0x90, 0x90 };
        struct board *board = begin(engine, GUEST(nops, .rflags = RFLAGS_TF, .intercepts = { VMEXIT_EXCP0 + EXC_DB }));

        ck_assert(run_to_exit(board, 3));
        ck_assert_uint_eq(vmcb(board, 0x070), VMEXIT_EXCP0 + EXC_DB);
        ck_assert_uint_eq(vmcb(board, 0x578), BOARD_CODE + 1);
        ck_assert_uint_eq(vmcb(board, 0x568) & BIT(14), BIT(14)); /* DR6.BS is already written */
        board_free(board);
    }
}
END_TEST

struct exits {
    unsigned count;
    uint64_t code, rip, rax;
};

static bool stop_at_exit(void *ctx, struct core *core, uint64_t code, uint64_t rip, uint64_t rax)
{
    struct exits *exits = ctx;

    (void)core;
    *exits = (struct exits){ exits->count + 1, code, rip, rax };
    return true;
}

START_TEST(the_exit_hook_sees_code_rip_and_the_guests_rax_and_may_stop)
{
    EACH_ENGINE {
        static const uint8_t cpuid[] = { 0xB8, 0x07, 0x00, 0x00, 0x00, 0x0F, 0xA2 }; /* mov eax,7; cpuid */
        struct board *board = begin(engine, GUEST(cpuid, .intercepts = { VMEXIT_CPUID }));
        struct core *core = board->core[0];
        struct exits exits = { 0, 0, 0, 0 };

        *core_hooks(core) = (struct core_hooks){ .ctx = &exits, .vmexit = stop_at_exit };
        ck_assert_int_eq(core_run(core, core->cycles + 100000), CORE_STOP_HOOK);
        ck_assert_uint_eq(exits.count, 1);
        ck_assert_uint_eq(exits.code, VMEXIT_CPUID);
        ck_assert_uint_eq(exits.rip, BOARD_CODE + 5);
        ck_assert_uint_eq(exits.rax, 7);
        ck_assert(!core->svm.guest);
        board_free(board);
    }
}
END_TEST

UNIT_TESTS("guest", an_intercepted_intr_exits_and_stays_pending_for_the_host,
           an_intr_that_is_not_intercepted_goes_through_the_guests_idt,
           with_masking_the_hosts_if_decides_and_without_it_the_guests,
           a_virtual_interrupt_needs_a_priority_above_v_tpr, the_vintr_intercept_exits_with_v_irq_still_set,
           events_exit_in_the_order_of_their_priority, a_halted_guest_wakes_for_a_virtual_interrupt,
           an_exit_in_the_shadow_of_sti_reports_the_shadow,
           an_injected_event_is_delivered_before_the_first_guest_instruction,
           an_intercepted_exception_saves_rip_at_the_instruction,
           a_triple_fault_exits_when_intercepted_and_stops_the_core_when_not,
           single_step_in_a_guest_traps_after_its_first_instruction,
           the_exit_hook_sees_code_rip_and_the_guests_rax_and_may_stop)
