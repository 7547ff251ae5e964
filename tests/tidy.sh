#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the product, with the checks of .clang-tidy; every finding is an error. Takes some
# minutes of one processor, so it is no part of tests/run.sh: run it on what you changed.
#
#   tidy.sh [REGEX]      files to look at, default all; e.g. tidy.sh engine/plan/
set -euo pipefail
cd "$(dirname "$0")/.."

command -v run-clang-tidy >/dev/null || {
  echo "tidy.sh: run-clang-tidy is missing (install clang-tidy)" >&2
  exit 1
}
mkdir -p build
bash tests/setup/configure.sh tidy >build/tidy.configure.log 2>&1 || {
  cat build/tidy.configure.log >&2
  exit 1
}
# Without the colours that it forces, and without the names of the files that are fine.
run-clang-tidy -p build/tidy -quiet "$PWD/(engine|reporters|runner)/.*${1:-}" 2>/dev/null |
  sed 's/\x1b\[[0-9;]*m//g' | { grep -v '^clang-tidy' || true; } | awk '!seen[$0]++'
