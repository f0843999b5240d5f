/* SPDX-License-Identifier: MIT */
/* What <string.h> would declare; a freestanding program brings its own (x86/memory.S). */
#ifndef HV_CORE_TEXT_H
#define HV_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

static inline size_t text_length(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return n;
}

static inline bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static inline void *text_zero(void *to, size_t size)
{
    return memset(to, 0, size);
}

#endif
