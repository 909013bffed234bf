#!/usr/bin/env bash
# cluster.sh PROGRAM: who asks is answered by one worker after the other; one that is killed is announced and replaced;
# SIGHUP replaces all; SIGTERM ends it with 0.
set -Eeuo pipefail
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }
dir=$(mktemp -d)
cluster=
finish() {
    [ -z "$cluster" ] || kill -9 "$cluster" 2>/dev/null || true # its workers end with it
    rm -rf "$dir"
}
trap finish EXIT
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
mkfifo "$dir/said"
"$1" tcp://127.0.0.1:0 2 round-robin >"$dir/said" 2>/dev/null &
cluster=$!
exec 3<"$dir/said"

# until_said WORDS: read what it says up to a line with them; no line may take a minute
until_said() {
    local line
    while read -rt 60 line <&3; do
        case $line in *"$1"*) echo "$line" && return ;; esac
    done
    echo "it does not say: $1" >&2
    return 1
}
address=$(until_said "listening at") && address=${address##*//}
until_said "is ready" >/dev/null
until_said "is ready" >/dev/null

# The pids that four requests are answered by.
handled() { for _ in 1 2 3 4; do curl -s "http://$address/"; done | sort | uniq -c; }
before=$(handled)
[ "$(wc -l <<<"$before")" = 2 ]
[ "$(grep -c "^ *2 Handled by [0-9]*$" <<<"$before")" = 2 ]

pid=${before##* }
kill -9 "$pid"
until_said "($pid) ended: killed by signal 9" >/dev/null
until_said "is ready" >/dev/null
after=$(handled)
[ "$(wc -l <<<"$after")" = 2 ]
[ "${after/ $pid/}" = "$after" ]

kill -HUP $cluster
until_said rolled >/dev/null
[ "$(handled | sort - <(echo "$after") | uniq -d | wc -l)" = 0 ]
kill -TERM $cluster
wait $cluster
cluster=
