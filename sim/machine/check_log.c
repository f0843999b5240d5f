/* SPDX-License-Identifier: MIT */
/* Errors that units met, kept for reports. Part of a snapshot: a run that was resumed reports the same. */
#include "sim/machine/machine_private.h"

void check_log_event(void *ctx, const struct mca_event *event)
{
    struct machine *machine = ctx;
    struct machine_check_record record = { machine->clock.now_ps, *event };

    if (machine->running)
        record.ps = schedule_core_ps(machine, (unsigned)machine->turn);
    if (machine->checks->len < MACHINE_CHECKS_KEPT)
        g_array_append_val(machine->checks, record);
}

const struct machine_check_record *machine_checks(const struct machine *machine, size_t *count)
{
    *count = machine->checks->len;
    return (const struct machine_check_record *)(void *)machine->checks->data; /* NULL while there is none */
}

/* ---- Snapshot --------------------------------------------------------------------------------------- */

static void log_save(void *object, struct state_writer *writer)
{
    const struct machine *machine = object;

    state_write_u64(writer, machine->checks->len);
    for (guint i = 0; i < machine->checks->len; i++) {
        const struct machine_check_record *record = &g_array_index(machine->checks, struct machine_check_record, i);
        const struct mca_event *event = &record->event;

        state_write_u64(writer, record->ps);
        state_write_u64(writer, event->node | (uint64_t)event->in_node << 32);
        state_write_u64(writer, (uint64_t)event->error.bank << 8 | (uint64_t)event->fate);
        state_write_u64(writer, event->error.status);
        state_write_u64(writer, event->error.addr);
    }
}

static bool log_load_record(struct machine *machine, struct state_reader *reader, GError **error)
{
    struct machine_check_record record = { 0 };
    uint64_t value[5];

    for (unsigned i = 0; i < 5; i++)
        if (!state_read_u64(reader, &value[i], error))
            return false;
    if (bits(value[2], 63, 8) >= MCA_BANKS || (value[2] & 0xFF) >= MCA_FATES) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "snapshot: a machine check of bank %u is damaged",
                    (unsigned)bits(value[2], 39, 8));
        return false;
    }
    record.ps = value[0];
    record.event.node = (unsigned)value[1];
    record.event.in_node = (unsigned)(value[1] >> 32);
    record.event.error.bank = (uint8_t)(value[2] >> 8);
    record.event.fate = (enum mca_fate)(value[2] & 0xFF);
    record.event.error.status = value[3];
    record.event.error.addr = value[4];
    if (machine->checks->len < MACHINE_CHECKS_KEPT)
        g_array_append_val(machine->checks, record);
    return true;
}

static bool log_load(void *object, struct state_reader *reader, GError **error)
{
    struct machine *machine = object;
    uint64_t count;

    g_array_set_size(machine->checks, 0);
    if (!state_read_u64(reader, &count, error))
        return false;
    while (count--)
        if (!log_load_record(machine, reader, error))
            return false;
    return true;
}

void check_log_describe(struct machine *machine)
{
    static const struct state_part part = { .name = "machine_checks", .save = log_save, .load = log_load };

    state_add(machine->state, "machine_checks", &part, machine);
}
