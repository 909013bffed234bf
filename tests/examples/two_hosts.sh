#!/usr/bin/env bash
# two_hosts.sh PROGRAM: one that listens is found and told to stop; another secret is not let in.
set -euo pipefail
export SECRET='the two know this one'
coproc GREETER { exec "$1" listen tcp://127.0.0.1:0; }
pid=$GREETER_PID
trap 'kill "$pid" 2>/dev/null || true' EXIT
read -r url <&"${GREETER[0]}"
got=$("$1" "$url" </dev/null)
expected='Hello, world!
It is gone.'
[ "$got" = "$expected" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2 && exit 1; }
wait "$pid"
