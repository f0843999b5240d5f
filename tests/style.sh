#!/bin/sh
# SPDX-License-Identifier: MIT
# The tree keeps to tools/check-style, which notices each kind of violation when one is planted.
set -u
top=$(cd "${top_srcdir:-.}" && pwd)
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0
licence='/* SPDX-License-Identifier: MIT */\n'
long=$(printf '%0121d' 0)

result() { # result STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# tree FILE TEXT: a tree with one file between two that are as they should be
tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/hv" "$work/tree/tools" "$work/tree/$(dirname "$1")"
    printf "$licence" >"$work/tree/hv/good.c"
    printf "$licence" >"$work/tree/tools/good.sh"
    printf '%b' "$2" >"$work/tree/$1"
}

# plant FILE LINE TEXT: refused, by this line alone
plant() {
    tree "$1" "$3"
    out=$("$top/tools/check-style" "$work/tree")
    [ $? -ne 0 ] && [ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] && printf '%s' "$out" | grep -q "^$1:$2: $4"
    result $? "refused: $1, $4"
}

allow() { # allow FILE TEXT WHY
    tree "$1" "$2"
    "$top/tools/check-style" "$work/tree" >&2
    result $? "allowed: $1, $3"
}

echo 1..18
"$top/tools/check-style" "$top" >&2
result $? "the tree keeps to the style"
plant sim/a.c 2 "$licence$long\n" 121
plant sim/a.h 2 "$licence$long\n" 121
plant hv/boot/a.S 2 "$licence$long\n" 121
plant scenarios/a.lua 3 "$licence\n$long\n" 121
plant sim/sources.am 2 "$licence$long\n" 121
plant sim/a.c 2 "$licence\\tint a;\n" 'a tab'
plant tests/a.sh 3 "$licence\necho '\\t'\n" 'a tab'
plant sim/a.c 2 "${licence}int a; \n" 'a blank'
plant sim/a.c 2 "${licence}int a;" 'no newline'
plant sim/a.def 1 'int a;\n' 'no line SPDX'
plant tools/a.sh 1 '\n' 'no line SPDX'
ten='one two three four five six seven eight nine ten'
page="/*\n * $ten $ten\n * $ten $ten\n * $ten $ten\n * $ten $ten\n"
plant workloads/tests/a/main.c 2 "${licence}int a;\n" '.*a page of prose'
plant workloads/tests/a/main.c 2 "$licence$page */\n" '.*a page of prose'
allow workloads/tests/a/main.c "$licence$page * $ten $ten\n */\n" 'a page'
allow sim/sources.am "$licence\\ta.c\n" 'a tab'
allow sim/a.c "$licence${long%0}\n" '120 bytes'
allow scenarios/a.lua "$licence-- $long\n" 'a long title'
