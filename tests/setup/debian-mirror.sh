#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the mirror that this machine's own apt takes `main` of its release from, so that no other
# host is ever contacted for packages. apt reads its own sources, one-line or deb822.
set -euo pipefail

codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' |
  awk -v codename="$codename" '$2 == "main" && ($1 == codename || $1 ~ /stable$/) { print $3; exit }')
[ -n "$mirror" ] || {
  echo "debian-mirror.sh: apt has no source for '$codename main' to derive a mirror from" >&2
  exit 1
}
printf '%s\n' "$mirror"
