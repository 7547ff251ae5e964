#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Debian of its own. trixie is for hosts that are to have what this machine has not: Nix 2.26 and a
# live systemd. bookworm is as bare as a Debian 12 can be, to install our package in; what that
# depends on and suggests lies ready in apt's archives, so that it needs no network.
# A tree is made once, by debootstrap from the mirror that this machine uses already, and kept under
# the name of what it holds. Nobody writes to it afterwards: whoever uses it puts a layer over it.
#
#   debian-tree.sh [SUITE]           makes it unless it is there (default trixie); prints its folder
#   debian-tree.sh --path [SUITE]    only prints where it is or would be
#
# Needs root, debootstrap and namespaces. About 200 MB, and a minute or two. Ends with 3 where this
# machine cannot have such a tree, with 1 where making it went wrong.
set -euo pipefail

only_path=
if [ "${1:-}" = --path ]; then
  only_path=yes
  shift
fi
suite=${1:-trixie}
case $suite in
trixie)
  packages=(nix-bin openssh-server openssh-client systemd systemd-sysv dbus dbus-user-session
    libpam-systemd sudo ca-certificates iproute2 procps)
  archives=()
  wanted=(usr/bin/nix-store usr/lib/systemd/systemd)
  ;;
bookworm)
  packages=()
  archives=(libcpp-httplib0.11 libspdlog1.10-fmt9 libssl3 libstdc++6 libyaml-cpp0.7 nix-bin
    openssh-client)
  wanted=(usr/bin/apt-get var/cache/apt/archives/nix-bin_*.deb)
  ;;
*)
  echo "debian-tree.sh: nothing is known of a Debian $suite" >&2
  exit 2
  ;;
esac

content=$(printf '%s\n' "$suite" "${packages[@]}" "${archives[@]}" "$(cat "$0")" | sha256sum |
  cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/belay/trees
tree=$cache/debian-$suite-$content
if [ -n "$only_path" ] || [ -d "$tree" ]; then
  printf '%s\n' "$tree"
  exit 0
fi
complain() {
  echo "debian-tree.sh: $1" >&2
  exit 1
}
cannot() {
  echo "debian-tree.sh: $1" >&2
  exit 3
}
[ "$(id -u)" = 0 ] || cannot "only root can make a Debian $suite tree"
unshare --mount --pid --fork true 2>/dev/null || cannot "there are no namespaces to make it in"
command -v debootstrap >/dev/null || complain "there is no debootstrap; tests/run.sh installs it"
mirror=$(bash "$(dirname "$0")/debian-mirror.sh")
case $mirror in
http://* | https://* | file:/*) ;;
*) cannot "debootstrap cannot read from $mirror" ;;
esac
# debootstrap does not know how apt reaches the mirror.
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy https_proxy

mkdir -p "$cache"
work=$(mktemp -d "$cache/.debian-$suite.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
/usr/lib/apt/apt-helper download-file "${mirror%/}/dists/$suite/InRelease" "$work/release" \
  >/dev/null 2>&1 || cannot "$mirror has no Debian $suite, or cannot be reached"
rm "$work/release"
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
  tree=$1 installed=$2 archives=$3
  mount -t proc proc "$tree/proc"
  mount --bind /dev "$tree/dev"
  chroot "$tree" apt-get -q -y -f install
  chroot "$tree" apt-get -q -y --no-install-recommends install $installed
  chroot "$tree" apt-get clean
  chroot "$tree" apt-get -q -y --no-install-recommends --download-only install $archives
  ' - "$work" "${packages[*]}" "${archives[*]}" || complain "$failed"
rm -rf "$work"/usr/share/{doc,man,locale}/* "$work"/var/log/*.log "$work"/etc/ssh/ssh_host_*
[ ${#archives[@]} -gt 0 ] || rm -rf "$work"/var/lib/apt/lists/*
for file in "${wanted[@]}"; do
  compgen -G "$work/$file" >/dev/null || complain "the tree lacks $file"
done

# Whoever comes first wins; a rename is whole or not at all.
mv -T "$work" "$tree" 2>/dev/null || [ -d "$tree" ]
# What an earlier version of this script made is of no use any more.
find "$cache" -mindepth 1 -maxdepth 1 -name "debian-$suite-*" ! -path "$tree" -mmin +600 \
  -exec rm -rf --one-file-system {} +
printf '%s\n' "$tree"
