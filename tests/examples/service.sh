#!/usr/bin/env bash
# service.sh PROGRAM: it says what its file says, reads its file again on SIGHUP, stops with 0 on SIGTERM, and says by
# its status what is wrong.
set -Eeuo pipefail
dir=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill -9 "$service" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

echo one >"$dir/file"
mkfifo "$dir/told" "$dir/said"
"$1" tcp://127.0.0.1:0 "$dir/file" >"$dir/said" 2>"$dir/told" &
service=$!
exec 3<"$dir/said" 4<"$dir/told"
read -r line <&3
port=${line##*:}

text() {
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET / HTTP/1.0\r\n\r\n' >&5
    tail -n 1 <&5
    exec 5>&-
}
is() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }
is "$(text)" one
echo two >"$dir/file"
kill -HUP $service
until [ "$(text)" = two ]; do :; done
rm "$dir/file"
kill -HUP $service
while read -r line <&4; do # that something took long, as on a busy machine, is passed over
    [[ $line == *.slow:* ]] || break
done
is "$line" "troupe: service.reload: ask=reload error=TR_ENOENT (no such thing)"
is "$(text)" two
kill -TERM $service
wait $service
service=

status() { "$@" 2>"$dir/errors" || echo $?; }
is "$(status "$1" tcp://127.0.0.1:0 "$dir/file")" 78
is "$(grep -v '\.slow:' "$dir/errors")" "troupe: actor.failed: actor=motd error=TR_ENOENT (no such thing)"
is "$(status "$1")" 2
