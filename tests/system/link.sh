#!/bin/sh
# SPDX-License-Identifier: MIT
# Two linked machines with a migration under way end the same whether they ran straight through, in pieces of one
# machine and of the other, with the reference engine, or were saved in the middle and restored in a new process.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"

pair() { # pair NAME OPTIONS...: prints what the two come to
    name=$1
    shift
    "$FAM10H" run "$top_srcdir/tests/system/link.lua" --snapshots "$work" "$@" >"$work/out" 2>"$work/errors"
    cmp -s "$work/straight" "$work/out"
    status=$?
    result $status "$name"
    [ $status -eq 0 ] || { comment "$work/out"; comment "$work/errors"; }
}

echo 1..6
"$FAM10H" run "$top_srcdir/tests/system/link.lua" >"$work/straight" 2>"$work/errors"
grep -q '^is domain 1 of there' "$work/straight" && grep -q '^migrate incoming guest=g' "$work/straight"
result $? "the guest moves"
comment "$work/straight"
pair "the same again"
pair "in 31 pieces" -s pieces=31
pair "with the reference engine" --engine reference
pair "saved while it moves" -s save=yes
pair "restored in a new process, and in pieces" -s restore=yes -s pieces=5
