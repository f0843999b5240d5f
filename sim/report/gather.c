/* SPDX-License-Identifier: MIT */
/* From a machine to the record of it. */
#include "sim/report/report.h"
#include "sim/report/sections.h"

static void gather_counter(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    struct report *report = ctx;
    struct report_counter counter = { .name = g_strdup(name), .unit = row->unit, .value = value };

    g_array_append_val(report->counters, counter);
}

static void gather_unmodelled(void *ctx, const char *name, uint64_t count)
{
    struct report *report = ctx;
    struct report_unmodelled row = { .name = g_strdup(name), .count = count };

    g_array_append_val(report->unmodelled, row);
}

static void gather_checks(struct report *report, struct machine *machine)
{
    size_t count;
    const struct machine_check_record *record = machine_checks(machine, &count);

    for (size_t i = 0; i < count; i++) {
        const struct mca_event *event = &record[i].event;
        GString *line = g_string_new(NULL);

        g_string_append_printf(line, "%" G_GUINT64_FORMAT " ps, node %u", (guint64)record[i].ps, event->node);
        if (event->in_node != MCA_ALL_CORES)
            g_string_append_printf(line, " core %u", event->in_node);
        g_string_append_printf(line, ", %s: ", mca_fate_names[event->fate]);
        mca_decode(line, event->error.bank, event->error.status, event->error.addr);
        g_ptr_array_add(report->checks, g_string_free(line, FALSE));
    }
}

static void gather_exit(void *ctx, const struct exit_row *row)
{
    g_array_append_vals(ctx, row, 1);
}

static void gather_configuration(struct report *report, const struct machine_config *config)
{
    const struct cpu_model *model = cpu_model_find(config->model);

    report->model = g_strdup(config->model);
    report->nodes = config->nodes;
    report->cores = config->cores;
    report->memory = config->memory;
    if (model) {
        report->mhz = model->mhz;
        report->evidence = g_strdup(model->evidence);
        report->geometry = model->mmu;
    }
    if (config->has_geometry)
        report->geometry = config->geometry;
}

void report_gather(struct report *report, struct machine *machine, report_symbol *symbol, void *ctx)
{
    g_autoptr(GArray) exits = g_array_new(FALSE, FALSE, sizeof(struct exit_row));

    gather_configuration(report, machine_configuration(machine));
    report->now_ps = machine_now_ps(machine);
    report->instructions = machine_instructions(machine);
    report->hash = machine_hash(machine);
    counters_each(machine_counters(machine), gather_counter, report);
    report_gather_walks(report, machine_counters(machine));
    report_gather_tlb(report, machine_counters(machine));
    unmodelled_each(machine_unmodelled(machine), gather_unmodelled, report);
    gather_checks(report, machine);
    core_exits_each(machine_core(machine, 0), gather_exit, exits); /* one table for all of the machine's cores */
    report_add_exits(report, (const struct exit_row *)(const void *)exits->data, exits->len, symbol, ctx);
}
