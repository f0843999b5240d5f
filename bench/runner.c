/* SPDX-License-Identifier: MIT */
/*
 * The bench runner: boots the bench image on fam10h, on QEMU TCG (plain and -icount) and on Bochs, in turn,
 * several times; takes each simulator's own processor time between the lines that the image prints; compares
 * checksums; prints every row as a ratio to QEMU TCG and the geometric mean against Bochs.
 *
 * The image prints on port E9h or COM1, a line each:  "row NAME begin", "row NAME end CHECKSUM", "done".
 */
#include <errno.h>
#include <glib.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROWS 64
#define MAX_RUNS 32
#define ROW_TIMEOUT_MS 300000

/* One simulator at its fastest settings, fixed before the first figure. */
struct peer {
    const char *name;
    const char *const *argv; /* %IMAGE%, %DISK%, %FAM10H%, %DIR% are replaced */
};

static const char *const fam10h_argv[] = { "%FAM10H%", "boot", "--kernel", "%IMAGE%", "--memory", "1G", NULL };
static const char *const qemu_argv[] = {
    "qemu-system-x86_64", "-accel", "tcg", "-cpu", "phenom,+svm,+npt", "-m", "1G", "-display", "none", "-nodefaults",
    "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", "%IMAGE%", NULL
};
static const char *const icount_argv[] = {
    "qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "phenom,+svm,+npt", "-m", "1G",
    "-display", "none", "-nodefaults", "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    "-kernel", "%IMAGE%", NULL
};
static const char *const bochs_argv[] = { "bochs", "-q", "-f", "%DIR%/bochsrc", "-rc", "%DIR%/commands", NULL };

static const struct peer peers[] = {
    { "fam10h", fam10h_argv },
    { "qemu", qemu_argv },
    { "qemu -icount", icount_argv },
    { "bochs", bochs_argv },
};
#define PEERS G_N_ELEMENTS(peers)
enum { PEER_FAM10H, PEER_QEMU, PEER_ICOUNT, PEER_BOCHS };

struct row {
    char name[32];
    char checksum[PEERS][32];
    double seconds[PEERS][MAX_RUNS];
    unsigned runs[PEERS];
};

struct bench {
    struct row rows[MAX_ROWS];
    unsigned row_count;
    const char *fam10h, *image, *disk;
    char *directory; /* of bochsrc */
    bool bad;
};

static struct row *row_named(struct bench *bench, const char *name)
{
    for (unsigned i = 0; i < bench->row_count; i++)
        if (strcmp(bench->rows[i].name, name) == 0)
            return &bench->rows[i];
    if (bench->row_count == MAX_ROWS)
        return NULL;
    g_strlcpy(bench->rows[bench->row_count].name, name, sizeof(bench->rows[0].name));
    return &bench->rows[bench->row_count++];
}

/* ---- One run ------------------------------------------------------------------------------------ */

static double processor_seconds(pid_t pid)
{
    struct timespec now;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
        return NAN;
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char **arguments(const struct bench *bench, const char *const *argv)
{
    GPtrArray *out = g_ptr_array_new();

    for (; *argv; argv++) {
        GString *s = g_string_new(*argv);

        g_string_replace(s, "%FAM10H%", bench->fam10h, 0);
        g_string_replace(s, "%IMAGE%", bench->image, 0);
        g_string_replace(s, "%DISK%", bench->disk, 0);
        g_string_replace(s, "%DIR%", bench->directory, 0);
        g_ptr_array_add(out, g_string_free(s, FALSE));
    }
    g_ptr_array_add(out, NULL);
    return (char **)g_ptr_array_free(out, FALSE);
}

static pid_t start(char **argv, int *output)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stderr))
            _exit(127);
        setenv("SDL_VIDEODRIVER", "dummy", 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    *output = ends[0];
    return pid;
}

/* A line of the image: begins or ends a row. Returns true at "done". */
static bool take_line(struct bench *bench, unsigned peer, const char *line, double now, double *begun)
{
    char name[32], checksum[32];
    struct row *row;

    if (sscanf(line, "row %31s end %31s", name, checksum) == 2) {
        row = row_named(bench, name);
        if (row && row->runs[peer] < MAX_RUNS) {
            row->seconds[peer][row->runs[peer]++] = now - *begun;
            g_strlcpy(row->checksum[peer], checksum, sizeof(row->checksum[peer]));
        }
    } else if (strstr(line, " begin")) {
        *begun = now;
    }
    return strncmp(line, "done", 4) == 0;
}

static bool read_lines(struct bench *bench, unsigned peer, pid_t pid, int output)
{
    GString *line = g_string_new(NULL);
    bool done = false;
    double begun = 0;

    while (!done) {
        struct pollfd wait = { output, POLLIN, 0 };
        char byte;

        if (poll(&wait, 1, ROW_TIMEOUT_MS) <= 0 || read(output, &byte, 1) != 1)
            break;
        if (byte != '\n') {
            g_string_append_c(line, byte);
            continue;
        }
        done = take_line(bench, peer, line->str, processor_seconds(pid), &begun);
        g_string_truncate(line, 0);
    }
    g_string_free(line, TRUE);
    return done;
}

static void run_peer(struct bench *bench, unsigned peer)
{
    char **argv = arguments(bench, peers[peer].argv);
    int output = -1;
    pid_t pid = start(argv, &output);

    if (pid < 0 || !read_lines(bench, peer, pid, output)) {
        fprintf(stderr, "bench: %s did not finish the image (is %s installed?)\n", peers[peer].name, argv[0]);
        bench->bad = true;
    }
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        close(output);
    }
    g_strfreev(argv);
}

/* ---- Figures ------------------------------------------------------------------------------------ */

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const struct row *row, unsigned peer)
{
    double sorted[MAX_RUNS];
    unsigned n = row->runs[peer];

    if (n == 0)
        return NAN;
    memcpy(sorted, row->seconds[peer], n * sizeof(double));
    qsort(sorted, n, sizeof(double), compare_seconds);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void check_sums(struct bench *bench)
{
    for (unsigned r = 0; r < bench->row_count; r++) {
        const struct row *row = &bench->rows[r];

        for (unsigned p = 1; p < PEERS; p++) {
            if (!row->runs[p] || strcmp(row->checksum[p], row->checksum[0]) == 0)
                continue;
            fprintf(stderr, "bench: row %s: checksum %s on fam10h, %s on %s\n", row->name, row->checksum[0],
                    row->checksum[p], peers[p].name);
            bench->bad = true;
        }
    }
}

/* Speed of `peer` relative to `base`: above 1 is faster. */
static double ratio(const struct row *row, unsigned peer, unsigned base)
{
    return median(row, base) / median(row, peer);
}

static void print_rows(const struct bench *bench)
{
    double logs[PEERS] = { 0 };
    unsigned counted[PEERS] = { 0 };

    printf("%-14s %12s %12s %12s %12s   speed as a ratio to QEMU TCG: %s %s %s\n", "row", "fam10h s", "qemu s",
           "icount s", "bochs s", "fam10h", "icount", "bochs");
    for (unsigned r = 0; r < bench->row_count; r++) {
        const struct row *row = &bench->rows[r];

        printf("%-14s", row->name);
        for (unsigned p = 0; p < PEERS; p++)
            printf(" %12.3f", median(row, p));
        printf("   %30.3f %6.3f %6.3f\n", ratio(row, PEER_FAM10H, PEER_QEMU), ratio(row, PEER_ICOUNT, PEER_QEMU),
               ratio(row, PEER_BOCHS, PEER_QEMU));
        for (unsigned p = 0; p < PEERS; p++) {
            double of = ratio(row, PEER_FAM10H, p);
            if (isfinite(of) && of > 0) {
                logs[p] += log(of);
                counted[p]++;
            }
        }
    }
    for (unsigned p = 1; p < PEERS; p++)
        printf("geometric mean, fam10h against %s: %.2f over %u rows\n", peers[p].name,
               counted[p] ? exp(logs[p] / counted[p]) : NAN, counted[p]);
}

/* ---- Main --------------------------------------------------------------------------------------- */

static bool write_bochsrc(struct bench *bench, GError **error)
{
    g_autofree char *file = g_build_filename(bench->directory, "bochsrc", NULL);
    g_autofree char *text = g_strdup_printf(
        "display_library: sdl2\n"
        "cpu: model=phenom_8650_toliman, count=1, ips=4000000000, reset_on_triple_fault=0\n"
        "memory: guest=1024, host=1024\n"
        "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
        "vgaromimage: file=/usr/share/vgabios/vgabios.bin\n"
        "ata0-master: type=disk, path=\"%s\", mode=volatile\n"
        "boot: disk\nport_e9_hack: enabled=1\nlog: %s/bochs.log\npanic: action=fatal\nclock: sync=none\n"
        "plugin_ctrl: speaker=0\nsound: driver=dummy, waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n",
        bench->disk, bench->directory);
    g_autofree char *commands = g_build_filename(bench->directory, "commands", NULL);

    /* Debian's Bochs has its debugger compiled in and waits for a command. */
    return g_file_set_contents(file, text, -1, error) && g_file_set_contents(commands, "c\n", -1, error);
}

int main(int argc, char **argv)
{
    struct bench *bench = g_new0(struct bench, 1);
    g_autoptr(GError) error = NULL;
    gint runs = 3;
    gchar *only = NULL;
    const GOptionEntry options[] = {
        { "runs", 'n', 0, G_OPTION_ARG_INT, &runs, "runs of each simulator, in turn (3)", "N" },
        { "peer", 'p', 0, G_OPTION_ARG_STRING, &only, "only this one and fam10h", "NAME" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("FAM10H IMAGE.elf DISK.img");

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 4 || runs < 1 || runs > MAX_RUNS) {
        fprintf(stderr, "bench: %s\n", error ? error->message : "usage: runner [-n 1..32] FAM10H IMAGE.elf DISK.img");
        return 2;
    }
    bench->fam10h = argv[1];
    bench->image = argv[2];
    bench->disk = argv[3];
    bench->directory = g_dir_make_tmp("fam10h-bench-XXXXXX", &error);
    if (!bench->directory || !write_bochsrc(bench, &error)) {
        fprintf(stderr, "bench: %s\n", error->message);
        return 2;
    }
    for (gint run = 0; run < runs; run++)
        for (unsigned p = 0; p < PEERS; p++)
            if (!only || p == PEER_FAM10H || strcmp(peers[p].name, only) == 0)
                run_peer(bench, p);
    check_sums(bench);
    print_rows(bench);
    return bench->bad;
}
