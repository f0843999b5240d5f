/* SPDX-License-Identifier: MIT */
/*
 * What a run becomes: a plain record of it (struct report), and its writers: text, JSON, TAP, JUnit XML.
 * Nothing in a report depends on the engine, the version, the time of day or a native address.
 */
#ifndef FAM10H_REPORT_H
#define FAM10H_REPORT_H

#include <glib.h>

#include "sim/machine/machine.h"

#define REPORT_SCHEMA "fam10h-report-1"
#define REPORT_ALL_CORES "node[*].core[*]"

/* An image that was booted. Strings belong to the report. */
struct report_image {
    char *role;    /* "kernel", "module", "firmware" */
    char *name;    /* base name of its file */
    uint64_t bytes;
    char *sha256;
    bool external; /* found outside the images of this build or installation */
};

/* One expect() of a scenario. */
struct report_expectation {
    char *name;
    char *where;  /* file:line */
    bool passed;
    char *detail; /* what was found and what would be right; NULL when passed */
    char *value;  /* the value that was looked at, as text; NULL: only a condition */
    bool number;  /* the value is an integer */
};

struct report_counter {
    char *name;
    const char *unit;
    uint64_t value;
};

/* One TLB or walk structure, summed over the cores. Only what its counters tell: a bit in `has` for each. */
enum report_tlb_column { TLB_HITS, TLB_MISSES, TLB_FILLS, TLB_EVICTIONS, TLB_FLUSHED, TLB_COLUMNS };

struct report_tlb {
    const char *name;
    unsigned has;
    uint64_t value[TLB_COLUMNS];
};

extern const char *const report_tlb_columns[TLB_COLUMNS]; /* as JSON calls them */

/* A row of an exit table: by code; by guest and code; by vCPU and code; or by vCPU, code and guest rIP. */
struct report_exit {
    char *name; /* unique in its table, and what `gate` calls it */
    char *symbol; /* where rIP is known in an image, else NULL */
    struct exit_row sum;
};

/* Pairs of page sizes: what a data-side or instruction-side walk was made of. */
struct report_pair {
    char *name; /* "guest 4K, nested 2M" */
    uint64_t walks;
};

enum report_exit_table { EXITS_BY_CODE, EXITS_BY_GUEST, EXITS_BY_VCPU, EXITS_BY_RIP, EXIT_TABLES };

/* Whose walks: of the host (ASID 0, machines without a hypervisor included), or of guests. */
enum report_walker { WALKS_HOST, WALKS_GUEST, WALKERS };

struct report_walks {
    struct walk_totals totals;
    GArray *pairs; /* struct report_pair */
};

struct report_unmodelled {
    char *name;
    uint64_t count;
};

struct report {
    /* machine */
    char *model;
    unsigned nodes, cores, mhz;
    uint64_t memory;
    struct mmu_geometry geometry;
    char *evidence; /* where the model's numbers come from */
    GArray *images; /* struct report_image */
    /* outcome */
    char *stop;       /* why the machine last stopped */
    uint32_t exit_value; /* of the debug-exit port, if stop says so */
    bool has_exit_value;
    uint64_t now_ps, instructions;
    bool reproducible; /* false: a terminal was an input */
    char *hash;
    GArray *counters;   /* struct report_counter, in order of declaration */
    struct report_walks walks[WALKERS][2]; /* data side, instruction side */
    GArray *tlb;        /* struct report_tlb */
    GArray *exits[EXIT_TABLES]; /* struct report_exit */
    GArray *unmodelled; /* struct report_unmodelled */
    GPtrArray *checks;  /* char *: machine checks in words, in order of time */
};

/* A scenario's whole result. */
struct report_set {
    char *scenario;       /* base name of the script */
    GArray *expectations; /* struct report_expectation */
    uint64_t unmodelled;  /* uses of what is not modelled, of all the scenario's machines */
    struct report *final; /* of the machine that ran last; NULL if none was built */
    GPtrArray *names;     /* names of the reports that the script asked for, in order */
    GPtrArray *named;     /* struct report, parallel to names */
};

/* Name of the symbol at a guest address, or NULL; a scenario knows the images. */
typedef const char *report_symbol(void *ctx, uint64_t address, uint64_t *offset);

struct report *report_new(void);
void report_free(struct report *report);
void report_add_image(struct report *report, const char *role, const struct image *image, bool external);
/* Everything that the machine itself can tell. */
void report_gather(struct report *report, struct machine *machine, report_symbol *symbol, void *ctx);
/* The exit tables from cores' rows (any order, each core's in its own). */
void report_add_exits(struct report *report, const struct exit_row *rows, size_t count, report_symbol *symbol,
                      void *ctx);

/* Walks of one side, of the cores that `path` names (REPORT_ALL_CORES). */
void report_walk_totals(const struct counter_set *set, const char *path, enum report_walker walker, unsigned side,
                        struct walk_totals *totals);
/* Sum of the matrix. */
uint64_t report_walk_references(const struct walk_totals *totals);

struct report_set *report_set_new(const char *scenario);
void report_set_free(struct report_set *set);
/* Takes the strings of `expectation` over. */
void report_set_expect(struct report_set *set, const struct report_expectation *expectation);
unsigned report_set_failures(const struct report_set *set);

void report_write_text(const struct report *report, GString *out);
/* The document of doc/report-schema.md. */
char *report_write_json(const struct report_set *set);
void report_write_tap(const struct report_set *set, GString *out);
void report_write_junit(const struct report_set *set, GString *out);

/* Whether a name is what a pattern with * (any characters) and ? (one) says; in time length x length. */
bool report_name_matches(const char *pattern, const char *name);

/* ---- JSON in --------------------------------------------------------------------------------- */

#define JSON_DEPTH_LIMIT 64
#define JSON_SIZE_LIMIT (64u << 20)

/* Size and nesting, before any parser sees the text. One line in `error`, naming `what`. */
bool report_json_check(const char *what, const char *text, size_t size, GError **error);

/* ---- Gate ------------------------------------------------------------------------------------ */

struct gate_options {
    const char *const *allow; /* 'path=+-2%', 'path=±100', or 'path': any change; NULL-terminated, or NULL */
    bool other_images;
};

enum gate_verdict { GATE_SAME = 0, GATE_MOVED = 1, GATE_UNUSABLE = 2 };

/* Compare two documents; what moved goes to `out`, one line each. UNUSABLE sets `error`. */
enum gate_verdict gate_compare(const char *baseline_name, const char *baseline, size_t baseline_size,
                               const char *report_name, const char *report, size_t report_size,
                               const struct gate_options *options, GString *out, GError **error);
/* Whether a report may become a baseline: every image came from this build. */
bool gate_may_update(const char *name, const char *report, size_t size, GError **error);

#endif
