#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every bench, each figure beside its floor in the same run. Only ratios can be compared between
# machines. With --tiny: sizes at which nothing is learnt but that the benches work.
#
#   run.sh [--tiny] [FOLDER OF PROGRAMS]        default build/bench/bin, made by
#
#     bash tests/setup/configure.sh bench
#     cmake --build --preset bench --target belay belay-agent simulation_bench login_bench
set -euo pipefail
cd "$(dirname "$0")/../.."
tiny=
[ "${1:-}" != --tiny ] || { tiny=yes; shift; }
programs=$(realpath "${1:-build/bench/bin}")
sizes() { [ -n "$tiny" ] && echo "$1" || echo "$2"; } # sizes TINY FULL

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
"$programs/simulation_bench" "$(sizes 50 10000)" "$reports" 2>/dev/null
bash tests/bench/agent.sh "$(sizes 2 200)" "$programs"
bash tests/bench/login.sh "$(sizes 1 20)" "$programs"
bash tests/bench/fleet.sh "$(sizes 2 16)" "$programs/belay" "$(sizes 1 3)"
[ -n "$tiny" ] || bash tests/bench/fleet.sh 64 "$programs/belay" 2
bash tests/bench/copy.sh "$(sizes 1 1024)" "$programs/belay" 2
