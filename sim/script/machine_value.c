/* SPDX-License-Identifier: MIT */
/* Machines as values of a script: machine{}, use, inject{}. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define MACHINE_TYPE "machine"
#define MACHINES_LIMIT 16 /* alive at once */

static const char current_registry = 0; /* registry key of the current machine's value: keeps it alive */

/* ---- Life ------------------------------------------------------------------------------------ */

static void image_clear(gpointer data)
{
    struct script_image *image = data;

    g_free(image->name);
    g_free(image->string);
    g_free(image->path);
    g_free(image->data);
}

static void script_machine_free(struct script_machine *m)
{
    if (m->script->current == m)
        m->script->current = NULL;
    m->script->machines_alive--;
    if (m->machine)
        m->script->set->unmodelled += unmodelled_total(machine_unmodelled(m->machine));
    traces_free(m);
    script_link_leave(m);
    line_table_free(m->lines);
    machine_free(m->machine);
    g_array_unref(m->images);
    g_string_free(m->uart_out, TRUE);
    g_byte_array_unref(m->uart_in);
    g_array_unref(m->watches);
    g_array_unref(m->hits);
    g_free(m->model);
    g_free(m);
}

static void uart_put(void *ctx, uint8_t byte)
{
    struct script_machine *m = ctx;

    g_string_append_c(m->uart_out, (char)byte);
    if (byte == '\n') {
        watches_line(m);
        m->uart_line = m->uart_out->len;
    }
}

static int uart_get(void *ctx)
{
    struct script_machine *m = ctx;
    int byte;

    if (!m->uart_in->len)
        return -1;
    byte = m->uart_in->data[0];
    g_byte_array_remove_index(m->uart_in, 0);
    return byte;
}

static int machine_collect(lua_State *L)
{
    struct script_machine **value = lua_touserdata(L, 1);

    if (*value)
        script_machine_free(*value);
    *value = NULL;
    return 0;
}

static int machine_print(lua_State *L)
{
    struct script_machine **value = luaL_checkudata(L, 1, MACHINE_TYPE);

    lua_pushfstring(L, "machine %d", *value ? (int)(*value)->number : 0);
    return 1;
}

static void make_current(lua_State *L, int index)
{
    struct script_machine **value = lua_touserdata(L, index);

    script_of(L)->current = *value;
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &current_registry);
}

struct script_machine *script_machine(lua_State *L, const char *call)
{
    struct script_machine *m = script_of(L)->current;

    if (!m)
        script_raise(L, "%s: there is no machine yet; machine{} builds one", call);
    if (m->spoiled)
        script_raise(L, "%s: a restore of this machine has failed half-way; machine{} builds another", call);
    return m;
}

struct script_machine *script_booted(lua_State *L, const char *call)
{
    struct script_machine *m = script_machine(L, call);

    if (!m->booted)
        script_raise(L, "%s: nothing is booted; boot{kernel=...} comes first", call);
    return m;
}

struct core *script_core(lua_State *L, struct script_machine *m, int index, const char *call, unsigned *number)
{
    uint64_t core = arg_integer(L, index, "core", 0);

    if (core >= machine_core_count(m->machine))
        script_raise(L, "%s: core %" PRIu64 "; the machine has cores 0 to %u", call, core,
                     machine_core_count(m->machine) - 1);
    if (number)
        *number = (unsigned)core;
    return machine_core(m->machine, (unsigned)core);
}

/* ---- machine{} ------------------------------------------------------------------------------- */

static const struct arg_key machine_keys[] = {
    { "model", ARG_STRING, "the name of a model, such as \"10h-b3\"" },
    { "nodes", ARG_INTEGER, "1 to 8" },
    { "cores", ARG_INTEGER, "cores in each node, 1 to 6" },
    { "memory", ARG_BYTES, NULL },
    { "host_memory", ARG_BYTES, NULL },
    { "link", ARG_BOOLEAN, "true (it has a link adapter, for link{}) or false" },
    { "debug_exit", ARG_BOOLEAN, "true (a write to port F4h ends the run) or false" },
    { "sync_flood", ARG_BOOLEAN, "true (uncorrected northbridge errors flood the links) or false" },
    { "check", ARG_ANY, "true (what the checks of the kernel find fails), \"list\" (findings() lists it) or false" },
    { "svm_lock", ARG_BOOLEAN, "true (firmware leaves VM_CR locked) or false" },
    { "walk_caches", ARG_BOOLEAN, "false: neither page-walk cache nor nested TLB; true: as the model has them" },
    { "mmu", ARG_TABLE, "a table of TLB shapes and costs" },
};

struct shape_key {
    const char *name;
    size_t offset;
};

#define SHAPE(member) { #member, offsetof(struct mmu_geometry, member) }

static const struct shape_key shapes[] = {
    SHAPE(l1d), SHAPE(l1i_4k), SHAPE(l1i_2m), SHAPE(l2d_4k), SHAPE(l2d_2m), SHAPE(l2d_1g), SHAPE(l2i_4k),
    SHAPE(pwc), SHAPE(ntlb),
};

static const struct shape_key costs[] = {
    SHAPE(cost_l2_hit), SHAPE(cost_ref), SHAPE(cost_ref_remote), SHAPE(cost_pwc_hit), SHAPE(cost_ntlb_hit),
    SHAPE(cost_ad_write),
};

#define SHAPE_RIGHT "a number of entries, or {entries=, ways=}"

static const struct arg_key mmu_keys[] = {
    { "l1d", ARG_ANY, SHAPE_RIGHT }, { "l1i_4k", ARG_ANY, SHAPE_RIGHT }, { "l1i_2m", ARG_ANY, SHAPE_RIGHT },
    { "l2d_4k", ARG_ANY, SHAPE_RIGHT }, { "l2d_2m", ARG_ANY, SHAPE_RIGHT }, { "l2d_1g", ARG_ANY, SHAPE_RIGHT },
    { "l2i_4k", ARG_ANY, SHAPE_RIGHT }, { "pwc", ARG_ANY, SHAPE_RIGHT }, { "ntlb", ARG_ANY, SHAPE_RIGHT },
    { "smash_1g", ARG_BOOLEAN, NULL }, { "cost_l2_hit", ARG_INTEGER, NULL }, { "cost_ref", ARG_INTEGER, NULL },
    { "cost_ref_remote", ARG_INTEGER, NULL }, { "cost_pwc_hit", ARG_INTEGER, NULL },
    { "cost_ntlb_hit", ARG_INTEGER, NULL }, { "cost_ad_write", ARG_INTEGER, NULL },
};

static const struct arg_key shape_keys[] = {
    { "entries", ARG_INTEGER, "0 (none) to 65535" },
    { "ways", ARG_INTEGER, "0 (fully associative), or a divisor of entries" },
};

static void read_shape(lua_State *L, int index, const char *name, struct tlb_shape *shape)
{
    uint64_t entries, ways = shape->ways;
    int type = arg_push(L, index, name);

    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (type == LUA_TTABLE) {
        args_check(L, -1, name, shape_keys, G_N_ELEMENTS(shape_keys));
        entries = arg_integer(L, -1, "entries", shape->entries);
        ways = arg_integer(L, -1, "ways", ways);
    } else if (lua_isinteger(L, -1)) {
        entries = (uint64_t)lua_tointeger(L, -1);
    } else {
        script_raise(L, "machine: mmu.%s is %s; it is " SHAPE_RIGHT, name, script_push_string(L, -1));
    }
    lua_pop(L, 1);
    if (entries > UINT16_MAX || ways > UINT16_MAX || (entries && ways && entries % ways))
        script_raise(L, "machine: mmu.%s has %" PRId64 " entries in %" PRId64 " ways; 0 to 65535 entries are right, "
                     "a multiple of the ways", name, (int64_t)entries, (int64_t)ways);
    shape->entries = (uint16_t)entries;
    shape->ways = entries ? (uint16_t)ways : 0;
}

static void read_costs(lua_State *L, int index, struct mmu_geometry *geometry)
{
    for (size_t i = 0; i < G_N_ELEMENTS(costs); i++) {
        unsigned *cost = (unsigned *)(void *)((char *)geometry + costs[i].offset);
        uint64_t value = arg_integer(L, index, costs[i].name, *cost);

        if (value > 1000000)
            script_raise(L, "machine: mmu.%s is %" PRId64 "; 0 to 1000000 cycles are right", costs[i].name,
                         (int64_t)value);
        *cost = (unsigned)value;
    }
    geometry->smash_1g = arg_boolean(L, index, "smash_1g", geometry->smash_1g);
}

static void read_geometry(lua_State *L, int index, const struct cpu_model *model, struct machine_config *config)
{
    config->geometry = model->mmu;
    config->has_geometry = arg_has(L, index, "mmu") || arg_has(L, index, "walk_caches");
    if (arg_push(L, index, "mmu") == LUA_TTABLE) {
        int mmu = lua_gettop(L);

        args_check(L, mmu, "machine: mmu", mmu_keys, G_N_ELEMENTS(mmu_keys));
        for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++)
            read_shape(L, mmu, shapes[i].name,
                       (struct tlb_shape *)(void *)((char *)&config->geometry + shapes[i].offset));
        read_costs(L, mmu, &config->geometry);
    }
    lua_pop(L, 1);
    if (!arg_boolean(L, index, "walk_caches", true))
        config->geometry.pwc = config->geometry.ntlb = (struct tlb_shape){ 0, 0 };
}

/* machine_new refuses what is out of the model's range, in its own words; this what does not even fit. */
static unsigned read_count(lua_State *L, const char *name, unsigned otherwise)
{
    uint64_t count = arg_integer(L, 1, name, otherwise);

    if (count > UINT16_MAX)
        script_raise(L, "machine: %s is %" PRId64 "; 1 to 8 is right", name, (int64_t)count);
    return (unsigned)count;
}

static void read_config(lua_State *L, struct script_machine *m)
{
    struct machine_config *config = &m->config;
    const struct cpu_model *model;

    machine_config_defaults(config);
    g_free(m->model);
    m->model = g_strdup(arg_string(L, 1, "model", config->model));
    config->model = m->model;
    config->nodes = read_count(L, "nodes", config->nodes);
    config->cores = read_count(L, "cores", config->cores);
    config->memory = arg_bytes(L, 1, "memory", config->memory);
    config->host_memory = arg_bytes(L, 1, "host_memory", config->host_memory);
    config->debug_exit = arg_boolean(L, 1, "debug_exit", true);
    config->link = arg_boolean(L, 1, "link", false);
    config->sync_flood = arg_boolean(L, 1, "sync_flood", false);
    config->svm_lock = arg_boolean(L, 1, "svm_lock", config->svm_lock);
    config->engine = m->script->options->engine;
    config->executed = m->script->options->executed;
    config->uart = (struct char_port){ m, uart_put, uart_get };
    model = cpu_model_find(m->model);
    if (model)
        read_geometry(L, 1, model, config);
}

static void read_check(lua_State *L, struct script_machine *m)
{
    m->check = m->script->options->check ? SCRIPT_CHECK_EXPECT : SCRIPT_CHECK_NONE;
    if (arg_push(L, 1, "check") == LUA_TBOOLEAN)
        m->check = lua_toboolean(L, -1) ? SCRIPT_CHECK_EXPECT : SCRIPT_CHECK_NONE;
    else if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "list") == 0)
        m->check = SCRIPT_CHECK_LIST;
    else if (!lua_isnil(L, -1))
        script_raise(L, "machine: check is %s; true, false and \"list\" are right", script_push_string(L, -1));
    lua_pop(L, 1);
}

static struct script_machine *machine_value_new(lua_State *L)
{
    struct script_machine **value = lua_newuserdatauv(L, sizeof(*value), 0);
    struct script_machine *m;

    *value = NULL;
    luaL_setmetatable(L, MACHINE_TYPE);
    m = *value = g_new0(struct script_machine, 1);
    m->script = script_of(L);
    m->number = ++m->script->machines;
    m->script->machines_alive++;
    m->images = g_array_new(FALSE, TRUE, sizeof(struct script_image));
    g_array_set_clear_func(m->images, image_clear);
    m->uart_out = g_string_new(NULL);
    m->uart_in = g_byte_array_new();
    m->watches = g_array_new(FALSE, TRUE, sizeof(struct watch));
    g_array_set_clear_func(m->watches, watch_clear);
    m->hits = g_array_new(FALSE, TRUE, sizeof(struct watch_hit));
    return m;
}

/* Machines nobody holds any more give their memory back before the next is built. */
static void drop_current(lua_State *L)
{
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &current_registry);
    script_of(L)->current = NULL;
    lua_gc(L, LUA_GCCOLLECT);
}

static int call_machine(lua_State *L)
{
    struct script_machine *m;
    GError *error = NULL;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "machine", machine_keys, G_N_ELEMENTS(machine_keys));
    if (script_of(L)->current && script_of(L)->current->running)
        script_raise(L, "machine: another machine is running; build between runs");
    drop_current(L);
    if (script_of(L)->machines_alive >= MACHINES_LIMIT)
        script_raise_status(L, SCRIPT_LIMIT, "machine: %d machines are alive, the limit; drop what holds them",
                            MACHINES_LIMIT);
    m = machine_value_new(L);
    read_config(L, m);
    read_check(L, m);
    m->machine = machine_new(&m->config, &error);
    if (!m->machine)
        script_raise_error(L, "machine", error);
    make_current(L, lua_gettop(L));
    return 1;
}

struct script_machine *script_machine_value(lua_State *L, int index)
{
    struct script_machine **value = luaL_testudata(L, index, MACHINE_TYPE);

    return value ? *value : NULL;
}

static int call_use(lua_State *L)
{
    if (!script_machine_value(L, 1))
        script_raise(L, "use: found %s; a value that machine{} returned is right", script_push_string(L, 1));
    if (script_of(L)->current && script_of(L)->current->running)
        script_raise(L, "use: another machine is running; choose between runs");
    make_current(L, 1);
    lua_pushvalue(L, 1);
    return 1;
}

void script_open_machine(lua_State *L)
{
    luaL_newmetatable(L, MACHINE_TYPE);
    lua_pushcfunction(L, machine_collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, machine_print);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    lua_register(L, "machine", call_machine);
    lua_register(L, "use", call_use);
}
