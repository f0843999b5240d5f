#!/bin/sh
# SPDX-License-Identifier: MIT
# hv and all guest images by BSD's make: the same bytes as GNU make's with the same compiler; and by clang, booted.
# build.sh DIR: a build directory made by GNU make. Builds in DIR/bmake and DIR/bmake-clang.
set -u
cd "$1" || exit 99
dir=$PWD
top=$(sed -n 's/^abs_top_srcdir = //p' Makefile)
n=0
result() { # result STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $n - $2"
}

# build NAME CONFIGURE-OPTIONS...: no warning either
build() {
    name=$1
    shift
    mkdir -p "$name" && (cd "$name" && { [ Makefile -nt "$top/Makefile.in" ] || MAKE=bmake "$top/configure" -q "$@"; } &&
        bmake -s -j2 images) \
        >"$name.out" 2>&1 && ! grep -i warning "$name.out" >&2 || { sed 's/^/# /' "$name.out" | tail -n 20; return 1; }
}

echo 1..6
make -s images >images.out 2>&1
result $? "GNU make builds all images"

build bmake CC=gcc CFLAGS=-O0
result $? "bmake builds all images without a warning"

# bench.elf carries the names of its assembler's temporary files
images=$(find hv workloads -name '*.elf' -o -name '*.bin' | LC_ALL=C sort)
for image in $images; do
    cmp "$image" "bmake/$image" >&2 || echo "$image"
done >differ
[ ! -s differ ] && [ "$(echo "$images" | wc -l)" -ge 50 ]
result $? "$(echo "$images" | wc -l) images are the same bytes from both"

build bmake-clang CC=clang CFLAGS=-O0 GUEST_CC=clang
result $? "clang builds all images without a warning"

FAM10H_IMAGES=$dir/bmake-clang/hv:$dir/bmake-clang/workloads ./fam10h run "$top/scenarios/three-guests.lua" >clang.out 2>&1
result $? "hv by clang runs its guests by clang: $(tail -n 1 clang.out)"

# The tests' own images, by clang, on the simulator: one of each of their libraries
for test in exceptions protection32 svm-vmrun paging-cube tasks; do
    ./fam10h boot --memory 256M --cores 2 --kernel "bmake-clang/workloads/tests/$test.elf" </dev/null >clang.out 2>&1
    grep -q '^1\.\.' clang.out && ! grep '^not ok' clang.out || echo "# $test"
done >failed
cat failed
[ ! -s failed ]
result $? "guest tests by clang pass"
