/* SPDX-License-Identifier: MIT */
/* What needs no Lua: the nearest word, numbers with units, files. */
#include "sim/script/script.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Nearest word ---------------------------------------------------------------------------- */

#define WORD_LIMIT 48

/* Edits (insert, delete, replace) from a to b; words are cut at WORD_LIMIT. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[WORD_LIMIT + 1];
    size_t a_length = MIN(strlen(a), WORD_LIMIT), b_length = MIN(strlen(b), WORD_LIMIT);

    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned replace = diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));

            diagonal = row[j];
            row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

const char *script_nearest(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned distance = (unsigned)strlen(word) / 2 + 1; /* half of the word may be wrong */

    for (size_t i = 0; i < count; i++) {
        unsigned d = names[i] ? edit_distance(word, names[i]) : distance;

        if (d < distance) {
            distance = d;
            best = names[i];
        }
    }
    return best;
}

/* ---- Numbers with units ---------------------------------------------------------------------- */

bool script_parse_bytes(const char *text, uint64_t *bytes)
{
    char *end;
    unsigned shift = 0;
    guint64 number;

    if (!g_ascii_isdigit(*text))
        return false;
    number = g_ascii_strtoull(text, &end, 0);
    switch (g_ascii_toupper(*end)) {
    case 'K': shift = 10; break;
    case 'M': shift = 20; break;
    case 'G': shift = 30; break;
    case 'T': shift = 40; break;
    default: break;
    }
    end += shift != 0;
    if (shift && g_ascii_toupper(*end) == 'B')
        end++;
    if (*end || number > UINT64_MAX >> shift)
        return false;
    *bytes = number << shift;
    return true;
}

bool script_parse_time(const char *text, uint64_t *ps)
{
    static const struct {
        const char *name;
        uint64_t ps;
    } units[] = { { "ps", 1 }, { "ns", 1000 }, { "us", PS_PER_US }, { "ms", PS_PER_MS }, { "s", PS_PER_S } };
    uint64_t whole, fraction = 0, scale = 1;
    char *end;

    if (!g_ascii_isdigit(*text))
        return false;
    whole = g_ascii_strtoull(text, &end, 10);
    if (*end == '.') {
        for (end++; g_ascii_isdigit(*end) && scale < PS_PER_S; end++, scale *= 10)
            fraction = fraction * 10 + (uint64_t)(*end - '0');
    }
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (whole >= UINT64_MAX / 2 / units[i].ps)
            return false;
        *ps = whole * units[i].ps + (uint64_t)((unsigned __int128)fraction * units[i].ps / scale);
        return true;
    }
    return false;
}

/* ---- Files ----------------------------------------------------------------------------------- */

bool script_read_file(const char *path, uint64_t limit, char **text, size_t *size, GError **error)
{
    struct stat status;
    g_autoptr(GError) reason = NULL;
    const char *fault = NULL;

    if (stat(path, &status) != 0)
        fault = g_strerror(errno);
    else if (!S_ISREG(status.st_mode))
        fault = "not a regular file";
    else if ((uint64_t)status.st_size > limit)
        fault = "too large";
    else if (!g_file_get_contents(path, text, size, &reason))
        fault = "cannot be read";
    if (fault) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", path, fault);
        return false;
    }
    return true;
}
