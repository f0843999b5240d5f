/* SPDX-License-Identifier: MIT */
/*
 * The text format that Linux's mce-inject takes: records that start with "MCE" or "CPU n", then fields in any order,
 * several on a line, comments from # on, keywords in any case, numbers as in C. A kernel's own panic line
 * ("CPU 0: Machine Check Exception: 4 Bank 4: 0xb2...") starts a record too.
 */
#include <errno.h>
#include <string.h>

#include "sim/mce/mce.h"

#define TEXT_RECORDS_MOST 10000

static GQuark text_error_quark(void)
{
    return g_quark_from_static_string("fam10h-mce-text");
}

struct text {
    const char *at, *end;
    unsigned line;
    char token[64];       /* the token at hand, "" at the end */
    bool number;
    uint64_t value;
    GArray *records;
    GError **error;
};

static bool fail(struct text *text, const char *what, const char *right)
{
    g_set_error(text->error, text_error_quark(), 0, "line %u: %s%s%s%s; %s", text->line, what,
                text->token[0] ? " '" : "", text->token, text->token[0] ? "'" : "", right);
    return false;
}

/* ---- Tokens -------------------------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct text *text)
{
    for (; text->at < text->end; text->at++) {
        if (*text->at == '#')
            while (text->at < text->end && *text->at != '\n')
                text->at++;
        if (text->at == text->end || !is_space(*text->at))
            return;
        text->line += *text->at == '\n';
    }
}

static bool read_number(struct text *text)
{
    char *end;

    errno = 0;
    text->value = strtoull(text->token, &end, 0);
    if (*end || errno)
        return fail(text, "not a number:", "0x1f, 037 and 31 are");
    text->number = true;
    return true;
}

/* The next word, number or one of : { } < >. */
static bool next(struct text *text)
{
    size_t length = 0;

    text->number = false;
    text->token[0] = '\0';
    skip_space(text);
    if (text->at == text->end)
        return true;
    if (strchr(":{}<>", *text->at) && *text->at) {
        text->token[0] = *text->at++;
        text->token[1] = '\0';
        return true;
    }
    while (text->at < text->end && (g_ascii_isalnum(*text->at) || *text->at == '_')) {
        if (length == sizeof(text->token) - 1)
            return fail(text, "too long a word:", "keywords and 64-bit numbers are right");
        text->token[length++] = *text->at++;
        text->token[length] = '\0';
    }
    if (!length) {
        text->token[0] = g_ascii_isprint(*text->at) ? *text->at : '?';
        text->token[1] = '\0';
        return fail(text, "unexpected character", "keywords and numbers of mce-inject are right");
    }
    return !g_ascii_isdigit(text->token[0]) || read_number(text);
}

static bool is(const struct text *text, const char *word)
{
    return g_ascii_strcasecmp(text->token, word) == 0;
}

/* ---- Fields -------------------------------------------------------------------------------------------------- */

static const struct flag {
    const char *name;
    uint64_t status;
    uint64_t mcg;
} flags[] = {
    { "val", MCA_VAL, 0 }, { "over", MCA_OVER, 0 }, { "uc", MCA_UC, 0 }, { "en", MCA_EN, 0 }, { "pcc", MCA_PCC, 0 },
    { "corrected", MCA_VAL | MCA_EN, 0 }, { "uncorrected", MCA_VAL | MCA_UC | MCA_EN, 0 },
    { "fatal", MCA_VAL | MCA_UC | MCA_EN | MCA_PCC, 0 },
    { "ripv", 0, MCG_RIPV }, { "eipv", 0, MCG_EIPV }, { "mcip", 0, MCG_MCIP },
};

/* Flags and numbers, or-ed, as long as they last. */
static bool read_list(struct text *text, bool mcg, uint64_t *value)
{
    *value = 0;
    for (;;) {
        bool known = text->number;

        *value |= text->number ? text->value : 0;
        for (size_t i = 0; !text->number && i < G_N_ELEMENTS(flags); i++) {
            uint64_t bits_of = mcg ? flags[i].mcg : flags[i].status;

            if (bits_of && is(text, flags[i].name)) {
                *value |= bits_of;
                known = true;
            }
        }
        if (!known)
            return true;
        if (!next(text))
            return false;
    }
}

static bool take_number(struct text *text, uint64_t *value)
{
    if (!text->number)
        return fail(text, text->token[0] ? "found" : "the file ends", "a number is right here");
    *value = text->value;
    return next(text);
}

static bool set_bank(struct text *text, struct mca_text_record *record)
{
    uint64_t bank = 0;

    if (text->number && text->value >= MCA_BANKS)
        return fail(text, "no bank", "0 to 5 are right on Family 10h");
    if (!take_number(text, &bank))
        return false;
    record->error.bank = (uint8_t)bank;
    return true;
}

uint8_t mca_raise_of(uint64_t mcg_status)
{
    return (uint8_t)(MCA_RAISE_PENDING | (mcg_status & MCG_EIPV ? 0 : MCA_RAISE_IMPRECISE) |
                     (mcg_status & MCG_RIPV ? 0 : MCA_RAISE_EVENT_LOST));
}

/* MCGSTATUS: what the #MC says of the interrupted program. */
static void set_mcg(struct mca_text_record *record, uint64_t mcg)
{
    record->error.raise = mca_raise_of(mcg);
}

/* RIP 0x10:<0xffff...> {symbol}: of no use to hardware, read past. */
static bool skip_rip(struct text *text)
{
    if (!next(text))
        return false;
    while (text->number || is(text, ":") || is(text, "<") || is(text, ">") || is(text, "{") || is(text, "}")) {
        bool symbol = is(text, "{");

        if (!next(text))
            return false;
        if (symbol && text->token[0] && !next(text))
            return false;
    }
    return true;
}

enum field { FIELD_STATUS, FIELD_MCGSTATUS, FIELD_BANK, FIELD_ADDR, FIELD_MISC, FIELD_SKIP, FIELD_PROCESSOR, FIELD_RIP,
             FIELD_WORD, FIELD_HOLD };

static const struct {
    const char *name;
    enum field field;
} fields[] = {
    { "status", FIELD_STATUS }, { "mcgstatus", FIELD_MCGSTATUS }, { "bank", FIELD_BANK }, { "addr", FIELD_ADDR },
    { "misc", FIELD_MISC }, { "tsc", FIELD_SKIP }, { "time", FIELD_SKIP }, { "mcgcap", FIELD_SKIP },
    { "apicid", FIELD_SKIP }, { "socketid", FIELD_SKIP }, { "socket", FIELD_SKIP }, { "apic", FIELD_SKIP },
    { "processor", FIELD_PROCESSOR }, { "rip", FIELD_RIP }, { "nobroadcast", FIELD_WORD }, { "in_irq", FIELD_WORD },
    { "in_proc", FIELD_WORD }, { "hold", FIELD_HOLD },
};

static bool read_value(struct text *text, struct mca_text_record *record, enum field field)
{
    struct mca_error *error = &record->error;
    uint64_t value;

    switch (field) {
    case FIELD_STATUS:
        if (!read_list(text, false, &value))
            return false;
        error->status = value | MCA_VAL | (error->status & (MCA_ADDRV | MCA_MISCV));
        return true;
    case FIELD_MCGSTATUS:
        if (!read_list(text, true, &value))
            return false;
        set_mcg(record, value);
        return true;
    case FIELD_BANK:
        return set_bank(text, record);
    case FIELD_ADDR:
        error->status |= MCA_ADDRV;
        return take_number(text, &error->addr);
    case FIELD_MISC:
        error->status |= MCA_MISCV;
        return take_number(text, &error->misc);
    case FIELD_SKIP:
        return take_number(text, &value);
    case FIELD_PROCESSOR:
        return take_number(text, &value) && (!is(text, ":") || (next(text) && take_number(text, &value)));
    default:
        return true;
    }
}

/* One field; *known: there was one. */
static bool read_field(struct text *text, struct mca_text_record *record, bool *known)
{
    *known = false;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (text->number || !is(text, fields[i].name))
            continue;
        *known = true;
        if (fields[i].field == FIELD_HOLD)
            return fail(text, "cannot do", "records are injected at once, in the order of the file");
        if (fields[i].field == FIELD_RIP)
            return skip_rip(text);
        return next(text) && read_value(text, record, fields[i].field);
    }
    return true;
}

/* ---- Records --------------------------------------------------------------------------------------------------- */

/* "CPU 0 [4]" or "CPU 0: Machine Check Exception: 4 Bank 4: 0xb200000000070f0f". */
static bool read_cpu(struct text *text, struct mca_text_record *record)
{
    static const char *const words[] = { ":", "machine", "check", "exception", ":" };
    uint64_t value = 0;

    if (!next(text) || !take_number(text, &record->core))
        return false;
    if (text->number)
        return set_bank(text, record);
    if (!is(text, ":"))
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (!is(text, words[i]))
            return fail(text, "found", "\"CPU 0: Machine Check Exception: 4 Bank 4: 0x...\" is right");
        else if (!next(text))
            return false;
    if (!take_number(text, &value))
        return false;
    set_mcg(record, value);
    if (!is(text, "bank"))
        return fail(text, "found", "\"Bank n: 0x...\" is right here");
    if (!next(text) || !set_bank(text, record))
        return false;
    if (is(text, ":") && !next(text))
        return false;
    if (!take_number(text, &value))
        return false;
    record->error.status |= value | MCA_VAL;
    return true;
}

static bool read_record(struct text *text)
{
    struct mca_text_record record = { .error = { .raw = true, .status = MCA_VAL } };
    bool known = true;

    if (is(text, "mce")) {
        if (!next(text))
            return false;
        if (is(text, "cpu") && !read_cpu(text, &record))
            return false;
    } else if (!is(text, "cpu")) {
        return fail(text, "found", "a record starts with MCE or CPU");
    } else if (!read_cpu(text, &record)) {
        return false;
    }
    while (known)
        if (!read_field(text, &record, &known))
            return false;
    if (text->records->len == TEXT_RECORDS_MOST)
        return fail(text, "too many records", "10000 are the most");
    g_array_append_val(text->records, record);
    return true;
}

GArray *mca_text_parse(const char *input, size_t size, GError **error)
{
    GError *first = NULL;
    struct text text = { .at = input, .end = input + size, .line = 1, .error = &first };

    text.records = g_array_new(FALSE, TRUE, sizeof(struct mca_text_record));
    if (next(&text)) {
        while (text.token[0] && read_record(&text))
            continue;
        if (!first && !text.records->len)
            fail(&text, "no record", "MCE or CPU n starts one");
    }
    if (!first)
        return text.records;
    g_array_unref(text.records);
    g_propagate_error(error, first);
    return NULL;
}
