#!/usr/bin/env bash
# cluster_load.sh PROGRAM: with wrk at full load, rolls cost no request, not with the program replaced on the disk either,
# and each kill of a worker no more than one for each connection; the cluster holds as much after it as before.
# TROUPE_TEST_SCALE=1: for a minute each, a roll every 5 seconds, a kill every 7.
set -Eeuo pipefail
command -v wrk >/dev/null || { echo "wrk is not installed"; exit 77; }
dir=$(mktemp -d)
cluster=
finish() {
    [ -z "$cluster" ] || kill -9 "$cluster" 2>/dev/null || true # its workers end with it
    rm -rf "$dir"
}
trap finish EXIT
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
connections=32 seconds=3 roll=0.5 kill=0.7
[ "${TROUPE_TEST_SCALE-}" != 1 ] || { seconds=60 roll=5 kill=7; }
cp "$1" "$dir/cluster"
mkfifo "$dir/said"
"$dir/cluster" tcp://127.0.0.1:0 2 "${2-shared}" >"$dir/said" 2>/dev/null &
cluster=$!
exec 3<"$dir/said"

# What it says; returns when it has said this, or nothing for so long.
until_said() {
    local line
    while read -r ${2+-t "$2"} line <&3; do
        case $line in *"$1"*) echo "$line" && return ;; esac
    done
}
pause() { until_said "what is never said" "$1"; }
address=$(until_said "listening at") && address=${address##*//}
until_said "is ready" >/dev/null
until_said "is ready" >/dev/null

roll() { kill -HUP $cluster && until_said rolled >/dev/null; }
kill_one() { kill -9 "$(pgrep -P $cluster | shuf -n 1)" && kills=$((kills + 1)); }
replace() { cp "$1" "$dir/new" && mv "$dir/new" "$dir/cluster" && roll; }

# load EVERY COMMAND...: run wrk, and the command each so many seconds. failed: requests
load() {
    local every=$1 job
    shift
    wrk -t1 -c$connections -d${seconds}s "http://$address/" >"$dir/wrk" &
    job=$!
    while pause "$every" && kill -0 $job 2>/dev/null; do "$@"; done
    wait $job
    failed=$(awk '/Socket errors/ { gsub(",", ""); print $4 + $6 + $8 + $10 } /Non-2xx/ { print $NF }' "$dir/wrk" |
        awk '{ sum += $1 } END { print sum + 0 }')
    awk -v what="$1" -v failed="$failed" '/requests in/ { print what ": " $1 " requests, " failed " failed" }' "$dir/wrk"
    grep -q " requests in" "$dir/wrk"
}
held() { find /proc/$cluster/fd | wc -l; }
used() { awk '/VmRSS/ { print $2 }' /proc/$cluster/status; }

kills=0
load $roll roll
[ "$failed" = 0 ]
descriptors=$(held) memory=$(used)
load $roll replace "$1"
[ "$failed" = 0 ]
for worker in $(pgrep -P $cluster); do [ "$(readlink /proc/"$worker"/exe)" = "$dir/cluster" ]; done
load $kill kill_one
[ "$kills" -gt 0 ] && [ "$failed" -le $((kills * connections)) ]
load $roll roll
[ "$failed" = 0 ]
echo "$kills kills; descriptors $descriptors, $(held); KiB $memory, $(used)"
[ "$(held)" = "$descriptors" ]
[ "$(used)" -le $((memory + memory / 4)) ]
kill -TERM $cluster
wait $cluster
cluster=
