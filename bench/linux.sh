#!/bin/bash
# SPDX-License-Identifier: MIT
# linux.sh PROGRAM DIR [RUNS [KERNEL]]: Debian's kernel to user space and off again on fam10h and on QEMU TCG, in turn;
# each one's processor time (its own and the native kernel's on its behalf), and the ratio of the medians. KERNEL is
# vmlinuz (the bzImage), or vmlinux, which starts by PVH and decompresses nothing. DIR holds what `./test linux` has
# built there. Never part of a test: it measures time.
set -eu
program=$1 dir=$2 runs=${3:-3} kernel=${4:-vmlinuz}
append='console=ttyS0 panic=-1 poweroff'
TIMEFORMAT='%U %S'

run_fam10h() {
    "$program" boot --kernel "$dir/$kernel" --initrd "$dir/root.cpio.gz" --append "$append" --memory 512M --no-reboot
}

run_qemu() {
    qemu-system-x86_64 -accel tcg -cpu phenom -m 512M -display none -nodefaults -serial stdio -no-reboot \
        -kernel "$dir/$kernel" -initrd "$dir/root.cpio.gz" -append "$append"
}

# seconds NAME: one run; an error if user space was not reached.
seconds() {
    local spent log=$dir/bench-$1.log
    spent=$({ time "run_$1" </dev/null >"$log" 2>"$log.err"; } 2>&1)
    grep -q 'fam10h guest: ' "$log" || { echo "linux.sh: $1 did not reach user space, see $log" >&2; exit 1; }
    echo "$spent" | awk '{ printf "%.2f\n", $1 + $2 }'
}

median() { # median FILE
    sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

: >"$dir/bench-fam10h.seconds"
: >"$dir/bench-qemu.seconds"
for _ in $(seq "$runs"); do
    seconds fam10h >>"$dir/bench-fam10h.seconds"
    seconds qemu >>"$dir/bench-qemu.seconds"
done
awk -v ours="$(median "$dir/bench-fam10h.seconds")" -v theirs="$(median "$dir/bench-qemu.seconds")" -v runs="$runs" -v kernel="$kernel" 'BEGIN {
    printf "Linux (%s) to user space, processor seconds, median of %d: fam10h %.2f, QEMU TCG %.2f: %.2f times as long\n",
        kernel, runs, ours, theirs, ours / theirs }'
