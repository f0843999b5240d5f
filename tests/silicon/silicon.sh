#!/bin/sh
# SPDX-License-Identifier: MIT
# Random instructions on the model and on the native processor; ./test runs it once, with more cases.
# The native processor must be able to run 32-bit code at fixed addresses: elsewhere this is skipped.
${top_builddir:-.}/tests/silicon/silicon --cases "${SILICON_CASES:-200000}" --seed 20071119
