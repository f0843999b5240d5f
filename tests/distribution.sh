#!/bin/sh
# SPDX-License-Identifier: MIT
# distribution.sh BUILD: every file of the repository is in the archive that make dist leaves in BUILD, but for those
# that begin with a dot. Where there is no repository, nothing is compared (status 77).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git -C "$top" ls-files >"$scratch/all" 2>/dev/null || exit 77
grep -v '^\.' "$scratch/all" | LC_ALL=C sort >"$scratch/wanted"
make -C "$1" -s dist >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
tar -tf "$1"/fam10h-*.tar.xz | sed 's,^[^/]*/,,' | LC_ALL=C sort >"$scratch/found"
LC_ALL=C comm -23 "$scratch/wanted" "$scratch/found" >"$scratch/missing"
sed 's/$/ is not in the archive: EXTRA_DIST of its sources.am/' "$scratch/missing"
[ ! -s "$scratch/missing" ]
