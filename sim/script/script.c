/* SPDX-License-Identifier: MIT */
/* Running a script's text from beginning to end, and what came of it. */
#include "sim/script/script.h"

#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

/* ---- One script ------------------------------------------------------------------------------ */

struct source {
    const struct script_options *options;
    const GString *text;
};

static void script_parameters(struct script *script)
{
    const char *const *parameters = script->options->parameters;

    for (size_t i = 0; parameters && parameters[i]; i++) {
        const char *equals = strchr(parameters[i], '=');

        g_hash_table_replace(script->parameters,
                             equals ? g_strndup(parameters[i], (size_t)(equals - parameters[i])) :
                             g_strdup(parameters[i]), g_strdup(equals ? equals + 1 : "true"));
    }
}

/* Everything that may raise a Lua error runs under lua_pcall, the opening of the libraries included. */
static int script_main(lua_State *L)
{
    const struct source *source = lua_touserdata(L, 1);
    int status;

    if (source->text->len && source->text->str[0] == LUA_SIGNATURE[0])
        return luaL_error(L, "%s:1: bytecode; a scenario is Lua text", source->options->file);
    script_open_sandbox(L);
    script_open_machine(L);
    script_open_boot(L);
    script_open_inject(L);
    script_open_run(L);
    script_open_watch(L);
    script_open_look(L);
    script_open_state(L);
    script_open_report(L);
    script_open_trace(L);
    script_open_stores(L);
    script_open_link(L);
    script_open_require(L);
    script_open_findings(L);
    lua_sethook(L, script_count_hook, LUA_MASKCOUNT, SCRIPT_HOOK_INTERVAL);
    lua_pushfstring(L, "@%s", source->options->file);
    status = luaL_loadbufferx(L, source->text->str, source->text->len, lua_tostring(L, -1), "t");
    if (status != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* Whether a message begins with a place as script_push_where writes it, in whatever line. */
static bool has_place(const char *message, const char *where)
{
    const char *colon = strchr(where, ':');

    return colon && strncmp(message, where, (size_t)(colon + 1 - where)) == 0;
}

/*
 * The error object as text; objects that are no strings have a name. Errors of Lua's own functions called
 * through ours do not say where: a C function is no place.
 */
static int message_handler(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        script_push_where(L);
        if (!has_place(lua_tostring(L, 1), lua_tostring(L, -1))) {
            lua_insert(L, 1);
            lua_concat(L, 2);
        }
        lua_settop(L, 1);
    }
    if (lua_type(L, 1) != LUA_TSTRING) {
        script_push_where(L);
        lua_pushliteral(L, "error object: ");
        script_push_string(L, 1);
        lua_concat(L, 3);
    }
    return 1;
}

/* One line, whatever the script put into its message. */
static void set_error_line(GError **error, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "error without a message", -1);

    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s", g_strdelimit(valid, "\r\n", ' '));
}

static enum script_status script_failed(struct script *script, lua_State *L, int status, GError **error)
{
    const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    if (status == LUA_ERRMEM) {
        g_autofree char *line = g_strdup_printf("%s:%d: the script holds %" PRIu64 " bytes, its limit",
                                                script->options->file, script->last_line, script->memory_limit);
        set_error_line(error, line);
        return SCRIPT_LIMIT;
    }
    set_error_line(error, message);
    if (script->out_of_instructions)
        return SCRIPT_LIMIT;
    return message && script->raised_message && strcmp(message, script->raised_message) == 0 ?
           (enum script_status)script->raised_status : SCRIPT_USER;
}

/* A parameter that the script never looked at is a spelling mistake. */
static enum script_status check_parameters(const struct script *script, GError **error)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, script->parameters);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_autofree const char **names = NULL;
        const char *near;
        guint count;

        if (g_hash_table_contains(script->parameters_read, key))
            continue;
        names = (const char **)g_hash_table_get_keys_as_array(script->parameters_read, &count);
        near = script_nearest(key, names, count);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "-s %s: %s reads no such parameter%s%s%s",
                    (const char *)key, script->options->file, near ? "; did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
        return SCRIPT_USER;
    }
    return SCRIPT_OK;
}

static enum script_status script_finish(struct script *script, GError **error)
{
    enum script_status status = check_parameters(script, error);

    if (status == SCRIPT_OK && report_set_failures(script->set))
        status = SCRIPT_FAILED;
    return status;
}

/* Harnesses read expectations, not messages: an error is a failed one. */
static void record_end(struct script *script, const GError *error)
{
    const char *message = error->message, *end = strstr(message, ": ");
    struct report_expectation row = {
        .name = g_strdup("the scenario runs to its end"),
        .where = end ? g_strndup(message, (gsize)(end - message)) : g_strdup(script->options->file),
        .detail = g_strdup(end ? end + 2 : message),
    };

    report_set_expect(script->set, &row);
}

static void script_close(struct script *script, lua_State *L)
{
    if (script->current)
        script->set->final = script_machine_report(script->current);
    lua_close(L);
    g_hash_table_unref(script->parameters);
    g_hash_table_unref(script->parameters_read);
    g_free(script->raised_message);
}

enum script_status script_run(const struct script_options *options, const char *text, size_t size,
                              struct report_set *set, GError **error)
{
    struct script script = {
        .options = options,
        .set = set,
        .memory_limit = options->memory ? options->memory : SCRIPT_MEMORY,
        .last_line = 1,
        .instruction_limit = options->instructions ? options->instructions : SCRIPT_INSTRUCTIONS,
    };
    g_autoptr(GString) prepared = script_source(text, size);
    struct source source = { options, prepared };
    GError *failure = NULL;
    enum script_status result;
    lua_State *L = lua_newstate(script_allocate, &script);
    int status;

    if (!L) {
        set_error_line(error, "the script's memory limit is too small for Lua itself");
        return SCRIPT_LIMIT;
    }
    *(struct script **)lua_getextraspace(L) = &script;
    script.parameters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    script.parameters_read = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    script_parameters(&script);
    lua_pushcfunction(L, message_handler);
    lua_pushcfunction(L, script_main);
    lua_pushlightuserdata(L, &source);
    status = lua_pcall(L, 1, 0, 1);
    result = status == LUA_OK ? script_finish(&script, &failure) : script_failed(&script, L, status, &failure);
    if (failure) {
        record_end(&script, failure);
        g_propagate_error(error, failure);
    }
    script_close(&script, L);
    return result;
}
