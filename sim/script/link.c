/* SPDX-License-Identifier: MIT */
/* Two machines on one cable: link{}, cut. */
#include <inttypes.h>

#include "sim/script/session.h"

#define BANDWIDTH (UINT64_C(1) << 30) /* bits per second */
#define BANDWIDTH_LEAST 5000000
#define BANDWIDTH_MOST (UINT64_C(1) << 40)
#define LATENCY_PS (10 * PS_PER_US)
#define LATENCY_MOST PS_PER_S

static const struct arg_key link_keys[] = {
    { "bandwidth", ARG_BYTES, "bits per second, \"5M\" to \"1024G\"" },
    { "latency", ARG_TIME, "\"1us\" to \"1s\"" },
};

static unsigned side(const struct script_machine *m)
{
    return m->pair->machine[1] == m->machine;
}

/* Whoever leaves last takes the pair along. */
void script_link_leave(struct script_machine *m)
{
    if (!m->pair)
        return;
    machine_pair_leave(m->pair, m->machine);
    if (!m->pair->machine[0] && !m->pair->machine[1])
        g_free(m->pair);
    m->pair = NULL;
}

void script_link_booted(struct script_machine *m)
{
    if (!m->pair)
        return;
    m->pair->booted[side(m)] = true;
    machine_pair_booted(m->pair, m->machine);
}

/* Functions and breakpoints of the machine that only keeps pace wait until it is chosen again. */
static void quieten(struct machine *machine)
{
    for (unsigned i = 0; i < machine_core_count(machine); i++) {
        struct core_hooks *hooks = core_hooks(machine_core(machine, i));

        hooks->vmexit = NULL;
        hooks->breakpoints = false;
    }
}

enum machine_stop script_run_machine(lua_State *L, struct script_machine *m, const char *call, uint64_t until_ps,
                                     uint64_t until_instructions)
{
    struct machine *other = m->pair ? m->pair->machine[!side(m)] : NULL;

    if (!other)
        return machine_run(m->machine, until_ps, until_instructions);
    if (!machine_pair_is_sound(m->pair))
        script_raise(L, "%s: the two linked machines stand at different moments; snapshots of both, saved one after "
                     "the other without a run between, are right", call);
    quieten(other);
    return machine_pair_run(m->pair, m->machine, until_ps, until_instructions);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* A copy of the table without its places 1 and 2, for args_check, which knows names alone. */
static void push_named(lua_State *L)
{
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 1);) {
        bool place = lua_isinteger(L, -2) && (lua_tointeger(L, -2) == 1 || lua_tointeger(L, -2) == 2);

        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        if (place)
            lua_pop(L, 2);
        else
            lua_rawset(L, -4);
    }
}

static struct script_machine *end_of_link(lua_State *L, lua_Integer i)
{
    struct script_machine *m;

    lua_geti(L, 1, i);
    m = script_machine_value(L, -1);
    if (!m || m->spoiled)
        script_raise(L, "link: end %d is %s; link{first, second} with two machines is right", (int)i,
                     script_push_string(L, -1));
    if (!platform_has_link(machine_platform(m->machine)))
        script_raise(L, "link: machine %u has no link adapter; machine{link=true} gives it one", m->number);
    if (m->running)
        script_raise(L, "link: machine %u is running; plug between runs", m->number);
    lua_pop(L, 1);
    return m;
}

/* link{first, second, bandwidth=, latency=}: a cable between them; what was plugged in before is out. */
static int call_link(lua_State *L)
{
    struct script_machine *m[2];
    uint64_t bandwidth, latency;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    m[0] = end_of_link(L, 1);
    m[1] = end_of_link(L, 2);
    if (m[0] == m[1])
        script_raise(L, "link: both ends are machine %u; two machines are right", m[0]->number);
    push_named(L);
    args_check(L, 2, "link", link_keys, G_N_ELEMENTS(link_keys));
    bandwidth = arg_bytes(L, 2, "bandwidth", BANDWIDTH);
    latency = arg_time(L, 2, "latency", LATENCY_PS);
    if (bandwidth < BANDWIDTH_LEAST || bandwidth > BANDWIDTH_MOST)
        script_raise(L, "link: bandwidth is %" PRId64 "; \"5M\" to \"1024G\" bits per second are right",
                     (int64_t)bandwidth);
    if (latency < LINK_LATENCY_LEAST || latency > LATENCY_MOST)
        script_raise(L, "link: latency is %" PRId64 " ps; \"1us\" to \"1s\" is right", (int64_t)latency);
    for (unsigned i = 0; i < 2; i++)
        script_link_leave(m[i]);
    m[0]->pair = m[1]->pair = g_new0(struct machine_pair, 1);
    machine_pair_plug(m[0]->pair, m[0]->machine, m[1]->machine, bandwidth, latency);
    for (unsigned i = 0; i < 2; i++)
        m[i]->pair->booted[i] = m[i]->booted;
    return 0;
}

/* cut([time]): the current machine's link is cut, now or so much later; gives that moment, in ps of the machine. */
static int call_cut(lua_State *L)
{
    struct script_machine *m = script_machine(L, "cut");
    uint64_t after, at;

    if (!m->pair)
        script_raise(L, "cut: machine %u is not linked; link{} comes first", m->number);
    lua_settop(L, 1);
    lua_createtable(L, 0, 1);
    lua_insert(L, 1);
    lua_setfield(L, 1, "latency"); /* the key of that kind: a time */
    args_check(L, 1, "cut", link_keys, G_N_ELEMENTS(link_keys));
    after = arg_time(L, 1, "latency", 0);
    at = machine_now_ps(m->machine) + after;
    machine_pair_cut(m->pair, at + platform_link_time(machine_platform(m->machine))->epoch_ps);
    lua_pushinteger(L, (lua_Integer)at);
    return 1;
}

void script_open_link(lua_State *L)
{
    lua_register(L, "link", call_link);
    lua_register(L, "cut", call_cut);
}
