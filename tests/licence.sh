#!/bin/sh
# SPDX-License-Identifier: MIT
# Every source file names the licence.
top=${top_srcdir:-.}
echo 1..1
missing=$(cd "$top" && find sim hv workloads bench scenarios tests tools doc -type f \
    \( -name '*.[chSl]' -o -name '*.def' -o -name '*.lua' -o -name '*.sh' \
        -o -name '*.am' -o -name '*.ld' \) 2>/dev/null |
    LC_ALL=C sort | xargs grep -L 'SPDX-License-Identifier: MIT')
if [ -z "$missing" ]; then
    echo "ok 1 - every source file has its SPDX line"
else
    echo "not ok 1 - every source file has its SPDX line"
    echo "$missing" | sed 's/^/# /'
fi
