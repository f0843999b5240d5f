/* SPDX-License-Identifier: MIT */
/* One running script, as the files of sim/script see it. */
#ifndef FAM10H_SCRIPT_SESSION_H
#define FAM10H_SCRIPT_SESSION_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "sim/script/script.h"

struct script_machine;

struct script {
    const struct script_options *options;
    struct report_set *set;
    struct script_machine *current; /* the last machine built or chosen by use(); owned by its Lua value */
    unsigned machines;              /* built so far */
    unsigned machines_alive;
    /* limits (sandbox.c) */
    uint64_t memory, memory_limit;
    uint64_t instructions, instruction_limit;
    bool out_of_instructions;
    int last_line; /* about where the script is, for the memory limit */
    /* Status of the error that script_raise_status raised last, known by its message. */
    int raised_status;
    char *raised_message;
    /* -s parameters: key -> value, and the keys that the script read */
    GHashTable *parameters, *parameters_read;
};

/* The script behind any of its threads. */
static inline struct script *script_of(lua_State *L)
{
    return *(struct script **)lua_getextraspace(L);
}

/* ---- Errors (args.c). All leave by lua_error: own nothing but Lua values when calling them --- */

/* "file:line: " of the innermost Lua code, pushed on the stack. */
void script_push_where(lua_State *L);
int script_raise(lua_State *L, const char *format, ...) G_GNUC_PRINTF(2, 3) G_GNUC_NORETURN;
int script_raise_status(lua_State *L, int status, const char *format, ...) G_GNUC_PRINTF(3, 4) G_GNUC_NORETURN;
/* Takes `error` over. */
int script_raise_error(lua_State *L, const char *call, GError *error) G_GNUC_NORETURN;

/* ---- Named arguments (args.c) ---------------------------------------------------------------- */

enum arg_kind { ARG_STRING, ARG_INTEGER, ARG_BOOLEAN, ARG_TABLE, ARG_FUNCTION, ARG_TIME, ARG_BYTES, ARG_ANY };

struct arg_key {
    const char *name;
    enum arg_kind kind;
    const char *right; /* what would be right: the end of the error line */
};

/* Every key of the table at `index` is known and of its kind, or an error that names the nearest. */
void args_check(lua_State *L, int index, const char *call, const struct arg_key *keys, size_t count);
/* Values of a checked table; the default if the key is absent. */
bool arg_has(lua_State *L, int index, const char *name);
uint64_t arg_integer(lua_State *L, int index, const char *name, uint64_t otherwise);
bool arg_boolean(lua_State *L, int index, const char *name, bool otherwise);
uint64_t arg_time(lua_State *L, int index, const char *name, uint64_t otherwise);
uint64_t arg_bytes(lua_State *L, int index, const char *name, uint64_t otherwise);
/* The string stays valid while the table does. */
const char *arg_string(lua_State *L, int index, const char *name, const char *otherwise);
/* Push the value (nil if absent). */
int arg_push(lua_State *L, int index, const char *name);

/* ---- Machines (machine_value.c) -------------------------------------------------------------- */

struct script_image {
    struct image image;
    char *name, *string;
    char *path;
    char *data;
    const char *role;
    bool external;
};

enum watch_kind { WATCH_TIME, WATCH_INSNS, WATCH_EXIT, WATCH_ADDRESS, WATCH_OUTPUT, WATCH_STORED };
enum watch_purpose { WATCH_CALL, WATCH_BREAK, WATCH_UNTIL };

/* Something that at(), break_at() or run{until=} waits for. */
struct watch {
    unsigned id;
    enum watch_kind kind;
    enum watch_purpose purpose;
    uint64_t value;         /* picoseconds, instructions, exit code, linear address; of WATCH_STORED system-physical */
    uint64_t size;          /* of WATCH_STORED, bytes */
    bool any;               /* every exit code */
    bool has_rax, has_eax, has_rip;
    uint64_t rax, rip;
    int core;               /* -1: any */
    uint64_t remaining;     /* occurrences until it counts */
    char *text;             /* of WATCH_OUTPUT: part of a line that COM1 writes; owned by the list */
    int function;           /* Lua reference, for WATCH_CALL */
    bool gone;
};

/* machine{check=}: whether what the checks find counts as failed expectations, or is only listed by findings(). */
enum script_check { SCRIPT_CHECK_NONE, SCRIPT_CHECK_EXPECT, SCRIPT_CHECK_LIST };
struct line_table; /* findings.c */

/* A watch came true. */
struct watch_hit {
    unsigned id;
    unsigned core;
    uint64_t code, rip, rax; /* of WATCH_STORED: address and size of the store in code and rax */
    size_t line, line_size; /* of WATCH_OUTPUT: where in uart_out */
};

struct script_machine {
    struct script *script;
    unsigned number;
    struct machine *machine;
    struct machine_config config;
    char *model;
    GArray *images;        /* struct script_image, kernel first */
    GString *uart_out;     /* what the guest wrote to COM1 */
    size_t uart_line;      /* where its last line begins */
    size_t uart_seen;      /* how far uart{expect} has looked */
    GByteArray *uart_in;   /* what uart{send} still has to give */
    bool booted, running;
    bool spoiled;          /* half restored: nothing may be done with it */
    const char *stop;      /* of the last run */
    bool has_exit_value;
    GArray *watches;       /* struct watch */
    GArray *hits;          /* struct watch_hit, since machine_run was called */
    unsigned next_watch;
    /* The breakpoint that stopped last: not reported again before its core has moved. */
    unsigned passed_core;
    uint64_t passed_instructions, passed_address;
    enum script_check check;
    size_t findings;       /* of the machine's: counted as expectations so far */
    struct line_table *lines; /* of the checked kernel; NULL: there is none */
    GPtrArray *traces;     /* struct walk_trace, see trace.c */
    struct machine_pair *pair; /* with the machine at the other end of its link, or NULL; see link.c */
};

/* The current machine, or an error that says to build one; `call` names who asks. */
struct script_machine *script_machine(lua_State *L, const char *call);
/* The same, booted. */
struct script_machine *script_booted(lua_State *L, const char *call);
/* The core that key "core" of a checked table names (0 if index is 0 or the key absent). */
struct core *script_core(lua_State *L, struct script_machine *m, int index, const char *call, unsigned *number);
/* Symbol of an image: by name, by address (struct report's report_symbol over a script_machine). */
bool script_symbol_find(const struct script_machine *m, const char *name, uint64_t *address);
const char *script_symbol_at(void *ctx, uint64_t address, uint64_t *offset);
/* A report of the machine as it stands now; the caller frees it. */
struct report *script_machine_report(struct script_machine *m);

/* A value that machine{} gave; NULL if it is none, or its machine is gone. */
struct script_machine *script_machine_value(lua_State *L, int index);

/* ---- Links (link.c) -------------------------------------------------------------------------- */

/* machine_run, with the machine at the other end of its link, if there is one. */
enum machine_stop script_run_machine(lua_State *L, struct script_machine *m, const char *call, uint64_t until_ps,
                                     uint64_t until_instructions);
/* It has booted: its time is 0. */
void script_link_booted(struct script_machine *m);
/* The machine goes away. */
void script_link_leave(struct script_machine *m);

/* ---- Watches (watch.c) ----------------------------------------------------------------------- */

/* Read a condition (a time string, or a table) at `index` into watches of this purpose; returns the last id. */
unsigned watch_add(lua_State *L, struct script_machine *m, int index, const char *call, enum watch_purpose purpose);
struct watch *watch_find(struct script_machine *m, unsigned id);
void watch_remove(lua_State *L, struct script_machine *m, unsigned id);
/* One more of m's, like `watch`; gives its id. */
unsigned watch_append(struct script_machine *m, const struct watch *watch, enum watch_kind kind, uint64_t value);
/* Counts one occurrence; true when it is the one that was waited for. */
bool watch_occurs(struct script_machine *m, struct watch *watch, const struct watch_hit *event);
/* stored= and size= of a condition, checked; gives the watch's id. */
unsigned stores_watch(lua_State *L, struct script_machine *m, int index, const char *call, const struct watch *watch);
/* Be told of the stores that watches wait for, on pages that a reset may have given back. */
void stores_arm(struct script_machine *m);
void watches_remove_until(lua_State *L, struct script_machine *m);
/* COM1 has written a whole line, the last of uart_out. */
void watches_line(struct script_machine *m);
void watch_clear(void *watch);
/* Give the cores the hooks that the watches need. */
void watches_arm(struct script_machine *m);
/* The earliest time and instruction count that a watch waits for. */
void watches_next(const struct script_machine *m, uint64_t *ps, uint64_t *instructions);
/* Turn due times and counts into hits. */
void watches_due(struct script_machine *m);
/* Push the table that describes a hit. */
void watch_push_event(lua_State *L, struct script_machine *m, const struct watch_hit *hit);

void traces_free(struct script_machine *m);

/* ---- Checks of the kernel (findings.c) --------------------------------------------------------- */

/* The image at `kernel` is about to be booted. */
void findings_begin(struct script_machine *m, const char *kernel);
/* Count what was found since as failed expectations, if it is to be. */
void findings_expect(struct script_machine *m);
void line_table_free(struct line_table *table);

/* ---- Calls: each file registers its own ------------------------------------------------------ */

void script_open_sandbox(lua_State *L);
void script_open_order(lua_State *L);
void script_open_strings(lua_State *L);
void script_open_patterns(lua_State *L);
void script_open_machine(lua_State *L);
void script_open_boot(lua_State *L);
void script_open_inject(lua_State *L);
void script_open_run(lua_State *L);
void script_open_watch(lua_State *L);
void script_open_look(lua_State *L);
void script_open_state(lua_State *L);
void script_open_report(lua_State *L);
void script_open_trace(lua_State *L);
void script_open_stores(lua_State *L);
void script_open_link(lua_State *L);
void script_open_require(lua_State *L);

/* step() whose first argument is a string (step.c). */
int script_step_shown(lua_State *L);
void script_open_findings(lua_State *L);

/* The script's text as Lua reads it (source.c). */
GString *script_source(const char *text, size_t size);

/* Sandboxed tostring of the value at `index`, pushed (order.c). */
const char *script_push_string(lua_State *L, int index);

void *script_allocate(void *ctx, void *block, size_t old_size, size_t new_size);
void script_count_hook(lua_State *L, lua_Debug *ar);
/* `count` more instructions of the script; raises SCRIPT_LIMIT when they are too many. */
void script_count(lua_State *L, uint64_t count);
#define SCRIPT_HOOK_INTERVAL 1000

#endif
