#!/bin/sh
# SPDX-License-Identifier: MIT
# The include table holds, and the checker notices each kind of violation when one is planted.
set -u
top=$(cd "${top_srcdir:-.}" && pwd)
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0

result() { # result STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# plant FILE LINE: a tree with one file, which must be refused by a line that names it
plant() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/sim" "$work/tree/hv" "$work/tree/workloads" "$work/tree/$(dirname "$1")"
    printf '%s\n' "$2" > "$work/tree/$1"
    out=$("$top/tools/check-includes" "$work/tree")
    [ $? -eq 1 ] && printf '%s' "$out" | grep -q "^$1:1: "
    result $? "a planted violation is refused: $1 with $2"
}

echo 1..12
"$top/tools/check-includes" "$top" >&2
result $? "every include keeps to the table"
plant sim/mmu/walk.c '#include "sim/cpu/core.h"'
plant sim/cpu/exec/alu.c '#include "sim/cpu/event/event.h"'
plant sim/platform/dram.c '#include "sim/mmu/mmu.h"'
plant sim/report/text.c '#include "sim/cpu/core.h"'
plant sim/cli/main.c '#include <lua.h>'
plant hv/core/heap.c '#include "sim/bits.h"'
plant hv/core/heap.c '#include <stdio.h>'
plant hv/core/heap.c '#include "hv/svm/svm.h"'
plant hv/npt/npt.c '#include "hv/svm/svm.h"'
plant hv/vm/guest.c 'void f(void) { __asm__("hlt"); }'
plant sim/cpu/core.c '#include "core.h"'
