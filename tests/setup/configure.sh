#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures one preset, with the libssh2 that it needs where the machine's own is too old.
#
#   configure.sh PRESET [-DSETTING=VALUE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

settings=()
if ! pkg-config --atleast-version=1.11.1 libssh2 2>/dev/null; then
  source=$(bash tests/setup/libssh2-source.sh)
  settings+=("-DFETCHCONTENT_SOURCE_DIR_LIBSSH2=$source")
fi
cmake --preset "$1" "${settings[@]}" "${@:2}"
