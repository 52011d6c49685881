#!/usr/bin/env bash
# Makes a Debian in a folder for the lab and prints the folder. Made once for each machine; the
# mirror is the one that this machine's apt uses, or $LAB_MIRROR.
#
# usage: integration/debian.sh SUITE [PACKAGE,PACKAGE…]
set -euo pipefail
[ "$#" -ge 1 ] || { echo "usage: integration/debian.sh SUITE [PACKAGE,PACKAGE…]" >&2; exit 2; }
suite=$1 packages=${2:-ca-certificates}
cache=${HOPLOCK_LAB_CACHE:-/var/cache/hoplock-lab}
folder=$cache/$suite-$packages
if [ ! -e "$folder.complete" ]; then
  # Not the one for security updates alone, which has no whole suite.
  known=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    grep -v -- -security | head -1 || true)
  mirror=${LAB_MIRROR:-$known}
  [ -n "$mirror" ] || { echo "apt knows no mirror: set LAB_MIRROR" >&2; exit 1; }
  rm -rf "$folder"
  mkdir -p "$cache"
  # Nothing that is installed in there may start.
  debootstrap --variant=minbase --include="$packages" "$suite" "$folder" "$mirror" >"$folder.log" 2>&1 ||
    { tail -20 "$folder.log" >&2; exit 1; }
  printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
  chmod +x "$folder/usr/sbin/policy-rc.d"
  touch "$folder.complete"
fi
echo "$folder"
