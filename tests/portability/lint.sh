#!/bin/sh
# SPDX-License-Identifier: MIT
# Nothing ties the tree to one system, and the checker notices each kind of violation when one is planted.
set -u
top=$(cd "${top_srcdir:-.}" && pwd)
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0

result() { # result STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    printf 'ok %d - %s\n' $n "$2"
}

# tree FILE TEXT: a tree with one file beside one that is as it should be
tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/sim" "$work/tree/hv" "$work/tree/tools" "$work/tree/$(dirname "$1")"
    printf '#include <stdint.h>\n' >"$work/tree/sim/good.c"
    printf '#!/bin/sh\n' >"$work/tree/tools/good"
    printf 'a.o: a.c\n' >"$work/tree/good.am"
    printf '%b\n' "$2" >"$work/tree/$1"
}

# plant FILE TEXT [LINE]: must be refused by the line that it is in (the last one), and by no other
plant() {
    tree "$1" "$2"
    out=$("$top/tools/check-portability" "$work/tree")
    [ $? -eq 1 ] && printf '%s\n' "$out" | grep -q "^$1:$(wc -l <"$work/tree/$1"): " && [ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ]
    result $? "refused: $1 with $2"
}

# allow FILE TEXT
allow() {
    tree "$1" "$2"
    "$top/tools/check-portability" "$work/tree" >&2
    result $? "allowed: $1 with $2"
}

echo 1..47
"$top/tools/check-portability" "$top" >&2
result $? "the tree is portable"

for header in linux/kvm.h asm/prctl.h endian.h byteswap.h alloca.h malloc.h sys/epoll.h sys/prctl.h sys/auxv.h error.h; do
    plant sim/cpu/core.c "#include <$header>"
done
plant hv/vm/guest.c '# include <endian.h>'
plant workloads/lib/guest.c '#include <sys/io.h>'
plant bench/runner.c '#include <sys/sysinfo.h>'
plant tools/made.c '#include <linux/types.h>'
allow sim/cpu/core.c '#include <poll.h>\n#include <glib.h>\n#include "sim/bits.h"'

plant sim/cli/main.c 'x = open("/proc/cpuinfo", 0);'
plant sim/cli/main.c 'x = open("/proc", 0);'
plant hv/vm/guest.c 'x = "/dev/xen/evtchn";'
plant sim/platform/net.c 'x = "/dev/net/tun";'
plant sim/cli/main.c 'x = "/sys/devices/system/node";'
plant sim/cli/main.c 'x = "/kern/xen/version";'
plant workloads/tests/runner '#!/bin/sh\ncat /proc/cpuinfo'
plant tools/made '#!/bin/sh\n[ -c /dev/kvm ]'
plant tools/made '#!/bin/sh\nls "/sys/class/net"'
plant tools/made '#!/bin/bash'
plant tools/made '#!/usr/bin/env bash'
allow sim/cli/main.c 'x = open("/dev/null", 0); /* not "/proc/self" */ // "/proc"'
allow sim/cli/main.c '/* a comment with\n * "/dev/kvm" and gettid()\n */ int x;'
allow tools/made '#!/bin/sh\n# not /proc/cpuinfo\necho x >/dev/null'

plant sim/cli/main.c '#define _GNU_SOURCE'
plant sim/cli/main.c 'y = strchrnul(x, 1);'
plant sim/cli/main.c 'qsort_r(a, b, c, d, e);'
plant sim/platform/dram.c 'x = mmap(NULL, 1, 2, MAP_PRIVATE | MAP_POPULATE, -1, 0);'
plant sim/cli/main.c '#ifdef __linux__'
allow sim/platform/dram.c '#ifdef MADV_HUGEPAGE\nmadvise(x, y, MADV_HUGEPAGE);\n#endif'
allow sim/cli/main.c 'x = "gettid and prctl";'

plant hv/sources.am '%.o: %.c'
plant hv/sources.am '$(images): tests/%.elf: tests/%/main.o lib.o'
plant hv/sources.am 'x = $(shell ls)'
plant hv/sources.am 'x: $(filter-out a,$(TESTS))'
plant hv/sources.am 'ifeq ($(x),y)'
plant hv/sources.am 'x := y'
plant hv/sources.am 'x: y z\n\tcc -o x $^'
plant hv/sources.am 'x.o: x.c\n\tcc -o $@ $<'
plant hv/sources.am 'x.o: x.c | folder'
allow hv/sources.am '.c.g64:\n\tcc -o $@ $<\nimages = $(tests:%=tests/%.elf)\n$(images): $(tests:%=tests/%.o) x.c\n\tcc -o $@ $(@:.elf=.o) | cat'
