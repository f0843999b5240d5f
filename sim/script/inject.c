/* SPDX-License-Identifier: MIT */
/* inject{}: interrupts, NMIs, and machine checks by name, by registers, from a file, at once or on an access. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define FILE_LIMIT (1u << 20)

static const struct arg_key inject_keys[] = {
    { "interrupt", ARG_INTEGER, "a vector, 16 to 255" },
    { "nmi", ARG_BOOLEAN, NULL },
    { "core", ARG_INTEGER, NULL },
    { "node", ARG_INTEGER, NULL },
    { "error", ARG_STRING, "an error's name, such as \"DRAM ECC corrected\"" },
    { "bank", ARG_INTEGER, "0 to 5" },
    { "status", ARG_INTEGER, "MCi_STATUS" },
    { "misc", ARG_INTEGER, NULL },
    { "mcgstatus", ARG_INTEGER, "RIPV 1, EIPV 2" },
    { "file", ARG_STRING, "a file in the format of Linux mce-inject" },
    { "address", ARG_INTEGER, "a system-physical address" },
    { "linear", ARG_INTEGER, "a linear address of the core's present address space" },
    { "guest_physical", ARG_INTEGER, "a guest-physical address of the guest that the core runs" },
    { "symbol", ARG_STRING, "a symbol of the booted images" },
    { "on", ARG_STRING, "\"read\", \"write\", \"fetch\", \"walk\", \"access\" or \"scrub\"" },
    { "mask", ARG_INTEGER, "which of data bits 63:0 of the 16-byte word are wrong" },
    { "mask_high", ARG_INTEGER, "which of data bits 127:64 are wrong" },
    { "check", ARG_INTEGER, "which of the 16 check bits are wrong" },
    { "hard", ARG_BOOLEAN, "true: the bits stay wrong when they were corrected or stored to" },
    { "pcc", ARG_BOOLEAN, NULL },
    { "link", ARG_INTEGER, "0 to 3" },
};

/* ---- Interrupts ---------------------------------------------------------------------------------------------- */

static void inject_message(lua_State *L, struct core *core)
{
    struct apic_message message = { .assert_ = true, .source_core = 0xff };
    uint64_t vector = arg_integer(L, 1, "interrupt", 0);

    if (arg_has(L, 1, "interrupt") && (vector < 16 || vector > 255))
        script_raise(L, "inject: interrupt %" PRId64 "; an APIC takes vectors 16 to 255", (int64_t)vector);
    message.type = arg_has(L, 1, "interrupt") ? APIC_FIXED : APIC_NMI;
    message.vector = (uint8_t)vector;
    core_apic_deliver(core, &message);
}

/* ---- Where ------------------------------------------------------------------------------------------------------ */

/* The core that finds it: core=, or the first of node=. */
static unsigned finder(lua_State *L, struct script_machine *m)
{
    const struct machine_config *config = machine_configuration(m->machine);
    uint64_t node = arg_integer(L, 1, "node", 0);
    unsigned core = 0;

    if (node >= config->nodes)
        script_raise(L, "inject: node %" PRId64 "; the machine has nodes 0 to %u", (int64_t)node, config->nodes - 1);
    if (!arg_has(L, 1, "core"))
        return (unsigned)node * config->cores;
    script_core(L, m, 1, "inject", &core);
    if (arg_has(L, 1, "node") && core / config->cores != node)
        script_raise(L, "inject: core %u is not of node %" PRId64, core, (int64_t)node);
    return core;
}

static spa_t translate(lua_State *L, struct core *core, uint64_t linear)
{
    struct mmu_result result;

    if (mmu_peek(core_mmu(core), linear, MMU_READ, &result) != MMU_OK)
        script_raise(L, "inject: linear address 0x%" PRIx64 " is not mapped", linear);
    return result.spa;
}

/* The system-physical address, if the arguments name one in any way. */
static bool read_address(lua_State *L, struct script_machine *m, unsigned core_number, spa_t *address)
{
    static const char *const ways[] = { "address", "linear", "guest_physical", "symbol" };
    struct core *core = machine_core(m->machine, core_number);
    uint64_t value;
    unsigned count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        count += arg_has(L, 1, ways[i]);
    if (count > 1)
        script_raise(L, "inject: several addresses; one of address=, linear=, guest_physical= and symbol= is right");
    *address = arg_integer(L, 1, "address", 0);
    if (arg_has(L, 1, "linear"))
        *address = translate(L, core, arg_integer(L, 1, "linear", 0));
    if (arg_has(L, 1, "guest_physical")) {
        value = arg_integer(L, 1, "guest_physical", 0);
        if (!mmu_peek_gpa(core_mmu(core), value, address))
            script_raise(L, "inject: core %u runs no guest whose nested tables map 0x%" PRIx64, core_number, value);
    }
    if (arg_has(L, 1, "symbol")) {
        const char *name = arg_string(L, 1, "symbol", "");

        if (!script_symbol_find(m, name, &value))
            script_raise(L, "inject: no booted image has a symbol '%s'", name);
        *address = translate(L, core, value);
    }
    return count > 0;
}

/* ---- What -------------------------------------------------------------------------------------------------------- */

static const struct mca_signature *signature_of(lua_State *L, const char *name)
{
    const struct mca_signature *row = mca_signature_find(name);
    const char *names[128] = { NULL }, *near;
    unsigned count = 0;

    if (row)
        return row;
    while (count < G_N_ELEMENTS(names) && (row = mca_signature_at(count)) != NULL)
        names[count++] = row->name;
    near = script_nearest(name, names, count);
    script_raise(L, "inject: no error is called '%s'; %s%s%s", name,
                 near ? "did you mean '" : "doc/scenarios.md lists them",
                 near ? near : "", near ? "'?" : "");
}

static struct ecc_mask read_mask(lua_State *L, bool uncorrected)
{
    struct ecc_mask mask = { { arg_integer(L, 1, "mask", 0), arg_integer(L, 1, "mask_high", 0) },
                             (uint16_t)arg_integer(L, 1, "check", 0) };

    if (!mask.data[0] && !mask.data[1] && !mask.check)
        mask.data[0] = uncorrected ? 0x11 : 0x01; /* bit 0 of D0, and of D1 */
    return mask;
}

static bool is_dram_ecc(const struct mca_signature *row)
{
    return row->bank == MCA_NB && bits(row->status, MCA_EXT_CODE) == 0x08;
}

/* A wrong mask for its name would be a contradiction that nobody could see later. */
static void check_mask(lua_State *L, const struct mca_signature *row, const struct ecc_mask *mask)
{
    unsigned wrong;
    bool correctable = ecc_symbol(ecc_syndrome(mask), &wrong) >= 0;

    if (correctable == ((row->status & MCA_UC) != 0))
        script_raise(L, "inject: these wrong bits are %s, but the error is '%s'; bits %s are right",
                     correctable ? "correctable" : "not correctable", row->name,
                     correctable ? "in two 4-bit symbols" : "of one 4-bit symbol");
}

static struct mca_error named_error(lua_State *L, const struct mca_signature *row, spa_t address)
{
    struct mca_error error = { .bank = row->bank, .ctl = row->ctl, .status = row->status, .precise = true };
    uint64_t link = arg_integer(L, 1, "link", 0);

    if (link > 3)
        script_raise(L, "inject: link %" PRId64 "; 0 to 3 are right", (int64_t)link);
    error.addr = row->address ? address : 0;
    if (arg_has(L, 1, "link"))
        error.status = bits_put(error.status, MCA_LINK, BIT(link));
    if (arg_has(L, 1, "pcc"))
        error.status = arg_boolean(L, 1, "pcc", false) ? error.status | MCA_PCC : error.status & ~MCA_PCC;
    if (is_dram_ecc(row)) {
        struct ecc_mask mask = read_mask(L, row->status & MCA_UC);

        check_mask(L, row, &mask);
        error.status |= ecc_status(ecc_syndrome(&mask));
    }
    return error;
}

static unsigned kinds_of(lua_State *L, const char *on)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } kinds[] = { { "read", MEMORY_READ }, { "write", MEMORY_WRITE }, { "fetch", MEMORY_FETCH },
                  { "walk", MEMORY_WALK }, { "scrub", MEMORY_SCRUB }, { "access", MEMORY_ANY & ~MEMORY_SCRUB } };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(on, kinds[i].name) == 0)
            return kinds[i].kinds;
    script_raise(L, "inject: on is '%s'; \"read\", \"write\", \"fetch\", \"walk\", \"access\" and \"scrub\" are right",
                 on);
}

/* ---- Doing it -------------------------------------------------------------------------------------------------- */

/* {words=, fate=, bank=}: the error in words, and what its bank did with it. */
static void push_result(lua_State *L, const struct mca_error *error, const char *fate)
{
    GString *words = g_string_new(NULL);

    mca_decode(words, error->bank, error->status | MCA_VAL, error->addr);
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, words->str, words->len);
    g_string_free(words, TRUE);
    lua_setfield(L, -2, "words");
    lua_pushstring(L, fate);
    lua_setfield(L, -2, "fate");
    lua_pushinteger(L, error->bank);
    lua_setfield(L, -2, "bank");
}

static void plant(lua_State *L, struct script_machine *m, const struct mca_signature *row, spa_t address,
                  const char *on)
{
    struct planted_error planted = { .address = address, .kinds = (uint8_t)kinds_of(L, on),
                                     .hard = arg_boolean(L, 1, "hard", false) };
    struct mca_error error = named_error(L, row, address);
    GError *failed = NULL;

    if (is_dram_ecc(row))
        planted.mask = read_mask(L, row->status & MCA_UC);
    else
        planted.named = error;
    if (!platform_plant_error(machine_platform(m->machine), &planted, &failed))
        script_raise_error(L, "inject", failed);
    error.status |= MCA_EN;
    push_result(L, &error, "planted");
}

static int inject_named(lua_State *L, struct script_machine *m)
{
    const struct mca_signature *row = signature_of(L, arg_string(L, 1, "error", ""));
    unsigned core = finder(L, m);
    struct mca_error error;
    enum mca_fate fate;
    spa_t address;
    bool has_address = read_address(L, m, core, &address);

    if (arg_has(L, 1, "on")) {
        if (!has_address)
            script_raise(L, "inject: on= needs an address; address=, linear=, guest_physical= or symbol= is right");
        plant(L, m, row, address, arg_string(L, 1, "on", ""));
        return 1;
    }
    error = named_error(L, row, address);
    error.precise = false; /* no access waits for it: taken at the next boundary */
    fate = machine_error(m->machine, core, &error);
    error.status |= MCA_EN;
    push_result(L, &error, mca_fate_names[fate]);
    return 1;
}

static int inject_raw(lua_State *L, struct script_machine *m)
{
    uint64_t bank = arg_integer(L, 1, "bank", 0);
    struct mca_error error = { .raw = true, .status = arg_integer(L, 1, "status", 0) | MCA_VAL,
                               .misc = arg_integer(L, 1, "misc", 0), .addr = arg_integer(L, 1, "address", 0) };

    if (!arg_has(L, 1, "bank") || bank >= MCA_BANKS)
        script_raise(L, "inject: status= needs bank=, 0 to 5");
    error.bank = (uint8_t)bank;
    if (arg_has(L, 1, "mcgstatus"))
        error.raise = mca_raise_of(arg_integer(L, 1, "mcgstatus", 0));
    push_result(L, &error, mca_fate_names[machine_error(m->machine, finder(L, m), &error)]);
    return 1;
}

/* Beside the script, or where an absolute path says. */
static char *beside_script(const struct script *script, const char *name)
{
    g_autofree char *directory = g_path_get_dirname(script->options->file);

    return g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(directory, name, NULL);
}

/* The records of the file, parsed whole before the first is injected. Owns nothing when it raises. */
static GArray *read_file(lua_State *L, const struct script_machine *m, const char *file)
{
    g_autofree char *text = NULL, *path = beside_script(m->script, file);
    GError *error = NULL;
    GArray *records = NULL;
    size_t size;

    if (script_read_file(path, FILE_LIMIT, &text, &size, &error)) {
        records = mca_text_parse(text, size, &error);
        for (guint i = 0; records && i < records->len; i++) {
            uint64_t core = g_array_index(records, struct mca_text_record, i).core;

            if (core < machine_core_count(m->machine))
                continue;
            g_set_error(&error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                        "record %u names CPU %" PRIu64 "; the machine has 0 to %u", i + 1, core,
                        machine_core_count(m->machine) - 1);
            g_array_unref(records);
            records = NULL;
        }
        if (!records)
            g_prefix_error(&error, "%s: ", file);
    }
    g_free(g_steal_pointer(&text)); /* what follows may leave by longjmp */
    g_free(g_steal_pointer(&path));
    if (!records)
        script_raise_error(L, "inject", error);
    return records;
}

static int inject_file(lua_State *L, struct script_machine *m)
{
    GArray *records = read_file(L, m, arg_string(L, 1, "file", ""));
    guint count = records->len;

    for (guint i = 0; i < count; i++) {
        const struct mca_text_record *record = &g_array_index(records, struct mca_text_record, i);

        machine_error(m->machine, (unsigned)record->core, &record->error);
    }
    g_array_unref(records);
    lua_pushinteger(L, count);
    return 1;
}

static int call_inject(lua_State *L)
{
    static const char *const what[] = { "interrupt", "nmi", "error", "status", "file" };
    struct script_machine *m = script_booted(L, "inject");
    unsigned count = 0;

    args_check(L, 1, "inject", inject_keys, G_N_ELEMENTS(inject_keys));
    for (size_t i = 0; i < G_N_ELEMENTS(what); i++)
        count += arg_has(L, 1, what[i]) && (strcmp(what[i], "nmi") != 0 || arg_boolean(L, 1, "nmi", false));
    if (count != 1)
        script_raise(L, "inject: one of interrupt=VECTOR, nmi=true, error=NAME, status= with bank=, and file= is "
                        "right");
    if (arg_has(L, 1, "error"))
        return inject_named(L, m);
    if (arg_has(L, 1, "status"))
        return inject_raw(L, m);
    if (arg_has(L, 1, "file"))
        return inject_file(L, m);
    inject_message(L, script_core(L, m, 1, "inject", NULL));
    return 0;
}

/* ---- machine_checks() ------------------------------------------------------------------------------------------ */

/* A list of {time_ps=, node=, core= (a core's own), bank=, status=, addr=, fate=, words=}. */
static int call_machine_checks(lua_State *L)
{
    struct script_machine *m = script_booted(L, "machine_checks");
    size_t count;
    const struct machine_check_record *record = machine_checks(m->machine, &count);
    unsigned cores = machine_configuration(m->machine)->cores;

    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        const struct mca_event *event = &record[i].event;
        const struct {
            const char *name;
            uint64_t value;
        } fields[] = { { "time_ps", record[i].ps }, { "node", event->node }, { "status", event->error.status },
                       { "addr", event->error.addr } };

        push_result(L, &event->error, mca_fate_names[event->fate]);
        for (size_t k = 0; k < G_N_ELEMENTS(fields); k++) {
            lua_pushinteger(L, (lua_Integer)fields[k].value);
            lua_setfield(L, -2, fields[k].name);
        }
        if (event->in_node != MCA_ALL_CORES) {
            lua_pushinteger(L, event->node * cores + event->in_node);
            lua_setfield(L, -2, "core");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* mca_words(bank, status, address): what a bank's registers say, as machine_checks() has it. */
static int call_mca_words(lua_State *L)
{
    lua_Integer bank = luaL_checkinteger(L, 1), status = luaL_checkinteger(L, 2), address = luaL_optinteger(L, 3, 0);
    GString *words;

    if (bank < 0 || bank >= MCA_BANKS)
        script_raise(L, "mca_words: bank %" PRId64 "; 0 to %d are right", (int64_t)bank, MCA_BANKS - 1);
    words = g_string_new(NULL);
    mca_decode(words, (unsigned)bank, (uint64_t)status, (uint64_t)address);
    lua_pushlstring(L, words->str, words->len);
    g_string_free(words, TRUE);
    return 1;
}

void script_open_inject(lua_State *L)
{
    lua_register(L, "mca_words", call_mca_words);
    lua_register(L, "inject", call_inject);
    lua_register(L, "machine_checks", call_machine_checks);
}
