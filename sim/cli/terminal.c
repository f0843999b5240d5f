/* SPDX-License-Identifier: MIT */
/*
 * Input is asked for at moments that the model fixes (the UART's poll): a record is the number of the poll and
 * the byte. A regular file as stdin is read the same way each time; a terminal or a pipe is not.
 */
#include "sim/cli/terminal.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "sim/script/script.h"

#define CTRL_A 1
#define IDLE_MS 5
#define RECORD_LIMIT (UINT64_C(256) << 20)

struct input {
    uint64_t poll;
    uint8_t byte;
};

struct terminal {
    struct machine *machine;
    bool is_terminal, steady, end_of_file, escape, live_input, quit;
    struct termios saved;
    GString *out;           /* not yet written */
    uint64_t polls;
    uint64_t instructions;  /* at the last poll: an idle guest does not keep the native processor busy */
    char *record_name;
    GString *record;
    GArray *replay;         /* struct input, or NULL */
    guint replayed;
    GThread *signals;
    GMutex lock;            /* of `machine`, which the thread looks at */
    int signal;             /* atomic: the signal that ended the run */
};

/* ---- Output ---------------------------------------------------------------------------------- */

static void flush_out(struct terminal *terminal)
{
    fwrite(terminal->out->str, 1, terminal->out->len, stdout);
    fflush(stdout);
    g_string_truncate(terminal->out, 0);
}

static void terminal_put(void *ctx, uint8_t byte)
{
    struct terminal *terminal = ctx;

    g_string_append_c(terminal->out, (char)byte);
    if (byte == '\n' || terminal->out->len >= 4096)
        flush_out(terminal);
}

/* ---- Input ----------------------------------------------------------------------------------- */

/* A guest that has done nothing since the last poll waits for a key: so may the native processor. */
static int poll_patience(struct terminal *terminal)
{
    uint64_t now = terminal->machine ? machine_instructions(terminal->machine) : 0;
    bool idle = terminal->machine && now - terminal->instructions < 1000;

    terminal->instructions = now;
    return idle && terminal->is_terminal ? IDLE_MS : 0;
}

static int read_stdin(struct terminal *terminal)
{
    struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
    uint8_t byte;

    if (terminal->end_of_file)
        return -1;
    if (!terminal->steady && poll(&ready, 1, poll_patience(terminal)) <= 0)
        return -1;
    if (read(STDIN_FILENO, &byte, 1) != 1) {
        terminal->end_of_file = true;
        return -1;
    }
    terminal->live_input |= !terminal->steady;
    return byte;
}

static void quit(struct terminal *terminal)
{
    terminal->quit = true;
    if (terminal->machine)
        machine_interrupt(terminal->machine);
}

/* Ctrl-A X ends, Ctrl-A Ctrl-A and Ctrl-A A give a Ctrl-A, as in QEMU; other keys after it are lost. */
static int after_escape(struct terminal *terminal, int byte)
{
    terminal->escape = false;
    if (byte == 'x' || byte == 'X')
        quit(terminal);
    return byte == 'a' || byte == 'A' || byte == CTRL_A ? CTRL_A : -1;
}

static int read_replay(struct terminal *terminal)
{
    const struct input *next;

    if (terminal->replayed >= terminal->replay->len)
        return -1;
    next = &g_array_index(terminal->replay, struct input, terminal->replayed);
    if (next->poll > terminal->polls)
        return -1;
    terminal->replayed++;
    return next->byte;
}

static int terminal_get(void *ctx)
{
    struct terminal *terminal = ctx;
    int byte;

    terminal->polls++;
    flush_out(terminal);
    if (terminal->replay)
        return read_replay(terminal);
    byte = read_stdin(terminal);
    if (byte >= 0 && terminal->is_terminal) {
        if (terminal->escape) {
            byte = after_escape(terminal, byte);
        } else if (byte == CTRL_A) {
            terminal->escape = true;
            byte = -1;
        }
    }
    if (byte >= 0 && terminal->record)
        g_string_append_printf(terminal->record, "%" PRIu64 " %d\n", terminal->polls, byte);
    return byte;
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1); /* terminal_close wakes the thread with it */
}

/* A thread that waits, instead of a handler: it may have an argument. */
static gpointer wait_for_signals(gpointer data)
{
    struct terminal *terminal = data;
    sigset_t set;
    int number;

    ending_signals(&set);
    for (;;) {
        if (sigwait(&set, &number) != 0 || number == SIGUSR1)
            return NULL;
        g_atomic_int_set(&terminal->signal, number);
        g_mutex_lock(&terminal->lock);
        if (terminal->machine)
            machine_interrupt(terminal->machine);
        g_mutex_unlock(&terminal->lock);
    }
}

static void start_signals(struct terminal *terminal)
{
    sigset_t set;

    ending_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    terminal->signals = g_thread_new("signals", wait_for_signals, terminal);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool parse_record(struct terminal *terminal, const char *name, const char *text, GError **error)
{
    const char *at = text;

    for (unsigned line = 1; *at; line++) {
        char *end;
        struct input input = { .poll = g_ascii_strtoull(at, &end, 10) };
        guint64 byte = *end == ' ' ? g_ascii_strtoull(end + 1, &end, 10) : 256;

        if (*end != '\n' || byte > 255) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                        "%s:%u: not a line of a record; \"POLL BYTE\" as --record writes it is right", name, line);
            return false;
        }
        input.byte = (uint8_t)byte;
        g_array_append_val(terminal->replay, input);
        at = end + 1;
    }
    return true;
}

static bool open_replay(struct terminal *terminal, const char *name, GError **error)
{
    g_autofree char *text = NULL;
    size_t size;

    terminal->replay = g_array_new(FALSE, FALSE, sizeof(struct input));
    return script_read_file(name, RECORD_LIMIT, &text, &size, error) && parse_record(terminal, name, text, error);
}

/* Keys come one by one and unechoed; output stays as it is. */
static void make_raw(struct terminal *terminal)
{
    struct termios raw;

    terminal->is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &terminal->saved) == 0;
    if (!terminal->is_terminal)
        return;
    raw = terminal->saved;
    raw.c_iflag &= (tcflag_t) ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cflag &= (tcflag_t) ~(CSIZE | PARENB);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void terminal_free(struct terminal *terminal)
{
    if (terminal->record)
        g_string_free(terminal->record, TRUE);
    if (terminal->replay)
        g_array_unref(terminal->replay);
    g_string_free(terminal->out, TRUE);
    g_free(terminal->record_name);
    g_mutex_clear(&terminal->lock);
    g_free(terminal);
}

struct terminal *terminal_open(const char *record, const char *replay, GError **error)
{
    struct terminal *terminal = g_new0(struct terminal, 1);
    struct stat status;

    g_mutex_init(&terminal->lock);
    terminal->out = g_string_new(NULL);
    if (record) {
        terminal->record_name = g_strdup(record);
        terminal->record = g_string_new(NULL);
    }
    if (replay && !open_replay(terminal, replay, error)) {
        terminal_free(terminal);
        return NULL;
    }
    terminal->steady = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    if (!replay)
        make_raw(terminal);
    start_signals(terminal);
    return terminal;
}

bool terminal_close(struct terminal *terminal, GError **error)
{
    bool written = true;

    flush_out(terminal);
    terminal_attach(terminal, NULL);
    kill(getpid(), SIGUSR1);
    g_thread_join(terminal->signals);
    if (terminal->is_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
    if (terminal->record)
        written = g_file_set_contents(terminal->record_name, terminal->record->str, (gssize)terminal->record->len,
                                      error);
    terminal_free(terminal);
    return written;
}

struct char_port terminal_port(struct terminal *terminal)
{
    return (struct char_port){ terminal, terminal_put, terminal_get };
}

void terminal_attach(struct terminal *terminal, struct machine *machine)
{
    g_mutex_lock(&terminal->lock);
    terminal->machine = machine;
    g_mutex_unlock(&terminal->lock);
}

bool terminal_ended(const struct terminal *terminal, int *signal)
{
    *signal = g_atomic_int_get(&terminal->signal);
    return terminal->quit || *signal;
}

bool terminal_reproducible(const struct terminal *terminal)
{
    return !terminal->live_input || terminal->record;
}
