#!/usr/bin/env bash
# run.sh PROGRAM EXPECTED [TIMES]: an example prints what is expected, every time.
set -euo pipefail
expected=$(cat "$2")
for _ in $(seq "${3:-1}"); do
    got=$("$1" </dev/null)
    [ "$got" = "$expected" ] && continue
    printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2
    exit 1
done
