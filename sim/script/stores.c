/* SPDX-License-Identifier: MIT */
/*
 * stores{begin=}: which frames of RAM anybody has stored to; at{stored=}: when. As the model itself sees every store.
 */
#include <inttypes.h>

#include "sim/script/session.h"

#define STORED_SIZE_MAX (UINT64_C(1) << 20)

unsigned stores_watch(lua_State *L, struct script_machine *m, int index, const char *call, const struct watch *watch)
{
    uint64_t address = arg_integer(L, index, "stored", 0), size = arg_integer(L, index, "size", 1);
    struct watch one = *watch;
    struct spa_space *space;

    if (!m->booted)
        script_raise(L, "%s: stored= without a booted machine; boot{} first", call);
    if (size == 0 || size > STORED_SIZE_MAX)
        script_raise(L, "%s: size is %" PRId64 "; 1 to %" PRId64 " bytes are right", call, (int64_t)size,
                     (int64_t)STORED_SIZE_MAX);
    space = platform_space(machine_platform(m->machine));
    if (address > SPA_LIMIT - size || !space->is_dram(space->ctx, address) ||
        !space->is_dram(space->ctx, address + size - 1))
        script_raise(L, "%s: there is no RAM at %#" PRIx64 "; a system-physical address of RAM is right", call,
                     address);
    one.size = size;
    return watch_append(m, &one, WATCH_STORED, address);
}

static void on_stored(void *ctx, unsigned core, spa_t address, unsigned size)
{
    struct script_machine *m = ctx;
    struct watch_hit event = { .core = core, .code = address, .rax = size };
    bool stop = false;

    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->kind == WATCH_STORED && address < watch->value + watch->size && watch->value < address + size)
            stop |= watch_occurs(m, watch, &event);
    }
    if (stop)
        machine_pause(m->machine);
}

void stores_arm(struct script_machine *m)
{
    bool any = false;

    for (guint i = 0; i < m->watches->len; i++) {
        const struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->kind != WATCH_STORED)
            continue;
        any = true;
        for (uint64_t page = watch->value & ~PAGE_MASK; page < watch->value + watch->size; page += PAGE_BYTES)
            machine_tell_stores(m->machine, page, true);
    }
    machine_on_store(m->machine, any ? on_stored : NULL, m);
}

static const struct arg_key stores_keys[] = { { "begin", ARG_BOOLEAN, "true begins anew, false ends it" } };

static int push_frames(lua_State *L, const struct platform *platform)
{
    uint64_t position = 0;
    lua_Integer count = 0;
    spa_t page;

    lua_newtable(L);
    while (platform_next_stored(platform, &position, &page)) {
        lua_pushinteger(L, (lua_Integer)page);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* stores{begin=true} begins; stores{} gives the frames' addresses so far, ascending; {begin=false} ends it too. */
static int call_stores(lua_State *L)
{
    struct script_machine *m = script_booted(L, "stores");
    bool begins;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "stores", stores_keys, G_N_ELEMENTS(stores_keys));
    begins = arg_boolean(L, 1, "begin", false);
    if (!begins)
        push_frames(L, machine_platform(m->machine));
    if (arg_has(L, 1, "begin"))
        machine_track_stores(m->machine, begins);
    return begins ? 0 : 1;
}

void script_open_stores(lua_State *L)
{
    lua_register(L, "stores", call_stores);
}
