#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the recording that the picture in README is drawn from: a real run of belay against five
# hosts of its own, over links of 80 Mbit/s, on a terminal of 100 by 16.
#
#   record.sh BELAY            writes deploy.cast and deploy.svg beside this file
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${FLEET_HOSTS:-}" ]; then
  belay=$(readlink -f "$1")
  python3 "$here/../../tests/fleet/with_fleet.py" --hosts web-1,web-2,web-3,cache-1,db-1 \
    --keep "$here" --keep "$(dirname "$belay")" -- bash "$here/record.sh" "$belay"
  python3 "$here/render.py" "$here/deploy.cast" "$here/deploy.svg"
  exit
fi

cd "$(mktemp -d)"
cp "$here"/demo/flake.nix .
run=("$1" run . --skip-checks --on-failure continue --junit out/junit.xml --events out/events.jsonl)
# So that there is something to go back to; by another belay's agent, as before an upgrade: this one
# brings its own along, and the hosts have nothing of what it copies.
mkdir earlier && cp "$(dirname "$1")/belay-agent" earlier && echo >>earlier/belay-agent
BELAY_AGENT_DIR=$PWD/earlier "${run[@]}" 2>/dev/null
touch broken
sed -i 's/000000/000001/' flake.nix # so that every host gets another closure
for device in $(ip -br link show type veth | sed 's/[@ ].*//'); do
  tc qdisc add dev "$device" root tbf rate 80mbit burst 64kb latency 200ms
done
python3 "$here/cast.py" --columns 100 --rows 16 "$here/deploy.cast" -- "${run[@]}" || [ $? = 11 ]
