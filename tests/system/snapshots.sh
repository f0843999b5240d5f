#!/bin/sh
# SPDX-License-Identifier: MIT
# A run that is saved anywhere and restored in a new process ends as one that never stopped, and so does one that is
# cut into pieces. Killing a process that saves leaves a whole snapshot.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"
: "${SEED:=1}" "${CUTS:=8}" "${KILLS:=10}"

# random BOUND: a number from a generator of our own (Numerical Recipes' constants), the same on every machine
random() {
    SEED=$(((SEED * 1664525 + 1013904223) % 4294967296))
    random=$((SEED / 7 % $1 + 1))
}

same() { # same NAME: $work/out holds the bytes of the run that never stopped
    cmp -s "$work/straight" "$work/out"
    status=$?
    result $status "$1"
    [ $status -eq 0 ] || {
        diff "$work/straight" "$work/out" >"$work/diff"
        comment "$work/diff"
        comment "$work/errors"
    }
}

# saved IMAGE CUT ENGINE: save at CUT with the fast engine, go on with ENGINE
saved() {
    image "$1" -s cuts="$2" -s save=cut --snapshots "$work" >"$work/out" 2>"$work/errors"
    image "$1" -s cuts="$2" -s restore=cut --snapshots "$work" --engine "$3" >"$work/out" 2>>"$work/errors"
    same "$1: saved at $2, restored for the $3 engine"
}

echo 1..$((3 * (CUTS + 3) + 1))
for name in hv walkbench svm; do
    i=0
    image "$name" >"$work/straight" 2>"$work/errors" || comment "$work/errors"
    # how many instructions it runs, less the one that ends it
    length=$(($(sed -n 's/^    "instructions" : \([0-9]*\).*/\1/p' "$work/straight") - 1))
    while [ $i -lt "$CUTS" ]; do
        random "$length"
        [ $((i % 4)) -eq 3 ] && engine=reference || engine=fast
        saved "$name" "$random" $engine
        i=$((i + 1))
    done
    cuts= i=0
    while [ $i -lt 40 ]; do
        random "$length"
        cuts="$cuts$random
"
        i=$((i + 1))
    done
    cuts=$(printf '%s' "$cuts" | sort -n | tr '\n' ,)
    image "$name" -s cuts="$cuts" >"$work/out" 2>"$work/errors"
    same "$name: a run cut into 41 pieces by instructions"
    image "$name" -s slice=777ns -s slices=100 >"$work/out" 2>"$work/errors"
    same "$name: a run cut into 101 pieces by time"
    random "$((length / 2))"
    image "$name" -s cuts="$random" -s slice=1ps -s slices=3 >"$work/out" 2>"$work/errors"
    same "$name: a run stopped three times at the same boundary"
done

whole=0 kills=0 hits=0
while [ $kills -lt "$KILLS" ]; do
    "$FAM10H" run "$top_srcdir/tests/system/saver.lua" -s times=100000 --snapshots "$work" >"$work/saver" 2>&1 &
    saver=$!
    while [ ! -e "$work/victim" ] && kill -0 $saver; do sleep 0.05; done
    random 1000
    sleep "0.$((random + 100))"
    kill -9 $saver
    wait $saver 2>/dev/null
    printf 'machine{memory="256M"}\nrestore("victim")\n' >"$work/check.lua"
    "$FAM10H" run "$work/check.lua" --snapshots "$work" 2>"$work/errors" || { whole=1; comment "$work/errors"; }
    for temporary in "$work"/victim.*; do
        [ -e "$temporary" ] && hits=$((hits + 1))
    done
    rm -f "$work"/victim*
    kills=$((kills + 1))
done
[ $whole -eq 0 ] && [ $hits -gt 0 ]
result $? "$kills kills, $hits in the middle of saving, leave whole snapshots"
