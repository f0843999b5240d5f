/* SPDX-License-Identifier: MIT */
/*
 * Lua's patterns (reference manual 6.4.1), matched by our own code: Lua's backtracks for ever on some, inside
 * one C call where no instruction limit reaches it. Here each step counts as one of the script's instructions.
 */
#ifndef FAM10H_SCRIPT_PATTERN_H
#define FAM10H_SCRIPT_PATTERN_H

#include "sim/script/session.h"

#define PATTERN_CAPTURES 32
#define CAPTURE_OPEN (-1)
#define CAPTURE_POSITION (-2)

struct pattern_match {
    lua_State *L;
    const char *subject, *subject_end;
    const char *pattern_end;
    unsigned depth;
    unsigned steps;
    int captures;
    struct {
        const char *start;
        ptrdiff_t length; /* or CAPTURE_OPEN, CAPTURE_POSITION */
    } capture[PATTERN_CAPTURES];
};

void pattern_init(struct pattern_match *match, lua_State *L, const char *subject, size_t size,
                  const char *pattern, size_t pattern_size);
/* The end of a match of `pattern` that begins exactly at `at`, or NULL. Raises on a malformed pattern. */
const char *pattern_match_at(struct pattern_match *match, const char *at, const char *pattern);
/* Push capture i; the whole match [start, end) counts as capture 0 if the pattern has none. */
void pattern_push_capture(struct pattern_match *match, int i, const char *start, const char *end);
/* Push all (at least the whole match if `whole`); returns how many. */
int pattern_push_captures(struct pattern_match *match, const char *start, const char *end, bool whole);

#endif
