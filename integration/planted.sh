#!/usr/bin/env bash
# Plants each bug of integration/planted/*.patch alone and lets the adversary search, who must find it
# within a minute: a search that finds nothing in a broken program proves nothing.
#
# usage: integration/planted.sh [PATTERN]      only bugs whose name holds PATTERN
# PLANTED_TARGET_DIR names a target folder to share; by default one is made and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
pattern=${1:-}
work=$(mktemp -d)
trap 'git -C "$top" worktree remove --force "$work/tree" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/tree" HEAD
export CARGO_TARGET_DIR="${PLANTED_TARGET_DIR:-$work/target}"
cd "$work/tree"

found=0 missed=0
for patch in "$top"/integration/planted/*"$pattern"*.patch; do
  name=$(basename "$patch" .patch)
  git checkout --quiet -- .
  if ! git apply "$patch" 2>/dev/null; then
    echo "planted $name: does not apply any more; make it anew"
    missed=$((missed + 1))
  elif ! cargo build --quiet --locked --profile search -p hoplock-integration --bin adversary 2>"$work/build.log"; then
    echo "planted $name: does not compile, so it shows nothing"
    tail -n 5 "$work/build.log" >&2
    missed=$((missed + 1))
  elif "$CARGO_TARGET_DIR"/search/adversary attacked --seconds 60 >"$work/search.log" 2>&1; then
    echo "planted $name: NOT FOUND, $(head -n 1 "$work/search.log")"
    missed=$((missed + 1))
  else
    echo "planted $name: $(sed -n '1s/ from seed.*, \([0-9.]* s\)$/ in \1/p; 2s/^seed [0-9]* shows //p' "$work/search.log" | tr '\n' ' ')"
    found=$((found + 1))
  fi
done
echo "$found found, $missed missed"
[ "$missed" -eq 0 ] && [ "$found" -gt 0 ]
