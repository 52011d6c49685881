#!/usr/bin/env bash
# Applies each break of integration/break/*.patch alone and runs the tests, which must turn red:
# a test that stays green when the behaviour is broken proves nothing.
#
# usage: integration/break.sh [PATTERN]      only breaks whose name holds PATTERN
# BREAK_TARGET_DIR names a target folder to share; by default one is made and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
pattern=${1:-}
work=$(mktemp -d)
trap 'git -C "$top" worktree remove --force "$work/tree" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/tree" HEAD
export CARGO_TARGET_DIR="${BREAK_TARGET_DIR:-$work/target}"
cd "$work/tree"

# Quick tests first: a break is shown by the first of these that turns red.
stages=("-p hoplock-policy -p hoplock-wire" "-p hoplock-integration" "-p hoplock")

# Prints what the break shows; 0 where a test turned red.
judge() {
  local stage
  for stage in "${stages[@]}"; do
    # shellcheck disable=SC2086
    if ! cargo test --quiet $stage --no-run 2>"$work/build.log"; then
      echo "does not compile, so it shows nothing"
      tail -n 5 "$work/build.log" >&2
      return 1
    fi
    # shellcheck disable=SC2086
    if ! cargo test --quiet $stage >"$work/test.log" 2>&1; then
      echo "red in $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p; s/^    \([a-z_:0-9]*\)$/\1/p' "$work/test.log" | head -n 1)"
      return 0
    fi
  done
  echo "ALL TESTS STAY GREEN"
  return 1
}

red=0 failed=0
for patch in "$top"/integration/break/*"$pattern"*.patch; do
  name=$(basename "$patch" .patch)
  git checkout --quiet -- .
  if ! git apply "$patch" 2>/dev/null; then
    echo "break $name: does not apply any more; make it anew"
    failed=$((failed + 1))
  elif words=$(judge); then
    echo "break $name: $words"
    red=$((red + 1))
  else
    echo "break $name: $words"
    failed=$((failed + 1))
  fi
done
echo "$red passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$red" -gt 0 ]
