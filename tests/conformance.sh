#!/bin/sh
# SPDX-License-Identifier: MIT
# doc/conformance.md says what was measured: its table is the one of doc/conformance.totals, and fam10h holds as many
# checks of each guest test now as it says there, all of them.
set -u
: "${top_srcdir:=.}" "${top_builddir:=.}"
totals=$top_srcdir/doc/conformance.totals
n=0
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

images=$(sh "$top_srcdir/workloads/tests/run" --list)
echo "1..$(($(echo "$images" | wc -w) + 1))"
"$top_srcdir/tests/peers/table" "$top_srcdir" | cmp -s - "$top_srcdir/doc/conformance.md"
result $? "the table of totals is made of doc/conformance.totals (else: tests/peers/measure BUILD)"
for name in $images; do
    if ! grep -q "^$name " "$totals"; then
        result 0 "$name # SKIP not measured on the peers yet: tests/peers/measure BUILD $name"
        continue
    fi
    held=$("$top_builddir/fam10h" boot --memory 256M --cores 2 --no-svm-lock \
        --kernel "$top_builddir/workloads/tests/$name.elf" </dev/null 2>&1 | grep -c '^ok')
    grep -q "^$name $held/$held " "$totals"
    result $? "$name: $held checks held, as the table says (else: tests/peers/measure BUILD $name)"
done
