/* SPDX-License-Identifier: MIT */
/*
 * The differential runner: random instances of the table's rows, run by the native processor in a child
 * process and by the model, with every defined difference reported.
 *   generate.c   one instance from (seed, index)        native.c, stub.c   the child process
 *   place.c      where its operands and branches lead   model.c            the model
 *   vendor.c     what is not made for lack of agreement compare.c          what is defined, what is excepted
 *   sequence.c   several instructions in a row          main.c             options, the comparison
 *   vectors.c    what Family 10h does instead           table.c            what each row must come to
 */
#ifndef FAM10H_TESTS_SILICON_H
#define FAM10H_TESTS_SILICON_H

#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "sim/cpu/decode/insn.h"

/* ---- Linear addresses, the same on both sides ------------------------------------------------------------ */

#define LINEAR_BASE 0x10000000u
#define CODE_FIRST (LINEAR_BASE + 0x1000) /* four pages full of INT3, between two unmapped ones */
#define CODE_LAST (LINEAR_BASE + 0x5000)  /* exclusive */
#define DATA_FIRST (LINEAR_BASE + 0x11000) /* two writable pages between unmapped ones */
#define DATA_LAST (LINEAR_BASE + 0x13000)
#define DATA_READ_ONLY (LINEAR_BASE + 0x14000) /* one page, alone, full of READ_ONLY_BYTE */
#define UNMAPPED (LINEAR_BASE + 0x18000)
#define READ_ONLY_BYTE 0x5A
#define FILLER 0xCC

/* The parts of the data pages that operands lie in: all that is compared. */
#define WINDOWS 3
#define WINDOW_BYTES 3840u
struct window {
    uint32_t address, size;
};
static const struct window windows[WINDOWS] = {
    { DATA_FIRST, 640 }, { DATA_FIRST + 0xB00, 2560 }, { DATA_LAST - 640, 640 },
};

/* FS and GS bases of 64-bit code, where they can be set; nothing is mapped there. */
#define CASE_FS_BASE (LINEAR_BASE + 0x1A000)
#define CASE_GS_BASE (LINEAR_BASE + 0x1C000)

/* Linux's selectors of user code and data. */
#define SELECTOR_CODE32 0x23
#define SELECTOR_DATA 0x2B
#define SELECTOR_CODE64 0x33

/* ---- Cases ------------------------------------------------------------------------------------------------ */

#define MOST_INSNS 16
#define CODE_BYTES 256
#define RETIRED 0xFF /* no exception */

struct registers {
    uint64_t gpr[GPR_COUNT];
    uint64_t rip, rflags;
    uint16_t seg[6]; /* selectors, order of enum segment_name */
    uint8_t fx[512] __attribute__((aligned(16))); /* FXSAVE image; meaningful with `media` */
};

struct silicon_case {
    uint64_t seed, index;
    struct registers in;
    uint8_t window[WINDOW_BYTES];
    uint8_t code[CODE_BYTES];
    uint16_t size;     /* bytes of code */
    uint8_t bits;      /* 32 or 64 */
    bool media;        /* uses x87, MMX, SSE state */
    bool segments;     /* may change segment registers, or starts with other ones */
    uint8_t count;     /* instructions */
    uint16_t row[MOST_INSNS];
    uint16_t at[MOST_INSNS + 1]; /* offset of each instruction; [count]: the end */
};

/* What a case came to, on either side. */
struct silicon_result {
    struct registers out;
    uint8_t window[WINDOW_BYTES];
    uint8_t vector;    /* RETIRED, or the exception */
    uint32_t error;
    uint64_t cr2;
    bool died;         /* the child did not survive the case */
};

/* ---- Random ------------------------------------------------------------------------------------------------ */

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15; /* splitmix64 */

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static inline unsigned random_below(struct random *r, unsigned bound)
{
    return (unsigned)((random_next(r) >> 32) * bound >> 32);
}

static inline bool random_one_in(struct random *r, unsigned n)
{
    return random_below(r, n) == 0;
}

/* ---- generate.c ---------------------------------------------------------------------------------------------- */

/* What the native processor is. */
struct native_processor {
    bool intel;
    bool feature[32];  /* enum isa_feature */
    bool fsgsbase;     /* FS may be changed and put back by user code */
    uint64_t fs_base, gs_base; /* of the child */
};

void native_processor_identify(struct native_processor *processor);
/* Why this row is not run natively, or NULL. */
const char *row_not_run(const struct native_processor *processor, const struct isa_row *row);

/* Its instances begin with random x87, MMX and SSE state. */
bool uses_media(const struct isa_row *row);

/* false: (seed, index) gives no instance of this row (the next index will). */
bool generate_case(struct silicon_case *c, const struct native_processor *processor, const uint16_t *rows,
                   unsigned row_count, uint64_t seed, uint64_t index, bool sequence);

/* One instruction's bytes while it is being made. */
struct draft {
    uint8_t bytes[15];
    unsigned modrm_at, displacement_at;
    struct insn insn;
    uint64_t rip;
};
bool draft_make(struct draft *draft, struct random *r, unsigned row, unsigned bits, uint64_t rip);
bool draft_decode(struct draft *draft, unsigned bits);
uint64_t random_value(struct random *r);

/* ---- fp.c --------------------------------------------------------------------------------------------------- */

/* Numbers that matter to some format. */
uint64_t random_interesting(struct random *r);
/* The FXSAVE image of c->in. */
void random_fp(struct silicon_case *c, struct random *r);
void fp_load(struct core *core, const uint8_t *fx);
void fp_store(struct core *core, uint8_t *fx);
void fp_enter_mmx(uint8_t *fx, bool store);
bool fp_differs(const uint8_t *a, const uint8_t *b);
void fp_describe(GString *out, const uint8_t *in, const uint8_t *model, const uint8_t *native);

/* ---- vendor.c ----------------------------------------------------------------------------------------------- */

/* false: here the native processor documents something else than Family 10h. */
bool vendors_agree(const struct silicon_case *c, const struct draft *draft, const struct native_processor *processor);
/* The names of the conditions, up to NULL. */
const char *vendor_condition(unsigned number);

/* ---- place.c ------------------------------------------------------------------------------------------------ */

/* Registers and displacements so that operands lie somewhere telling. false: they cannot. */
bool place_operands(struct silicon_case *c, struct draft *draft, struct random *r,
                    const struct native_processor *processor);
uint64_t place_data(struct random *r, unsigned size, bool may_fault, bool non_canonical);
/* The offset inside its segment of the memory operand, as the semantics will work it out. */
uint64_t effective_address(const struct silicon_case *c, const struct draft *draft);
uint64_t window_get(const struct silicon_case *c, uint64_t address, unsigned size);
void window_put(struct silicon_case *c, uint64_t address, unsigned size, uint64_t value);

/* ---- sequence.c --------------------------------------------------------------------------------------------- */

bool sequence_make(struct silicon_case *c, const struct native_processor *processor, struct random *r,
                   const uint16_t *rows, unsigned row_count);

/* ---- native.c, stub.c --------------------------------------------------------------------------------------- */

#define RING 128

struct native;
/* NULL: this native machine does not allow it; *why says what. */
struct native *native_new(const struct native_processor *processor, const char **why);
void native_free(struct native *native);
/* The ring of cases to fill, and the results after native_run. */
struct silicon_case *native_cases(struct native *native);
struct silicon_result *native_results(struct native *native);
bool native_run(struct native *native, unsigned count);

/* ---- model.c ------------------------------------------------------------------------------------------------ */

struct model;
struct model *model_new(const struct native_processor *processor);
void model_free(struct model *model);
void model_run(struct model *model, const struct silicon_case *c, struct silicon_result *result);

/* ---- compare.c ---------------------------------------------------------------------------------------------- */

/* Flags that are undefined after `insn` retires. */
uint64_t undefined_flags(const struct isa_row *row);
bool exceptions_read(const struct native_processor *processor, const char *file, char **error);
/* Some exception names this row. */
bool row_has_exception(const struct isa_row *row);
/* Number of rows of the list for this processor; *unused: of them, how many no case needed. */
unsigned exceptions_count(unsigned *unused, GString *stale);
/* The name of a field that differs and should not, or NULL. */
const char *compare_case(const struct silicon_case *c, const struct silicon_result *model,
                         const struct silicon_result *native);
void describe_case(GString *out, const struct silicon_case *c, const struct silicon_result *model,
                   const struct silicon_result *native, const char *field);

/* ---- vectors.c ---------------------------------------------------------------------------------------------- */

/* Runs the vectors of `file` on the model. Returns how many failed, *complaints says which. */
unsigned vectors_run(struct model *model, const char *file, GString *complaints, unsigned *vectors);

/* ---- table.c ------------------------------------------------------------------------------------------------ */

/* What was seen of a row. */
struct tally {
    uint64_t retired, exception[32];
};

/* Lines of every row of the session; returns how many lack something that they can come to. */
unsigned table_print(GString *out, const struct native_processor *processor, const uint16_t *rows, unsigned row_count,
                     const struct tally *tally);

#endif
