#!/usr/bin/env bash
# Builds and passes everything: style, lints, licences, unit tests, scenarios, and the lab with real
# servers. Run as root on Debian 12 with a Rust toolchain; what the lab needs is installed by apt.
#
# usage: integration/test.sh [--deep]      --deep also runs the breaks, the mutants of the law, and the
#                                          fuzzers for longer
set -euo pipefail
cd "$(dirname "$0")/.."
deep=0
case "${1:-}" in
  --deep) deep=1 ;;
  "") ;;
  *) echo "usage: integration/test.sh [--deep]" >&2; exit 2 ;;
esac

# With the minutes so far: the whole must stay within 45.
step() { printf '\n== %d:%02d %s\n' "$((SECONDS / 60))" "$((SECONDS % 60))" "$*"; }

step "servers for the lab"
# g++ is for the fuzzers, gcc and libssl-dev are for the oracle; from apparmor on, for the package.
needed=(postfix unbound nsd ldnsutils openssl ca-certificates iproute2 util-linux debootstrap g++ gcc libssl-dev redis-server
  libfaketime bind9-dnsutils curl man-db chromium chromium-driver python3 python3-dkim python3-jsonschema python3-pip prometheus
  apparmor binutils lintian strace)
missing=()
for package in "${needed[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  [ "$(id -u)" -eq 0 ] || { echo "missing: ${missing[*]}; run this as root, or install them" >&2; exit 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # Daemons of the packages must not start: the lab runs its own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
for program in postfix unbound nsd ldns-signzone openssl unshare ip debootstrap redis-server prometheus promtool; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || { echo "the lab needs $program and it is missing" >&2; exit 1; }
done

# Downloads and compiling share the two cores better side by side than one after the other.
mkdir -p target
beside=(manual package sendmail survive tlsrpt)
others=(check deliveries doctor exim guard memory pins)
seen=(page prometheus)
{
  integration/lab.sh --prepare "${others[@]}" "${seen[@]}" "${beside[@]}"
  command -v cargo-deb >/dev/null || cargo install cargo-deb --locked --quiet
} >target/prepare.log 2>&1 &
preparing=$!

step "style and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings

step "licences, sources, duplicate crates"
if ! command -v cargo-deny >/dev/null; then
  # Without optimization: it runs for seconds, and is compiled for minutes.
  cargo install cargo-deny --debug --locked --quiet
fi
cargo deny --locked check licenses bans sources

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

step "tests and scenarios"
cargo test --workspace --locked

step "fuzzers, ten seconds each"
integration/fuzz.sh 10

step "programs for the lab"
# Apart: built together, hoplock would get the features that only tests ask of tokio.
cargo build --release --locked -p hoplock --bin hoplock
cargo build --release --locked -p hoplock-integration --bins
wait "$preparing" || { cat target/prepare.log >&2; exit 1; }

step "the lab: signed zones, Unbound, policy host, mail hosts, Postfix, Exim, Sendmail, the page, Prometheus"
# Most of a lab's time is waiting, so others stand beside it, one after the other: days of TLS reports, and
# fleets; fresh machines with the package, and the manual; Sendmail. The first of these stands alone in its
# lab: behind all others its Postfix once refused mail, and why was not found.
copies=$(mktemp -d "${HOPLOCK_LAB_CACHE:-/var/cache/hoplock-lab}/beside.XXXXXX")
{
  LAB_BESIDE=$copies integration/lab.sh tlsrpt
  LAB_BESIDE=$copies integration/lab.sh manual package
  LAB_BESIDE=$copies integration/lab.sh sendmail survive
} >target/beside.log 2>&1 &
standing=$!
good=1
integration/lab.sh "${others[@]}" || good=0
integration/lab.sh "${seen[@]}" || good=0
step "the lab beside it: ${beside[*]}"
wait "$standing" || good=0
cat target/beside.log
rm -rf "$copies"
[ "$good" -eq 1 ] || { echo "a lab failed" >&2; exit 1; }

if [ "$deep" -eq 1 ]; then
  step "breaks: each must turn tests red"
  integration/break.sh
  step "the oracle: OpenSSL beside our verifier"
  integration/oracle.sh
  step "the adversary, with fresh seeds"
  integration/adversary.sh
  step "planted bugs: the adversary must find each within a minute"
  integration/planted.sh
  step "mutants of the law: each must turn tests red, or be explained"
  integration/mutants.sh
  step "fuzzers, half an hour each"
  integration/fuzz.sh 1800
fi

step "all passed"
