/* SPDX-License-Identifier: MIT */
/* boot{}: finding and loading images; what their symbols say; the report of what runs. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define IMAGE_LIMIT (UINT64_C(1) << 30)

static const struct arg_key boot_keys[] = {
    { "kernel", ARG_STRING, "the file of a multiboot image, a bzImage or an ELF image with a PVH note" },
    { "modules", ARG_TABLE, "a list of \"file arguments\" or {file=, string=}" },
    { "append", ARG_STRING, "the kernel's command line" },
    { "firmware", ARG_STRING, "the file of a flat image that ends at 4G" },
    { "warm", ARG_BOOLEAN, "true: once more, after a warm reset" },
};

static const struct arg_key module_keys[] = {
    { "file", ARG_STRING, NULL }, { "string", ARG_STRING, "the module's string" },
};

/* The file's path: beside the script, else among the images; NULL and a line that says where it was sought. */
static char *image_path(const struct script *script, const char *name, bool *external)
{
    g_autofree char *directory = g_path_get_dirname(script->options->file);
    char *path = g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(directory, name, NULL);

    *external = true;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return path;
    g_free(path);
    for (size_t i = 0; script->options->image_path && script->options->image_path[i]; i++) {
        path = g_build_filename(script->options->image_path[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            *external = false;
            return path;
        }
        g_free(path);
    }
    return NULL;
}

/* Load one image at the end of m->images. `name` and `string` belong to Lua. */
static void load_image(lua_State *L, struct script_machine *m, const char *role, const char *name, const char *string)
{
    struct script_image image = { .role = role };
    GError *error = NULL;
    char *path = image_path(m->script, name, &image.external);
    size_t size;
    bool loaded;

    if (!path)
        script_raise(L, "boot: %s is neither beside the script nor among the images; write its full path", name);
    loaded = script_read_file(path, IMAGE_LIMIT, &image.data, &size, &error);
    if (!loaded) {
        g_free(path);
        script_raise_error(L, "boot", error);
    }
    image.path = path;
    image.name = g_strdup(name);
    image.string = g_strdup(string);
    image.image = (struct image){ .name = image.name, .data = (const uint8_t *)image.data, .size = size,
                                  .string = image.string };
    g_array_append_val(m->images, image);
}

/* "file arguments": the whole text is the module's string, as with QEMU's -initrd. */
static void load_module_text(lua_State *L, struct script_machine *m, const char *text)
{
    const char *space = strchr(text, ' ');

    lua_pushlstring(L, text, space ? (size_t)(space - text) : strlen(text));
    load_image(L, m, "module", lua_tostring(L, -1), text);
    lua_pop(L, 1);
}

static void load_modules(lua_State *L, struct script_machine *m, int list)
{
    lua_Integer count = luaL_len(L, list);

    for (lua_Integer i = 1; i <= count; i++) {
        int type = lua_geti(L, list, i);

        if (type == LUA_TSTRING) {
            load_module_text(L, m, lua_tostring(L, -1));
        } else if (type == LUA_TTABLE) {
            args_check(L, -1, "boot: modules", module_keys, G_N_ELEMENTS(module_keys));
            if (!arg_has(L, -1, "file"))
                script_raise(L, "boot: module %d has no file; {file=, string=} is right", (int)i);
            load_image(L, m, "module", arg_string(L, -1, "file", ""), arg_string(L, -1, "string", NULL));
        } else {
            script_raise(L, "boot: module %d is %s; \"file arguments\" or {file=, string=} is right", (int)i,
                         luaL_typename(L, -1));
        }
        lua_pop(L, 1);
    }
}

static bool boot_loaded(struct script_machine *m, const char *append, bool firmware, GError **error)
{
    const struct script_image *first = &g_array_index(m->images, struct script_image, 0);
    size_t count = m->images->len - 1;
    g_autofree struct image *modules = g_new0(struct image, count + 1);

    if (firmware)
        return machine_boot_firmware(m->machine, &first->image, error);
    findings_begin(m, first->path);
    for (size_t i = 0; i < count; i++)
        modules[i] = g_array_index(m->images, struct script_image, i + 1).image;
    return machine_boot_kernel(m->machine, &first->image, append, modules, count, error);
}

static int call_boot(lua_State *L)
{
    struct script_machine *m = script_machine(L, "boot");
    GError *error = NULL;
    bool firmware;

    args_check(L, 1, "boot", boot_keys, G_N_ELEMENTS(boot_keys));
    firmware = arg_has(L, 1, "firmware");
    if (firmware == arg_has(L, 1, "kernel"))
        script_raise(L, "boot: %s; one of kernel= and firmware= is right", firmware ? "both" : "nothing to boot");
    if (m->booted != arg_boolean(L, 1, "warm", false))
        script_raise(L, m->booted ? "boot: this machine has booted already; warm=true, or another machine{}, is right"
                                  : "boot: warm=true is for a machine that has booted before");
    if (m->running)
        script_raise(L, "boot: the machine is running; behind run{} is right");
    if (m->booted)
        machine_boot_warm(m->machine);
    g_array_set_size(m->images, 0);
    load_image(L, m, firmware ? "firmware" : "kernel", arg_string(L, 1, firmware ? "firmware" : "kernel", ""), NULL);
    if (arg_push(L, 1, "modules") == LUA_TTABLE)
        load_modules(L, m, lua_gettop(L));
    if (firmware && m->images->len > 1)
        script_raise(L, "boot: firmware takes no modules");
    if (!boot_loaded(m, arg_string(L, 1, "append", ""), firmware, &error))
        script_raise_error(L, "boot", error);
    m->booted = true;
    script_link_booted(m);
    return 0;
}

/* ---- Symbols, reports ------------------------------------------------------------------------ */

bool script_symbol_find(const struct script_machine *m, const char *name, uint64_t *address)
{
    for (guint i = 0; i < m->images->len; i++) {
        if (image_symbol(&g_array_index(m->images, struct script_image, i).image, name, address))
            return true;
    }
    return false;
}

/* Nearest symbol at or below an address, in the images from `first` on. */
static const char *symbol_from(const struct script_machine *m, guint first, uint64_t address, uint64_t *offset)
{
    const char *best = NULL;
    uint64_t best_offset = UINT64_MAX;

    for (guint i = first; i < m->images->len; i++) {
        const struct image *image = &g_array_index(m->images, struct script_image, i).image;
        uint64_t here;
        const char *name = image_symbol_at(image, address, &here);

        if (name && here < best_offset) {
            best = name;
            best_offset = here;
        }
    }
    *offset = best_offset;
    return best;
}

const char *script_symbol_at(void *ctx, uint64_t address, uint64_t *offset)
{
    return symbol_from(ctx, 0, address, offset);
}

/* Of a #VMEXIT's rIP: a guest's code comes from a module, not from the hypervisor, which may be linked there too. */
static const char *guest_symbol_at(void *ctx, uint64_t address, uint64_t *offset)
{
    const struct script_machine *m = ctx;

    return symbol_from(m, m->images->len > 1, address, offset);
}

struct report *script_machine_report(struct script_machine *m)
{
    struct report *report = report_new();

    for (guint i = 0; i < m->images->len; i++) {
        const struct script_image *image = &g_array_index(m->images, struct script_image, i);

        report_add_image(report, image->role, &image->image, image->external);
    }
    report->stop = g_strdup(m->stop);
    report->has_exit_value = m->has_exit_value;
    if (m->has_exit_value)
        report->exit_value = machine_exit_value(m->machine);
    report_gather(report, m->machine, guest_symbol_at, m);
    return report;
}

void script_open_boot(lua_State *L)
{
    lua_register(L, "boot", call_boot);
}
