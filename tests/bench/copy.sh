#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What it costs to bring MEGABYTES of random bytes to a host: the copy stage of `belay run` beside
# `nix copy --to ssh://` of the same path to another host. Both hosts keep their store in memory, and
# what memory costs depends on who comes first: a machine gives what it has used before at once, and
# has to fetch the rest. So a round that is not measured comes before (it also brings belay's agent
# there), the two take turns in going first, and an odd number of ROUNDS is made even. What is
# compared are the medians.
#
#   copy.sh [MEGABYTES] [BELAY] [ROUNDS]        default 1024, build/release/bin/belay, 2
set -euo pipefail
cd "$(dirname "$0")/../.."
megabytes=${1:-1024}
rounds=$(((${3:-2} + 1) / 2 * 2))
count=2
set -- "$megabytes" "${2:-build/release/bin/belay}" "$rounds"
source tests/bench/common.sh
read -r first second _ <<<"$FLEET_HOSTS"

# The path is $path, its flake lies here. Each adds to its own file a line of figures.
by_nix() { measure nix copy --to "ssh://root@$second" "$path" >>by_nix; }

by_belay() {
  measure "$belay" run . --skip-checks --events events.jsonl >run
  jq -r 'select(.type == "stage.finished" and .stage == "copy") | .data.duration_s' \
    events.jsonl >copied
  paste -d' ' copied <(cut -d' ' -f2 run) >>by_belay
}

# copy_round NUMBER WAY...: a new path, by each way.
copy_round() {
  write_flake "bytes-$1" "head -c ${megabytes}M /dev/urandom >\$out/bytes" "$first"
  nix build --no-link "$attribute" 2>/dev/null
  path=$(nix eval --raw "$attribute")
  local way
  for way in "${@:2}"; do "$way"; done
  # The next round needs the room.
  nix store delete "$path" &>/dev/null || true
}

echo "a copy of $megabytes MB"
copy_round 0 by_nix by_belay
rm by_nix by_belay
for round in $(seq "$rounds"); do
  ways=(by_nix by_belay)
  [ $((round % 2)) = 1 ] || ways=(by_belay by_nix)
  copy_round "$round" "${ways[@]}"
  printf '  round %d, %-8s first  nix copy: wall %.2f s, cpu %.2f s   belay: copy stage %.2f s, cpu of the run %.2f s\n' \
    "$round" "${ways[0]#by_}" $(tail -1 by_nix | cut -d' ' -f1,2) $(tail -1 by_belay)
done
echo "  nix copy / belay's copy stage, medians of $rounds rounds: $(median_ratio by_nix by_belay 1) (aim: 1.00)"
