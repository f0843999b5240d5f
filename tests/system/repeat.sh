#!/bin/sh
# SPDX-License-Identifier: MIT
# The same scenario REPEATS times idle and as often under load: always the same bytes.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"
: "${REPEATS:=20}"

# repeat NAME: run hv again and again, compared with the first run
repeat() {
    different=0 i=0
    while [ $i -lt "$REPEATS" ]; do
        image hv >"$work/again" 2>&1 && cmp -s "$work/first" "$work/again" || different=$((different + 1))
        i=$((i + 1))
    done
    [ $different -eq 0 ]
    result $? "$REPEATS runs $1 give the same bytes"
}

echo 1..3
image hv >"$work/first" 2>"$work/errors"
result $? "a first run"
comment "$work/errors"
repeat "idle"
busy=
for _ in 1 2 3; do
    (while :; do :; done) &
    busy="$busy $!"
done
trap 'kill $busy; rm -rf "$work"' EXIT
repeat "under load"
