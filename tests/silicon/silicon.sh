#!/bin/sh
# SPDX-License-Identifier: MIT
# Random instructions on the model and on the native processor. make check runs few; ./test runs it once with more
# cases, and then every row must have run with and without each fault that it can raise (SILICON_TABLE=--table).
# The native processor must be able to run 32-bit code at fixed addresses: elsewhere this is skipped.
${top_builddir:-.}/tests/silicon/silicon --cases "${SILICON_CASES:-200000}" --seed 20071119 ${SILICON_TABLE:-}
