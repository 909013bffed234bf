#!/usr/bin/env bash
# exec.sh PROGRAM: it prints what the command prints.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo hello >one
echo goodbye >two
expected=$(printf 'stdout:\n%s' "$(ls -l)")
for _ in $(seq 10); do
    got=$("$1" </dev/null)
    [ "$got" = "$expected" ] && continue
    printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2
    exit 1
done
