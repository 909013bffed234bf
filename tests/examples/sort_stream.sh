#!/usr/bin/env bash
# sort_stream.sh PROGRAM: it is sort, with its options, for more than is on the way at one time; and
# what sort complains of is its end.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seq 200000 >"$dir/numbers"
sort -r <"$dir/numbers" >"$dir/expected"
"$1" -r <"$dir/numbers" | cmp - "$dir/expected"
if "$1" --no-such-option <"$dir/numbers" >/dev/null 2>"$dir/errors"; then
    echo "an error of sort is none of ours" >&2
    exit 1
fi
grep -q '^sort: exited with status 2$' "$dir/errors"
