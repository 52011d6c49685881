#!/usr/bin/env bash
# Searches with fresh seeds for answers that are weaker than the truth, or that strand mail for nothing.
# A breach is cut down and printed, with the beginning of a scenario.
#
# usage: integration/adversary.sh [RUNS [DESTINATIONS]]     default: 100000 runs under attack, and
#                                                           1000000 destinations without an attacker
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-100000}
destinations=${2:-1000000}
cargo build --quiet --locked --profile search -p hoplock-integration --bin adversary
adversary=${CARGO_TARGET_DIR:-target}/search/adversary
"$adversary" honest --runs $(((destinations + 99) / 100))
"$adversary" attacked --runs "$runs"
