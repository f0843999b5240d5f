#!/bin/sh
# SPDX-License-Identifier: MIT
# The comparison of the engines notices each fault planted in the fast one (tests/sources.am builds them).
set -u
. "${top_srcdir:-.}/tests/system/images.sh"

# planted FAULT IMAGE NAME: engines.sh must say "not ok" of this image
planted() {
    FAM10H=$top_builddir/tests/plant_$1 sh "$top_srcdir/tests/system/engines.sh" "$2" >"$work/out" 2>&1
    grep -q '^not ok 1 ' "$work/out" && [ -x "$top_builddir/tests/plant_$1" ]
    status=$?
    result $status "$3 makes the engines differ"
    [ $status -eq 0 ] || comment "$work/out"
}

echo 1..3
planted stamp walkbench "a missed recency stamp"
planted release paging "a missed INVLPG"
planted block bench "a stale block"
