#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What it costs to bring MEGABYTES of random bytes to a host: the copy stage of `belay run` beside
# `nix copy --to ssh://` of the same path to another host. Both hosts keep their store in memory.
#
#   copy.sh [MEGABYTES] [BELAY] [ROUNDS]        default 1024, build/release/bin/belay, 2
set -euo pipefail
cd "$(dirname "$0")/../.."
megabytes=${1:-1024}
rounds=${3:-2}
count=2
set -- "$megabytes" "${2:-build/release/bin/belay}" "$rounds"
source tests/bench/common.sh
read -r first second _ <<<"$FLEET_HOSTS"

echo "a copy of $megabytes MB"
for round in $(seq "$rounds"); do
  write_flake "bytes-$round" "head -c ${megabytes}M /dev/urandom >\$out/bytes" "$first"
  nix build --no-link "$attribute" 2>/dev/null
  path=$(nix eval --raw "$attribute")
  measure nix copy --to "ssh://root@$second" "$path" >>by_nix
  measure "$belay" run . --skip-checks --events events.jsonl >run
  jq -r 'select(.type == "stage.finished" and .stage == "copy") | .data.duration_s' \
    events.jsonl >copied
  paste -d' ' copied <(cut -d' ' -f2 run) >>by_belay
  printf '  round %d  nix copy: wall %.2f s, cpu %.2f s   belay: copy stage %.2f s, cpu of the run %.2f s\n' \
    "$round" $(tail -1 by_nix | cut -d' ' -f1,2) $(tail -1 by_belay)
  # The next round needs the room.
  nix store delete "$path" 2>/dev/null || true
done
echo "  nix copy / belay's copy stage, best rounds: $(best_ratio by_nix by_belay 1) (aim: 1.00)"
