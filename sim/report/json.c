/* SPDX-License-Identifier: MIT */
/*
 * The JSON document (doc/report-schema.md): integers, booleans and strings only; addresses and hashes are
 * strings; keys in a fixed order; neither engine, version nor time of day.
 */
#include <inttypes.h>
#include <json-glib/json-glib.h>

#include "sim/report/report.h"

static void json_member_int(JsonBuilder *json, const char *name, uint64_t value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, (gint64)MIN(value, (uint64_t)G_MAXINT64));
}

static void json_member_string(JsonBuilder *json, const char *name, const char *value)
{
    g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

    json_builder_set_member_name(json, name);
    if (valid)
        json_builder_add_string_value(json, valid);
    else
        json_builder_add_null_value(json);
}

static void json_member_hex(JsonBuilder *json, const char *name, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("0x%" PRIx64, value);

    json_member_string(json, name, text);
}

static void json_member_bool(JsonBuilder *json, const char *name, bool value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_boolean_value(json, value);
}

static void json_member_object(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_object(json);
}

static void json_member_array(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_array(json);
}

/* ---- Sections -------------------------------------------------------------------------------- */

static void json_shape(JsonBuilder *json, const char *name, const struct tlb_shape *shape)
{
    json_member_object(json, name);
    json_member_int(json, "entries", shape->entries);
    json_member_int(json, "ways", shape->ways);
    json_builder_end_object(json);
}

static void json_geometry(JsonBuilder *json, const struct mmu_geometry *geometry)
{
    json_member_object(json, "mmu");
    json_shape(json, "l1d", &geometry->l1d);
    json_shape(json, "l1i_4k", &geometry->l1i_4k);
    json_shape(json, "l1i_2m", &geometry->l1i_2m);
    json_shape(json, "l2d_4k", &geometry->l2d_4k);
    json_shape(json, "l2d_2m", &geometry->l2d_2m);
    json_shape(json, "l2d_1g", &geometry->l2d_1g);
    json_shape(json, "l2i_4k", &geometry->l2i_4k);
    json_shape(json, "pwc", &geometry->pwc);
    json_shape(json, "ntlb", &geometry->ntlb);
    json_member_bool(json, "smash_1g", geometry->smash_1g);
    json_member_int(json, "cost_l2_hit", geometry->cost_l2_hit);
    json_member_int(json, "cost_ref", geometry->cost_ref);
    json_member_int(json, "cost_ref_remote", geometry->cost_ref_remote);
    json_member_int(json, "cost_pwc_hit", geometry->cost_pwc_hit);
    json_member_int(json, "cost_ntlb_hit", geometry->cost_ntlb_hit);
    json_member_int(json, "cost_ad_write", geometry->cost_ad_write);
    json_builder_end_object(json);
}

static void json_machine(JsonBuilder *json, const struct report *report)
{
    json_member_object(json, "machine");
    json_member_string(json, "model", report->model);
    json_member_int(json, "nodes", report->nodes);
    json_member_int(json, "cores", report->cores);
    json_member_int(json, "memory", report->memory);
    json_member_int(json, "mhz", report->mhz);
    json_geometry(json, &report->geometry);
    json_builder_end_object(json);
}

static void json_images(JsonBuilder *json, const struct report *report)
{
    json_member_array(json, "images");
    for (guint i = 0; i < report->images->len; i++) {
        const struct report_image *image = &g_array_index(report->images, struct report_image, i);

        json_builder_begin_object(json);
        json_member_string(json, "role", image->role);
        json_member_string(json, "file", image->name);
        json_member_int(json, "bytes", image->bytes);
        json_member_string(json, "sha256", image->sha256);
        json_member_bool(json, "external", image->external);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void json_expectations(JsonBuilder *json, const GArray *expectations)
{
    json_member_array(json, "expectations");
    for (guint i = 0; i < expectations->len; i++) {
        const struct report_expectation *row = &g_array_index(expectations, struct report_expectation, i);

        json_builder_begin_object(json);
        json_member_string(json, "name", row->name);
        json_member_bool(json, "passed", row->passed);
        if (row->value && row->number) {
            json_builder_set_member_name(json, "value");
            json_builder_add_int_value(json, g_ascii_strtoll(row->value, NULL, 10));
        } else if (row->value) {
            json_member_string(json, "value", row->value);
        }
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

/* set: NULL in the reports that a script asked for by name. */
static void json_outcome(JsonBuilder *json, const struct report *report, const struct report_set *set)
{
    json_member_object(json, "outcome");
    if (report) {
        json_member_string(json, "stop", report->stop);
        if (report->has_exit_value)
            json_member_int(json, "exit_value", report->exit_value);
        json_member_int(json, "time_ps", report->now_ps);
        json_member_int(json, "instructions", report->instructions);
        json_member_bool(json, "reproducible", report->reproducible);
    }
    if (set) {
        json_member_int(json, "unmodelled_uses", set->unmodelled);
        json_expectations(json, set->expectations);
    }
    json_builder_end_object(json);
}

static void json_counters(JsonBuilder *json, const struct report *report)
{
    json_member_object(json, "counters");
    for (guint i = 0; i < report->counters->len; i++) {
        const struct report_counter *counter = &g_array_index(report->counters, struct report_counter, i);

        json_member_int(json, counter->name, counter->value);
    }
    json_builder_end_object(json);
}

static void json_walk_side(JsonBuilder *json, const char *name, const struct report_walks *walks)
{
    json_member_object(json, name);
    json_member_int(json, "walks", walks->totals.walks);
    json_member_object(json, "references");
    for (unsigned g = 0; g < 5; g++) {
        for (unsigned n = 0; n < 5; n++) {
            g_autofree char *cell = g_strdup_printf("g=%u,n=%u", g, n);

            if (walks->totals.refs[g][n])
                json_member_int(json, cell, walks->totals.refs[g][n]);
        }
    }
    json_builder_end_object(json);
    json_member_int(json, "references_total", report_walk_references(&walks->totals));
    json_member_int(json, "ad_writes", walks->totals.ad_writes);
    json_member_int(json, "cycles", walks->totals.cycles);
    json_member_object(json, "pairs");
    for (guint i = 0; i < walks->pairs->len; i++) {
        const struct report_pair *pair = &g_array_index(walks->pairs, struct report_pair, i);

        json_member_int(json, pair->name, pair->walks);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static void json_tlb(JsonBuilder *json, const struct report *report)
{
    json_member_object(json, "tlb");
    for (guint i = 0; i < report->tlb->len; i++) {
        const struct report_tlb *row = &g_array_index(report->tlb, struct report_tlb, i);

        json_member_object(json, row->name);
        for (unsigned column = 0; column < TLB_COLUMNS; column++) {
            if (row->has >> column & 1)
                json_member_int(json, report_tlb_columns[column], row->value[column]);
        }
        json_builder_end_object(json);
    }
    json_builder_end_object(json);
}

static void json_exit_table(JsonBuilder *json, const char *name, const GArray *rows)
{
    json_member_array(json, name);
    for (guint i = 0; i < rows->len; i++) {
        const struct report_exit *row = &g_array_index(rows, struct report_exit, i);

        json_builder_begin_object(json);
        json_member_string(json, "name", row->name);
        json_member_hex(json, "code", row->sum.code);
        if (row->sum.n_cr3)
            json_member_hex(json, "n_cr3", row->sum.n_cr3);
        if (row->sum.vmcb)
            json_member_hex(json, "vmcb", row->sum.vmcb);
        if (row->sum.rip)
            json_member_hex(json, "rip", row->sum.rip);
        if (row->symbol)
            json_member_string(json, "symbol", row->symbol);
        json_member_int(json, "count", row->sum.count);
        json_member_int(json, "cycles", row->sum.cycles);
        json_member_int(json, "cycles_min", row->sum.cycles_min);
        json_member_int(json, "cycles_max", row->sum.cycles_max);
        json_member_int(json, "halted_cycles", row->sum.halted_cycles);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void json_exits(JsonBuilder *json, const struct report *report)
{
    static const char *const name[EXIT_TABLES] = { "by_code", "by_guest", "by_vcpu", "by_rip" };

    json_member_object(json, "exits");
    for (unsigned table = 0; table < EXIT_TABLES; table++)
        json_exit_table(json, name[table], report->exits[table]);
    json_builder_end_object(json);
}

/* Left out while there is none. */
static void json_checks(JsonBuilder *json, const struct report *report)
{
    if (!report->checks->len)
        return;
    json_builder_set_member_name(json, "machine_checks");
    json_builder_begin_array(json);
    for (guint i = 0; i < report->checks->len; i++)
        json_builder_add_string_value(json, g_ptr_array_index(report->checks, i));
    json_builder_end_array(json);
}

static void json_unmodelled(JsonBuilder *json, const struct report *report)
{
    json_member_object(json, "unmodelled");
    for (guint i = 0; i < report->unmodelled->len; i++) {
        const struct report_unmodelled *row = &g_array_index(report->unmodelled, struct report_unmodelled, i);

        json_member_int(json, row->name, row->count);
    }
    json_builder_end_object(json);
}

/* The members of one machine's report, `outcome` included. */
static void json_report(JsonBuilder *json, const struct report *report, const struct report_set *set)
{
    if (report) {
        json_machine(json, report);
        json_images(json, report);
    }
    json_outcome(json, report, set);
    if (!report)
        return;
    json_counters(json, report);
    json_member_object(json, "walks");
    for (unsigned walker = 0; walker < WALKERS; walker++) {
        json_member_object(json, walker == WALKS_HOST ? "host" : "guest");
        json_walk_side(json, "data", &report->walks[walker][0]);
        json_walk_side(json, "instruction", &report->walks[walker][1]);
        json_builder_end_object(json);
    }
    json_builder_end_object(json);
    json_tlb(json, report);
    json_exits(json, report);
    json_checks(json, report);
    json_unmodelled(json, report);
    json_member_string(json, "hash", report->hash);
}

char *report_write_json(const struct report_set *set)
{
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(json);
    json_member_string(json, "schema", REPORT_SCHEMA);
    json_member_string(json, "scenario", set->scenario);
    json_report(json, set->final, set);
    if (set->named->len) {
        json_member_object(json, "reports");
        for (guint i = 0; i < set->named->len; i++) {
            json_member_object(json, g_ptr_array_index(set->names, i));
            json_report(json, g_ptr_array_index(set->named, i), NULL);
            json_builder_end_object(json);
        }
        json_builder_end_object(json);
    }
    json_builder_end_object(json);
    root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_indent(generator, 2);
    text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}
