/* SPDX-License-Identifier: MIT */
#include "tests/random/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bits.h"
#include "sim/cpu/core.h"
#include "sim/cpu/svm/vmcb.h"
#include "sim/spa.h"

spa_t random_code_at(unsigned world)
{
    return world == WORLD_REAL ? 0x10000 : CODE;
}

uint64_t random_code_rip(unsigned world)
{
    return world == WORLD_REAL ? 0 : CODE;
}

/* ---- Memory ------------------------------------------------------------------------------------------ */

static void write_code(struct spa_space *space, const struct random_world *world, uint64_t *seed)
{
    spa_t at = random_code_at(world->world);

    for (unsigned i = 0; i < CODE_BYTES; i += 8)
        spa_write(space, at + i, 8, next_random(seed));
    spa_write_block(space, at, world->code, MIN(world->code_size, CODE_BYTES));
    for (unsigned i = 0; i < 0x1000; i += 8)
        spa_write(space, DATA + i, 8, next_random(seed));
}

static bool has_error_code(unsigned vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30;
}

/* Handlers that skip one byte and return: the code goes on after every fault. */
static void write_handlers(struct spa_space *space, bool wide)
{
    static const uint8_t wide_pop[] = { 0x48, 0x83, 0xC4, 0x08 }, pop[] = { 0x83, 0xC4, 0x04, 0x90 };
    static const uint8_t wide_end[] = { 0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF };
    static const uint8_t end[] = { 0x83, 0x04, 0x24, 1, 0xCF };
    static const uint8_t real_end[] = { 0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D, 0xCF }; /* inc word [bp+2] */

    for (unsigned vector = 0; vector < 256; vector++) {
        spa_t at = HANDLERS + 16 * vector, gate = IDT + (wide ? 16 : 8) * vector;

        spa_write(space, gate, 8,
                  (at & 0xFFFF) | (wide ? 0x18u : 0x08u) << 16 | UINT64_C(0x8E00) << 32 | (uint64_t)(at >> 16) << 48);
        if (wide)
            spa_write(space, gate + 8, 8, 0);
        if (has_error_code(vector)) {
            spa_write_block(space, at, wide ? wide_pop : pop, 4);
            at += 4;
        }
        spa_write_block(space, at, wide ? wide_end : end, wide ? sizeof(wide_end) : sizeof(end));
        spa_write(space, 4 * vector, 4, 0x8000); /* real mode: 0000:8000 */
    }
    spa_write_block(space, 0x8000, real_end, sizeof(real_end));
}

static void write_tables(struct spa_space *space, uint64_t *seed)
{
    spa_write(space, GDT + 0x08, 8, UINT64_C(0x00CF9B000000FFFF));
    spa_write(space, GDT + 0x10, 8, UINT64_C(0x00CF93000000FFFF));
    spa_write(space, GDT + 0x18, 8, UINT64_C(0x00AF9B000000FFFF));
    spa_write(space, GDT + 0x20, 8, UINT64_C(0x0000890000000067) | (uint64_t)TSS << 16);
    for (unsigned i = 6; i < 32; i++) /* whatever a selector may meet */
        spa_write(space, GDT + 8 * i, 8, next_random(seed));
    spa_write(space, TABLES, 8, (TABLES + 0x1000) | 7);
    for (unsigned i = 0; i < 4; i++)
        spa_write(space, TABLES + 0x1000 + 8 * i, 8, (TABLES + 0x2000 + 0x1000 * i) | 7);
    for (uint64_t i = 0; i < 2048; i++)
        spa_write(space, TABLES + 0x2000 + 8 * i, 8, i << 21 | 0x87);
    spa_write(space, TABLES + 0x2000 + 8, 8, (TABLES + 0x6000) | 7); /* the code: 4-KiB pages */
    for (uint64_t i = 0; i < 512; i++)
        spa_write(space, TABLES + 0x6000 + 8 * i, 8, (0x200 + i) << 12 | 7);
    for (uint64_t i = 0; i < 1024; i++)
        spa_write(space, LEGACY_TABLE + 4 * i, 4, i << 22 | 0x87);
}

/* ---- Worlds ------------------------------------------------------------------------------------------- */

uint64_t random_address(uint64_t *seed, bool wide)
{
    static const uint64_t places[] = {
        0xFEE00000, 0xFEC00000, 0xA0000, 0xC0000, 0xFFFF0000, 0xFFFFFFF0, 0xE0000000, RANDOM_MEMORY - 4, RANDOM_MEMORY,
        IDT, GDT, TSS, TABLES, VMCB, PERMISSIONS, UINT64_C(0x100000000), UINT64_C(0xFFFFFFFFFF),
        UINT64_C(0x7FFFFFFFFFFC),
        UINT64_C(0xFFFF800000000000), UINT64_C(0xFD00000000), 0xFFC, 0x7C, 0, ~UINT64_C(0),
    };
    uint64_t value = next_random(seed);

    switch (value & 3) {
    case 0: value = places[(value >> 8) % G_N_ELEMENTS(places)] + (value >> 40 & 15); break;
    case 1: value = DATA + (value >> 8 & 0xFFF); break;
    case 2: value = CODE + (value >> 8) % CODE_BYTES; break;
    default: break;
    }
    return wide ? value : (uint32_t)value;
}

static struct segment flat(unsigned selector, unsigned attr)
{
    return (struct segment){ .selector = (uint16_t)selector, .attr = (uint16_t)attr, .limit = UINT32_MAX };
}

static void enter_protected(struct core *core, unsigned world)
{
    core->seg[SEG_CS] = flat(world == WORLD_LONG ? 0x18 : 0x08, world == WORLD_LONG ? 0xA9B : 0xC9B);
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        if (n != SEG_CS)
            core->seg[n] = flat(0x10, 0xC93);
    core->seg[SEG_TR] = (struct segment){ 0x20, 0x08B, 0x67, TSS };
    core->gdtr = (struct table_register){ GDT, 0xFF };
    core->idtr = (struct table_register){ IDT, 0xFFF };
    core->cr0 |= CR0_PE;
    core->rip = CODE;
    if (world == WORLD_PAGED) {
        core->cr3 = LEGACY_TABLE;
        core->cr4 = CR4_PSE;
        core->cr0 |= CR0_PG;
    } else if (world == WORLD_LONG) {
        core->cr3 = TABLES;
        core->cr4 = CR4_PAE;
        core->efer |= EFER_LME | EFER_LMA;
        core->cr0 |= CR0_PG;
    }
}

static void enter_real(struct core *core)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = (struct segment){ 0x1000, n == SEG_CS ? 0x09B : 0x093, 0xFFFF, 0x10000 };
    core->seg[SEG_SS] = (struct segment){ 0, 0x093, 0xFFFF, 0 };
    core->idtr = (struct table_register){ 0, 0x3FF };
    core->cr0 &= ~CR0_PE;
    core->rip = 0;
}

static void enter_world(struct core *core, unsigned world, uint64_t *seed)
{
    struct core_entry entry = { .rip = CODE, .protected_flat = true };

    core_enter(core, &entry);
    core->efer |= EFER_SVME;
    core->svm.vm_hsave_pa = HOST_SAVE;
    if (world == WORLD_REAL)
        enter_real(core);
    else
        enter_protected(core, world);
    for (unsigned r = 0; r < GPR_COUNT; r++)
        core->gpr[r] = random_address(seed, world == WORLD_LONG);
    core->gpr[RSP] = world == WORLD_REAL ? 0x7000 : STACK;
    if (world == WORLD_REAL) /* descriptor caches keep 64 KiB: most of these fault, as they should */
        core->gpr[RSI] &= 0xFFFF;
    core_mode_changed(core, true);
}

/* ---- The guest ------------------------------------------------------------------------------------------ */

/* The save area says what the core has now; control fields as a hypervisor would set them. */
static void write_vmcb(struct core *core, const struct random_world *world, uint64_t *seed)
{
    struct vmcb vmcb = vmcb_at(core, VMCB);
    uint64_t random = next_random(seed);
    bool nested = random & 1;

    for (unsigned i = 0; i < INTERCEPT_WORDS; i++)
        vmcb_write(&vmcb, VMCB_INTERCEPTS + 4 * i, 4, next_random(seed) & next_random(seed));
    vmcb_write(&vmcb, 0x010, 4, vmcb_read(&vmcb, 0x010, 4) | BIT(0)); /* VMRUN: VMRUN insists on it */
    vmcb_write(&vmcb, VMCB_IOPM_BASE_PA, 8, PERMISSIONS);
    vmcb_write(&vmcb, VMCB_MSRPM_BASE_PA, 8, PERMISSIONS + 0x4000);
    vmcb_write(&vmcb, VMCB_GUEST_ASID, 4, 1 + (random >> 8 & 3));
    vmcb_write(&vmcb, VMCB_NP_ENABLE, 8, nested);
    vmcb_write(&vmcb, VMCB_N_CR3, 8, TABLES);
    vmcb_write(&vmcb, VMCB_G_PAT, 8, core->pat);
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        vmcb_write_segment(&vmcb, VMCB_SEGMENT(n), &core->seg[n]);
    vmcb_write_segment(&vmcb, VMCB_TR, &core->seg[SEG_TR]);
    vmcb_write_table(&vmcb, VMCB_GDTR, &core->gdtr);
    vmcb_write_table(&vmcb, VMCB_IDTR, &core->idtr);
    vmcb_write(&vmcb, VMCB_EFER, 8, core->efer);
    vmcb_write(&vmcb, VMCB_CR4, 8, core->cr4);
    vmcb_write(&vmcb, VMCB_CR3, 8, core->cr3);
    vmcb_write(&vmcb, VMCB_CR0, 8, core->cr0);
    vmcb_write(&vmcb, VMCB_DR7, 8, 0x400);
    vmcb_write(&vmcb, VMCB_DR6, 8, 0xFFFF0FF0);
    vmcb_write(&vmcb, VMCB_RFLAGS, 8, 2);
    vmcb_write(&vmcb, VMCB_RIP, 8, core->rip);
    vmcb_write(&vmcb, VMCB_RSP, 8, core->gpr[RSP]);
    for (unsigned i = random >> 16 & 7; world->seed % 3 && i > 0; i--) { /* and then something odd */
        const struct vmcb_field *field = &vmcb_fields[next_random(seed) % vmcb_field_count];
        uint64_t value = vmcb_read(&vmcb, field->offset, field->size);

        value = random & 0x100000 ? value ^ BIT(next_random(seed) & 63) : random_address(seed, true);
        vmcb_write(&vmcb, field->offset, field->size, value);
    }
    vmcb_stored(&vmcb, 0, PAGE_BYTES);
}

/* VMRUN for ever; after each #VMEXIT the guest goes on one byte further, sometimes with an event. */
static void write_host(struct spa_space *space, uint64_t *seed)
{
    static const uint8_t loop[] = {
        0x48, 0xC7, 0xC0, 0x00, 0x00, 0x32, 0x00,                   /* mov rax,VMCB */
        0x0F, 0x01, 0xDA,                                           /* vmload rax */
        0x0F, 0x01, 0xD8,                                           /* vmrun rax */
        0x0F, 0x01, 0xDB,                                           /* vmsave rax */
        0x0F, 0x01, 0xDC,                                           /* stgi */
        0x48, 0xFF, 0x80, 0x78, 0x05, 0x00, 0x00,                   /* inc qword [rax+578h] */
        0x81, 0x70, 0x60, 0x00, 0x01, 0x00, 0x00,                   /* xor dword [rax+60h],100h: V_IRQ */
        0xC7, 0x80, 0xA8, 0x00, 0x00, 0x00, 0x0D, 0x00, 0x00, 0x00, /* mov dword [rax+A8h],EVENTINJ */
        0xEB, 0xD7,                                                 /* jmp the mov */
    };
    uint64_t random = next_random(seed);

    spa_write_block(space, HOST_CODE, loop, sizeof(loop));
    if (random & 3)
        spa_write(space, HOST_CODE + 32, 4, 0);
    if ((random & 3) == 1)
        spa_write(space, HOST_CODE + 38, 4, (random >> 8 & 0xFFF) | BIT(31));
    for (unsigned i = 0; i < 0x6000 && random & 0x10000; i += 8)
        spa_write(space, PERMISSIONS + i, 8, next_random(seed) & next_random(seed));
}

/* ---- One machine ------------------------------------------------------------------------------------------ */

static const uint8_t boot_image[] = { /* multiboot header with addresses: 12 bytes at 1 MiB and a HLT */
    0x02, 0xB0, 0xAD, 0x1B, 0x00, 0x00, 0x01, 0x00, 0xFE, 0x4F, 0x51, 0xE4, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10,
    0x00, 0x21, 0x00, 0x10, 0x00, 0x21, 0x00, 0x10, 0x00, 0x20, 0x00, 0x10, 0x00, 0xF4,
};

static void lay_out(struct machine *machine, const struct random_world *world)
{
    struct spa_space *space = platform_space(machine_platform(machine));
    struct core *core = machine_core(machine, 0);
    uint64_t seed = world->seed;

    write_tables(space, &seed);
    write_handlers(space, world->world == WORLD_LONG);
    write_code(space, world, &seed);
    enter_world(core, world->world, &seed);
    if (world->guest) {
        write_vmcb(core, world, &seed);
        write_host(space, &seed);
        enter_world(core, WORLD_LONG, &seed);
        core->rip = HOST_CODE;
        core->gpr[RSP] = STACK + 0x4000;
    }
}

struct machine *random_machine(const struct random_world *world, enum engine engine)
{
    const struct image image = { "random", boot_image, sizeof(boot_image), NULL };
    struct machine_config config;
    struct machine *machine;
    GError *error = NULL;

    machine_config_defaults(&config);
    config.memory = RANDOM_MEMORY;
    config.host_memory = RANDOM_MEMORY;
    config.engine = engine;
    config.debug_exit = true;
    config.cores = world->two_cores ? 2 : 1;
    machine = machine_new(&config, &error);
    if (!machine || !machine_boot_kernel(machine, &image, "", NULL, 0, &error)) {
        fprintf(stderr, "%s\n", error->message);
        abort();
    }
    lay_out(machine, world);
    return machine;
}

void random_machine_enter(struct machine *machine, const struct random_world *world)
{
    struct core *core = machine_core(machine, 0);

    core_reset(core, CORE_RESET_COLD);
    core_firmware(core, false);
    lay_out(machine, world);
    core_attention(core);
}

/* ---- What came of it -------------------------------------------------------------------------------------- */

static void print_counter(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    (void)row;
    g_string_append_printf(ctx, "%s = %" G_GUINT64_FORMAT "\n", name, value);
}

GString *random_machine_text(struct machine *machine)
{
    GString *out = g_string_new(NULL);
    g_autofree char *hash = machine_hash(machine);

    g_string_append_printf(out, "%" G_GUINT64_FORMAT " instructions\n%" G_GUINT64_FORMAT " ps\n",
                           machine_instructions(machine), machine_now_ps(machine));
    counters_each(machine_counters(machine), print_counter, out);
    if (getenv("FAM10H_FUZZ_DUMP"))
        machine_dump(machine, NULL, out);
    g_string_append_printf(out, "%s\n", hash);
    return out;
}
