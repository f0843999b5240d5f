#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shipped scenario runs, touches nothing that is not modelled, and reports what its baseline says.
# The hash may move: each new piece of modelled state changes it (tests of determinism compare hashes of one build).
# Those in $checked run with the model's checks of hv's own accesses on (--check): nothing may be found, and the report is
# the same. hostile.lua switches them on itself; the others, ten to twenty times slower so, are left to a hand.
# Two go side by side: the last of make check's tests to end, this one is its length.
# `make baselines` writes the baselines anew and prints what moved.
set -u
top=${top_srcdir:-.}
fam10h=${top_builddir:-.}/fam10h
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checked=" bsd npf pv pvh three-guests walk-trace "
[ "${FAM10H_TESTS:-}" != brief ] || checked= # brief: ./test sanitizers

result() { # result STATUS TEXT LOG: a line of TAP without its number
    if [ "$1" -eq 0 ]; then
        echo "ok - $2"
    else
        echo "not ok - $2"
        head -n 40 "$3" | sed 's/^/# /'
    fi
}

judge() { # judge SCENARIO NAME
    own=$scratch/$2
    case $checked in *" $2 "*) check=--check ;; *) check= ;; esac
    "$fam10h" run "$1" $check --json "$own.json" >"$own.out" 2>&1
    result $? "$2 runs" "$own.out"
    sed -n '/"unmodelled/,/}/p' "$own.json" >"$own.out"
    grep -q '"unmodelled_uses" : 0' "$own.out"
    result $? "$2 uses nothing that is not modelled" "$own.out"
    "$fam10h" gate "$top/scenarios/baselines/$2.json" "$own.json" --allow hash >"$own.out" 2>&1
    status=$?
    echo "after a change that is meant: make baselines" >>"$own.out"
    result $status "$2 reports what its baseline says" "$own.out"
}

work() { # each scenario that nobody has taken yet
    for scenario in "$top"/scenarios/*.lua; do
        name=$(basename "$scenario" .lua)
        mkdir "$scratch/$name.taken" 2>/dev/null && judge "$scenario" "$name" >"$scratch/$name.tap"
    done
}

work &
work
wait
for scenario in "$top"/scenarios/*.lua; do
    name=$(basename "$scenario" .lua)
    cat "$scratch/$name.tap" || echo "not ok - $name leaves a result"
done | awk '/^(not )?ok - / { n++; sub(/ok - /, "ok " n " - ") } { print } END { print "1.." n }'
