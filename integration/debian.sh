#!/usr/bin/env bash
# Makes a Debian in a folder for the lab and prints the folder. Made once for each machine; the
# mirror is the one that this machine's apt uses, or $LAB_MIRROR.
#
# usage: integration/debian.sh SUITE [PACKAGE,PACKAGE… [FETCHED,FETCHED…]]
#   The last are not installed but lie ready, with what they need, for an apt without a network.
set -euo pipefail
[ "$#" -ge 1 ] || { echo "usage: integration/debian.sh SUITE [PACKAGE,PACKAGE… [FETCHED,FETCHED…]]" >&2; exit 2; }
suite=$1 packages=${2:-ca-certificates} fetched=${3:-}
cache=${HOPLOCK_LAB_CACHE:-/var/cache/hoplock-lab}
base=$cache/$suite-ca-certificates folder=$cache/$suite-$packages${fetched:++$fetched}
mkdir -p "$cache"
# Two labs may want the same one at once.
exec 9>"$cache/lock"
flock 9

if [ ! -e "$base.complete" ] && [ ! -e "$folder.complete" ]; then
  # Not the one for security updates alone, which has no whole suite.
  # shellcheck disable=SC2016
  known=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    grep -v -- -security | head -1 || true)
  mirror=${LAB_MIRROR:-$known}
  [ -n "$mirror" ] || { echo "apt knows no mirror: set LAB_MIRROR" >&2; exit 1; }
  rm -rf "$base"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$base" "$mirror" >"$base.log" 2>&1 ||
    { tail -20 "$base.log" >&2; exit 1; }
  # Nothing that is installed in there may start.
  printf '#!/bin/sh\nexit 101\n' >"$base/usr/sbin/policy-rc.d"
  chmod +x "$base/usr/sbin/policy-rc.d"
  touch "$base.complete"
fi
# By apt and not by debootstrap, which trips over some packages' order; with a /proc, which some
# packages' scripts look into, and in namespaces, so that both are gone with the last of them.
if [ ! -e "$folder.complete" ]; then
  rm -rf "$folder"
  cp -a "$base" "$folder"
  # shellcheck disable=SC2016,SC2086
  FETCHED=${fetched//,/ } unshare --mount --pid --fork --kill-child chroot "$folder" sh -ec 'mount -t proc proc /proc
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "$@"
    apt-get clean
    [ -z "$FETCHED" ] || apt-get install -q -y --download-only $FETCHED' \
    sh ${packages//,/ } >"$folder.log" 2>&1 ||
    { tail -20 "$folder.log" >&2; exit 1; }
  touch "$folder.complete"
fi
echo "$folder"
