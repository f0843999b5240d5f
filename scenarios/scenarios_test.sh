#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shipped scenario runs, touches nothing that is not modelled, and reports what its baseline says.
# `make baselines` writes the baselines anew and prints what moved.
set -u
top=${top_srcdir:-.}
fam10h=${top_builddir:-.}/fam10h
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0

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
    "$fam10h" run "$scenario" --json "$scratch/$name.json" >"$scratch/out" 2>&1
    result $? "$name runs" "$scratch/out"
    sed -n '/"unmodelled/,/}/p' "$scratch/$name.json" >"$scratch/out"
    grep -q '"unmodelled_uses" : 0' "$scratch/out"
    result $? "$name uses nothing that is not modelled" "$scratch/out"
    if [ -f "$baseline" ]; then
        "$fam10h" gate "$baseline" "$scratch/$name.json" >"$scratch/out" 2>&1
        result $? "$name reports what its baseline says" "$scratch/out"
    else
        count=$((count + 1))
        echo "ok $count - $name reports what its baseline says # SKIP there is no baseline yet"
    fi
done
echo "1..$count"
