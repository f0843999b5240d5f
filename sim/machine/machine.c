/* SPDX-License-Identifier: MIT */
/* The composition root: builds the parts and connects their ports. Virtual time is schedule.c. */
#include "sim/machine/access_check.h"
#include "sim/machine/machine_private.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)
#define MSR_PSTATE0 0xC0010064
#define NUMERIC_ERROR_IRQ 13

/* ---- Ports that platform asks of the machine ---------------------------------------------------- */

static void page_stored(void *ctx, spa_t address, unsigned size, uint8_t flags)
{
    struct machine *machine = ctx;

    if (flags & DRAM_PAGE_WATCHED)
        access_check_stored(machine->access_check, address, size);
    if (flags & DRAM_PAGE_CODE)
        block_cache_stored(machine->blocks, address, size);
    if ((flags & DRAM_PAGE_TOLD) && machine->store_hook)
        machine->store_hook(machine->store_hook_ctx, (unsigned)machine->turn, address, size);
    for (unsigned i = 0; (flags & DRAM_PAGE_ARMED) && i < machine->core_count; i++)
        core_line_stored(machine->core[i], address, size);
}

void machine_on_store(struct machine *machine, machine_store_hook *told, void *ctx)
{
    machine->store_hook = told;
    machine->store_hook_ctx = ctx;
}

void machine_tell_stores(struct machine *machine, spa_t page, bool on)
{
    struct spa_space *space = platform_space(machine->platform);

    space->dram(space->ctx, page, true); /* absent pages have no flags */
    (on ? space->flag_page : space->unflag_page)(space->ctx, page, DRAM_PAGE_TOLD);
}

static void drop_all_native(struct machine *machine)
{
    for (unsigned i = 0; i < machine->core_count; i++)
        mmu_drop_all_native(core_mmu(machine->core[i]));
}

static void page_drop_native(void *ctx, spa_t page)
{
    struct machine *machine = ctx;

    if (page == SPA_LIMIT)
        drop_all_native(machine);
    for (unsigned i = 0; page < SPA_LIMIT && i < machine->core_count; i++)
        mmu_drop_native(core_mmu(machine->core[i]), page);
}

void machine_track_stores(struct machine *machine, bool on)
{
    platform_track_stores(machine->platform, on);
    drop_all_native(machine);
}

static void debug_exit(void *ctx, uint32_t value)
{
    struct machine *machine = ctx;

    machine->exit_value = value;
    schedule_stop(machine, MACHINE_STOP_EXIT);
}

static void power_off(void *ctx)
{
    schedule_stop(ctx, MACHINE_STOP_POWER_OFF);
}

static void reset_requested(void *ctx)
{
    schedule_stop(ctx, MACHINE_STOP_RESET);
}

/* Port F0h: IRQ 13 falls, and the core that reported the error goes on. */
static void ignore_numeric_error(void *ctx)
{
    struct machine *machine = ctx;
    struct irq_line line = platform_irq_line(machine->platform);

    line.set(line.ctx, NUMERIC_ERROR_IRQ, false);
    for (unsigned i = 0; i < machine->core_count; i++)
        core_ignore_numeric_error(machine->core[i]);
}

/* From a northbridge to cores of its node. */
static void machine_check_signal(void *ctx, unsigned node, unsigned in_node, enum mca_signal signal, unsigned argument)
{
    static const uint8_t types[] = { [MCA_SIGNAL_MC] = WIRE_MACHINE_CHECK, [MCA_SIGNAL_LVT] = WIRE_LVT_EVENT,
                                     [MCA_SIGNAL_SMI] = APIC_SMI };
    struct machine *machine = ctx;
    struct apic_message message = { .assert_ = true, .vector = (uint8_t)argument, .source_core = 0xff };

    if (signal == MCA_SIGNAL_FLOOD) {
        machine->flooded = true;
        schedule_stop(machine, MACHINE_STOP_FLOOD);
        return;
    }
    message.type = types[signal];
    for (unsigned i = 0; i < machine->config.cores; i++)
        if (in_node == MCA_ALL_CORES || in_node == i)
            network_post(machine, node * machine->config.cores + i, &message);
}

static bool others_halted(void *ctx, unsigned core)
{
    const struct machine *machine = ctx;
    unsigned cores = machine->config.cores, first = core / cores * cores;

    for (unsigned i = first; i < first + cores; i++)
        if (i != core && !core_halted(machine->core[i]))
            return false;
    return true;
}

/* A deadline before the running core's limit: it must not run past it. */
static void deadline_shortened(void *ctx, uint64_t due_ps)
{
    struct machine *machine = ctx;

    if (machine->running)
        core_limit(machine->running, ps_to_cycles(due_ps, machine->model->mhz));
}

static void time_observed(void *ctx)
{
    schedule_observed(ctx);
}

/* ---- Configuration ------------------------------------------------------------------------------ */

void machine_config_defaults(struct machine_config *config)
{
    *config = (struct machine_config){
        .model = "10h-b3", .nodes = 1, .cores = 1, .memory = 512 * MIB, .host_memory = 4 * GIB,
        .engine = ENGINE_FAST, .svm_lock = true,
    };
}

static bool wrong(GError **error, char *message)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, message);
    g_free(message);
    return false;
}

static bool geometry_check(const struct machine_config *config, GError **error)
{
    const char *right, *array = config->has_geometry ? mmu_geometry_error(&config->geometry, &right) : NULL;

    return !array || wrong(error, g_strdup_printf("%s cannot be built; %s is right", array, right));
}

static bool config_check(const struct machine_config *config, GError **error)
{
    const struct cpu_model *model = cpu_model_find(config->model);

    if (!model) {
        g_autofree char *names = g_strjoinv(", ", (char **)(uintptr_t)cpu_model_names());
        return wrong(error, g_strdup_printf("model \"%s\" is not known; one of %s is right", config->model, names));
    }
    if (config->nodes < 1 || config->nodes > MAX_NODES)
        return wrong(error, g_strdup_printf("nodes is %u; 1 to %d is right", config->nodes, MAX_NODES));
    if (config->cores < 1 || config->cores > model->max_cores)
        return wrong(error, g_strdup_printf("cores is %u; 1 to %u in each node is right for model %s", config->cores,
                                            model->max_cores, model->name));
    return geometry_check(config, error);
}

/* ---- Building ----------------------------------------------------------------------------------- */

static struct core *build_core(struct machine *machine, unsigned index)
{
    const struct machine_config *config = &machine->config;
    /* Node-major ids in the smallest power of two that holds the node's cores (BKDG10 2.9.2). */
    unsigned id_bits = config->cores > 4 ? 3 : 2, node = index / config->cores, in_node = index % config->cores;
    struct core_wiring wiring = {
        .index = index, .node = node, .in_node = in_node,
        .apic_id = (uint8_t)(node << id_bits | in_node),
        .cores_in_node = config->cores, .nodes = config->nodes,
        .model = machine->model,
        .geometry = config->has_geometry ? &config->geometry : NULL,
        .space = platform_space(machine->platform),
        .pio = platform_ports(machine->platform),
        .clock = &machine->clock,
        .unmodelled = machine->unmodelled,
        .messages = network_port(machine),
        .acknowledge = platform_acknowledge(machine->platform),
        .numeric_error = platform_irq_line(machine->platform),
        .halts = { machine, others_halted },
        .secure_launch = secure_launch_port(machine),
        .blocks = machine->blocks,
        .exits = machine->exits,
        .mca_node = platform_mca_node(machine->platform, node),
    };
    struct core *core = core_new(&wiring);
    g_autofree char *path = g_strdup_printf("node[%u].core[%u]", node, in_node);

    core_attach_msrs(core, platform_node_msrs(machine->platform, node));
    core_set_reference(core, config->engine == ENGINE_REFERENCE);
    core_describe(core, machine->state, machine->counters, path);
    return core;
}

static struct platform *build_platform(const struct machine_config *config, GError **error)
{
    const struct cpu_model *model = cpu_model_find(config->model);
    struct platform_config platform = {
        .nodes = config->nodes, .cores_per_node = config->cores, .memory = config->memory,
        .host_memory = config->host_memory, .cpu_signature = model->signature, .mhz = model->mhz,
        .sync_flood = config->sync_flood, .debug_exit = config->debug_exit, .link = config->link,
        .uart = config->uart, .debug_console = config->debug_console,
    };

    return platform_new(&platform, error);
}

static void connect_platform(struct machine *machine)
{
    const struct platform_wiring wiring = {
        .clock = &machine->clock, .unmodelled = machine->unmodelled, .messages = network_port(machine),
        .bsp_pins = &machine->bsp_pins, .ctx = machine, .stored = page_stored,
        .drop_native = page_drop_native, .debug_exit = debug_exit, .power_off = power_off,
        .reset = reset_requested, .ignore_numeric_error = ignore_numeric_error,
        .machine_check = { machine, machine_check_signal, check_log_event },
    };

    platform_connect(machine->platform, &wiring);
    platform_describe(machine->platform, machine->state, machine->counters);
}

static void build_cores(struct machine *machine)
{
    machine->core_count = machine->config.nodes * machine->config.cores;
    machine->blocks = block_cache_new(platform_space(machine->platform));
    machine->exits = exit_table_new();
    for (unsigned i = 0; i < machine->core_count; i++)
        machine->core[i] = build_core(machine, i);
    machine->bsp_pins = core_pins(machine->core[0]);
}

struct machine *machine_new(const struct machine_config *config, GError **error)
{
    struct platform *platform = config_check(config, error) ? build_platform(config, error) : NULL;
    struct machine *machine;

    if (!platform)
        return NULL;
    machine = g_new0(struct machine, 1);
    machine->config = *config;
    machine->model = cpu_model_find(config->model);
    machine->platform = platform;
    machine->unmodelled = unmodelled_new();
    machine->counters = counter_set_new();
    machine->state = state_new();
    clock_init(&machine->clock);
    machine->clock.shortened = deadline_shortened;
    machine->clock.observed = time_observed;
    machine->clock.ctx = machine;
    network_init(machine);
    machine->checks = g_array_new(FALSE, TRUE, sizeof(struct machine_check_record));
    connect_platform(machine);
    build_cores(machine);
    clock_describe(&machine->clock, machine->state, "clock");
    network_describe(machine);
    check_log_describe(machine);
    exit_table_describe(machine->exits, machine->state, "exits");
    schedule_describe(machine);
    counters_describe(machine->counters, machine->state);
    unmodelled_describe(machine->unmodelled, machine->state);
    schedule_reset(machine);
    return machine;
}

void machine_free(struct machine *machine)
{
    if (!machine)
        return;
    for (unsigned i = 0; i < machine->core_count; i++)
        core_free(machine->core[i]);
    block_cache_free(machine->blocks);
    exit_table_free(machine->exits);
    access_check_free(machine->access_check);
    platform_free(machine->platform);
    network_free(machine);
    g_array_unref(machine->checks);
    state_free(machine->state);
    counter_set_free(machine->counters);
    unmodelled_free(machine->unmodelled);
    g_free(machine);
}

/* ---- Starting an image -------------------------------------------------------------------------- */

static void reset_all(struct machine *machine)
{
    bool warm = machine->warm;

    machine->warm = false;
    platform_reset(machine->platform, warm);
    for (unsigned i = 0; i < machine->core_count; i++)
        core_reset(machine->core[i], warm ? CORE_RESET_WARM : CORE_RESET_COLD);
    if (machine->access_check && !warm)
        access_check_reset(machine->access_check);
    exit_table_clear(machine->exits);
    if (!warm)
        g_array_set_size(machine->checks, 0);
    schedule_reset(machine);
}

void machine_boot_warm(struct machine *machine)
{
    machine->warm = true;
}

static void start_cores(struct machine *machine, const struct load_result *load)
{
    const struct core_entry entry = { .rip = load->entry, .rax = load->eax, .rbx = load->ebx, .rsi = load->esi,
                                      .protected_flat = load->protected_flat };

    core_enter(machine->core[0], &entry);
    for (unsigned i = 1; i < machine->core_count; i++)
        core_wait_for_sipi(machine->core[i]);
}

#define CODE_PIECES 8 /* of one kernel; more are left out */

static void note_executed(struct machine *machine, const struct image *kernel)
{
    struct image_code code[CODE_PIECES];
    struct executed_image *image;
    unsigned count;

    if (!machine->config.executed)
        return;
    image = executed_image(machine->config.executed, kernel->name, kernel->data, kernel->size);
    count = image_code(kernel, code, CODE_PIECES);
    for (unsigned i = 0; i < count; i++)
        executed_add_code(image, code[i].address, code[i].virtual_address, code[i].bytes);
    block_cache_note_executed(machine->blocks, image);
}

bool machine_boot_kernel(struct machine *machine, const struct image *kernel, const char *command_line,
                         const struct image *modules, size_t module_count, GError **error)
{
    struct load_result load;
    uint8_t apic_ids[MAX_CORES];
    struct firmware_cores cores = { .apic_ids = apic_ids, .count = machine->core_count };
    uint64_t id;

    reset_all(machine);
    for (unsigned i = 0; i < machine->core_count; i++)
        apic_ids[i] = core_register(machine->core[i], "apic_id", &id) ? (uint8_t)id : (uint8_t)i;
    for (uint32_t n = 0; n < PLATFORM_PSTATES; n++)
        core_msr(machine->core[0], MSR_PSTATE0 + n, &cores.pstate[n]);
    platform_write_tables(machine->platform, &cores);
    if (!load_kernel(machine->platform, kernel, command_line, modules, module_count, &load, error))
        return false;
    note_executed(machine, kernel);
    if (machine->access_check)
        access_check_start(machine->access_check, kernel);
    firmware_hand_over(machine);
    start_cores(machine, &load);
    return true;
}

bool machine_boot_firmware(struct machine *machine, const struct image *image, GError **error)
{
    struct load_result load;

    reset_all(machine);
    if (!load_firmware(machine->platform, image, &load, error))
        return false;
    for (unsigned i = 1; i < machine->core_count; i++)
        core_wait_for_sipi(machine->core[i]);
    return true;
}

/* ---- Looking ------------------------------------------------------------------------------------ */

const char *machine_stop_name(enum machine_stop stop)
{
    static const char *const names[] = {
        [MACHINE_STOP_TIME] = "time limit reached",
        [MACHINE_STOP_INSNS] = "instruction limit reached",
        [MACHINE_STOP_HOOK] = "stopped by a watch",
        [MACHINE_STOP_EXIT] = "debug exit",
        [MACHINE_STOP_POWER_OFF] = "powered off",
        [MACHINE_STOP_RESET] = "reset",
        [MACHINE_STOP_FLOOD] = "sync flood",
        [MACHINE_STOP_SHUTDOWN] = "shutdown (triple fault)",
        [MACHINE_STOP_HALTED] = "all cores halted, nothing pending",
        [MACHINE_STOP_MEMORY] = "limit on native memory reached",
        [MACHINE_STOP_INTERRUPTED] = "interrupted",
    };

    return names[stop];
}

enum mca_fate machine_error(struct machine *machine, unsigned core, const struct mca_error *error)
{
    unsigned cores = machine->config.cores;

    if (error->bank == MCA_NB)
        return mca_node_error(platform_mca_node(machine->platform, core / cores), error, core % cores);
    return core_error(machine->core[core], error);
}

uint32_t machine_exit_value(const struct machine *machine)
{
    return machine->exit_value;
}

unsigned machine_core_count(const struct machine *machine)
{
    return machine->core_count;
}

struct core *machine_core(struct machine *machine, unsigned index)
{
    return index < machine->core_count ? machine->core[index] : NULL;
}

struct platform *machine_platform(struct machine *machine)
{
    return machine->platform;
}

struct counter_set *machine_counters(struct machine *machine)
{
    return machine->counters;
}

struct unmodelled *machine_unmodelled(struct machine *machine)
{
    return machine->unmodelled;
}

const struct machine_config *machine_configuration(const struct machine *machine)
{
    return &machine->config;
}

struct clock *machine_clock(struct machine *machine)
{
    return &machine->clock;
}

/* ---- State -------------------------------------------------------------------------------------- */

static char *geometry_label(const struct mmu_geometry *g)
{
    const struct tlb_shape *const shapes[] = { &g->l1d, &g->l1i_4k, &g->l1i_2m, &g->l2d_4k, &g->l2d_2m,
                                               &g->l2d_1g, &g->l2i_4k, &g->pwc, &g->ntlb };
    GString *label = g_string_new(g->smash_1g ? "smash_1g" : "");

    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++)
        g_string_append_printf(label, " %ux%u", shapes[i]->entries, shapes[i]->ways);
    g_string_append_printf(label, " costs %u %u %u %u %u %u", g->cost_l2_hit, g->cost_ref, g->cost_ref_remote,
                           g->cost_pwc_hit, g->cost_ntlb_hit, g->cost_ad_write);
    return g_string_free(label, FALSE);
}

/* What a snapshot must agree on; the engine is left out because it changes nothing. */
static char *configuration_label(const struct machine *machine)
{
    const struct machine_config *c = &machine->config;
    g_autofree char *geometry = c->has_geometry ? geometry_label(&c->geometry) : NULL;

    return g_strdup_printf("%s, %u nodes x %u cores, %" G_GUINT64_FORMAT " bytes, geometry %s%s", c->model, c->nodes,
                           c->cores, c->memory, geometry ? geometry : "of the model", c->link ? ", link" : "");
}

void machine_check_kernel(struct machine *machine, const struct machine_check_rules *rules)
{
    access_check_free(machine->access_check);
    machine->access_check = access_check_new(machine, rules);
}

const struct machine_finding *machine_findings(const struct machine *machine, size_t *count)
{
    *count = 0;
    return machine->access_check ? access_check_findings(machine->access_check, count) : NULL;
}

char *machine_hash(struct machine *machine)
{
    return state_hash(machine->state);
}

bool machine_save(struct machine *machine, const char *file, GError **error)
{
    g_autofree char *label = configuration_label(machine);

    return state_save(machine->state, file, label, error);
}

bool machine_restore(struct machine *machine, const char *file, GError **error)
{
    g_autofree char *label = configuration_label(machine);

    if (machine->access_check)
        access_check_end(machine->access_check);
    return state_restore(machine->state, file, label, error) && schedule_sound(machine, file, error);
}

void machine_dump(struct machine *machine, const char *prefix, GString *out)
{
    state_dump(machine->state, prefix, out);
}
