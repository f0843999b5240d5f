#!/bin/sh
# SPDX-License-Identifier: MIT
# Each check of the kernel's own accesses flags what is planted for it.
exec "${top_builddir:-.}/fam10h" run "${top_srcdir:-.}/tests/system/checks.lua" --tap
