#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What run.sh shows, on a machine from which web-1, web-2 and db-1 can be reached.
#
#   demo.sh BELAY FOLDER       FOLDER gets the reports
set -euo pipefail
[ -t 2 ] || exec 2>&1 # in a log all is in one order; on a terminal the console is live
belay=$1 reports=$2
here=$(cd "$(dirname "$0")" && pwd)

flake=$(mktemp -d)
cp "$here"/*.nix "$here"/*.yaml "$here"/web.sh "$here"/db.sh "$flake"
cd "$flake"

deploy() { # deploy FOLDER EXPECTED-CODE
  mkdir -p "$1"
  local code=0
  "$belay" run . --skip-checks --events "$1/events.jsonl" --junit "$1/junit.xml" || code=$?
  echo "exit code $code"
  # The console once more, as a job that is not on a terminal shows it.
  "$belay" report --from "$1/events.jsonl" 2>"$1/log" || true
  [ "$code" = "$2" ] || {
    echo "quickstart: expected exit code $2" >&2
    exit 1
  }
}

running() {
  local host
  for host in web-1 web-2 db-1; do
    printf '  %-6s runs %s\n' "$host" "$(ssh "root@$host" readlink -f /nix/var/nix/profiles/system)"
  done
}

echo; echo "== Three hosts get their first deployment: belay run ."
deploy "$reports" 0
running

echo; echo "== Now db.sh is broken, and everything is deployed again"
printf 'echo "migration 7 ... failed" >&2\nexit 4\n' >>db.sh
echo 'echo "with the new page"' >>web.sh
deploy "$reports/broken" 11
running
echo; echo "db-1 rolled itself back: it runs what it ran before. web-1 and web-2 have the new version."
