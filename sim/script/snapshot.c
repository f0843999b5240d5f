/* SPDX-License-Identifier: MIT */
/* save, restore, hash. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

/* A plain name in the directory of snapshots: a script reaches no other files. */
static char *snapshot_path(lua_State *L, const char *call)
{
    const struct script_options *options = script_of(L)->options;
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
    bool plain = name && *name && *name != '.' && strlen(name) < 200;

    for (const char *c = name; plain && *c; c++)
        plain = g_ascii_isalnum(*c) || strchr("._-", *c);
    if (!plain)
        script_raise(L, "%s: found %s; a plain name of letters, digits, '.', '-' and '_' is right (--snapshots DIR "
                     "says where)", call, script_push_string(L, 1));
    return g_build_filename(options->snapshots ? options->snapshots : ".", name, NULL);
}

static int call_save(lua_State *L)
{
    struct script_machine *m = script_booted(L, "save");
    char *path = snapshot_path(L, "save");
    GError *error = NULL;
    bool saved = machine_save(m->machine, path, &error);

    g_free(path);
    if (!saved)
        script_raise_error(L, "save", error);
    return 0;
}

/* restore(name): into a machine of the same description; images booted before stay known for their symbols. */
static int call_restore(lua_State *L)
{
    struct script_machine *m = script_machine(L, "restore");
    char *path = snapshot_path(L, "restore");
    GError *error = NULL;
    bool restored;

    if (m->running) {
        g_free(path);
        script_raise(L, "restore: the machine is running; restore between runs");
    }
    restored = machine_restore(m->machine, path, &error);
    g_free(path);
    if (!restored) {
        m->spoiled = true;
        script_raise_error(L, "restore", error);
    }
    m->booted = true;
    if (m->pair)
        m->pair->booted[m->pair->machine[1] == m->machine] = true;
    m->passed_instructions = NEVER;
    return 0;
}

static int call_hash(lua_State *L)
{
    struct script_machine *m = script_machine(L, "hash");
    char *hash = machine_hash(m->machine);

    lua_pushstring(L, hash);
    g_free(hash);
    return 1;
}

void script_open_state(lua_State *L)
{
    lua_register(L, "save", call_save);
    lua_register(L, "restore", call_restore);
    lua_register(L, "hash", call_hash);
}
