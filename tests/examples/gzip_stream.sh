#!/usr/bin/env bash
# gzip_stream.sh PROGRAM: what the example compresses, gzip uncompresses and Node does, and the other
# way round; and it says what is wrong.
set -euo pipefail
program=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
{ cat "$program" "$0"; head -c 300000 /dev/zero; } >"$dir/file"

same() { # what stands on standard input is the file
    cmp - "$dir/file" || { echo "not the same: $1" >&2 && exit 1; }
}

"$program" "$dir/file" >"$dir/file.gz"
"$program" -d "$dir/file.gz" | same "there and back"
"$program" <"$dir/file" | "$program" -d | same "by pipes"
gzip -dc <"$dir/file.gz" | same "gzip -d"
gzip -c <"$dir/file" >"$dir/theirs.gz"
"$program" -d "$dir/theirs.gz" | same "of gzip"
cat "$dir/theirs.gz" "$dir/file.gz" | "$program" -d | cmp - <(cat "$dir/file" "$dir/file")
if [ -n "$(command -v node)" ]; then
    node -e 'process.stdin.pipe(require("zlib").createGunzip()).pipe(process.stdout)' \
        <"$dir/file.gz" | same "gunzip of Node"
    node -e 'process.stdin.pipe(require("zlib").createGzip()).pipe(process.stdout)' <"$dir/file" |
        "$program" -d | same "gzip of Node"
else
    echo "node is absent: not tried against it"
fi
if head -c 100 "$dir/file.gz" | "$program" -d >/dev/null 2>"$dir/error"; then
    echo "a file that was cut was taken" >&2 && exit 1
fi
grep -q "not the document" "$dir/error"
