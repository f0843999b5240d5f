/* SPDX-License-Identifier: MIT */
/* stores{begin=}: which frames of RAM anybody has stored to, as the model itself sees every store. */
#include "sim/script/session.h"

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
