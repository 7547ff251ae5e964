#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to a deployment one can watch: installs what is missing, builds belay,
# starts three hosts of its own on this machine, deploys the flake beside this file to them, then
# deploys a broken version of one and shows how that host rolls itself back. The hosts live in
# namespaces of their own and are gone with this script, however it ends. May run as often as one
# likes. Reports stay in a folder that is named at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

bash tests/setup/packages.sh build hosts
mkdir -p build
echo "building build/release/bin/belay"
{ bash tests/setup/configure.sh release && cmake --build --preset release; } \
  >build/quickstart.log 2>&1 || {
  tail -40 build/quickstart.log >&2
  exit 1
}

mkdir -p out
reports=$(mktemp -d "$PWD/out/quickstart-XXXXXX")
chmod 755 "$reports"

# In the background, so that a signal is handled at once and handed on.
python3 tests/fleet/with_fleet.py --hosts web-1,web-2,db-1 --keep "$reports" -- \
  bash ci-examples/quickstart/demo.sh "$PWD/build/release/bin/belay" "$reports" &
fleet=$!
stop() { # stop CODE
  kill -TERM "$fleet" 2>/dev/null || true
  wait "$fleet" || true
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM HUP
code=0
wait "$fleet" || code=$?
[ "$(id -u)" = 0 ] || sudo -n chown -R "$(id -u):$(id -g)" "$reports"

echo
echo "reports: $reports"
(cd "$reports" && find . -type f -printf '  %P\n' | sort)
exit "$code"
