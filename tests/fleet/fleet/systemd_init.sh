#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boots a system in its folder under a real systemd, again and again until it powers off. Arguments:
# the folder of the root, the host's name, the name of a cgroup for it.
set -eu
root=$1 name=$2 group=/sys/fs/cgroup/$3

# systemd wants the second version of cgroups, whatever the machine has at that place.
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "$group"

reboot_wanted=133 # systemd-nspawn(1), "exit status", --keep-unit
code=$reboot_wanted
while [ "$code" = $reboot_wanted ]; do
  code=0
  # In a shell of its own: a cgroup with groups in it can have no processes.
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
    systemd-nspawn --quiet --directory="$root" --machine="$name" --register=no --keep-unit \
    --settings=no --resolv-conf=off --timezone=off --link-journal=no --console=read-only \
    --capability=CAP_NET_ADMIN --boot || code=$?
done
exit "$code"
