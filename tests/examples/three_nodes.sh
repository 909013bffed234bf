#!/usr/bin/env bash
# three_nodes.sh PROGRAM: all three meet both others, and leave.
set -euo pipefail
command -v openssl >/dev/null || { echo "skipped: there is no openssl" && exit 77; }
PAPERS=$(mktemp -d)
export PAPERS
pids=()
finish() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    rm -rf "$PAPERS"
}
trap finish EXIT
request=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
"${request[@]}" -subj /CN=authority -keyout "$PAPERS/ca.key" -out "$PAPERS/ca.pem" 2>/dev/null
"${request[@]}" -subj /CN=node.example -CA "$PAPERS/ca.pem" -CAkey "$PAPERS/ca.key" \
    -addext basicConstraints=critical,CA:FALSE -keyout "$PAPERS/node.key" -out "$PAPERS/node.pem" \
    2>/dev/null

at=tls+tcp://127.0.0.1:0
start() { # NAME URL...: its own url in $url, the rest of what it says in $PAPERS/NAME
    mkfifo "$PAPERS/$1.says"
    "$program" "$@" </dev/null >"$PAPERS/$1.says" &
    pids+=($!)
    exec {says}<"$PAPERS/$1.says"
    read -r -u "$says" url
    cat <&"$says" >"$PAPERS/$1" &
    readers+=($!)
    exec {says}<&-
}
program=$1 readers=()
start one "$at"
one=$url
start two "$at" "$one"
two=$url
start three "$at" "$one" "$two"
for pid in "${pids[@]}"; do wait "$pid"; done
pids=()
for pid in "${readers[@]}"; do wait "$pid"; done
got=$(sort "$PAPERS/one" "$PAPERS/two" "$PAPERS/three")
expected='one has met three
one has met two
three has met one
three has met two
two has met one
two has met three'
[ "$got" = "$expected" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2 && exit 1; }
