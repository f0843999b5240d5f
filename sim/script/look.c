/* SPDX-License-Identifier: MIT */
/* Looking at the machine and changing it by hand: reg, msr, mem, pci, symbol. None leaves a trace in a counter. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"
#include "sim/spa.h"

#define BLOCK_LIMIT (1 << 20)

static const struct arg_key core_key[] = { { "core", ARG_INTEGER, NULL } };

/* The options table at the end of the arguments, checked; 0 if there is none. Takes it off the count. */
static int take_options(lua_State *L, const char *call, const struct arg_key *keys, size_t count, int *arguments)
{
    int last = lua_gettop(L);

    *arguments = last;
    if (!last || !lua_istable(L, last))
        return 0;
    args_check(L, last, call, keys, count);
    *arguments = last - 1;
    return last;
}

static uint64_t integer_argument(lua_State *L, const char *call, int index, const char *what)
{
    if (!lua_isinteger(L, index))
        script_raise(L, "%s: %s is %s; an integer is right", call, what,
                     lua_isnone(L, index) ? "missing" : script_push_string(L, index));
    return (uint64_t)lua_tointeger(L, index);
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;

    while (names[count])
        count++;
    return count;
}

/* reg(name [, value] [, {core=}]) */
static int call_reg(lua_State *L)
{
    struct script_machine *m = script_machine(L, "reg");
    int arguments, options = take_options(L, "reg", core_key, G_N_ELEMENTS(core_key), &arguments);
    struct core *core = script_core(L, m, options, "reg", NULL);
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
    uint64_t value;

    if (!name)
        script_raise(L, "reg: a register's name comes first, such as reg(\"rip\")");
    if (!core_register(core, name, &value)) {
        const char *near = script_nearest(name, core_register_names(), count_names(core_register_names()));

        script_raise(L, "reg: no register is called '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "; rax, rip, cr3, efer and cs.base are examples");
    }
    if (arguments >= 2) {
        if (!core_set_register(core, name, integer_argument(L, "reg", 2, "the value")))
            script_raise(L, "reg: %s does not take that value", name);
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)value);
    return 1;
}

/* msr(number [, value] [, {core=}]) */
static int call_msr(lua_State *L)
{
    struct script_machine *m = script_machine(L, "msr");
    int arguments, options = take_options(L, "msr", core_key, G_N_ELEMENTS(core_key), &arguments);
    struct core *core = script_core(L, m, options, "msr", NULL);
    uint64_t number = integer_argument(L, "msr", 1, "the number"), value;

    if (number > UINT32_MAX || !core_msr(core, (uint32_t)number, &value))
        script_raise(L, "msr: this model has no MSR 0x%" PRIx64 "; a guest would get #GP", number);
    if (arguments >= 2) {
        if (!core_set_msr(core, (uint32_t)number, integer_argument(L, "msr", 2, "the value")))
            script_raise(L, "msr: MSR 0x%" PRIx64 " does not take that value; a guest would get #GP", number);
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)value);
    return 1;
}

/* ---- mem ------------------------------------------------------------------------------------- */

static const struct arg_key mem_keys[] = {
    { "space", ARG_STRING, "\"physical\" or \"linear\"" }, { "core", ARG_INTEGER, NULL },
};

/* One byte's system-physical address, in the space that the options name. */
static spa_t locate(lua_State *L, struct core *core, bool linear, uint64_t address)
{
    struct mmu_result result;

    if (!linear)
        return address;
    if (mmu_peek(core_mmu(core), address, MMU_READ, &result) != MMU_OK)
        script_raise(L, "mem: linear address 0x%" PRIx64 " is not mapped", address);
    return result.spa;
}

static void check_dram(lua_State *L, struct spa_space *space, spa_t address)
{
    if (!space->is_dram(space->ctx, address))
        script_raise(L, "mem: 0x%" PRIx64 " is not RAM; reading a device's register could change it", address);
}

/* mem(address, size [, value] [, {space=, core=}]): 1, 2, 4 or 8 bytes as an integer, more as a string. */
static int call_mem(lua_State *L)
{
    struct script_machine *m = script_machine(L, "mem");
    struct spa_space *space = platform_space(machine_platform(m->machine));
    int arguments, options = take_options(L, "mem", mem_keys, G_N_ELEMENTS(mem_keys), &arguments);
    struct core *core = script_core(L, m, options, "mem", NULL);
    const char *kind = arg_string(L, options, "space", "physical");
    bool linear = strcmp(kind, "linear") == 0;
    uint64_t address = integer_argument(L, "mem", 1, "the address");
    uint64_t size = integer_argument(L, "mem", 2, "the size"), value = 0;
    bool scalar = size == 1 || size == 2 || size == 4 || size == 8;
    uint8_t *block;

    if (!linear && strcmp(kind, "physical") != 0)
        script_raise(L, "mem: space is '%s'; \"physical\" or \"linear\" is right", kind);
    if (size == 0 || size > BLOCK_LIMIT)
        script_raise(L, "mem: %" PRId64 " bytes; 1 to %d are right", (int64_t)size, BLOCK_LIMIT);
    if (arguments >= 3 && !scalar)
        script_raise(L, "mem: a value is stored in 1, 2, 4 or 8 bytes, not %" PRIu64, size);
    if (arguments >= 3)
        value = integer_argument(L, "mem", 3, "the value");
    block = lua_newuserdatauv(L, size, 0);
    for (uint64_t i = 0; i < size; i++) {
        spa_t spa = locate(L, core, linear, address + i);

        check_dram(L, space, spa);
        if (arguments >= 3)
            spa_write(space, spa, 1, value >> (8 * i) & 0xff);
        else
            block[i] = (uint8_t)spa_read(space, spa, 1);
    }
    if (arguments >= 3)
        return 0;
    for (uint64_t i = 0; scalar && i < size; i++)
        value |= (uint64_t)block[i] << (8 * i);
    if (scalar)
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushlstring(L, (const char *)block, size);
    return 1;
}

/* pci(bus, device, function, register): the doubleword there, without side effects. */
static int call_pci(lua_State *L)
{
    static const char *const what[4] = { "bus", "device", "function", "register" };
    static const uint64_t limit[4] = { 255, 31, 7, 0xffc };
    struct script_machine *m = script_machine(L, "pci");
    unsigned argument[4];

    for (int i = 0; i < 4; i++) {
        uint64_t value = integer_argument(L, "pci", i + 1, what[i]);

        if (value > limit[i] || (i == 3 && value % 4))
            script_raise(L, "pci: %s is %" PRId64 "; 0 to %" PRIu64 "%s is right", what[i], (int64_t)value, limit[i],
                         i == 3 ? ", a multiple of 4," : "");
        argument[i] = (unsigned)value;
    }
    lua_pushinteger(L, platform_pci_read(machine_platform(m->machine), argument[0], argument[1], argument[2],
                                         argument[3]));
    return 1;
}

/* symbol("name") gives its address, symbol(address) the nearest name at or below it and the distance. */
static int call_symbol(lua_State *L)
{
    struct script_machine *m = script_booted(L, "symbol");
    uint64_t value;

    if (lua_type(L, 1) == LUA_TSTRING) {
        if (!script_symbol_find(m, lua_tostring(L, 1), &value))
            script_raise(L, "symbol: no booted image has a symbol '%s'", lua_tostring(L, 1));
        lua_pushinteger(L, (lua_Integer)value);
        return 1;
    }
    lua_pushstring(L, script_symbol_at(m, integer_argument(L, "symbol", 1, "the name or address"), &value));
    lua_pushinteger(L, (lua_Integer)value);
    return lua_isnil(L, -2) ? 1 : 2;
}

void script_open_look(lua_State *L)
{
    lua_register(L, "reg", call_reg);
    lua_register(L, "msr", call_msr);
    lua_register(L, "mem", call_mem);
    lua_register(L, "pci", call_pci);
    lua_register(L, "symbol", call_symbol);
}
