#!/usr/bin/env bash
# tail_f.sh PROGRAM: what is in a file and what is appended is printed, until the file is gone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo one >"$dir/file"
mkfifo "$dir/out"
"$1" "$dir/file" >"$dir/out" &
exec 3<"$dir/out"
for line in one two three; do
    read -r got <&3
    [ "$got" = "$line" ]
    case $line in
    one) echo two >>"$dir/file" ;;
    two) echo three >>"$dir/file" ;;
    three) rm "$dir/file" ;;
    esac
done
wait $!
