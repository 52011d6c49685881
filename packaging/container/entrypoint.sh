#!/bin/bash
# Starts Unbound and hoplock, hands on SIGTERM, and ends when either ends: the engine then starts both anew.
set -u
unbound -d -c /etc/hoplock-container/unbound.conf &
resolver=$!
hoplock serve --config /etc/hoplock-container/hoplock.toml &
daemon=$!
# hoplock answers what it has in hand, and needs the resolver for it.
stopping=
trap 'stopping=1; kill -TERM "$daemon"' TERM INT
wait -n
status=$?
if [ -n "$stopping" ]; then
  wait "$daemon"
  status=$?
fi
kill -TERM "$daemon" "$resolver" 2>/dev/null
wait
exit "$status"
