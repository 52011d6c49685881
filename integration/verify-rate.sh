#!/usr/bin/env bash
# How many sessions `hoplock verify --jsonl` judges in a second on one core, beside the same lines
# without anything to judge them by (reading alone): leaves under DANE-EE, and chains of three under
# DANE-TA on P-256. Medians of several rounds, interleaved.
#
# usage: integration/verify-rate.sh [SESSIONS [ROUNDS]]      default: 20000 sessions, 7 rounds
set -euo pipefail
cd "$(dirname "$0")/.."
sessions=${1:-20000} rounds=${2:-7}
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --locked -p hoplock --bin hoplock
cargo build --quiet --release --locked -p hoplock-integration --bin sessions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kinds=(none ee ta)
for kind in "${kinds[@]}"; do
  "$target/release/sessions" "$kind" "$sessions" >"$work/$kind.jsonl"
done
for ((round = 0; round < rounds; round++)); do
  for kind in "${kinds[@]}"; do
    TIMEFORMAT=%U+%S
    { time taskset -c 0 "$target/release/hoplock" verify --jsonl "$work/$kind.jsonl" >"$work/$kind.out"; } 2>"$work/time"
    awk -F+ '{print $1 + $2}' "$work/time" >>"$work/$kind.seconds"
  done
done
# A rate of verdicts that are wrong is worth nothing.
for kind in ee ta; do
  good=$(grep -c '"verdict":"authenticated-dane"' "$work/$kind.out")
  [ "$good" -eq "$sessions" ] || { echo "$kind: $good of $sessions are authenticated" >&2; exit 1; }
done
median() { sort -n "$1" | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }
base=$(median "$work/none.seconds")
for kind in "${kinds[@]}"; do
  awk -v kind="$kind" -v seconds="$(median "$work/$kind.seconds")" -v base="$base" -v sessions="$sessions" \
    'BEGIN {printf "%-5s %8.0f sessions/s of CPU, %6.1f us each, %.2f times reading alone\n", kind, sessions / seconds, seconds / sessions * 1e6, seconds / base}'
done
