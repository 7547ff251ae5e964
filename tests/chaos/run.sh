#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random faults on real hosts, each run from a seed that brings it back: see campaign.py.
#
#   run.sh --seeds N [--first-seed S] [--jobs J] [--keep FOLDER]
#
# BELAY_BIN is the belay to attack, build/dev/bin/belay unless given.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$(dirname "$0")/campaign.py" "$@"
