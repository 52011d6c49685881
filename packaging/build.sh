#!/usr/bin/env bash
# Makes the Debian package of hoplock and prints its path as the last line.
#
# usage: packaging/build.sh      the target directory is cargo's: CARGO_TARGET_DIR, else ./target
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deb >/dev/null; then
  cargo install cargo-deb --locked --quiet
fi

cargo build --release --locked --bin hoplock
target=$(cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

# Beside the binary, since cargo-deb reads target/release/ from wherever the target directory is.
# Emptied first: a page of a command that is gone must not be packed again.
generated=$target/release/package
rm -rf "$generated"
"$target/release/hoplock" man "$generated/man"
gzip -9n "$generated"/man/*.[58]
"$target/release/hoplock" completions bash >"$generated/hoplock.bash"

# A package of the same source is the same, whenever it is made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
cargo deb --no-build --locked --output "$target/debian/" | tail -n 1
