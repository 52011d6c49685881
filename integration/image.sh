#!/usr/bin/env bash
# Builds the root file system of packaging/container/Containerfile in a folder, without a container engine:
# it reads that file, and does what the few instructions say that it uses; one that it does not know ends it.
# What counts at run time is written beside the folder: FOLDER.environment, .user, .entrypoint, .health.
#
# usage: integration/image.sh PACKAGE.deb FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
package=$1 folder=$2
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp packaging/container/* "$package" "$context/"
rm -rf "$folder" "$folder".*
: >"$folder.environment"

# A JSON list of words, one a line.
words() { python3 -c 'import json, sys; print("\n".join(json.loads(sys.argv[1])))' "$1"; }

while read -r instruction rest; do
  case "$instruction" in
    "" | "#"*) ;;
    FROM)
      suite=${rest##*/debian:}
      cp -a "$(integration/debian.sh "${suite%-slim}")" "$folder"
      ;;
    ENV) echo "$rest" >>"$folder.environment" ;;
    COPY)
      read -ra parts <<<"$rest"
      place=${parts[-1]}
      unset "parts[-1]"
      mkdir -p "$folder$place"
      # The names may be patterns, of files in the context.
      # shellcheck disable=SC2048,SC2086
      (cd "$context" && cp ${parts[*]} "$folder$place")
      ;;
    RUN)
      mapfile -t environment <"$folder.environment"
      unshare --mount --pid --fork --kill-child chroot "$folder" env "${environment[@]}" \
        sh -ec "mount -t proc proc /proc; $rest" >"$folder.log" 2>&1 || { tail -n 20 "$folder.log" >&2; exit 1; }
      ;;
    USER) echo "$rest" >"$folder.user" ;;
    VOLUME) echo "$rest" >"$folder.volume" ;;
    EXPOSE) ;;
    HEALTHCHECK) words "${rest#*CMD }" >"$folder.health" ;;
    ENTRYPOINT) words "$rest" >"$folder.entrypoint" ;;
    *) echo "image.sh does not know $instruction" >&2; exit 1 ;;
  esac
done <packaging/container/Containerfile
