#!/bin/sh
# SPDX-License-Identifier: MIT
# Every image that we build gives the same report, byte for byte, on both engines.
# `engines.sh IMAGE...` compares some images only.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"

[ $# -gt 0 ] || set -- $images
echo "1..$#"
for name; do
    image "$name" >"$work/fast" 2>"$work/errors"
    fast=$?
    image "$name" --engine reference >"$work/reference" 2>>"$work/errors"
    [ $? -eq 0 ] && [ $fast -eq 0 ] && cmp -s "$work/fast" "$work/reference"
    status=$?
    result $status "$name: the engines' reports are the same bytes"
    [ $status -eq 0 ] || {
        comment "$work/errors"
        diff "$work/reference" "$work/fast" >"$work/diff"
        comment "$work/diff"
    }
done
