#!/usr/bin/env bash
# Puts a package of Python into a folder for the lab and prints the folder. Made once for each machine; by
# the index that this machine's pip uses.
#
# usage: integration/pip.sh PACKAGE VERSION
set -euo pipefail
[ "$#" -eq 2 ] || { echo "usage: integration/pip.sh PACKAGE VERSION" >&2; exit 2; }
cache=${HOPLOCK_LAB_CACHE:-/var/cache/hoplock-lab}
folder=$cache/$1-$2
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

if [ ! -e "$folder.complete" ]; then
  rm -rf "$folder"
  # Debian's own Python, which has what else the lab's scripts need.
  /usr/bin/python3 -m pip install --no-deps --target "$folder" "$1==$2" >"$folder.log" 2>&1 ||
    { tail -20 "$folder.log" >&2; exit 1; }
  touch "$folder.complete"
fi
echo "$folder"
