#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test: installs what is missing, builds, runs unit and simulation tests under the sanitizers,
# then all tests. ctest's summary comes last. Fails if any part failed.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

# Every other test counts as two (PROCESSORS), so that of hosts, which mostly wait, twice as many run.
jobs=$((2 * $(nproc)))
failed=()
part() { # part NAME COMMAND...: goes on after a failure, which is not forgotten
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@" || failed+=("$name")
  echo "== $name: $((SECONDS - start)) s"
}

build() { # build PRESET [TARGET...]
  bash tests/setup/configure.sh "$1" ${unity:+-DBELAY_UNITY=$unity} >"build/$1.configure.log" 2>&1 || {
    cat "build/$1.configure.log"
    return 1
  }
  cmake --build --preset "$1" ${2:+--target "${@:2}"}
}

sanitized() { # sanitized PRESET: unit and simulation tests, built and run
  local targets=(unit_tests simulation_tests)
  build "$1" "${targets[@]}" || {
    # Files that are compiled together must not give two things one name, but may do so otherwise.
    echo "== $1: again, file by file"
    unity=OFF build "$1" "${targets[@]}"
  } && ctest --preset "$1" -L '^(unit|simulation)$' -j "$jobs"
}

say_what_is_left_out() {
  local why
  why=$(python3 tests/fleet/with_fleet.py --hosts 1 -- true 2>&1) && return
  if [[ $why == *"left out:"* ]]; then
    echo "== NOT RUN: every test of the label fleet (real hosts). $why"
  else
    echo "$why"
    return 1
  fi
}

make_trees() { # takes a minute or two each, most of them waiting: beside the build
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  "${as_root[@]}" bash tests/setup/debian-tree.sh trixie &&
    "${as_root[@]}" bash tests/setup/debian-tree.sh bookworm
}

wait_for_trees() {
  local status=0
  wait "$trees" || status=$?
  [ $status -ne 0 ] || return 0
  if [ $status -ne 3 ]; then
    cat build/debian-trees.log
    return 1
  fi
  echo "== NOT RUN: tests that want a Debian 13 (Nix 2.26, a live systemd) or a bare Debian 12:"
  tail -n 3 build/debian-trees.log
}

mkdir -p build
part "packages" bash tests/setup/packages.sh build hosts tests
make_trees >build/debian-trees.log 2>&1 &
trees=$!
part "build dev" build dev
part "unit and simulation under asan" sanitized asan
part "unit and simulation under tsan" sanitized tsan
part "hosts for the fleet" say_what_is_left_out
part "Debian trees" wait_for_trees
[ ${#failed[@]} -eq 0 ] || printf '== FAILED: %s\n' "${failed[@]}"

ctest --preset dev -j "$jobs"
status=$?
[ ${#failed[@]} -eq 0 ] || exit 1
exit "$status"
