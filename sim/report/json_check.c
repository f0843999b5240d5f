/* SPDX-License-Identifier: MIT */
/*
 * Size and nesting of JSON text, before a recursive parser sees it. The parser also takes comments, which
 * could hide brackets from this count: outside strings, only characters that JSON itself uses may stand.
 */
#include <string.h>

#include "sim/report/report.h"

static unsigned line_at(const char *text, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static bool is_json_outside_strings(char c)
{
    return g_ascii_isalnum(c) || (c && strchr(" \t\r\n[]{},:+-.\"", c));
}

/* What is wrong first, and where; NULL if nothing. */
static const char *find_fault(const char *text, size_t size, size_t *at)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        *at = i;
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (!is_json_outside_strings(c))
            return "a character that JSON does not have";
        if (c == '"')
            in_string = true;
        else if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_LIMIT)
            return "nested more than " G_STRINGIFY(JSON_DEPTH_LIMIT) " levels deep";
        else if ((c == ']' || c == '}') && depth-- == 0)
            return "a bracket that nothing opened";
    }
    return in_string ? "a string that does not end" : NULL;
}

bool report_json_check(const char *what, const char *text, size_t size, GError **error)
{
    const char *nul = memchr(text, '\0', size);
    const char *fault;
    size_t at = 0;

    if (size > JSON_SIZE_LIMIT) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %zu bytes; a report has at most %u", what, size,
                    JSON_SIZE_LIMIT);
        return false;
    }
    if (nul) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: a zero byte; a report is JSON text", what,
                    line_at(text, (size_t)(nul - text)));
        return false;
    }
    if (!g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: not UTF-8; a report is JSON text", what);
        return false;
    }
    fault = find_fault(text, size, &at);
    if (fault) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: %s; a report is JSON as `fam10h run --json` "
                    "writes it", what, line_at(text, at), fault);
        return false;
    }
    return true;
}
