# SPDX-License-Identifier: MIT
# Sourced by the system tests: how to run fam10h, and every image that we build with what it is run with.
: "${top_srcdir:=.}" "${top_builddir:=.}" "${FAM10H:=$top_builddir/fam10h}"
FAM10H_IMAGES=$top_builddir/hv:$top_builddir/workloads:$top_builddir/bench:$top_builddir/workloads/tests
export FAM10H_IMAGES

work=$(mktemp -d "${TMPDIR:-/tmp}/fam10h-test.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
n=0

# result STATUS NAME: one TAP line.
result() {
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# comment FILE: for the one who looks why.
comment() { sed 's/^/# /' "$1" | head -n "${2:-20}"; }

walkbench_guests=
for mode in long4k long2m pae4k pae2m legacy4k legacy4m off; do
    for backing in 4k 2m; do
        walkbench_guests="$walkbench_guests;walkbench.elf mode=$mode touches=64 name=$mode backing=$backing memory=32M"
    done
done

# image NAME OPTIONS...: run one image of the list below through image.lua; the report goes to stdout.
image() {
    set -- "$@" --json -
    case $1 in
        hv) shift; run_image hv.elf "$@" -s nodes=2 -s cores=2 -s memory=1G -s modules="$hv_guests" ;;
        walkbench) shift; run_image hv.elf "$@" -s memory=1G -s modules="${walkbench_guests#;}" ;;
        bench) shift; run_image bench.elf "$@" -s memory=1G -s insns=400000 \
            -s rows=integer,branch,copy_4k,copy_1m,copy_64m,smc,exception,syscall,port,chase_4k,chase_2m ;;
        bench-*) row=${1#bench-}; shift; run_image bench.elf "$@" -s memory=1G -s insns=2000000 -s rows="$row" ;;
        *) name=$1; shift; run_image "$name.elf" "$@" -s cores=2 -s memory=256M ;;
    esac
}
hv_guests="sums32.elf name=a width=32 vcpus=2 backing=4k memory=32M"
hv_guests="$hv_guests;sums64.elf name=b vcpus=2 backing=2m memory=32M"
hv_guests="$hv_guests;ping.elf name=c vcpus=2 backing=4k memory=32M"
images="hv walkbench bench bench-nested_4k bench-nested_2m bench-switch"
images="$images exceptions paging protection32 svm apic debug paging-cube registers selfmod smp lbr perfctr smm"
images="$images svm-events svm-inject svm-intercepts svm-ioio svm-modes svm-msr svm-npf svm-tasks svm-tlb svm-vintr"
images="$images svm-lbr svm-vmrun"

run_image() {
    kernel=$1
    shift
    "$FAM10H" run "$top_srcdir/tests/system/image.lua" -s kernel="$kernel" "$@"
}
