#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What N no-op nodes cost by belay, beside the same work by hand in parallel: `nix copy`, one ssh that
# sets the profile and runs the script, a second ssh that proves that one can still get in. Both
# evaluate and build first; each round has a closure of its own. Prints
# wall-clock and CPU seconds (runner's side) of each round and the ratio of the best rounds.
#
#   fleet.sh [N] [BELAY]        default 16 and build/release/bin/belay
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-16}
belay=$(realpath "${2:-build/release/bin/belay}")
rounds=3

if [ -z "${FLEET_HOSTS:-}" ]; then
  exec python3 tests/fleet/with_fleet.py --hosts "$count" --keep "$(dirname "$belay")" -- \
    bash tests/bench/fleet.sh "$count" "$belay"
fi

work=$(mktemp -d)
cd "$work"
TIMEFORMAT='%R %U %S'

write_flake() { # write_flake VERSION: the same closure for every node
  {
    cat <<'END'
{ outputs = { self }: let
    path = derivation {
      system = "@SYSTEM@"; name = "no-op-@VERSION@"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-c" "mkdir $out && printf '#!/bin/sh\\n' >$out/deploy-rs-activate && chmod +x $out/deploy-rs-activate" ];
    };
    node = hostname: { inherit hostname; profiles.system = { user = "root"; inherit path; }; };
  in { deploy = { sshUser = "root"; nodes = {
END
    for host in $FLEET_HOSTS; do echo "    $host = node \"$host\";"; done
    echo "}; }; }; }"
  } | sed "s/@VERSION@/$1/; s/@SYSTEM@/$(uname -m)-linux/" >flake.nix
}

by_belay() {
  "$belay" run . --skip-checks --parallel "$count" 2>belay.log || { cat belay.log >&2; exit 1; }
}

by_hand() {
  path=$(nix eval --raw ".#deploy.nodes.${FLEET_HOSTS%% *}.profiles.system.path")
  nix build --no-link ".#deploy.nodes.${FLEET_HOSTS%% *}.profiles.system.path"
  export path
  printf '%s\n' $FLEET_HOSTS | xargs -P "$count" -I HOST sh -ec '
    nix copy --to ssh://root@HOST "$path"
    ssh root@HOST "nix-env -p /nix/var/nix/profiles/system --set $path && $path/deploy-rs-activate"
    ssh root@HOST true' 2>hand.log || { cat hand.log >&2; exit 1; }
}

measure() { # measure NAME ROUND: prints a line, keeps the wall time
  local seconds
  write_flake "$1-$2"
  seconds=$({ time "$1" >/dev/null 2>"$work/error"; } 2>&1) || { cat "$work/error" >&2; exit 1; }
  awk -v name="$1" -v round="$2" '{ printf "%-9s round %d  wall %6.2f s  cpu %6.2f s\n",
    name, round, $1, $2 + $3 }' <<<"$seconds"
  echo "${seconds%% *}" >>"$1.walls"
}

echo "$count nodes, $(nproc) cores"
for round in $(seq "$rounds"); do
  measure by_hand "$round"
  measure by_belay "$round"
done
best() { sort -n "$1.walls" | head -1; }
awk -v belay="$(best by_belay)" -v hand="$(best by_hand)" \
  'BEGIN { printf "belay / by hand, best rounds: %.2f\n", belay / hand }'
