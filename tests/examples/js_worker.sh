#!/usr/bin/env bash
# js_worker.sh PROGRAM DIR: what the example prints, with the worker in a copy of examples/js.
set -euo pipefail
[ -d "$2/node_modules/msgpackr" ] || {
    echo "skipped: there is no msgpackr"
    exit 77
}
expected='7 * 7 = 49
the worker ends: killed by signal 9
7 * 7 = 49'
got=$("$1" "$2/worker.js" </dev/null 2>/dev/null)
[ "${got/, core/}" = "$expected" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$got" >&2 && exit 1; }
