/* SPDX-License-Identifier: MIT */
/*
 * Unit tests: `foo_test.c` beside `foo.c`, a program that prints TAP. Names are sentences:
 *     START_TEST(a_walk_sets_the_accessed_bit_at_every_level) { ... } END_TEST
 *     UNIT_TESTS("walk", a_walk_sets_the_accessed_bit_at_every_level, ...)
 */
#ifndef FAM10H_UNIT_TEST_H
#define FAM10H_UNIT_TEST_H

#include <check.h>
#include <stdlib.h>

static inline int unit_tests_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;

    tcase_set_timeout(tcase, 600); /* never a timed test: far beyond what sanitizers on a loaded machine take */
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    srunner_free(runner);
    return EXIT_SUCCESS; /* the TAP lines carry the verdict */
}

#define UNIT_TESTS(name, ...)                                                        \
    int main(void)                                                                   \
    {                                                                                \
        const TTest *const tests[] = { __VA_ARGS__ };                                \
        return unit_tests_run(name, tests, sizeof(tests) / sizeof(tests[0]));        \
    }

#endif
