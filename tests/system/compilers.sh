#!/bin/sh
# SPDX-License-Identifier: MIT
# The same report, byte for byte, from the simulator as built in each of $BUILDS (gcc -O0, gcc -O2, clang ...);
# the images are those of $top_builddir.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"
: "${BUILDS:=$top_builddir}"
compared="hv walkbench bench bench-nested_4k paging svm"

# shellcheck disable=SC2086
set -- $BUILDS
first=$1
shift
if [ $# -eq 0 ]; then
    echo "1..0 # SKIP one build has nothing to be compared with"
    exit 0
fi
set -- "$@"
echo "1..$(($# * $(echo "$compared" | wc -w)))"
for name in $compared; do
    FAM10H=$first/fam10h image "$name" >"$work/first" 2>"$work/errors" || comment "$work/errors"
    for build; do
        FAM10H=$build/fam10h image "$name" >"$work/other" 2>"$work/errors" && cmp -s "$work/first" "$work/other" &&
            [ -s "$work/first" ]
        status=$?
        result $status "$name: $build gives the bytes of $first"
        [ $status -eq 0 ] || {
            comment "$work/errors"
            diff "$work/first" "$work/other" >"$work/diff"
            comment "$work/diff"
        }
    done
done
