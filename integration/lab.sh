#!/usr/bin/env bash
# Runs the lab in namespaces of its own: network (loopback only), mounts (its own resolv.conf) and
# processes (everything that it starts dies with it, also when it fails). What needs the network is
# done before, by apt: a Debian 13 for its Postfix, both Debians for Exim and for Sendmail, fresh ones for
# the package, and the container's file system; by pip, tlsrpt-reporter, which judges beside us.
#
# usage: [LAB_PROFILE=debug] [LAB_BESIDE=FOLDER] integration/lab.sh [--prepare] [STAGE…]
#   --prepare only fetches what these stages need. LAB_BESIDE is for a lab that runs beside another: it
#   works on copies of the Debians, in that folder.
#   check deliveries doctor exim guard manual memory package page pins prometheus sendmail survive
#   tlsrpt; none named: all
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
profile=${LAB_PROFILE:-release}
prepare=0
if [ "${1:-}" = --prepare ]; then
  prepare=1
  shift
fi
[ "$(id -u)" -eq 0 ] || { echo "the lab needs root: it makes namespaces and uses ports 25, 53 and 443" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin HOPLOCK_BIN="$target/$profile/hoplock"

# A Debian, by integration/debian.sh, for this lab.
debian() {
  local folder copy
  folder=$(integration/debian.sh "$@")
  if [ -n "${LAB_BESIDE:-}" ] && [ "$prepare" -eq 0 ]; then
    copy=$LAB_BESIDE/$(basename "$folder")
    [ -e "$copy" ] || cp -a "$folder" "$copy"
    folder=$copy
  fi
  echo "$folder"
}

# Without words all stages run.
runs() { [ "$#" -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]; }

if runs deliveries "$@" || runs guard "$@" || runs manual "$@" || runs tlsrpt "$@"; then
  LAB_TRIXIE=$(debian trixie postfix,ca-certificates)
  export LAB_TRIXIE
fi
if runs exim "$@" || runs manual "$@"; then
  LAB_EXIM_BOOKWORM=$(debian bookworm exim4-daemon-light)
  export LAB_EXIM_BOOKWORM
fi
if runs exim "$@" || runs tlsrpt "$@"; then
  LAB_EXIM_TRIXIE=$(debian trixie exim4-daemon-light)
  export LAB_EXIM_TRIXIE
fi
if runs sendmail "$@" || runs guard "$@" || runs manual "$@"; then
  LAB_SENDMAIL_BOOKWORM=$(debian bookworm sendmail-bin,sendmail-cf,m4)
  LAB_SENDMAIL_TRIXIE=$(debian trixie sendmail-bin,sendmail-cf,m4)
  export LAB_SENDMAIL_BOOKWORM LAB_SENDMAIL_TRIXIE
fi
if runs tlsrpt "$@"; then
  LAB_TLSRPT_REPORTER=$(integration/pip.sh tlsrpt-reporter 0.6.0)
  LAB_VALKEY=$(debian trixie valkey-server)
  export LAB_TLSRPT_REPORTER LAB_VALKEY
fi
if runs package "$@"; then
  # What apt installs on the machines lies ready in them: their network is the lab's.
  fetched=unbound,dns-root-data,adduser,ca-certificates
  LAB_MACHINE_BOOKWORM=$(debian bookworm systemd,postfix "$fetched")
  LAB_MACHINE_TRIXIE=$(debian trixie systemd,postfix "$fetched")
  [ "$prepare" -eq 0 ] || exit 0
  LAB_PACKAGE=$(packaging/build.sh | tail -1)
  # A tag beyond those that the package overrides, each with its reason, ends the lab.
  tags=$(lintian --info --display-info --allow-root "$LAB_PACKAGE" | grep -v '^N:' || true)
  [ -z "$tags" ] || { echo "$tags" >&2; exit 1; }
  LAB_IMAGE=$target/lab-image
  integration/image.sh "$LAB_PACKAGE" "$LAB_IMAGE"
  export LAB_MACHINE_BOOKWORM LAB_MACHINE_TRIXIE LAB_PACKAGE LAB_IMAGE
fi

[ "$prepare" -eq 0 ] || exit 0
exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
  "$target/$profile/lab" "$@"
