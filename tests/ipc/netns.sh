#!/usr/bin/env bash
# netns.sh PROGRAM: two hosts, as network namespaces with a cable between them that is cut and healed:
# both sides hear of the end in time and once, and meet again under a higher epoch; nothing comes
# twice.
set -euo pipefail
one=troupe-one-$$ two=troupe-two-$$ pids=()
finish() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    ip netns del "$one" 2>/dev/null || true
    ip netns del "$two" 2>/dev/null || true
}
trap finish EXIT
{ ip netns add "$one" && ip netns add "$two" &&
    ip link add vone netns "$one" type veth peer name vtwo netns "$two"; } >/dev/null 2>&1 || {
    echo "skipped: there can be no network namespaces here"
    exit 77
}
ip -n "$one" addr add 10.77.0.1/24 dev vone
ip -n "$two" addr add 10.77.0.2/24 dev vtwo
ip -n "$one" link set vone up
ip -n "$two" link set vtwo up

exec {from_one}< <(exec ip netns exec "$one" "$1" listen tcp://10.77.0.1:7000 2>/dev/null)
pids+=($!)
expect() { # FD WORD: the next line that is of this word; its number in $number
    local word
    while read -r -t 20 -u "$1" word number; do
        [ "$word" != doubled ] || { echo "a message came twice" >&2 && exit 1; }
        [ "$word" != "$2" ] || return 0
        [[ $word = counts || $word = ended ]] || { echo "$word in place of $2" >&2 && exit 1; }
    done
    echo "no $2" >&2
    exit 1
}
expect "$from_one" ready
exec {from_two}< <(exec ip netns exec "$two" "$1" dial tcp://10.77.0.1:7000 2>/dev/null)
pids+=($!)
expect "$from_two" ready
expect "$from_one" up
epoch_one=$number
expect "$from_two" up
epoch_two=$number
for cut in 1 2 3; do
    expect "$from_one" counts
    expect "$from_two" counts
    start=$(date +%s%N)
    ip -n "$one" link set vone down
    expect "$from_one" down
    expect "$from_two" down
    took=$((($(date +%s%N) - start) / 1000000))
    [ "$took" -lt 5000 ] || { echo "down after $took ms" >&2 && exit 1; }
    ip -n "$one" link set vone up
    expect "$from_one" up
    [ "$number" -gt "$epoch_one" ] || { echo "epoch $number after $epoch_one" >&2 && exit 1; }
    epoch_one=$number
    expect "$from_two" up
    [ "$number" -gt "$epoch_two" ] || { echo "epoch $number after $epoch_two" >&2 && exit 1; }
    epoch_two=$number
    echo "cut $cut: both down within $took ms"
done
