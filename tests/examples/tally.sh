#!/usr/bin/env bash
# tally.sh TROUPE TALLY.so: what the guide shows of it.
set -euo pipefail
dir=$(mktemp -d)
url=ipc://$dir/tally.sock
"$1" run --name tally --listen "$url" "$2" apples pears 2>"$dir/err" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
until grep -q 'listening at' "$dir/err"; do read -rt 0.02 <> <(:) || true; done
"$1" send "$url" tally add '{"what": "apples", "count": 3}'
"$1" send "$url" tally add '{"what": "plums", "count": 1}'
got=$("$1" ask "$url" tally add '{"what": "apples", "count": 2}' && "$1" ask "$url" tally total)
expected='5
{"apples":5,"pears":0}'
[ "$got" = "$expected" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2 && exit 1; }
kill -TERM "$pid"
wait "$pid"
