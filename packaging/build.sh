#!/usr/bin/env bash
# Makes the Debian package of hoplock and prints its path as the last line. Built on Debian 12, one file
# serves Debian 12 and 13: what it needs of the C library is what 12 has.
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
# The compilers' names, which strip leaves there; in a new file, since somebody may run the old one.
objcopy --remove-section=.comment "$target/release/hoplock" "$target/release/hoplock.plain"
mv "$target/release/hoplock.plain" "$target/release/hoplock"
"$target/release/hoplock" man "$generated/man"
gzip -9n "$generated"/man/*.[58]
"$target/release/hoplock" completions bash >"$generated/hoplock.bash"
"$target/release/hoplock" completions zsh >"$generated/_hoplock"
"$target/release/hoplock" completions fish >"$generated/hoplock.fish"
# Examples: whatever lies in folders that are for people to copy from.
for examples in container prometheus; do
  [ ! -d "packaging/$examples" ] || install -D -m 644 -t "$generated/examples/$examples" "packaging/$examples"/*
done
gzip -9nc CHANGELOG.md >"$generated/changelog.gz"

# Whose code is in the program: name, version, licence, and the notices that their licences ask to keep.
third_party() {
  local name version licence manifest file
  echo "Crates that are compiled into hoplock, each with its licence and its notices."
  cargo tree --locked --package hoplock --edges normal --prefix none --no-dedupe --format '{p}|{l}' |
    sed 's/ (proc-macro)//; s/ (\*)//' | sort -u | while IFS='|' read -r name licence; do
    version=${name#* v}
    name=${name%% *}
    # Those of the house have a path behind the version.
    [[ "$version" != *" "* ]] || continue
    printf '\n%s\n%s %s: %s\n' "$(printf '=%.0s' {1..78})" "$name" "$version" "$licence"
    manifest=$(grep -o "\"manifest_path\":\"[^\"]*/$name-$version/Cargo.toml\"" "$generated/metadata.json" | head -n 1)
    manifest=${manifest#*:\"}
    for file in "$(dirname "${manifest%\"}")"/{LICENSE,LICENCE,COPYING,COPYRIGHT,NOTICE}*; do
      # The Apache License itself is in /usr/share/common-licenses.
      if [ ! -f "$file" ] || grep -q 'TERMS AND CONDITIONS FOR USE' "$file"; then continue; fi
      printf '\n-- %s\n' "$(basename "$file")"
      cat "$file"
    done
  done
}
cargo metadata --format-version 1 --locked --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" >"$generated/metadata.json"
third_party >"$generated/third-party.txt"
gzip -9n "$generated/third-party.txt"

# A package of the same source is the same, whenever it is made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
package=$(cargo deb --no-build --locked --fast --output "$target/debian/" | tail -n 1)

# What cargo-deb leaves out: the sums by which dpkg --verify and debsums find damaged files.
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
dpkg-deb -R "$package" "$unpacked/root"
(cd "$unpacked/root" && find . -type f -not -path './DEBIAN/*' -not -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z |
  xargs -0 md5sum >"$unpacked/md5sums")
install -m 644 "$unpacked/md5sums" "$unpacked/root/DEBIAN/md5sums"
dpkg-deb -b --root-owner-group -Zxz "$unpacked/root" "$package" >/dev/null
echo "$package"
