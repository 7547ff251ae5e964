#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent's size, which every first deploy copies, and what its start costs beside that of a
# program that does nothing.
#
#   agent.sh [TIMES] [FOLDER OF PROGRAMS]        default 200 and build/release/bin
set -euo pipefail
cd "$(dirname "$0")/../.."
times=${1:-200}
agent=$(realpath "${2:-build/release/bin}/belay-agent")

starts() { # starts COMMAND...: milliseconds of wall-clock time each
  local begin=${EPOCHREALTIME/./}
  for _ in $(seq "$times"); do "$@" >/dev/null; done
  awk -v n="$times" -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { printf "%.1f", us / n / 1000 }'
}

printf 'agent: %.1f MB (aim: 4), start %s ms   (floor, /bin/true: %s ms)\n' \
  "$(stat -c %s "$agent" | awk '{ print $1 / 1e6 }')" "$(starts "$agent" --version)" \
  "$(starts /bin/true)"
