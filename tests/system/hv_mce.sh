#!/bin/sh
# SPDX-License-Identifier: MIT
# What hv does about machine checks beside the 39 rows: its poll, case II, injection by hypercall, both sides' counts.
exec "${top_builddir:-.}/fam10h" run "${top_srcdir:-.}/scenarios/mce/beside.lua" --tap
