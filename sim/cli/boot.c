/* SPDX-License-Identifier: MIT */
/* fam10h boot: an image on a machine, with the terminal as its serial port; options as QEMU spells them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/cli/command.h"
#include "sim/cli/terminal.h"
#include "sim/report/report.h"
#include "sim/script/script.h"

#define IMAGE_LIMIT (UINT64_C(1) << 30)
#define EXIT_SIGNAL 128

struct boot_options {
    char *kernel, *initrd, *append, *firmware, *memory, *host_memory, *model, *engine, *json, *limit, *record, *replay,
         *coverage;
    int nodes, cores;
    gboolean no_reboot, no_svm_lock, report;
};

struct boot {
    const struct boot_options *options;
    struct machine_config config;
    GArray *images;   /* struct image; kernel or firmware first */
    GArray *external; /* bool, beside images */
    struct terminal *terminal;
    struct machine *machine;
    uint64_t limit_ps;
    const char *stop;
    bool has_exit_value;
};

/* ---- Images ---------------------------------------------------------------------------------- */

static void image_clear(gpointer data)
{
    struct image *image = data;

    g_free((char *)image->name);
    g_free((uint8_t *)image->data);
    g_free((char *)image->string);
}

/* As given, else among this build's images. */
static char *find_image(const char *program, const char *name, bool *external)
{
    g_auto(GStrv) directories = command_image_path(program);

    *external = true;
    if (g_file_test(name, G_FILE_TEST_EXISTS) || strchr(name, '/'))
        return g_strdup(name);
    for (size_t i = 0; directories[i]; i++) {
        g_autofree char *path = g_build_filename(directories[i], name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            *external = false;
            return g_steal_pointer(&path);
        }
    }
    return g_strdup(name);
}

static bool add_image(struct boot *boot, const char *program, const char *name, const char *string, GError **error)
{
    struct image image = { 0 };
    bool external;
    g_autofree char *path = find_image(program, name, &external);
    char *data;

    if (!script_read_file(path, IMAGE_LIMIT, &data, &image.size, error))
        return false;
    image.data = (const uint8_t *)data;
    image.name = g_strdup(name);
    image.string = g_strdup(string);
    g_array_append_val(boot->images, image);
    g_array_append_val(boot->external, external);
    return true;
}

/* "file arguments,file arguments": the whole text up to the comma is the module's string; ",," is a comma. */
static bool add_modules(struct boot *boot, const char *program, const char *list, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (const char *c = list;; c++) {
        if (*c == ',' && c[1] == ',') {
            g_string_append_c(text, *c++);
        } else if (*c && *c != ',') {
            g_string_append_c(text, *c);
        } else {
            g_autofree char *name = g_strndup(text->str, strcspn(text->str, " "));

            if (!add_image(boot, program, name, text->str, error))
                return false;
            g_string_truncate(text, 0);
            if (!*c)
                return true;
        }
    }
}

static bool load_images(struct boot *boot, const char *program, GError **error)
{
    const struct boot_options *options = boot->options;

    return add_image(boot, program, options->firmware ? options->firmware : options->kernel, NULL, error) &&
           (!options->initrd || add_modules(boot, program, options->initrd, error));
}

/* ---- The machine ----------------------------------------------------------------------------- */

static bool parse_size(const char *option, const char *text, uint64_t *bytes, GError **error)
{
    if (!text || script_parse_bytes(text, bytes))
        return true;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s %s; bytes such as 512M or 4G are right", option, text);
    return false;
}

static bool configure(struct boot *boot, GError **error)
{
    const struct boot_options *options = boot->options;
    struct machine_config *config = &boot->config;

    machine_config_defaults(config);
    config->debug_exit = true;
    config->svm_lock = !options->no_svm_lock;
    config->model = options->model ? options->model : config->model;
    if (options->nodes < 0 || options->cores < 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s %d; 1 or more is right",
                    options->nodes < 0 ? "--nodes" : "--cores", options->nodes < 0 ? options->nodes : options->cores);
        return false;
    }
    config->nodes = (unsigned)options->nodes;
    config->cores = (unsigned)options->cores;
    boot->limit_ps = NEVER;
    if (options->engine && strcmp(options->engine, "reference") != 0 && strcmp(options->engine, "fast") != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "--engine %s; reference and fast are right",
                    options->engine);
        return false;
    }
    config->engine = options->engine && *options->engine == 'r' ? ENGINE_REFERENCE : ENGINE_FAST;
    if (options->limit && !script_parse_time(options->limit, &boot->limit_ps)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "--limit %s; a time such as 500ms or 10s is right",
                    options->limit);
        return false;
    }
    return parse_size("--memory", options->memory, &config->memory, error) &&
           parse_size("--host-memory", options->host_memory, &config->host_memory, error);
}

static bool start(struct boot *boot, GError **error)
{
    const struct image *images = (const struct image *)(const void *)boot->images->data;
    const char *append = boot->options->append ? boot->options->append : "";

    if (boot->options->firmware)
        return machine_boot_firmware(boot->machine, &images[0], error);
    return machine_boot_kernel(boot->machine, &images[0], append, images + 1, boot->images->len - 1, error);
}

static int status_of(struct boot *boot, enum machine_stop stop)
{
    int signal;

    boot->stop = machine_stop_name(stop);
    if (terminal_ended(boot->terminal, &signal))
        return signal ? EXIT_SIGNAL + signal : 0;
    switch (stop) {
    case MACHINE_STOP_EXIT: /* QEMU's isa-debug-exit */
        boot->has_exit_value = true;
        return (int)((machine_exit_value(boot->machine) << 1 | 1) & 0xff);
    case MACHINE_STOP_POWER_OFF:
        return 0;
    case MACHINE_STOP_RESET:
        return 0;
    case MACHINE_STOP_TIME:
        return command_fail("boot", EXIT_LIMIT, "--limit %s of machine time is over", boot->options->limit);
    case MACHINE_STOP_MEMORY:
        return command_fail("boot", EXIT_LIMIT, "the guest's RAM needs more than --host-memory allows");
    default:
        return command_fail("boot", EXIT_FAILED, "the guest stopped: %s", boot->stop);
    }
}

/* Until something other than a reset ends it: a reset starts the images again, as QEMU does. */
static int run(struct boot *boot, GError **error)
{
    enum machine_stop stop;

    do {
        if (!start(boot, error))
            return EXIT_USER;
        stop = machine_run(boot->machine, boot->limit_ps, NEVER);
    } while (stop == MACHINE_STOP_RESET && !boot->options->no_reboot);
    return status_of(boot, stop);
}

/* A guest's code comes from a module, not from the hypervisor, which may be linked at the same address. */
static const char *symbol_at(void *ctx, uint64_t address, uint64_t *offset)
{
    const struct boot *boot = ctx;
    const char *name = NULL;

    for (guint i = boot->images->len > 1; i < boot->images->len && !name; i++)
        name = image_symbol_at(&g_array_index(boot->images, struct image, i), address, offset);
    return name;
}

static void write_report(struct boot *boot)
{
    struct report_set *set = report_set_new("boot");
    struct report *report = report_new();
    g_autofree char *json = NULL;

    for (guint i = 0; i < boot->images->len; i++)
        report_add_image(report, i ? "module" : boot->options->firmware ? "firmware" : "kernel",
                         &g_array_index(boot->images, struct image, i), g_array_index(boot->external, bool, i));
    report->stop = g_strdup(boot->stop);
    report->has_exit_value = boot->has_exit_value;
    report->exit_value = boot->has_exit_value ? machine_exit_value(boot->machine) : 0;
    report->reproducible = terminal_reproducible(boot->terminal);
    report_gather(report, boot->machine, symbol_at, boot);
    set->final = report;
    set->unmodelled = unmodelled_total(machine_unmodelled(boot->machine));
    if (boot->options->report) {
        g_autoptr(GString) text = g_string_new(NULL);

        report_write_text(report, text);
        fputs(text->str, stderr);
    }
    if (boot->options->json) {
        json = report_write_json(set);
        command_write_file("boot", boot->options->json, json);
    }
    report_set_free(set);
}

static int boot_machine(struct boot *boot, GError **error)
{
    int status = EXIT_USER;

    boot->terminal = terminal_open(boot->options->record, boot->options->replay, error);
    if (!boot->terminal)
        return status;
    boot->config.uart = terminal_port(boot->terminal);
    boot->config.debug_console = (struct char_port){ boot->terminal, boot->config.uart.put, NULL };
    boot->config.executed = command_coverage_begin(boot->options->coverage);
    boot->machine = machine_new(&boot->config, error);
    if (boot->machine) {
        terminal_attach(boot->terminal, boot->machine);
        status = run(boot, error);
        terminal_attach(boot->terminal, NULL);
        if (boot->stop && (boot->options->json || boot->options->report))
            write_report(boot);
        machine_free(boot->machine);
    }
    if (!command_coverage_end("boot", boot->options->coverage, boot->config.executed) && status == 0)
        status = EXIT_USER;
    if (!terminal_close(boot->terminal, *error ? NULL : error))
        status = EXIT_USER;
    return status;
}

static int boot_with(const char *program, int argc, char **argv, const struct boot_options *options)
{
    struct boot boot = { .options = options };
    g_autoptr(GError) error = NULL;
    int status = EXIT_USER;

    if (argc != 1)
        return command_fail("boot", EXIT_USER, "'%s' is not an option; the image goes with --kernel", argv[1]);
    if (!options->kernel == !options->firmware)
        return command_fail("boot", EXIT_USER, "%s; one of --kernel and --firmware is right",
                            options->kernel ? "two images" : "nothing to boot");
    if (options->firmware && (options->initrd || options->append))
        return command_fail("boot", EXIT_USER, "--initrd and --append go with --kernel");
    boot.images = g_array_new(FALSE, TRUE, sizeof(struct image));
    g_array_set_clear_func(boot.images, image_clear);
    boot.external = g_array_new(FALSE, TRUE, sizeof(bool));
    if (configure(&boot, &error) && load_images(&boot, program, &error))
        status = boot_machine(&boot, &error);
    g_array_unref(boot.images);
    g_array_unref(boot.external);
    if (error)
        return command_fail("boot", EXIT_USER, "%s", error->message);
    return status;
}

/* QEMU's users write -kernel and -initrd: one dash does as well as two where the option has a long name. */
static void double_the_dashes(const GOptionEntry *entries, int argc, char **argv, GPtrArray *made)
{
    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");

        if (argv[i][0] != '-' || argv[i][1] == '-' || length < 3)
            continue;
        for (const GOptionEntry *entry = entries; entry->long_name; entry++) {
            if (strlen(entry->long_name) == length - 1 && strncmp(entry->long_name, argv[i] + 1, length - 1) == 0) {
                argv[i] = g_strconcat("-", argv[i], NULL);
                g_ptr_array_add(made, argv[i]);
                break;
            }
        }
    }
}

static void options_clear(struct boot_options *options)
{
    char **const strings[] = { &options->kernel, &options->initrd, &options->append, &options->firmware,
                               &options->memory, &options->host_memory, &options->model, &options->engine,
                               &options->json, &options->limit, &options->record, &options->replay,
                               &options->coverage };

    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(*strings[i]);
}

int command_boot(const char *program, int argc, char **argv)
{
    struct boot_options options = { .nodes = 1, .cores = 1 };
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func(g_free);
    int status;
    const GOptionEntry entries[] = {
        { "kernel", 0, 0, G_OPTION_ARG_FILENAME, &options.kernel, "Multiboot image, Linux bzImage or PVH image",
          "FILE" },
        { "initrd", 0, 0, G_OPTION_ARG_FILENAME, &options.initrd, "Its modules, \"FILE ARGUMENTS\", comma between two",
          "LIST" },
        { "append", 0, 0, G_OPTION_ARG_FILENAME, &options.append, "Its command line", "TEXT" },
        { "firmware", 0, 0, G_OPTION_ARG_FILENAME, &options.firmware, "Flat image that ends at 4G, started at reset",
          "FILE" },
        { "memory", 'm', 0, G_OPTION_ARG_FILENAME, &options.memory, "RAM (512M)", "BYTES" },
        { "nodes", 0, 0, G_OPTION_ARG_INT, &options.nodes, "Nodes, 1 to 8 (1)", "N" },
        { "cores", 0, 0, G_OPTION_ARG_INT, &options.cores, "Cores in each node (1)", "N" },
        { "model", 0, 0, G_OPTION_ARG_FILENAME, &options.model, "Revision (10h-b3)", "NAME" },
        { "engine", 0, 0, G_OPTION_ARG_FILENAME, &options.engine, "fast or reference", "NAME" },
        { "host-memory", 0, 0, G_OPTION_ARG_FILENAME, &options.host_memory, "Limit on native memory (4G)", "BYTES" },
        { "limit", 0, 0, G_OPTION_ARG_FILENAME, &options.limit, "End after this machine time, status 3", "TIME" },
        { "no-reboot", 0, 0, G_OPTION_ARG_NONE, &options.no_reboot, "End when the guest resets the machine", NULL },
        { "no-svm-lock", 0, 0, G_OPTION_ARG_NONE, &options.no_svm_lock, "Firmware leaves VM_CR unlocked", NULL },
        { "report", 0, 0, G_OPTION_ARG_NONE, &options.report, "Print the report on stderr at the end", NULL },
        { "json", 0, 0, G_OPTION_ARG_FILENAME, &options.json, "Write the report (-: stdout)", "FILE" },
        { "coverage", 0, 0, G_OPTION_ARG_FILENAME, &options.coverage,
          "Write which instructions of the kernel were executed", "FILE" },
        { "record", 0, 0, G_OPTION_ARG_FILENAME, &options.record, "Record the terminal's input", "FILE" },
        { "replay", 0, 0, G_OPTION_ARG_FILENAME, &options.replay, "Take the input from a record", "FILE" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    double_the_dashes(entries, argc, argv, made);
    if (command_options("boot", entries, &argc, &argv, &status))
        status = boot_with(program, argc, argv, &options);
    options_clear(&options);
    return status;
}
