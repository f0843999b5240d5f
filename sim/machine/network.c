/* SPDX-License-Identifier: MIT */
/*
 * The interrupt network. A message sent at time t takes effect at the target's first instruction boundary
 * at or past t, whatever the order in which the simulator runs the cores (DESIGN section 4).
 */
#include "sim/machine/machine_private.h"

void network_post(struct machine *machine, unsigned target, const struct apic_message *message)
{
    struct inbox_entry entry = { machine->clock.now_ps, ++machine->sequence, *message };
    GArray *entries = machine->inbox[target].entries;
    guint at = entries->len;

    if (message->source_core == target || schedule_core_ps(machine, target) >= entry.ps) {
        core_apic_deliver(machine->core[target], message);
        return;
    }
    while (at > 0 && g_array_index(entries, struct inbox_entry, at - 1).ps > entry.ps)
        at--;
    g_array_insert_val(entries, at, entry);
}

static bool send(void *ctx, const struct apic_message *message)
{
    struct machine *machine = ctx;
    uint64_t targets = core_apic_targets(machine->core, machine->core_count, message);

    for (unsigned i = 0; i < machine->core_count; i++) {
        if (targets >> i & 1)
            network_post(machine, i, message);
    }
    return targets != 0;
}

struct msi_port network_port(struct machine *machine)
{
    return (struct msi_port){ machine, send };
}

void network_init(struct machine *machine)
{
    for (unsigned i = 0; i < MAX_CORES; i++)
        machine->inbox[i].entries = g_array_new(FALSE, TRUE, sizeof(struct inbox_entry));
}

void network_free(struct machine *machine)
{
    for (unsigned i = 0; i < MAX_CORES; i++)
        g_array_unref(machine->inbox[i].entries);
}

uint64_t network_next(const struct machine *machine, unsigned core)
{
    const GArray *entries = machine->inbox[core].entries;

    return entries->len ? g_array_index(entries, struct inbox_entry, 0).ps : NEVER;
}

void network_deliver(struct machine *machine, unsigned core, uint64_t ps)
{
    GArray *entries = machine->inbox[core].entries;

    while (entries->len && g_array_index(entries, struct inbox_entry, 0).ps <= ps) {
        struct apic_message message = g_array_index(entries, struct inbox_entry, 0).message;

        g_array_remove_index(entries, 0);
        core_apic_deliver(machine->core[core], &message);
    }
}

/* ---- Snapshot --------------------------------------------------------------------------------- */

static void inbox_save(void *object, struct state_writer *writer)
{
    const struct inbox *inbox = object;

    state_write_u64(writer, inbox->entries->len);
    for (guint i = 0; i < inbox->entries->len; i++) {
        const struct inbox_entry *entry = &g_array_index(inbox->entries, struct inbox_entry, i);
        const struct apic_message *m = &entry->message;
        const uint8_t bytes[8] = { m->type,  m->vector,  m->destination, m->logical,
                                   m->level, m->assert_, m->shorthand,   m->source_core };

        state_write_u64(writer, entry->ps);
        state_write_u64(writer, entry->sequence);
        state_write(writer, bytes, sizeof(bytes));
        state_write_u64(writer, m->data);
    }
}

static bool inbox_load_entry(struct inbox *inbox, struct state_reader *reader, GError **error)
{
    struct inbox_entry entry = { 0 };
    uint64_t data;
    uint8_t b[8];

    if (!state_read_u64(reader, &entry.ps, error) || !state_read_u64(reader, &entry.sequence, error) ||
        !state_read(reader, b, sizeof(b), error) || !state_read_u64(reader, &data, error))
        return false;
    entry.message = (struct apic_message){ b[0], b[1], b[2], b[3] != 0, b[4] != 0, b[5] != 0, b[6], b[7],
                                           (uint32_t)data };
    g_array_append_val(inbox->entries, entry);
    return true;
}

static bool inbox_load(void *object, struct state_reader *reader, GError **error)
{
    struct inbox *inbox = object;
    uint64_t count;

    g_array_set_size(inbox->entries, 0);
    if (!state_read_u64(reader, &count, error))
        return false;
    while (count--)
        if (!inbox_load_entry(inbox, reader, error))
            return false;
    return true;
}

void network_describe(struct machine *machine)
{
    static const struct state_part part = { "inbox", NULL, 0, NULL, NULL, inbox_save, inbox_load };

    for (unsigned i = 0; i < machine->core_count; i++) {
        g_autofree char *path = g_strdup_printf("inbox[%u]", i);
        state_add(machine->state, path, &part, &machine->inbox[i]);
    }
}
