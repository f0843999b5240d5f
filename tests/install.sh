#!/bin/sh
# SPDX-License-Identifier: MIT
# What make install leaves is usable: the program finds its scenarios and images, a C program builds with pkg-config.
set -u
build=$(cd "${top_builddir:-.}" && pwd)
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
n=0

result() { # result STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

echo 1..4
# The paths are compiled in, so that the program is built anew for the place it is installed to.
make -C "$build" -s install prefix="$work/usr" DESTDIR= >"$work/log" 2>&1
result $? "make install"

"$work/usr/bin/fam10h" --version >"$work/version" && grep -q '^fam10h [0-9]' "$work/version"
result $? "the installed program says its version"

FAM10H_IMAGES="$work/usr/share/fam10h/images" "$work/usr/bin/fam10h" run "$work/usr/share/fam10h/scenarios/npf.lua" \
    >"$work/npf" 2>&1
result $? "an installed scenario runs on installed images"

cat >"$work/user.c" <<'C'
#include <sim/machine/machine.h>
#include <stdio.h>

int main(void)
{
    struct machine_config config;
    struct machine *machine;

    machine_config_defaults(&config);
    machine = machine_new(&config, NULL);
    printf("%u\n", machine_core_count(machine));
    machine_free(machine);
    return 0;
}
C
mkdir "$work/pkgconfig" # with the prefix of this installation, not the configured one
sed "s|^prefix=.*|prefix=$work/usr|" "$work/usr/lib/pkgconfig/fam10h.pc" >"$work/pkgconfig/fam10h.pc"
export PKG_CONFIG_PATH="$work/pkgconfig"
flags=$(sed -n 's/^SANITIZER_FLAGS = //p' "$build/Makefile")
# shellcheck disable=SC2046,SC2086
${CC:-cc} $flags -o "$work/user" "$work/user.c" $(pkg-config --cflags --libs fam10h) >>"$work/log" 2>&1 &&
    [ "$("$work/user")" = 1 ]
result $? "a program of the user's builds against the installed library"
sed 's/^/# /' "$work/log" | tail -n 20
