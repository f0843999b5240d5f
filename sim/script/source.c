/* SPDX-License-Identifier: MIT */
/*
 * run{until=...} reads well, but `until` is a word of Lua's own (repeat ... until). No Lua program has it
 * before a single '=', so that there a scenario's text gets ["until"] in its place, on the same line.
 */
#include <string.h>

#include "sim/script/session.h"

/* Level of a long bracket "[==[" at `at`, or -1. */
static int bracket_level(const char *at, const char *end)
{
    const char *c = at + 1;

    if (at >= end || *at != '[')
        return -1;
    while (c < end && *c == '=')
        c++;
    return c < end && *c == '[' ? (int)(c - at - 1) : -1;
}

/* Behind the long bracket that opens at `at`; `end` if it never closes. */
static const char *skip_long(const char *at, const char *end, int level)
{
    for (at += level + 2; at < end; at++) {
        const char *c = at + 1;

        if (*at != ']')
            continue;
        while (c < end && *c == '=')
            c++;
        if (c < end && *c == ']' && c - at - 1 == level)
            return c + 1;
    }
    return end;
}

static const char *skip_quoted(const char *at, const char *end)
{
    char quote = *at++;

    while (at < end && *at != quote && *at != '\n')
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    return at < end ? at + 1 : end;
}

static const char *skip_comment(const char *at, const char *end)
{
    int level = bracket_level(at + 2, end);

    if (level >= 0)
        return skip_long(at + 2, end, level);
    while (at < end && *at != '\n')
        at++;
    return at;
}

/* Behind the string or comment that begins at `at`, or `at` itself if none does. */
static const char *skip_opaque(const char *at, const char *end)
{
    int level = bracket_level(at, end);

    if (*at == '"' || *at == '\'')
        return skip_quoted(at, end);
    if (level >= 0)
        return skip_long(at, end, level);
    if (*at == '-' && at + 1 < end && at[1] == '-')
        return skip_comment(at, end);
    return at;
}

static bool is_name(char c)
{
    return g_ascii_isalnum(c) || c == '_';
}

/* Whether the word [at, after) is `until` in front of a single '='. */
static bool is_key(const char *at, const char *after, const char *end)
{
    if (after - at != 5 || memcmp(at, "until", 5) != 0)
        return false;
    while (after < end && g_ascii_isspace(*after))
        after++;
    return after < end && *after == '=' && !(after + 1 < end && after[1] == '=');
}

GString *script_source(const char *text, size_t size)
{
    GString *out = g_string_sized_new(size + 64);
    const char *at = text, *end = text + size;

    while (at < end) {
        const char *after = skip_opaque(at, end);

        if (after == at && is_name(*at)) {
            while (after < end && is_name(*after))
                after++;
            if (is_key(at, after, end)) {
                g_string_append(out, "[\"until\"]");
                at = after;
                continue;
            }
        }
        if (after == at)
            after++;
        g_string_append_len(out, at, after - at);
        at = after;
    }
    return out;
}
