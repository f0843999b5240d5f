/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int main(void)
{
    puts("fam10h");
    return 0;
}
