#!/usr/bin/env bash
# Actors in one process: troupe side by side with Erlang, CAF, Go's channels, and a limit: the same
# in bare C, one thread.
#
#     actors.sh BUILD_DIR [FIGURE...]
#
# A peer is a program called `prog FIGURE LOOPS COUNT`, where LOOPS is the number of its schedulers
# or loops; each figure is taken with one and with two of them. It measures and prints (runner.bash
# says how) the figure, which is a rate in millions of COUNT a second unless it says otherwise:
#
#   pingpong  two actors send each other an empty message; round trips
#   counting  one sends to another, which counts and acknowledges the last one; messages
#   ring      503 actors pass on the number of hops that are left; hops
#   fanin     100 actors send to one, which counts; messages
#   create    actors are made, sent a message each and end with it, 1000 at a time; actors, until
#             the last one has ended. There is a creator on each loop
#   forkjoin  one sends to 60 in turn, which count; messages. In troupe and the limit as many may
#             wait in all 60 mailboxes as in the one of counting
#   big       120 actors: each sends a ping to one of them by chance, and the next one when the pong
#             has come; messages, pings and pongs
#   skynet    a tree of actors, ten below each, COUNT leaves, whose numbers are summed on the way
#             back; ms for the whole
#   ask       a request with a number is answered by the next one; calls. Erlang's gen_server:call,
#             CAF's request, a channel for the answer in Go
#   restart   a child ends with an error, its supervisor starts it again, it says so; restarts
#   observe   one looks at an actor that COUNT messages wait for; ns a look. observe_empty is the same
#             with none. Erlang's process_info(Pid, message_queue_len)
#   idle      COUNT actors that wait; bytes that each adds to the process. Erlang's hibernate
#
# Counts are for about half a second. The limit has ten times as many messages, for the same reason,
# and one thread only. BENCH_SCALE multiplies every count but skynet's, a power of ten (0.1 for a
# quick look).
#
# The peers are compiled here, for their compilers are not needed for anything else.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(pingpong counting ring fanin create forkjoin big skynet ask restart observe observe_empty
    idle)
peers=(troupe erlang caf go floor)
declare -A counts=(
    [pingpong]=2000000 [counting]=10000000 [ring]=5030000 [fanin]=10000000 [create]=500000
    [forkjoin]=6000000 [big]=3600000 [skynet]=1000000 [ask]=1000000 [restart]=10000
    [observe]=10000000 [observe_empty]=0 [idle]=1000000
)

# count_for PEER FIGURE
count_for() {
    local by=${BENCH_SCALE:-1}
    case $2 in
    skynet) by=1 ;;
    idle) ;;
    *) [ "$1" != floor ] || by="10 * $by" ;;
    esac
    awk "BEGIN { print int(${counts[$2]} * $by) }"
}

# program_of PEER FIGURE LOOPS
program_of() {
    case $1 in
    troupe) program=("$build/bench_actors") ;;
    erlang) program=(erl +S "$3:$3" +P 4000000 -noinput -pa "$tmp" -s actors_erlang main -extra) ;;
    caf | go) program=("$tmp/actors_$1") ;;
    floor) program=("$build/bench_peer_floor") ;;
    esac
    program+=("$2" "$3" "$(count_for "$1" "$2")")
}

compile() { # PEER
    case $1 in
    erlang) erlc -o "$tmp" "$here/peers/actors_erlang.erl" ;;
    caf) g++ -std=c++17 -O3 -o "$tmp/actors_caf" "$here/peers/actors_caf.cpp" -lcaf_core ;;
    go)
        GOCACHE=$tmp/go GO111MODULE=off GOFLAGS= CGO_ENABLED=0 \
            go build -o "$tmp/actors_go" "$here/peers/actors_go.go"
        ;;
    esac
}

versions() {
    echo "# erlang: $(erl -noinput -eval \
        'io:put_chars(erlang:system_info(otp_release)), halt().' 2>/dev/null || echo absent)"
    echo "# go: $(go version 2>/dev/null || echo absent)"
    echo "# caf: $(dpkg-query -W -f '${Version}' libcaf-dev 2>/dev/null || echo unknown)"
}

begin "$@"
present=()
for peer in "${peers[@]}"; do
    if compile "$peer" >"$tmp/compile.$peer" 2>&1; then present+=("$peer"); fi
done
facts
versions
for figure in "${figures[@]}"; do
    runs=5 unit=M/s
    case $figure in
    skynet) runs=3 unit=ms ;;
    observe*) runs=3 unit=ns ;;
    idle) runs=3 unit=B ;;
    esac
    for loops in 1 2; do
        measure $runs "$figure" $loops
        report "$figure" "actors_${figure}_$loops" $unit
    done
done
exit $own_failed
