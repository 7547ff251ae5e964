# SPDX-License-Identifier: Apache-2.0
# For benches of hosts, which source it with their own arguments. Sets `belay` (the second argument,
# or build/release's) and `work`, where they write, and starts the script again on a machine with
# `count` hosts (FLEET_HOSTS) if there are none.
belay=$(realpath "${2:-build/release/bin/belay}")
bench=$PWD/tests/bench

if [ -z "${FLEET_HOSTS:-}" ]; then
  exec python3 tests/fleet/with_fleet.py --hosts "$count" --keep "$(dirname "$belay")" -- \
    bash "$0" "$@"
fi
work=$(mktemp -d)
cd "$work"

measure() { python3 "$bench/measure.py" "$@"; }

# write_flake NAME SCRIPT HOST...: one closure for all of them. SCRIPT, in sh, fills $out, which has
# its deploy-rs-activate.
write_flake() {
  local name=$1 script=$2
  {
    cat <<END
{ outputs = { self }: let
    path = derivation {
      system = "$(uname -m)-linux"; name = "$name"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-c" ''
        mkdir \$out; printf '#!/bin/sh\n' >\$out/deploy-rs-activate; chmod +x \$out/deploy-rs-activate
        $script'' ];
    };
    node = hostname: { inherit hostname; profiles.system = { user = "root"; inherit path; }; };
  in { deploy = { sshUser = "root"; nodes = {
END
    printf '    %s = node "%s";\n' $(for host in "${@:3}"; do echo "$host $host"; done)
    echo "}; }; }; }"
  } >flake.nix
  attribute=.#deploy.nodes.$3.profiles.system.path
}

# column FILE NUMBER: the smallest value; best_ratio FILE FILE NUMBER: of the smallest values.
column() { awk -v n="$2" '{ print $n }' "$1" | sort -g | head -1; }
best_ratio() {
  awk -v a="$(column "$1" "$3")" -v b="$(column "$2" "$3")" 'BEGIN { printf "%.2f", a / b }'
}

# The same with the medians: for what depends on who came first.
median() {
  awk -v n="$2" '{ print $n }' "$1" | sort -g |
    awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}
median_ratio() {
  awk -v a="$(median "$1" "$3")" -v b="$(median "$2" "$3")" 'BEGIN { printf "%.2f", a / b }'
}
