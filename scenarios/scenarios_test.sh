#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shipped scenario runs, touches nothing that is not modelled, and reports what its baseline says.
# The hash may move: each new piece of modelled state changes it (tests of determinism compare hashes of one build).
# Those in $checked run with the model's checks of hv's own accesses on (--check): nothing may be found, and the report is
# the same. hostile.lua switches them on itself; the others, ten to twenty times slower so, are left to a hand.
# `make baselines` writes the baselines anew and prints what moved.
set -u
top=${top_srcdir:-.}
fam10h=${top_builddir:-.}/fam10h
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0
checked=" bsd npf pv pvh three-guests walk-trace "

result() { # result STATUS NAME LOG
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        head -n 40 "$3" | sed 's/^/# /'
    fi
}

for scenario in "$top"/scenarios/*.lua; do
    name=$(basename "$scenario" .lua)
    baseline=$top/scenarios/baselines/$name.json
    case $checked in *" $name "*) check=--check ;; *) check= ;; esac
    "$fam10h" run "$scenario" $check --json "$scratch/$name.json" >"$scratch/out" 2>&1
    result $? "$name runs" "$scratch/out"
    sed -n '/"unmodelled/,/}/p' "$scratch/$name.json" >"$scratch/out"
    grep -q '"unmodelled_uses" : 0' "$scratch/out"
    result $? "$name uses nothing that is not modelled" "$scratch/out"
    "$fam10h" gate "$baseline" "$scratch/$name.json" --allow hash >"$scratch/out" 2>&1
    status=$?
    echo "after a change that is meant: make baselines" >>"$scratch/out"
    result $status "$name reports what its baseline says" "$scratch/out"
done
echo "1..$count"
