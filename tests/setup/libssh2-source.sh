#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The source of libssh2 >= 1.11.1 for a machine whose distribution has an older one (Debian 12 has
# 1.10, which cannot log in to a server that offers EtM MACs alone): the next Debian's source
# package, with its security patches, from the mirror that this machine uses already. apt checks
# signatures as always. The machine's own package lists are neither read from nor written to.
#
#   libssh2-source.sh [FOLDER]     default ${XDG_CACHE_HOME:-~/.cache}/belay/libssh2
#
# Prints the folder that holds the source, for -DFETCHCONTENT_SOURCE_DIR_LIBSSH2=. cmake finds the
# default folder by itself. Needs dpkg-dev; no root. A folder that is there already is kept.
set -euo pipefail

suite=trixie
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/belay/libssh2}
if [ -f "$folder/CMakeLists.txt" ]; then
  printf '%s\n' "$folder"
  exit 0
fi
for program in apt-get dpkg-source; do
  command -v "$program" >/dev/null || {
    echo "libssh2-source.sh: $program is missing (install dpkg-dev)" >&2
    exit 1
  }
done

mirror=$(bash "$(dirname "$0")/debian-mirror.sh")
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/libssh2-source.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/lists/partial "$work"/cache/archives/partial
cat >"$work/belay.sources" <<EOF
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
# The download's own user may not be able to write here; nothing in it needs root.
apt=(apt-get -q
  -o "Dir::Etc::SourceList=$work/belay.sources" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
  -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
(cd "$work" && "${apt[@]}" update && "${apt[@]}" source libssh2) </dev/null >&2

unpacked=("$work"/libssh2-*/)
[ -f "${unpacked[0]}/CMakeLists.txt" ] || {
  echo "libssh2-source.sh: the package did not unpack as expected" >&2
  exit 1
}
# Whoever comes first wins; a rename is whole or not at all.
mv -T "${unpacked[0]%/}" "$folder" 2>/dev/null || [ -f "$folder/CMakeLists.txt" ]
printf '%s\n' "$folder"
