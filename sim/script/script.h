/* SPDX-License-Identifier: MIT */
/* Scenarios: a Lua 5.4 script that builds a machine, drives it, asserts and asks for reports. */
#ifndef FAM10H_SCRIPT_H
#define FAM10H_SCRIPT_H

#include <glib.h>

#include "sim/machine/machine.h"
#include "sim/report/report.h"

enum script_status {
    SCRIPT_OK = 0,
    SCRIPT_FAILED = 1, /* an expectation failed, or the guest ended as nobody asked it to */
    SCRIPT_USER = 2,   /* the script or its arguments are wrong */
    SCRIPT_LIMIT = 3,  /* a stated limit was reached */
};

#define SCRIPT_INSTRUCTIONS UINT64_C(500000000) /* of Lua, not of the guest */
#define SCRIPT_MEMORY (UINT64_C(128) << 20)

struct script_options {
    const char *file;               /* name of the script, for messages and to find images beside it */
    const char *const *parameters;  /* "key=value", NULL-terminated; NULL: none */
    const char *const *image_path;  /* directories of this build's images, NULL-terminated; NULL: none */
    bool check;                     /* machines check the kernel they boot, as with machine{check=true} */
    struct executed *executed;      /* optional: gets what is executed of the kernels that machines boot */
    const char *snapshots;          /* directory of save and restore; NULL: the current one */
    enum engine engine;
    uint64_t instructions, memory;  /* limits of the script itself; 0: the defaults above */
    /* One line of output (log, report, messages of expect), without its end. */
    void (*print)(void *ctx, const char *line);
    /* Optional: called about once for each millisecond of machine time. */
    void (*progress)(void *ctx, uint64_t now_ps, uint64_t instructions);
    /*
     * Optional: the scenario has come to a step of its own (its call step(label, text)). Shows it, waits if somebody
     * is to look; false: nobody wants to see more, and the script ends.
     */
    bool (*step)(void *ctx, const char *label, const char *text);
    void *ctx;
};

/*
 * Run a script's text. Reports and expectations go to `set`. On SCRIPT_USER, SCRIPT_LIMIT and an ending that
 * nobody asked for, `error` gets one line: what, where, what would be right.
 */
enum script_status script_run(const struct script_options *options, const char *text, size_t size,
                              struct report_set *set, GError **error);

/*
 * Read a whole regular file of at most `limit` bytes, with one clear line if that fails. The content ends
 * in a zero byte that `size` does not count.
 */
bool script_read_file(const char *path, uint64_t limit, char **text, size_t *size, GError **error);

/* "512", "64K", "512M", "4G" into bytes; "250ns", "10us", "1.5ms", "2s" into picoseconds. */
bool script_parse_bytes(const char *text, uint64_t *bytes);
bool script_parse_time(const char *text, uint64_t *ps);

/* The entry of `names` nearest to `word` by edits, or NULL if none is near. */
const char *script_nearest(const char *word, const char *const *names, size_t count);

#endif
