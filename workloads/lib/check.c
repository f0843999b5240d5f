/* SPDX-License-Identifier: MIT */
#include "workloads/lib/check.h"

static unsigned count, failed;

void check(bool holds, const char *what)
{
    count++;
    failed += !holds;
    guest_print("%s %u - %s", holds ? "ok" : "not ok", count, what);
}

void check_format(bool holds, const char *format, ...)
{
    char what[120];
    va_list args;

    va_start(args, format);
    format_text_va(what, sizeof(what), format, args);
    va_end(args);
    check(holds, what);
}

void check_equal(uint64_t got, uint64_t want, const char *what)
{
    check(got == want, what);
    if (got != want)
        guest_print("# got %llx, want %llx", (unsigned long long)got, (unsigned long long)want);
}

void check_raised(struct exception got, unsigned vector, uint64_t error_code, const char *what)
{
    bool holds = got.vector == vector && (vector == EXC_NONE || got.error_code == error_code);

    check(holds, what);
    if (!holds)
        guest_print("# got vector %u error code %lx, want %u and %llx", got.vector, (unsigned long)got.error_code,
                    vector, (unsigned long long)error_code);
}

void check_skip(const char *what, const char *why)
{
    count++;
    guest_print("ok %u - %s # SKIP %s", count, what, why);
}

void check_end(void)
{
    guest_print("1..%u", count);
    if (failed)
        guest_fail("# %u of %u failed", failed, count);
    guest_exit(0);
}
