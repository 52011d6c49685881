#!/usr/bin/env bash
# Runs the lab in namespaces of its own: network (loopback only), mounts (its own resolv.conf) and
# processes (everything that it starts dies with it, also when it fails).
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
[ "$(id -u)" -eq 0 ] || { echo "the lab needs root: it makes namespaces and uses ports 25, 53 and 443" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin HOPLOCK_BIN="$target/release/hoplock"
exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
  "$target/release/lab" "$@"
