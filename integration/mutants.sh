#!/usr/bin/env bash
# Changes hoplock-policy in each small way that cargo-mutants knows, one at a time, and runs the tests
# of that crate, which must turn red. Fails if a change survives that integration/mutants-explained.txt
# does not explain, if a line there explains nothing any more, or if fewer than 95 of 100 changes that
# compile are noticed. On two processors it takes about forty minutes.
#
# usage: integration/mutants.sh [PATTERN]      only changes whose name fits the regular expression
# The logs are left in target/mutants.out. What is in src/fuzzing is test, not law, and is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
pattern=${1:-}
explained=integration/mutants-explained.txt
out=target/mutants.out
least=95

command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --quiet

# Most of the time goes into building: what is built must be small, and built in steps. The search
# over all small host sets is slow without any optimisation.
options=(
  --package hoplock-policy --exclude 'protocol/policy/src/fuzzing/**' --no-shuffle --cap-lints true --timeout 60 --colors never --output target
  -C=--locked
  -C=--config=profile.dev.package.hoplock-policy.opt-level=1
  -C=--config=profile.dev.debug=false
  -C=--config=profile.dev.incremental=true
)
[ -z "$pattern" ] || options+=(--re "$pattern")

mkdir -p target
status=0
cargo mutants "${options[@]}" -- --tests || status=$?
# 2 and 3: some were missed, some took too long. Everything else is no result.
case $status in
  0 | 2 | 3) ;;
  *) echo "cargo mutants ended with status $status" >&2; exit 1 ;;
esac

count() { wc -l <"$out/$1.txt"; }
# Without line numbers, so that the list outlives edits; equal names stand as often as they occur.
nameless() { sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$out/missed.txt" | LC_ALL=C sort; }
listed() { sed -n 's/ -- .*//p' "$explained" | LC_ALL=C sort; }

failed=0
unexplained=$(LC_ALL=C comm -23 <(nameless) <(listed))
if [ -n "$unexplained" ]; then
  printf 'survived, and %s does not explain it:\n%s\n' "$explained" "$unexplained"
  failed=1
fi
noticed=$(($(count caught) + $(count timeout)))
all=$((noticed + $(count missed)))
echo "$noticed of $all changes noticed ($(count timeout) by taking too long), $(count missed) missed," \
  "$(count unviable) do not compile"
[ "$all" -gt 0 ] || { echo "no change fits ${pattern:-anything}" >&2; exit 1; }
if [ -z "$pattern" ]; then
  stale=$(LC_ALL=C comm -13 <(nameless) <(listed))
  if [ -n "$stale" ]; then
    printf 'explained, but noticed or gone; take it off %s:\n%s\n' "$explained" "$stale"
    failed=1
  fi
  if [ $((noticed * 100)) -lt $((all * least)) ]; then
    echo "fewer than $least of 100 were noticed"
    failed=1
  fi
fi
[ "$failed" -eq 0 ]
