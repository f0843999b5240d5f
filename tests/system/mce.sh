#!/bin/sh
# SPDX-License-Identifier: MIT
# Wrong words of memory met by every kind of access: the guest's own checks hold, both engines tell the same bytes, and
# a run that was saved in the middle of its errors goes on as if it had not been.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"

mce() { # mce OUTPUT OPTIONS...
    out=$work/$1; shift
    "$FAM10H" run "$top_srcdir/tests/system/mce.lua" --snapshots "$work" "$@" >"$out" 2>"$work/errors"
}
: "${top_srcdir:=.}"
cuts="1 700 3000 20000"
echo "1..$((2 + $(echo "$cuts" | wc -w)))"
mce fast
status=$?
result $status "every kind of access meets its error"
[ $status -eq 0 ] || { comment "$work/errors"; comment "$work/fast"; }
mce reference --engine reference && cmp -s "$work/fast" "$work/reference"
result $? "both engines tell the same"
grep -v '^ok\|^1\.\.\|expect' "$work/fast" | grep -e 'MC[0-9]' -e '^[0-9a-f]\{64\}$' >"$work/straight"
for cut in $cuts; do
    mce saved -s cut="$cut" -s save=mce && mce rest --engine reference -s restore=mce
    grep -e 'MC[0-9]' -e '^[0-9a-f]\{64\}$' "$work/rest" >"$work/out"
    cmp -s "$work/straight" "$work/out"
    status=$?
    result $status "saved $cut instructions behind the planting, restored for the reference engine"
    [ $status -eq 0 ] || {
        diff "$work/straight" "$work/out" >"$work/diff"
        comment "$work/diff"
        comment "$work/errors"
    }
done
