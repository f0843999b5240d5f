/* SPDX-License-Identifier: MIT */
/* SVM instructions through decoder and run loop: guards, intercepts and effects (fact sheet 3.1, 3.7, 3.11). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/isa/evidence_setup.h"
#include "sim/cpu/svm/svm_fixture.h"

#define CODE_PA 0x5000
#define HANDLER_PA 0x9000

enum opcode { OP_VMRUN = 0xD8, OP_VMMCALL, OP_VMLOAD, OP_VMSAVE, OP_STGI, OP_CLGI, OP_SKINIT, OP_INVLPGA };

/* Identity-mapped long mode at 30000h: one 2M page; IDT at 7000h whose gates lead to HANDLER_PA + 16 * vector. */
static struct core *host_with_tables(struct fixture *fix)
{
    struct core *core;

    put(fix, 0x30000, 8, 0x31007);
    put(fix, 0x31000, 8, 0x32007);
    put(fix, 0x32000, 8, 0x00087);
    put(fix, 0x6008, 8, UINT64_C(0x00209B0000000000)); /* 64-bit code, DPL 0 */
    put(fix, 0x6010, 8, UINT64_C(0x0000930000000000));
    for (unsigned v = 0; v < 32; v++) {
        put(fix, 0x7000 + 16 * v, 8, (HANDLER_PA + 16 * v) | UINT64_C(0x8E0000080000));
        put(fix, 0x7008 + 16 * v, 8, 0);
    }
    core = fixture_host(fix);
    core->gpr[RSP] = 0x8000;
    return core;
}

/* The vector whose handler runs now, or -1; and the error code that it finds on its stack. */
static int vector_taken(const struct core *core)
{
    return core->rip >= HANDLER_PA && core->rip < HANDLER_PA + 512 ? (int)(core->rip - HANDLER_PA) / 16 : -1;
}

/* Execute 0F 01 op at rIP. */
static void execute(struct fixture *fix, struct core *core, enum opcode op)
{
    const uint8_t bytes[3] = { 0x0F, 0x01, (uint8_t)op };
    bool guest = core->svm.guest;
    struct insn insn;

    put(fix, CODE_PA, 4, 0xF400010F | (uint32_t)op << 16); /* then HLT */
    core->rip = CODE_PA;
    block_cache_stored(fix->blocks, CODE_PA, 4);
    core_step(core);
    if (decode(bytes, sizeof(bytes), (struct decode_mode){ 64, false }, &insn) == DECODE_OK)
        record_evidence(core, insn.row, vector_taken(core) >= 0 ? OUTCOME_FAULT
                                        : guest && !core->svm.guest ? OUTCOME_VMEXIT : OUTCOME_NEXT);
}

static const enum opcode privileged_ops[] = { OP_VMRUN, OP_VMLOAD, OP_VMSAVE, OP_STGI, OP_CLGI, OP_INVLPGA };

START_TEST(without_svme_every_instruction_is_invalid)
{
    for (unsigned op = OP_VMRUN; op <= OP_INVLPGA; op++) {
        struct fixture *fix = fixture_new("10h-b3");
        struct core *core = host_with_tables(fix);

        core->efer &= ~EFER_SVME;
        execute(fix, core, op);
        ck_assert_int_eq(vector_taken(core), EXC_UD);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(stgi_and_skinit_need_no_svme_where_cpuid_has_skinit)
{
    struct fixture *fix = fixture_new("10h-c2");
    struct core *core = host_with_tables(fix);

    core->efer &= ~EFER_SVME;
    core->svm.gif = false;
    execute(fix, core, OP_STGI);
    ck_assert_int_eq(vector_taken(core), -1);
    ck_assert(core->svm.gif);
    execute(fix, core, OP_CLGI);
    ck_assert_int_eq(vector_taken(core), EXC_UD);
    fixture_free(fix);
}
END_TEST

START_TEST(real_mode_has_no_svm_instructions)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(privileged_ops); i++) {
        struct fixture *fix = fixture_new("10h-b3");
        struct core *core = fix->core[0];

        core->efer = EFER_SVME;
        core->seg[SEG_CS] = (struct segment){ 0, 0x9B, 0xFFFF, 0 };
        core->seg[SEG_SS] = (struct segment){ 0, 0x93, 0xFFFF, 0 };
        core->idtr = (struct table_register){ 0, 0x3FF };
        core->gpr[RSP] = 0x8000;
        put(fix, 6 * 4, 4, 0x0ABC); /* IVT entry of #UD */
        core_mode_changed(core, true);
        execute(fix, core, privileged_ops[i]);
        ck_assert_uint_eq(core->rip, 0x0ABC);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(outside_cpl_0_they_raise_gp_0)
{
    for (unsigned i = 0; i <= G_N_ELEMENTS(privileged_ops); i++) {
        bool last = i == G_N_ELEMENTS(privileged_ops); /* SKINIT, where there is one */
        struct fixture *fix = fixture_new(last ? "10h-c2" : "10h-b3");
        struct core *core = host_with_tables(fix);

        put(fix, 0x6000 - 0, 8, 0);
        core->seg[SEG_TR] = (struct segment){ 0x40, 0x8B, 0x67, 0xA000 };
        put(fix, 0xA004, 8, 0x8000); /* RSP0 */
        core->seg[SEG_CS].attr |= 0x60;
        core->seg[SEG_CS].selector |= 3;
        core->seg[SEG_SS].selector |= 3;
        core->cpl = 3;
        core_mode_changed(core, false);
        execute(fix, core, last ? OP_SKINIT : privileged_ops[i]);
        ck_assert_int_eq(vector_taken(core), EXC_GP);
        ck_assert_uint_eq(get(fix, core->gpr[RSP], 8), 0);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(a_vmcb_address_must_be_a_pages_and_physical)
{
    static const enum opcode ops[] = { OP_VMRUN, OP_VMLOAD, OP_VMSAVE };
    static const uint64_t bad[] = { VMCB_PA + 8, VMCB_PA + 0x800, UINT64_C(1) << 48, UINT64_C(0x8000000000000000) };

    for (unsigned op = 0; op < 3; op++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
            struct fixture *fix = fixture_new("10h-b3");
            struct core *core = host_with_tables(fix);

            core->gpr[RAX] = bad[i];
            execute(fix, core, ops[op]);
            ck_assert_int_eq(vector_taken(core), EXC_GP);
            ck_assert(!core->svm.guest);
            fixture_free(fix);
        }
    }
}
END_TEST

START_TEST(vmrun_enters_and_an_intercepted_hlt_leaves)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_CR3, 8, 0x30000);
    put(fix, VMCB_PA + 0x00C, 4, 1 << 24); /* HLT */
    put(fix, VMCB_PA + VMCB_RIP, 8, 0x1000);
    put(fix, 0x1000, 1, 0xF4);
    execute(fix, core, OP_VMRUN);
    ck_assert(core->svm.guest);
    ck_assert_uint_eq(core->rip, 0x1000);
    core_step(core);
    ck_assert(!core->svm.guest);
    ck_assert_uint_eq(core->rip, CODE_PA + 3);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), VMEXIT_HLT);
    ck_assert_uint_eq(field(fix, VMCB_RIP, 8), 0x1000);
    fixture_free(fix);
}
END_TEST

/* Each instruction in a guest: exits when intercepted, by the code of fact sheet 3.4. */
START_TEST(each_instruction_exits_where_it_is_intercepted)
{
    static const struct {
        enum opcode op;
        uint64_t code;
        const char *model;
    } cases[] = {
        { OP_VMRUN, 0x080, "10h-b3" }, { OP_VMMCALL, 0x081, "10h-b3" }, { OP_VMLOAD, 0x082, "10h-b3" },
        { OP_VMSAVE, 0x083, "10h-b3" }, { OP_STGI, 0x084, "10h-b3" }, { OP_CLGI, 0x085, "10h-b3" },
        { OP_SKINIT, 0x086, "10h-c2" }, { OP_INVLPGA, 0x07A, "10h-b3" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture *fix = fixture_new(cases[i].model);
        struct core *core = host_with_tables(fix);

        fixture_guest(fix);
        put(fix, VMCB_PA + VMCB_CR3, 8, 0x30000);
        put(fix, VMCB_PA + 0x00C, 4, 1 << 26);
        put(fix, VMCB_PA + 0x010, 4, 0x7F);
        put(fix, VMCB_PA + VMCB_RAX, 8, 0xB000);
        put(fix, VMCB_PA + VMCB_RIP, 8, CODE_PA);
        fixture_in_guest(fix);
        execute(fix, core, cases[i].op);
        ck_assert(!core->svm.guest);
        ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), cases[i].code);
        ck_assert_uint_eq(field(fix, VMCB_RIP, 8), CODE_PA);
        ck_assert_uint_eq(field(fix, VMCB_EXITINFO1, 8), 0);
        fixture_free(fix);
    }
}
END_TEST

START_TEST(vmmcall_without_the_intercept_is_invalid_in_guest_and_host)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    execute(fix, core, OP_VMMCALL);
    ck_assert_int_eq(vector_taken(core), EXC_UD);
    host_with_tables(fix);
    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_CR3, 8, 0x30000);
    put(fix, VMCB_PA + 0x008, 4, 1 << EXC_UD); /* so that it shows as an exit */
    fixture_in_guest(fix);
    execute(fix, core, OP_VMMCALL);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), 0x040 + EXC_UD);
    fixture_free(fix);
}
END_TEST

/* The exceptions of VMLOAD come before its intercept (fact sheet 3.11). */
START_TEST(a_bad_vmcb_address_in_a_guest_faults_before_the_intercept)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    fixture_guest(fix);
    put(fix, VMCB_PA + VMCB_CR3, 8, 0x30000);
    put(fix, VMCB_PA + 0x008, 4, 1 << EXC_GP);
    put(fix, VMCB_PA + 0x010, 4, 0x7F);
    put(fix, VMCB_PA + VMCB_RAX, 8, 0xB001);
    fixture_in_guest(fix);
    execute(fix, core, OP_VMLOAD);
    ck_assert_uint_eq(field(fix, VMCB_EXITCODE, 8), 0x040 + EXC_GP);
    fixture_free(fix);
}
END_TEST

/* ---- VMLOAD and VMSAVE --------------------------------------------------------------------------------------- */

static uint64_t vmload_value(const struct vmcb_field *row, unsigned n)
{
    uint64_t pattern = UINT64_C(0x0000111122223330) + 0x010101 * n;

    if (g_str_has_prefix(row->name, "sysenter") || strcmp(row->name, "sfmask") == 0)
        return pattern & 0xFFFFFFFF; /* 32-bit registers */
    return g_str_has_suffix(row->name, ".attr") ? 0x893 : zero_extend(pattern, row->size);
}

START_TEST(vmload_and_vmsave_move_their_fields_and_no_others)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    for (unsigned i = 0; i < vmcb_field_count; i++)
        put(fix, VMCB_PA + vmcb_fields[i].offset, vmcb_fields[i].size, vmload_value(&vmcb_fields[i], i));
    memset(fix->memory + 0xB000, 0xEE, PAGE_BYTES);
    execute(fix, core, OP_VMLOAD);
    ck_assert_int_eq(vector_taken(core), -1);
    ck_assert_uint_eq(core->cr3, 0x30000);
    core->gpr[RAX] = 0xB000;
    execute(fix, core, OP_VMSAVE);
    for (unsigned i = 0; i < vmcb_field_count; i++) {
        const struct vmcb_field *row = &vmcb_fields[i];
        uint64_t saved = get(fix, 0xB000 + row->offset, row->size);

        if (row->who == 'l')
            ck_assert_msg(saved == vmload_value(row, i), "%s", row->name);
        else
            ck_assert_msg(saved == zero_extend(UINT64_C(0xEEEEEEEEEEEEEEEE), row->size), "%s", row->name);
    }
    fixture_free(fix);
}
END_TEST

START_TEST(vmload_makes_bases_canonical)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    put(fix, VMCB_PA + VMCB_SEGMENT(SEG_GS) + VMCB_SEG_BASE, 8, UINT64_C(0x1234800000000000));
    put(fix, VMCB_PA + VMCB_KERNEL_GS_BASE, 8, UINT64_C(0xFFFF000000000001));
    execute(fix, core, OP_VMLOAD);
    ck_assert_uint_eq(core->seg[SEG_GS].base, UINT64_C(0xFFFF800000000000));
    ck_assert_uint_eq(core->kernel_gs_base, 1);
    fixture_free(fix);
}
END_TEST

/* ---- GIF, INVLPGA, SKINIT -------------------------------------------------------------------------------------- */

START_TEST(clgi_holds_an_nmi_and_stgi_lets_it_in_at_the_next_boundary)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    execute(fix, core, OP_CLGI);
    ck_assert(!core->svm.gif);
    core->nmi_pending = true;
    core_attention(core);
    execute(fix, core, OP_STGI);
    ck_assert(core->svm.gif);
    core_step(core);
    ck_assert_int_eq(vector_taken(core), EXC_NMI);
    fixture_free(fix);
}
END_TEST

/* A translation of ASID 5 goes, that of ASID 0 stays: seen by whether the next access walks. */
START_TEST(invlpga_drops_the_page_of_the_asid_in_ecx)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);
    struct mmu_result result;
    struct walk_totals before, after;

    mmu_translate(core->mmu, 0x8000, MMU_READ, &result);
    core->gpr[RAX] = 0x8000;
    core->gpr[RCX] = 5;
    execute(fix, core, OP_INVLPGA);
    mmu_walk_totals(core->mmu, 0, &before);
    mmu_translate(core->mmu, 0x8000, MMU_READ, &result);
    mmu_walk_totals(core->mmu, 0, &after);
    ck_assert_uint_eq(after.walks, before.walks);
    core->gpr[RCX] = 0;
    execute(fix, core, OP_INVLPGA);
    mmu_translate(core->mmu, 0x8000, MMU_READ, &result);
    mmu_walk_totals(core->mmu, 0, &after);
    ck_assert_uint_eq(after.walks, before.walks + 1);
    core->gpr[RCX] = 0x10000; /* no such ASID: nothing, not ASID 0 */
    execute(fix, core, OP_INVLPGA);
    mmu_translate(core->mmu, 0x8000, MMU_READ, &result);
    mmu_walk_totals(core->mmu, 0, &after);
    ck_assert_uint_eq(after.walks, before.walks + 1);
    fixture_free(fix);
}
END_TEST

START_TEST(skinit_is_invalid_on_revision_b)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = host_with_tables(fix);

    execute(fix, core, OP_SKINIT);
    ck_assert_int_eq(vector_taken(core), EXC_UD);
    fixture_free(fix);
}
END_TEST

/* Fact sheet 3.15: the state that the secure loader finds. */
START_TEST(skinit_starts_the_secure_loader_flat_with_gif_clear)
{
    struct fixture *fix = fixture_new("10h-c2");
    struct core *core = host_with_tables(fix);

    put(fix, 0x40000, 4, 0x20000123); /* length 2000h, entry offset 123h */
    core->gpr[RAX] = 0x4ABCD;         /* bits 15:0 are cleared */
    core->gpr[RBX] = 1;
    execute(fix, core, OP_SKINIT);
    ck_assert_uint_eq(core->rip, 0x40123);
    ck_assert_uint_eq(core->gpr[RAX], 0x40000);
    ck_assert_uint_eq(core->gpr[RSP], 0x50000);
    ck_assert_uint_eq(core->gpr[RBX], 0);
    ck_assert_uint_eq(core->gpr[RDX], core->model->signature);
    ck_assert_int_eq(core->mode, MODE_PROTECTED);
    ck_assert_uint_eq(core->seg[SEG_CS].selector, 8);
    ck_assert_uint_eq(core->seg[SEG_SS].selector, 0x10);
    ck_assert_uint_eq(core->efer, 0);
    ck_assert_uint_eq(core->cr0 & (CR0_PG | CR0_PE), CR0_PE);
    ck_assert_uint_eq(core->svm.vm_cr & 7, 7);
    ck_assert(!core->svm.gif);
    fixture_free(fix);
}
END_TEST

static bool refuse_launch(void *ctx, unsigned core, spa_t loader)
{
    *(spa_t *)ctx = loader + core;
    return false;
}

/* Cycles to the TPM, as RAM of the fixture remembers them: how many, then the low byte of each address and the data. */
#define CYCLES 0x60000

static void tpm_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    const struct flat_ram *ram = ctx;
    uint16_t cycle = (uint16_t)((address & 0xFF) << 8 | value);
    uint32_t count;

    ck_assert_uint_eq(size, 1);
    memcpy(&count, ram->bytes + CYCLES, sizeof(count));
    memcpy(ram->bytes + CYCLES + 4 + sizeof(cycle) * count, &cycle, sizeof(cycle));
    count++;
    memcpy(ram->bytes + CYCLES, &count, sizeof(count));
}

static struct core *with_loader(struct fixture *fix)
{
    struct core *core = host_with_tables(fix);

    put(fix, 0x40000, 4, 0x00060004); /* length 6, entry offset 4 */
    put(fix, 0x40004, 4, 0x7777A5B6); /* the last two bytes are not measured */
    fix->space.mmio_write = tpm_write;
    core->gpr[RAX] = 0x40000;
    return core;
}

/* TIS 1.2: HASH_START, each byte of the loader to HASH_DATA, HASH_END. */
START_TEST(skinit_sends_the_loader_to_the_tpm)
{
    static const uint16_t cycles[] = { 0x2800, 0x2404, 0x2400, 0x2406, 0x2400, 0x24B6, 0x24A5, 0x2000 };
    struct fixture *fix = fixture_new("10h-c2");
    struct core *core = with_loader(fix);

    execute(fix, core, OP_SKINIT);
    ck_assert_uint_eq(get(fix, CYCLES, 4), G_N_ELEMENTS(cycles));
    for (unsigned i = 0; i < G_N_ELEMENTS(cycles); i++)
        ck_assert_uint_eq(get(fix, CYCLES + 4 + 2 * i, 2), cycles[i]);
    fixture_free(fix);
}
END_TEST

START_TEST(skinit_goes_on_unmeasured_when_another_core_runs)
{
    struct fixture *fix = fixture_new("10h-c2");
    struct core *core = with_loader(fix);
    spa_t asked = 0;

    core->secure_launch = (struct secure_launch){ &asked, refuse_launch };
    execute(fix, core, OP_SKINIT);
    ck_assert_uint_eq(asked, 0x40000 + core->index);
    ck_assert_uint_eq(get(fix, CYCLES, 4), 0);
    ck_assert_uint_eq(core->rip, 0x40004);
    fixture_free(fix);
}
END_TEST

UNIT_TESTS("svm instructions", without_svme_every_instruction_is_invalid,
           stgi_and_skinit_need_no_svme_where_cpuid_has_skinit, real_mode_has_no_svm_instructions,
           outside_cpl_0_they_raise_gp_0, a_vmcb_address_must_be_a_pages_and_physical,
           vmrun_enters_and_an_intercepted_hlt_leaves, each_instruction_exits_where_it_is_intercepted,
           vmmcall_without_the_intercept_is_invalid_in_guest_and_host,
           a_bad_vmcb_address_in_a_guest_faults_before_the_intercept,
           vmload_and_vmsave_move_their_fields_and_no_others, vmload_makes_bases_canonical,
           clgi_holds_an_nmi_and_stgi_lets_it_in_at_the_next_boundary,
           invlpga_drops_the_page_of_the_asid_in_ecx, skinit_is_invalid_on_revision_b,
           skinit_starts_the_secure_loader_flat_with_gif_clear,
           skinit_sends_the_loader_to_the_tpm, skinit_goes_on_unmeasured_when_another_core_runs)
