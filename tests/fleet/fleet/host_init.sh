#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a test host: makes the host's own root the root, starts what a host starts at
# boot and then only reaps. Arguments: the folder of the root, the host's name, the root of the system
# whose programs it runs. Says "up" when it is.
set -eu
root=$1 name=$2 programs=${3%/}

mount --rbind "$root" "$root"
mount --bind "$programs/usr" "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cd "$root"
pivot_root . old-root
umount -l /old-root
hostname "$name"

# Each boot has an id of its own, as the kernel would give it.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id

if [ -e /etc/nix/serve ]; then
  nix-daemon </dev/null >/var/log/nix-daemon.log 2>&1 &
fi
mkdir -p /run/sshd
/usr/sbin/sshd -E /var/log/sshd.log >&2
echo up
exec </dev/null >/dev/null 2>&1
# `wait` reaps whatever was left to this process.
while :; do
  sleep 1000 &
  wait $!
done
