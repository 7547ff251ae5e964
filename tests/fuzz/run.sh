#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looks for texts that break a reader (fuzz_target.h), with libFuzzer under the address and
# undefined-behaviour sanitizers: one target after the other, N seconds each. What is found new on
# the way stays in build/fuzz-corpus for the next time. Fails where anything broke, and says where
# the text is: mend it, and put the text into corpus/NAME, where it is a test from then on.
#
#   run.sh [--seconds N] [NAME...]     default: 60 seconds, all targets
#
# Needs clang with its runtime libraries: on Debian 12, `apt install clang-14`.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=60
if [ "${1:-}" = --seconds ]; then
  seconds=${2:?run.sh: --seconds takes a number}
  shift 2
fi
names=("$@")
[ ${#names[@]} -gt 0 ] || for folder in tests/fuzz/corpus/*/; do names+=("$(basename "$folder")"); done

compiler=$(command -v clang++ || command -v clang++-14) || {
  echo "run.sh: clang++ is missing (on Debian 12: apt install clang-14)" >&2
  exit 2
}
mkdir -p build/fuzz-corpus build/fuzz-findings
bash tests/setup/configure.sh fuzz "-DCMAKE_CXX_COMPILER=$compiler" >build/fuzz.configure.log 2>&1 &&
  cmake --build --preset fuzz --target "${names[@]/#/fuzz_}" >build/fuzz.build.log 2>&1 || {
  tail -n 40 build/fuzz.configure.log build/fuzz.build.log >&2
  exit 2
}

failed=()
for name in "${names[@]}"; do
  log=build/fuzz-findings/$name.log
  mkdir -p "build/fuzz-corpus/$name"
  # A text of 4 KiB says all that a longer one could, and a reader that takes 10 s for it is broken.
  status=0
  "build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="build/fuzz-findings/$name-" \
    "build/fuzz-corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 || status=$?
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if [ $status -eq 0 ]; then
    echo "$name: $seconds s, ${tried:-0} texts, none broke it"
  else
    failed+=("$name")
    echo "$name: BROKEN; see $log"
    grep -E '^(does not hold|SUMMARY|==[0-9]+==ERROR|terminate called|  what)|Test unit written' "$log" || true
  fi
done
[ ${#failed[@]} -eq 0 ]
