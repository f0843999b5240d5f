/* SPDX-License-Identifier: MIT */
#include "hv/core/format.h"

#include <stdbool.h>
#include <stdint.h>

struct sink {
    char *to;
    size_t size, length;
};

struct field {
    unsigned width;
    bool zero, left;
    unsigned longs; /* number of l */
};

static void sink_put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->to[sink->length++] = c;
}

static void put_padded(struct sink *sink, const char *text, size_t length, const struct field *field)
{
    size_t padding = field->width > length ? field->width - length : 0;

    if (!field->left)
        for (size_t i = 0; i < padding; i++)
            sink_put(sink, field->zero ? '0' : ' ');
    for (size_t i = 0; i < length; i++)
        sink_put(sink, text[i]);
    if (field->left)
        for (size_t i = 0; i < padding; i++)
            sink_put(sink, ' ');
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, bool negative, const struct field *field)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[--at] = '-';
    put_padded(sink, digits + at, sizeof(digits) - at, field);
}

static const char *parse_field(const char *format, struct field *field)
{
    *field = (struct field){ 0 };
    for (;; format++) {
        if (*format == '0')
            field->zero = true;
        else if (*format == '-')
            field->left = true;
        else
            break;
    }
    for (; *format >= '0' && *format <= '9'; format++)
        field->width = field->width * 10 + (unsigned)(*format - '0');
    for (; *format == 'l'; format++)
        field->longs++;
    return format;
}

static void put_text(struct sink *sink, const char *text, const struct field *field)
{
    size_t length = 0;

    if (!text)
        text = "(null)";
    while (text[length])
        length++;
    put_padded(sink, text, length, field);
}

size_t format_text_va(char *to, size_t size, const char *format, va_list args)
{
    struct sink sink = { to, size, 0 };
    struct field field;

    for (; *format; format++) {
        if (*format != '%') {
            sink_put(&sink, *format);
            continue;
        }
        format = parse_field(format + 1, &field);
        if (*format == 's') {
            put_text(&sink, va_arg(args, const char *), &field);
        } else if (*format == 'c') {
            char c = (char)va_arg(args, int);

            put_padded(&sink, &c, 1, &field);
        } else if (*format == 'd') {
            int64_t value = field.longs == 2 ? va_arg(args, long long)
                            : field.longs    ? va_arg(args, long)
                                             : va_arg(args, int);

            put_number(&sink, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0, &field);
        } else if (*format == 'u' || *format == 'x') {
            uint64_t value = field.longs == 2 ? va_arg(args, unsigned long long)
                             : field.longs    ? va_arg(args, unsigned long)
                                              : va_arg(args, unsigned);

            put_number(&sink, value, *format == 'u' ? 10 : 16, false, &field);
        } else if (*format == '%') {
            sink_put(&sink, '%');
        } else {
            break; /* an unknown conversion would misread the arguments that follow */
        }
    }
    if (size)
        to[sink.length] = '\0';
    return sink.length;
}

size_t format_text(char *to, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = format_text_va(to, size, format, args);
    va_end(args);
    return length;
}
