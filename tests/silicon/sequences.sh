#!/bin/sh
# SPDX-License-Identifier: MIT
# Random sequences of 2 to 16 instructions, through decoded blocks and lazy flags.
${top_builddir:-.}/tests/silicon/silicon --sequence --cases "${SILICON_SEQUENCES:-50000}" --seed 20071119
