#!/usr/bin/env bash
# service.sh PROGRAM: it greets, reads its file again on SIGHUP, stops with 0 on SIGTERM, and says by
# its status what is wrong.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo one >"$dir/file"
mkfifo "$dir/told" "$dir/said"
"$1" tcp://127.0.0.1:0 "$dir/file" >"$dir/said" 2>"$dir/told" &
exec 3<"$dir/said" 4<"$dir/told"
read -r line <&3
port=${line##*:}

greeting() { (cat <"/dev/tcp/127.0.0.1/$port"); }
[ "$(greeting)" = one ]
echo two >"$dir/file"
kill -HUP $!
until [ "$(greeting)" = two ]; do :; done
rm "$dir/file"
kill -HUP $!
read -r line <&4
[ "$line" = "troupe: service.reload: ask=reload error=TR_ENOENT (no such thing)" ]
[ "$(greeting)" = two ]
kill -TERM $!
wait $!

status() { "$@" 2>"$dir/errors" || echo $?; }
[ "$(status "$1" tcp://127.0.0.1:0 "$dir/file")" = 78 ]
[ "$(cat "$dir/errors")" = "troupe: actor.failed: actor=greeter error=TR_ENOENT (no such thing)" ]
[ "$(status "$1")" = 2 ]
