#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Debian 13 of its own, for hosts that are to have what this machine has not: Nix 2.26 and a live
# systemd. It is made once, by debootstrap from the mirror that this machine uses already, and kept
# under the name of what it holds. Nobody writes to it afterwards: each host puts a layer over it.
#
#   debian-tree.sh           makes it unless it is there; prints its folder
#   debian-tree.sh --path    only prints where it is or would be
#
# Needs root, debootstrap and namespaces. About 200 MB, and a minute or two.
set -euo pipefail

suite=trixie
packages=(nix-bin openssh-server openssh-client systemd systemd-sysv dbus dbus-user-session
  libpam-systemd sudo ca-certificates iproute2 procps)

content=$(printf '%s\n' "$suite" "${packages[@]}" "$(cat "$0")" | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/belay/trees
tree=$cache/debian-$suite-$content
if [ "${1:-}" = --path ] || [ -d "$tree" ]; then
  printf '%s\n' "$tree"
  exit 0
fi
complain() {
  echo "debian-tree.sh: $1" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || complain "only root can make a Debian $suite tree"
command -v debootstrap >/dev/null || complain "there is no debootstrap; tests/run.sh installs it"
mirror=$(bash "$(dirname "$0")/debian-mirror.sh")
case $mirror in
http://* | https://* | file:/*) ;;
*) complain "debootstrap cannot read from $mirror" ;;
esac
# debootstrap does not know how apt reaches the mirror.
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy https_proxy

mkdir -p "$cache"
work=$(mktemp -d "$cache/.debian-$suite.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"

# Whatever is mounted in the tree meanwhile, or started, goes with these namespaces.
within() { unshare --mount --pid --fork --kill-child --mount-proc "$@" </dev/null >&2; }
failed="debootstrap of $suite from $mirror failed"
within debootstrap --variant=minbase "$suite" "$work" "$mirror" || complain "$failed"
# No service is started by being installed, and nothing of this has to survive a power cut.
printf '#!/bin/sh\nexit 101\n' >"$work/usr/sbin/policy-rc.d"
chmod 755 "$work/usr/sbin/policy-rc.d"
echo force-unsafe-io >"$work/etc/dpkg/dpkg.cfg.d/unsafe-io"
# debootstrap does not see through every dependency, apt does.
DEBIAN_FRONTEND=noninteractive within sh -c '
  set -eu
  tree=$1
  shift
  mount -t proc proc "$tree/proc"
  mount --bind /dev "$tree/dev"
  chroot "$tree" apt-get -q -y -f install
  chroot "$tree" apt-get -q -y --no-install-recommends install "$@"
  chroot "$tree" apt-get clean' - "$work" "${packages[@]}" || complain "$failed"
rm -rf "$work"/var/lib/apt/lists/* "$work"/usr/share/{doc,man,locale}/* "$work"/var/log/*.log \
  "$work"/etc/ssh/ssh_host_*
[ -x "$work/usr/bin/nix-store" ] && [ -x "$work/usr/lib/systemd/systemd" ] ||
  complain "the tree lacks Nix or systemd"

# Whoever comes first wins; a rename is whole or not at all.
mv -T "$work" "$tree" 2>/dev/null || [ -d "$tree" ]
# What an earlier version of this script made is of no use any more.
find "$cache" -mindepth 1 -maxdepth 1 -name "debian-$suite-*" ! -path "$tree" -mmin +600 \
  -exec rm -rf --one-file-system {} +
printf '%s\n' "$tree"
