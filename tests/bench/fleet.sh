#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What N no-op nodes cost by belay, beside the same work by hand in parallel: `nix copy`, one ssh that
# sets the profile and runs the script, a second ssh that proves that one can still get in. Both
# evaluate and build first; each round has a closure of its own. Prints wall-clock and CPU seconds
# (runner's side) of each round, belay's own peak memory, and the ratios of the best rounds.
#
#   fleet.sh [N] [BELAY] [ROUNDS]        default 16, build/release/bin/belay, 3
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-16}
rounds=${3:-3}
set -- "$count" "${2:-build/release/bin/belay}" "$rounds"
source tests/bench/common.sh

by_belay() { measure "$belay" run . --skip-checks --parallel "$count"; }

by_hand() { measure xargs_by_hand "$count" "$attribute"; }

# A program, so that it can be measured as belay is.
mkdir bin
cat >bin/xargs_by_hand <<'END'
#!/bin/bash
set -euo pipefail
path=$(nix eval --raw "$2")
nix build --no-link "$2"
export path
printf '%s\n' $FLEET_HOSTS | xargs -P "$1" -I HOST sh -ec '
  nix copy --to ssh://root@HOST "$path"
  ssh root@HOST "nix-env -p /nix/var/nix/profiles/system --set $path && $path/deploy-rs-activate"
  ssh root@HOST true'
END
chmod +x bin/xargs_by_hand
PATH=$work/bin:$PATH

echo "$count no-op nodes, $(nproc) cores"
for round in $(seq "$rounds"); do
  for way in by_hand by_belay; do
    write_flake "no-op-$way-$round" "" $FLEET_HOSTS
    result=$("$way")
    echo "$result" >>"$way"
    read -r wall cpu peak <<<"$result"
    [ "$way" = by_belay ] && memory="peak memory $peak MB" || memory=
    printf '  %-8s  round %d  wall %7.2f s  cpu %7.2f s  %s\n' "$way" "$round" "$wall" "$cpu" "$memory"
  done
done
echo "  belay / by hand, best rounds: wall $(best_ratio by_belay by_hand 1) (aim: 0.80)," \
  "cpu $(best_ratio by_belay by_hand 2); peak memory $(sort -g -k3 by_belay | tail -1 | cut -d' ' -f3) MB" \
  "(aim: $((60 + count)))"
