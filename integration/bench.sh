#!/usr/bin/env bash
# Measures hoplock beside servers that do nothing and prints tables in Markdown. Nothing here passes
# or fails by a time; a wrong reply ends it. Needs neither root nor network; takes about five minutes.
#
# With --fleet PROGRAM (redis-server or valkey-server) it measures instead what a fleet's store costs
# cached answers: hoplock with one beside hoplock without, and beside its twin.
#
# usage: integration/bench.sh [--fleet PROGRAM] [--rounds N] [--seconds S] [--out FILE]
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."
usage() { echo "usage: integration/bench.sh [--fleet PROGRAM] [--rounds N] [--seconds S] [--out FILE]" >&2; exit 2; }
options=() out= fleet=
while [ "$#" -gt 0 ]; do
  [ "$#" -ge 2 ] || usage
  case "$1" in
    --rounds | --seconds) options+=("$1" "$2") ;;
    --out) out=$2 ;;
    --fleet) fleet=$2 ;;
    *) usage ;;
  esac
  shift 2
done
# A relative name counts from where the caller stands.
case "$out" in "" | /*) ;; *) out=$from/$out ;; esac
[ -z "$out" ] || options+=(--out "$out")
target=${CARGO_TARGET_DIR:-$PWD/target}
# One after the other: built together, hoplock would get the features that only tests ask of tokio.
cargo build --release --locked --quiet -p hoplock-integration --bin bench-load --bin bench-empty --bin bench-fleet
cargo build --release --locked --quiet -p hoplock --bin hoplock
if [ -n "$fleet" ]; then
  exec "$target/release/bench-fleet" --hoplock "$target/release/hoplock" --store "$fleet" \
    ${options[@]+"${options[@]}"}
fi
exec "$target/release/bench-load" --hoplock "$target/release/hoplock" \
  --empty "$target/release/bench-empty" ${options[@]+"${options[@]}"}
