#!/usr/bin/env bash
# The second opinion on certificates under DANE, for longer: OpenSSL, set as Postfix sets it, beside our
# verifier. A difference without a reason is printed in full. Needs gcc and libssl-dev.
#
# usage: integration/oracle.sh [CASES [SEED]]      default: 200000 cases, a fresh seed
set -euo pipefail
cd "$(dirname "$0")/.."
export ORACLE_CASES=${1:-200000}
[ -z "${2:-}" ] || export ORACLE_SEED=$2
cargo test --locked -p hoplock-integration --test dane_oracle -- --nocapture --test-threads=1
