#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs after every other test of sim/cpu: what they recorded shows each row and each fault it declares.
echo 1..1
if "${top_builddir:-.}/fam10h" isa --coverage "$FAM10H_ISA_EVIDENCE" >coverage.$$ 2>&1; then
    echo "ok 1 - no row and no declared fault is without a test"
else
    sed 's/^/# /' coverage.$$
    echo "not ok 1 - no row and no declared fault is without a test"
fi
rm -f coverage.$$
