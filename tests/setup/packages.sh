#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing, and only those. What is to be built needs the first
# list, hosts the second, tests the third.
#
#   packages.sh build|hosts|tests...
#
# No service is started or left enabled by it: sshd and nix-daemon are wanted as programs only.
set -euo pipefail

declare -A packages=(
  [build]="g++ cmake ninja-build ccache pkg-config dpkg-dev git ca-certificates libssl-dev zlib1g-dev
    libyaml-cpp-dev nlohmann-json3-dev libcpp-httplib-dev libspdlog-dev libcli11-dev"
  [hosts]="nix-bin openssh-server openssh-client iproute2 util-linux procps python3"
  [tests]="catch2 clang-format libxml2-utils jq openssl sudo opendoas debootstrap
    systemd-container"
)

missing=()
for kind in "$@"; do
  for package in ${packages[$kind]}; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
    [ "$status" = installed ] || missing+=("$package")
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  as_root=(sudo -n)
  "${as_root[@]}" true 2>/dev/null || {
    echo "packages.sh: missing, and no right to install them: ${missing[*]}" >&2
    exit 1
  }
fi

# Debian starts a service as soon as it is installed, unless this file says no.
policy=/usr/sbin/policy-rc.d
own_policy=
if [ ! -e "$policy" ]; then
  own_policy=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
restore_policy() { [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$policy"; }
trap restore_policy EXIT

echo "packages.sh: installing ${missing[*]}" >&2
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
"${apt[@]}" update </dev/null >&2
"${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null >&2

# … and enables it for the next boot.
if [[ " ${missing[*]} " == *" openssh-server "* ]] && command -v systemctl >/dev/null; then
  "${as_root[@]}" systemctl disable ssh.service >/dev/null 2>&1 || true
fi
