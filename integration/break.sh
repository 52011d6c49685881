#!/usr/bin/env bash
# Applies each break of integration/break/*.patch alone and runs the tests, which must turn red:
# a test that stays green when the behaviour is broken proves nothing.
#
# usage: integration/break.sh [PATTERN]      only breaks whose name holds PATTERN
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
pattern=${1:-}
work=$(mktemp -d)
trap 'git worktree remove --force "$work/tree" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/tree" HEAD
export CARGO_TARGET_DIR="${BREAK_TARGET_DIR:-$work/target}"
red=0 green=0
for patch in "$top"/integration/break/*"$pattern"*.patch; do
  name=$(basename "$patch" .patch)
  cd "$work/tree"
  git checkout --quiet -- .
  if ! git apply "$patch"; then
    echo "break $name: does not apply any more; make it anew" >&2
    green=$((green + 1))
    continue
  fi
  if ! cargo build --workspace --tests --quiet 2>"$work/build.log"; then
    echo "break $name: does not compile, so it shows nothing" >&2
    tail -n 5 "$work/build.log" >&2
    green=$((green + 1))
    continue
  fi
  if cargo test --workspace --quiet --no-fail-fast >"$work/test.log" 2>&1; then
    echo "break $name: ALL TESTS STAY GREEN" >&2
    green=$((green + 1))
  else
    count=$(grep -cE '^test .*FAILED$|^    [a-z_:]+$' "$work/test.log" || true)
    echo "break $name: red ($count)"
    red=$((red + 1))
  fi
done
echo "breaks: $red passed, $green failed"
[ "$green" -eq 0 ] && [ "$red" -gt 0 ]
