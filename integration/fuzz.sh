#!/usr/bin/env bash
# Builds all fuzz targets once and runs each for some seconds, two at a time. What is found on the way
# goes beside the committed corpus, not into it; a crash ends in red and names the input.
#
# Runs of a minute or less begin from one seed, so that a change is judged by what it changed and not by
# luck; longer ones begin anywhere, and are the ones that search.
#
# usage: integration/fuzz.sh [SECONDS] [TARGET…]      10 seconds and all targets, unless told
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
usage() { echo "usage: integration/fuzz.sh [SECONDS] [TARGET…]" >&2; exit 2; }
seconds=${1:-10}
case "$seconds" in "" | *[!0-9]*) usage ;; esac
shift || true
work=$PWD/target/runs
seed=1
[ "$seconds" -le 60 ] || seed=0 # libFuzzer's word for any
# The compiler is the stable one; the decoders have no unsafe code, so no sanitizer has to watch them.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/target
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --debug --locked --quiet
known=$(cargo fuzz list)
targets=("$@")
# shellcheck disable=SC2206
[ "${#targets[@]}" -gt 0 ] || targets=($known)
for target in "${targets[@]}"; do
  grep -qx "$target" <<<"$known" || { echo "there is no target $target; there are:" $known >&2; exit 2; }
done
cargo fuzz build --sanitizer none
built=$(dirname "$(find target/*/release -maxdepth 1 -type f -name "${targets[0]}" | head -1)")

# The longest input of a target: structured ones need more than a name does.
longest() {
  case "$1" in
    host_field | names | next_hop | netstring | socketmap) echo 512 ;;
    *) echo 1400 ;;
  esac
}

# Runs one target; its last figures on one line, or its crash.
run() {
  local target=$1 folder=$work/$1
  rm -rf "$folder"
  mkdir -p "$folder/new"
  if "$built/$target" "$folder/new" "corpus/$target" -max_total_time="$seconds" -seed="$seed" -len_control=0 \
    -max_len="$(longest "$target")" -timeout=20 -artifact_prefix="$folder/" >"$folder/log" 2>&1; then
    echo "$target: $(grep -o 'DONE .*' "$folder/log" | tail -1), $(ls "$folder/new" | wc -l) new"
  else
    grep -A 6 'panicked at\|ERROR: libFuzzer' "$folder/log" | head -20 >&2
    echo "$target: FAILED on $(find "$folder" -maxdepth 1 -type f ! -name log | head -1)"
    return 1
  fi
}

running=0 failed=0
for target in "${targets[@]}"; do
  [ "$running" -lt 2 ] || { wait -n || failed=1; running=$((running - 1)); }
  run "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
[ "$failed" -eq 0 ] && echo "${#targets[@]} targets passed"
