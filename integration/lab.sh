#!/usr/bin/env bash
# Runs the lab in namespaces of its own: network (loopback only), mounts (its own resolv.conf) and
# processes (everything that it starts dies with it, also when it fails). What needs the network is
# done before, by apt: a Debian 13 for its Postfix, both Debians for Exim and for Sendmail, fresh ones for
# the package, and the container's file system; by pip, tlsrpt-reporter, which judges beside us.
#
# usage: [LAB_PROFILE=debug] integration/lab.sh [STAGE…]
#   check deliveries doctor exim guard manual memory package page pins prometheus sendmail survive
#   tlsrpt; none named: all
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
profile=${LAB_PROFILE:-release}
[ "$(id -u)" -eq 0 ] || { echo "the lab needs root: it makes namespaces and uses ports 25, 53 and 443" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin HOPLOCK_BIN="$target/$profile/hoplock"

# Without words all stages run.
runs() { [ "$#" -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]; }

if runs deliveries "$@" || runs guard "$@" || runs manual "$@" || runs tlsrpt "$@"; then
  LAB_TRIXIE=$(integration/debian.sh trixie postfix,ca-certificates)
  export LAB_TRIXIE
fi
if runs exim "$@" || runs manual "$@"; then
  LAB_EXIM_BOOKWORM=$(integration/debian.sh bookworm exim4-daemon-light)
  export LAB_EXIM_BOOKWORM
fi
if runs exim "$@" || runs tlsrpt "$@"; then
  LAB_EXIM_TRIXIE=$(integration/debian.sh trixie exim4-daemon-light)
  export LAB_EXIM_TRIXIE
fi
if runs sendmail "$@" || runs guard "$@" || runs manual "$@"; then
  LAB_SENDMAIL_BOOKWORM=$(integration/debian.sh bookworm sendmail-bin,sendmail-cf,m4)
  LAB_SENDMAIL_TRIXIE=$(integration/debian.sh trixie sendmail-bin,sendmail-cf,m4)
  export LAB_SENDMAIL_BOOKWORM LAB_SENDMAIL_TRIXIE
fi
if runs tlsrpt "$@"; then
  LAB_TLSRPT_REPORTER=$(integration/pip.sh tlsrpt-reporter 0.6.0)
  LAB_VALKEY=$(integration/debian.sh trixie valkey-server)
  export LAB_TLSRPT_REPORTER LAB_VALKEY
fi
if runs package "$@"; then
  # What apt installs on the machines lies ready in them: their network is the lab's.
  fetched=unbound,dns-root-data,adduser,ca-certificates
  LAB_MACHINE_BOOKWORM=$(integration/debian.sh bookworm systemd,postfix "$fetched")
  LAB_MACHINE_TRIXIE=$(integration/debian.sh trixie systemd,postfix "$fetched")
  LAB_PACKAGE=$(packaging/build.sh | tail -1)
  # A tag beyond those that the package overrides, each with its reason, ends the lab.
  tags=$(lintian --info --display-info --allow-root "$LAB_PACKAGE" | grep -v '^N:' || true)
  [ -z "$tags" ] || { echo "$tags" >&2; exit 1; }
  LAB_IMAGE=$target/lab-image
  integration/image.sh "$LAB_PACKAGE" "$LAB_IMAGE"
  export LAB_MACHINE_BOOKWORM LAB_MACHINE_TRIXIE LAB_PACKAGE LAB_IMAGE
fi

exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
  "$target/$profile/lab" "$@"
