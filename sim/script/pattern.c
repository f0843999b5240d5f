/* SPDX-License-Identifier: MIT */
#include "sim/script/pattern.h"

#include <string.h>

#define DEPTH_LIMIT 200
#define STEPS_AT_ONCE 1000
#define ESCAPE '%'

void pattern_init(struct pattern_match *match, lua_State *L, const char *subject, size_t size,
                  const char *pattern, size_t pattern_size)
{
    memset(match, 0, sizeof(*match));
    match->L = L;
    match->subject = subject;
    match->subject_end = subject + size;
    match->pattern_end = pattern + pattern_size;
}

static void count_step(struct pattern_match *match)
{
    if (++match->steps < STEPS_AT_ONCE)
        return;
    match->steps = 0;
    script_count(match->L, STEPS_AT_ONCE);
}

/* ---- One character --------------------------------------------------------------------------- */

static bool in_class(unsigned char c, char class)
{
    bool in;

    switch (g_ascii_tolower(class)) {
    case 'a': in = g_ascii_isalpha(c); break;
    case 'c': in = g_ascii_iscntrl(c); break;
    case 'd': in = g_ascii_isdigit(c); break;
    case 'g': in = g_ascii_isgraph(c); break;
    case 'l': in = g_ascii_islower(c); break;
    case 'p': in = g_ascii_ispunct(c); break;
    case 's': in = g_ascii_isspace(c) || c == '\v'; break;
    case 'u': in = g_ascii_isupper(c); break;
    case 'w': in = g_ascii_isalnum(c); break;
    case 'x': in = g_ascii_isxdigit(c); break;
    case 'z': in = c == '\0'; break; /* Lua 5.1's, still taken */
    default: return (unsigned char)class == c;
    }
    return g_ascii_isupper(class) ? !in : in;
}

/* Behind the set that opens at `p`; a ']' that comes first (after '^') is a member. */
static const char *set_end(struct pattern_match *match, const char *p)
{
    p++;
    if (p < match->pattern_end && *p == '^')
        p++;
    for (bool first = true;; first = false) {
        if (p >= match->pattern_end)
            script_raise(match->L, "malformed pattern: a '[' without its ']'");
        if (*p == ']' && !first)
            return p + 1;
        p += *p == ESCAPE && p + 1 < match->pattern_end ? 2 : 1;
    }
}

/* Behind the single-character item at `p`. */
static const char *item_end(struct pattern_match *match, const char *p)
{
    if (*p == '[')
        return set_end(match, p);
    if (*p != ESCAPE)
        return p + 1;
    if (p + 1 >= match->pattern_end)
        script_raise(match->L, "malformed pattern: it ends with '%%'");
    return p + 2;
}

/* Whether c is in the set [p, end); p stands on '[', end behind ']'. */
static bool in_set(unsigned char c, const char *p, const char *end)
{
    bool found = true;

    p++;
    if (*p == '^') {
        found = false;
        p++;
    }
    for (end--; p < end; p++) {
        if (*p == ESCAPE && p + 1 < end) {
            if (in_class(c, *++p))
                return found;
        } else if (p + 2 < end && p[1] == '-') {
            if ((unsigned char)*p <= c && c <= (unsigned char)p[2])
                return found;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

static bool item_matches(struct pattern_match *match, const char *s, const char *p, const char *end)
{
    unsigned char c;

    count_step(match);
    if (s >= match->subject_end)
        return false;
    c = (unsigned char)*s;
    switch (*p) {
    case '.': return true;
    case ESCAPE: return in_class(c, p[1]);
    case '[': return in_set(c, p, end);
    default: return (unsigned char)*p == c;
    }
}

/* ---- Repetition ------------------------------------------------------------------------------ */

static const char *match_most(struct pattern_match *match, const char *s, const char *p, const char *end)
{
    ptrdiff_t count = 0;

    while (item_matches(match, s + count, p, end))
        count++;
    for (; count >= 0; count--) {
        const char *found = pattern_match_at(match, s + count, end + 1);

        if (found)
            return found;
    }
    return NULL;
}

static const char *match_least(struct pattern_match *match, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *found = pattern_match_at(match, s, end + 1);

        if (found || !item_matches(match, s, p, end))
            return found;
    }
}

/* ---- Captures, %b, %f, %1 -------------------------------------------------------------------- */

static const char *begin_capture(struct pattern_match *match, const char *s, const char *p, ptrdiff_t kind)
{
    const char *found;

    if (match->captures >= PATTERN_CAPTURES)
        script_raise(match->L, "malformed pattern: more than %d captures", PATTERN_CAPTURES);
    match->capture[match->captures].start = s;
    match->capture[match->captures].length = kind;
    match->captures++;
    found = pattern_match_at(match, s, p);
    if (!found)
        match->captures--;
    return found;
}

static const char *end_capture(struct pattern_match *match, const char *s, const char *p)
{
    int open = match->captures - 1;
    const char *found;

    while (open >= 0 && match->capture[open].length != CAPTURE_OPEN)
        open--;
    if (open < 0)
        script_raise(match->L, "malformed pattern: a ')' without its '('");
    match->capture[open].length = s - match->capture[open].start;
    found = pattern_match_at(match, s, p);
    if (!found)
        match->capture[open].length = CAPTURE_OPEN;
    return found;
}

/* %bxy: balanced x ... y. Gives the end of it, or NULL. */
static const char *match_balance(struct pattern_match *match, const char *s, const char *p)
{
    unsigned open = 1;

    if (match->pattern_end - p < 2)
        script_raise(match->L, "malformed pattern: %%b takes two characters");
    if (s >= match->subject_end || *s != p[0])
        return NULL;
    for (s++; s < match->subject_end; s++) {
        count_step(match);
        if (*s == p[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* %f[set] at p ('['): the border where the set begins to hold. */
static bool at_frontier(struct pattern_match *match, const char *s, const char *p, const char *end)
{
    unsigned char before = s == match->subject ? '\0' : (unsigned char)s[-1];
    unsigned char here = s < match->subject_end ? (unsigned char)*s : '\0';

    return !in_set(before, p, end) && in_set(here, p, end);
}

/* %1 ... %9: the same text again. */
static const char *match_again(struct pattern_match *match, const char *s, int i)
{
    ptrdiff_t length;

    if (i < 0 || i >= match->captures || match->capture[i].length == CAPTURE_OPEN)
        script_raise(match->L, "malformed pattern: %%%d names no finished capture", i + 1);
    length = MAX(match->capture[i].length, 0);
    if (match->subject_end - s < length || memcmp(match->capture[i].start, s, (size_t)length) != 0)
        return NULL;
    return s + length;
}

/* ---- The pattern as a whole ------------------------------------------------------------------ */

/* %b, %f or %digit at p. False: it is none of them. Moves s (NULL: no match) and p. */
static bool match_special(struct pattern_match *match, const char **s, const char **p)
{
    const char *at = *p + 1, *end;

    if (at >= match->pattern_end)
        return false;
    if (*at == 'b') {
        *s = match_balance(match, *s, at + 1);
        *p = at + 3;
        return true;
    }
    if (*at == 'f') {
        if (at + 1 >= match->pattern_end || at[1] != '[')
            script_raise(match->L, "malformed pattern: %%f is followed by a set");
        end = set_end(match, at + 1);
        *s = at_frontier(match, *s, at + 1, end) ? *s : NULL;
        *p = end;
        return true;
    }
    if (g_ascii_isdigit(*at)) {
        *s = match_again(match, *s, *at - '1');
        *p = at + 1;
        return true;
    }
    return false;
}

/* The item at p with its suffix. True: *s is the verdict; false: go on at *s, *p. */
static bool match_item(struct pattern_match *match, const char **s, const char **p)
{
    const char *end = item_end(match, *p), *found;
    char suffix = end < match->pattern_end ? *end : '\0';

    switch (suffix) {
    case '?':
        found = item_matches(match, *s, *p, end) ? pattern_match_at(match, *s + 1, end + 1) : NULL;
        if (found) {
            *s = found;
            return true;
        }
        *p = end + 1;
        return false;
    case '+':
        *s = item_matches(match, *s, *p, end) ? match_most(match, *s + 1, *p, end) : NULL;
        return true;
    case '*':
        *s = match_most(match, *s, *p, end);
        return true;
    case '-':
        *s = match_least(match, *s, *p, end);
        return true;
    default:
        *s = item_matches(match, *s, *p, end) ? *s + 1 : NULL;
        *p = end;
        return *s == NULL;
    }
}

static const char *match_rest(struct pattern_match *match, const char *s, const char *p)
{
    while (p < match->pattern_end) {
        if (*p == '(')
            return p + 1 < match->pattern_end && p[1] == ')' ? begin_capture(match, s, p + 2, CAPTURE_POSITION) :
                   begin_capture(match, s, p + 1, CAPTURE_OPEN);
        if (*p == ')')
            return end_capture(match, s, p + 1);
        if (*p == '$' && p + 1 == match->pattern_end)
            return s == match->subject_end ? s : NULL;
        if (*p == ESCAPE && match_special(match, &s, &p)) {
            if (!s)
                return NULL;
            continue;
        }
        if (match_item(match, &s, &p))
            return s;
    }
    return s;
}

const char *pattern_match_at(struct pattern_match *match, const char *at, const char *pattern)
{
    const char *found;

    count_step(match);
    if (++match->depth > DEPTH_LIMIT)
        script_raise(match->L, "pattern too complex: more than %d nested choices", DEPTH_LIMIT);
    found = match_rest(match, at, pattern);
    match->depth--;
    return found;
}

/* ---- Results --------------------------------------------------------------------------------- */

void pattern_push_capture(struct pattern_match *match, int i, const char *start, const char *end)
{
    if (i >= match->captures) {
        if (i != 0)
            script_raise(match->L, "invalid capture %%%d", i + 1);
        lua_pushlstring(match->L, start, (size_t)(end - start));
        return;
    }
    if (match->capture[i].length == CAPTURE_OPEN)
        script_raise(match->L, "malformed pattern: a '(' without its ')'");
    if (match->capture[i].length == CAPTURE_POSITION)
        lua_pushinteger(match->L, match->capture[i].start - match->subject + 1);
    else
        lua_pushlstring(match->L, match->capture[i].start, (size_t)match->capture[i].length);
}

int pattern_push_captures(struct pattern_match *match, const char *start, const char *end, bool whole)
{
    int count = match->captures == 0 && whole ? 1 : match->captures;

    luaL_checkstack(match->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        pattern_push_capture(match, i, start, end);
    return count;
}
