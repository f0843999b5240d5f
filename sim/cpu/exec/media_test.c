/* SPDX-License-Identifier: MIT */
/* Values from the manual for what the native processor cannot show, and availability. */
#include "sim/cpu/exec/exec_setup.h"

START_TEST(wait_faults_only_with_both_mp_and_ts)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    assert_retires(s, "\x9B");
    s->core.cr0 |= CR0_TS;
    assert_retires(s, "\x9B");
    s->core.rip = SETUP_RIP;
    s->core.cr0 |= CR0_MP;
    assert_faults(s, "\x9B", EXC_NM);
    setup_free(s);
}
END_TEST

UNIT_TESTS("media", wait_faults_only_with_both_mp_and_ts)
