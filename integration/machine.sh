#!/usr/bin/env bash
# Starts the Debian in a folder with its own systemd as process 1, in namespaces of its own save the network,
# as a machine would; it ends with this process. Called by the lab, which has made the folder.
#
# usage: integration/machine.sh ROOT
set -euo pipefail
root=$1
if [ "${2:-}" != inside ]; then
  # A control group of its own: systemd wants to be alone in the topmost that it sees.
  groups=$(mktemp -d)
  mount -t cgroup2 cgroup2 "$groups"
  mkdir -p "$groups/hoplock-lab-$$"
  echo $$ >"$groups/hoplock-lab-$$/cgroup.procs"
  umount "$groups"
  rmdir "$groups"
  exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --propagation private "$0" "$root" inside
fi

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp; do mount -t tmpfs tmpfs "$root/$folder"; done
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
hostname machine
# Not by chroot alone: systemd gives its services roots of their own, and looks for the real one.
cd "$root"
mkdir -p mnt/outside
pivot_root . mnt/outside
# shellcheck disable=SC2093
exec chroot . /bin/sh -c 'umount -l /mnt/outside && rmdir /mnt/outside
  exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target'
