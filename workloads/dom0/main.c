/* SPDX-License-Identifier: MIT */
/*
 * dom0: the control domain. It owns the console and offers a command line with xm's verbs; what they do, hv does, by
 * domctl, sysctl and the other hypercalls that Xen's tools use. `help` lists the verbs.
 */
#include "workloads/dom0/calls.h"
#include "workloads/dom0/verbs.h"
#include "workloads/lib/guest.h"

#define LINE_MAX 256
#define BACKSPACE 0x08
#define DELETE 0x7F

static const char prompt[] = "dom0# ";

static char line[LINE_MAX];
static size_t length;

static void put(const char *text, size_t size)
{
    calls_write(text, size);
}

/* One character of input: echo, edit, or the line's end. */
static void take(char c)
{
    if (c == '\r' || c == '\n') {
        put("\n", 1);
        line[length] = '\0';
        length = 0;
        verbs_run(line);
        put(prompt, sizeof(prompt) - 1);
    } else if (c == BACKSPACE || c == DELETE) {
        if (length) {
            length--;
            put("\b \b", 3);
        }
    } else if (c >= ' ' && length < LINE_MAX - 1) {
        line[length++] = c;
        put(&c, 1);
    }
}

void guest_main(void)
{
    char bytes[64];

    if (!guest_under_hv)
        guest_fail("dom0 wants hv below");
    calls_begin();
    put(prompt, sizeof(prompt) - 1);
    for (;;) {
        size_t count = calls_read(bytes, sizeof(bytes));

        for (size_t i = 0; i < count; i++)
            take(bytes[i]);
        if (!count)
            calls_wait(false);
    }
}
