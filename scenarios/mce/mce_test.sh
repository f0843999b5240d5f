#!/bin/sh
# SPDX-License-Identifier: MIT
# The machine-check cases: the whole matrix holds, every row has its file that says what it is, and can be followed step by step.
set -u
top=${top_srcdir:-.}
fam10h=${top_builddir:-.}/fam10h
FAM10H_SCENARIOS=$top/scenarios
export FAM10H_SCENARIOS
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0

result() { # result STATUS NAME
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        head -n 60 "$scratch/out" | sed 's/^/# /'
    fi
}

"$fam10h" run mce/all -s titles=yes >"$scratch/titles"
"$fam10h" run --list | sed -n 's/^mce\/\([CXD][EU]-[0-9]*\)\.lua *\(.*\)$/\1: \2/p' >"$scratch/listed"
sort "$scratch/listed" >"$scratch/a"
sort "$scratch/titles" >"$scratch/b"
diff "$scratch/b" "$scratch/a" >"$scratch/out" 2>&1 && [ "$(wc -l <"$scratch/listed")" -eq 39 ]
result $? "--list has the 39 rows, each with the title that the table gives it"

for row in CE-1 XU-3 DU-6; do # one of each kind by its own file
    "$fam10h" run mce/$row -s cores=1 --step >"$scratch/out" 2>&1 </dev/null
    status=$?
    case $row in CE-1) steps='2a notify' ;; XU-3) steps='2b panic' ;; DU-6) steps='2c hold' ;; esac
    for step in '0 inject' '1 found' "$steps"; do
        grep -q "^-- step $step -" "$scratch/out" || status=1
    done
    grep -q "^   table: *$row: " "$scratch/out" || status=1
    result $status "mce/$row --step: a transcript from the injection to $steps"
done

"$fam10h" run mce/all --json "$scratch/all.json" >"$scratch/out" 2>&1
result $? "all rows on 1 and on 8 cores, case II, the calls"
grep -q '^96 ok, 0 fail, 0 not yet$' "$scratch/out"
result $? "96 verdicts: 2 x 39 rows, C2-1 to C2-8, R1 to R10"
sed -n '/"unmodelled/,/}/p' "$scratch/all.json" | tee "$scratch/out" | grep -q '"unmodelled_uses" : 0'
result $? "nothing that is not modelled is used"
for scenario in modifiers operations; do
    "$fam10h" run mce/$scenario >"$scratch/out" 2>&1
    result $? "mce/$scenario"
done
"$fam10h" run mce/random >"$scratch/out" 2>&1 # 10000 of them: ./test full
result $? "200 random errors on a loaded machine"
if [ "${FAM10H_TESTS:-}" != brief ]; then # brief: ./test sanitizers
    "$fam10h" run mce/mutants -s every=10 >"$scratch/out" 2>&1 # all of them: ./test full
    result $? "every tenth mutant of the decision table is caught"
    "$fam10h" run --check mce/random -s errors=40 >"$scratch/out" 2>&1 # reports what it finds, and fails
    result $? "40 of them with polls each ms: hv's own accesses are in order"
fi
echo "1..$count"
