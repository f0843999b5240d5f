/* SPDX-License-Identifier: MIT */
#include "hv/core/options.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *option_word(const char *line, size_t *length)
{
    size_t n = 0;

    while (is_space(*line))
        line++;
    while (line[n] && !is_space(line[n]))
        n++;
    *length = n;
    return line;
}

/* Does the word begin with `prefix` `name`? Returns what follows, or NULL. */
static const char *word_after(const char *word, size_t length, const char *prefix, const char *name)
{
    const char *end = word + length;

    for (; *prefix; prefix++, word++)
        if (word == end || *word != *prefix)
            return NULL;
    for (; *name; name++, word++)
        if (word == end || *word != *name)
            return NULL;
    return word;
}

static const char *find_value(const char *line, const char *name, size_t *value_length)
{
    const char *found = NULL;
    size_t length;

    for (const char *word = option_word(line, &length); length; word = option_word(word + length, &length)) {
        const char *rest = word_after(word, length, "", name);

        if (rest && rest < word + length && *rest == '=') {
            found = rest + 1;
            *value_length = (size_t)(word + length - found);
        }
    }
    return found;
}

bool option_is_given(const char *line, const char *name)
{
    size_t length;

    return find_value(line, name, &length);
}

bool option_text(const char *line, const char *name, char *value, size_t size)
{
    size_t length = 0;
    const char *found = find_value(line, name, &length);

    if (!found || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        value[i] = found[i];
    value[length] = '\0';
    return true;
}

static bool text_is_one_of(const char *text, size_t length, const char *const *words)
{
    for (; *words; words++) {
        const char *rest = word_after(text, length, "", *words);

        if (rest == text + length)
            return true;
    }
    return false;
}

bool option_flag(const char *line, const char *name, bool fallback)
{
    static const char *const yes[] = { "1", "on", "yes", "true", "enable", NULL };
    static const char *const no[] = { "0", "off", "no", "false", "disable", NULL };
    bool value = fallback;
    size_t length;

    for (const char *word = option_word(line, &length); length; word = option_word(word + length, &length)) {
        const char *end = word + length;
        const char *rest = word_after(word, length, "", name);

        if (word_after(word, length, "no-", name) == end)
            value = false;
        else if (rest == end)
            value = true;
        else if (rest && *rest == '=' && text_is_one_of(rest + 1, (size_t)(end - rest - 1), yes))
            value = true;
        else if (rest && *rest == '=' && text_is_one_of(rest + 1, (size_t)(end - rest - 1), no))
            value = false;
    }
    return value;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

static unsigned suffix_shift(char c)
{
    switch (c) {
    case 'K': case 'k': return 10;
    case 'M': case 'm': return 20;
    case 'G': case 'g': return 30;
    case 'T': case 't': return 40;
    default: return 0;
    }
}

uint64_t option_size(const char *line, const char *name, uint64_t fallback, bool *bad)
{
    size_t length = 0;
    const char *at = find_value(line, name, &length);
    const char *end;
    uint64_t value = 0, base = 10;
    unsigned shift;

    if (!at)
        return fallback;
    end = at + length;
    if (length > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    if (at == end || digit_value(*at) >= (int)base)
        goto wrong;
    for (; at < end && digit_value(*at) < (int)base; at++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit_value(*at), &value))
            goto wrong;
    if (at < end) {
        shift = suffix_shift(*at++);
        if (!shift || at != end || value >> (64 - shift))
            goto wrong;
        value <<= shift;
    }
    return value;
wrong:
    *bad = true;
    return fallback;
}
