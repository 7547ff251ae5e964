#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What one login with one command costs, as belay does it and as `ssh HOST true` does, in turn. The
# floor is a key exchange that the host's sshd has to do in either case.
#
#   login.sh [TIMES] [FOLDER OF PROGRAMS]        default 20 and build/bench/bin
set -euo pipefail
cd "$(dirname "$0")/../.."
times=${1:-20}
count=1
set -- "$times" "${2:-build/bench/bin}"
source tests/bench/common.sh

host=${FLEET_HOSTS%% *}
measure "$belay/login_bench" "$host" "$times" >ours
cat >by_ssh <<'END'
#!/bin/sh
for _ in $(seq "$2"); do ssh "root@$1" true || exit 1; done
END
chmod +x by_ssh
measure ./by_ssh "$host" "$times" >theirs
awk -v n="$times" 'NR == 1 { w = $1; c = $2 }
  END { printf "login and `true`: belay %.0f ms, cpu %.1f ms   (floor, ssh HOST true: %.0f ms, cpu %.1f ms)\n",
    1000 * w / n, 1000 * c / n, 1000 * $1 / n, 1000 * $2 / n }' ours theirs
