/* SPDX-License-Identifier: MIT */
/* Wrong words of DRAM met by what the processor reads and writes for itself: VMCB, host save area, maps, SMM's. */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/isa/semantics.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/smm/smm.h"
#include "sim/cpu/svm/svm_fixture.h"

static const unsigned one = 1, none;
static spa_t bad;          /* the wrong word of 16 bytes */
static unsigned asked;     /* accesses that touched it */
static enum memory_access kind_asked;

static bool fixture_meet(void *ctx, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                         struct mca_error *own)
{
    (void)ctx;
    (void)core;
    if (address >= bad + 16 || bad >= address + size)
        return false;
    asked++;
    kind_asked = kind;
    *own = (struct mca_error){ .bank = MCA_LS, .status = MCA_UC | MCA_ADDRV | 0x0833, .addr = bad, .precise = true };
    return true;
}

/* A fixture whose every page asks, and a core that logs and reports everything. */
static struct core *broken(struct fixture **fix, bool guest, spa_t word)
{
    struct core *core;

    *fix = fixture_new("10h-b3");
    fixture_guest(*fix);
    (*fix)->space.meet = fixture_meet;
    (*fix)->flat.flags = DRAM_PAGE_BAD;
    bad = SPA_LIMIT;
    core = guest ? fixture_in_guest(*fix) : fixture_host(*fix);
    core->smm.view.bad_words = &one;
    core->smm.view.armed = &none;
    core->cr4 |= CR4_MCE;
    core->mca.mcg_ctl = 0x3F;
    core->mca.bank[MCA_LS].ctl = 3;
    core->svm.gif = true;
    bad = word;
    asked = 0;
    return core;
}

static const struct insn plain = { .address_size = 8, .operand_size = 4 };

static void faults(enum outcome outcome, const struct core *core, enum memory_access kind)
{
    ck_assert_int_eq(outcome, OUTCOME_FAULT);
    ck_assert_uint_eq(core->fault.vector, EXC_MC);
    ck_assert_uint_eq(asked, 1);
    ck_assert_int_eq(kind_asked, kind);
    ck_assert_uint_eq(core->mca.bank[MCA_LS].addr, bad);
}

START_TEST(vmrun_faults_on_its_vmcb_and_its_save_area)
{
    struct fixture *fix;
    struct core *core = broken(&fix, false, VMCB_PA + 0x570);

    faults(exec_vmrun(core, &plain), core, MEMORY_READ);
    fixture_free(fix);
    core = broken(&fix, false, HSAVE_PA + 0x400);
    faults(exec_vmrun(core, &plain), core, MEMORY_WRITE);
    fixture_free(fix);
    core = broken(&fix, false, VMCB_PA + 0x800); /* what VMRUN does not read */
    ck_assert_int_eq(exec_vmrun(core, &plain), OUTCOME_VMRUN);
    fixture_free(fix);
}
END_TEST

START_TEST(vmload_and_vmsave_touch_their_part_alone)
{
    struct fixture *fix;
    struct core *core = broken(&fix, false, VMCB_PA + VMCB_TR);

    faults(exec_vmload(core, &plain), core, MEMORY_READ);
    fixture_free(fix);
    core = broken(&fix, false, VMCB_PA + VMCB_TR);
    faults(exec_vmsave(core, &plain), core, MEMORY_WRITE);
    fixture_free(fix);
    core = broken(&fix, false, VMCB_PA + 0x010);
    ck_assert_int_eq(exec_vmload(core, &plain), OUTCOME_NEXT);
    ck_assert_uint_eq(asked, 0);
    fixture_free(fix);
}
END_TEST

/* Nothing can fault any more: the guest is saved, and the host finds the #MC when it sets GIF. */
START_TEST(an_exit_into_a_bad_vmcb_leaves_a_machine_check_pending)
{
    static const spa_t places[] = { VMCB_PA + 0x400, HSAVE_PA + 0x410 };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        struct fixture *fix;
        struct core *core = broken(&fix, true, places[i]);

        ck_assert_int_eq(fixture_leave(core, VMEXIT_HLT, 0, 0), OUTCOME_NEXT);
        ck_assert(!core->svm.guest);
        ck_assert_uint_eq(asked, 1);
        ck_assert(core->mc_pending);
        ck_assert_uint_eq(core->mca.raised & (MCA_RAISE_PRECISE | MCA_RAISE_IMPRECISE), MCA_RAISE_IMPRECISE);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(a_permission_map_faults_the_instruction_that_asked_it)
{
    struct fixture *fix;
    struct core *core = broken(&fix, true, MSRPM_PA + 0x800); /* C000_0000 to C000_003F */

    core->svm.intercept[VMEXIT_MSR / 32] |= 1u << VMEXIT_MSR % 32;
    core->gpr[RCX] = 0xC0000002;
    faults(exec_rdmsr(core, &plain), core, MEMORY_READ);
    core->mc_pending = false;
    core->mca.raised = 0;
    asked = 0;
    faults(exec_wrmsr(core, &plain), core, MEMORY_READ);
    fixture_free(fix);
    core = broken(&fix, true, IOPM_PA + 0x60 / 8);
    core->svm.intercept[VMEXIT_IOIO / 32] |= 1u << VMEXIT_IOIO % 32;
    ck_assert(!svm_io_intercepted(core, 0x60, 1));
    ck_assert(core_met_error(core));
    ck_assert_uint_eq(asked, 1);
    fixture_free(fix);
}
END_TEST

/* SMM's save map at 30000h + FE00h: an SMI cannot fault, nor can RSM. */
START_TEST(the_save_map_leaves_a_machine_check_pending)
{
    struct fixture *fix;
    struct core *core = broken(&fix, false, 0x30000 + 0xFF78); /* rIP's place: FF70 to FF7F */

    core->msr->smm_base = 0x30000;
    bad &= ~(spa_t)15;
    core->smi_pending = true;
    smm_enter(core);
    ck_assert(core->smm.active);
    ck_assert_uint_eq(asked, 2); /* rFLAGS and rIP */
    ck_assert(core->mc_pending);
    core->mc_pending = false;
    core->mca.raised = 0;
    asked = 0;
    ck_assert_int_eq(smm_leave(core), OUTCOME_NEXT);
    ck_assert_uint_ge(asked, 1);
    ck_assert(core->mc_pending);
    ck_assert(!core_met_error(core));
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("wrong_memory", vmrun_faults_on_its_vmcb_and_its_save_area, vmload_and_vmsave_touch_their_part_alone,
           an_exit_into_a_bad_vmcb_leaves_a_machine_check_pending,
           a_permission_map_faults_the_instruction_that_asked_it,
           the_save_map_leaves_a_machine_check_pending)
