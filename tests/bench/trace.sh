#!/usr/bin/env bash
# What a message costs while it is traced: troupe side by side with Erlang.
#
#     trace.sh BUILD_DIR [FIGURE...]
#
# Two actors on one loop send each other an empty message; a figure is the nanoseconds of one message,
# sent and handled:
#
#   off       nothing is written (TROUPE_TRACE=off). Erlang: not traced
#   facts     all but messages, as a program has it where nobody says anything. Erlang has no such thing
#   full      each message, with its times (TROUPE_TRACE=msg). Erlang: both processes traced, send and
#             receive, with a time stamp, to a process that drops it
#   body      and what is in it (TROUPE_TRACE=body)
#
# The lines trace_adds_* are what a figure adds to `off` of the same run: a run takes all figures, one
# after the other, so that a busy moment does not fall on one of them alone.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(off facts full body)
peers=(troupe erlang)

# program_of PEER FIGURE...
program_of() {
    local count
    count=$(awk "BEGIN { print int(${BENCH_SCALE:-1} * $([ "$1" = troupe ] && echo 1000000 || echo 100000)) }")
    case $1 in
    troupe) program=(env TROUPE_TRACE_DIR="$tmp/traces"
        "$here/trace_ns.sh" "$build/bench_actors" "$count" "${@:2}") ;;
    erlang) program=(erl +S 1:1 -noinput -pa "$tmp" -s trace_erlang main -extra "$count" "${@:2}") ;;
    esac
}

begin "$@"
present=(troupe)
if erlc -o "$tmp" "$here/peers/trace_erlang.erl" >"$tmp/compile" 2>&1; then present+=(erlang); fi
facts
echo "# erlang: $(erl -noinput -eval \
    'io:put_chars(erlang:system_info(otp_release)), halt().' 2>/dev/null || echo absent)"
measure 15 "${figures[@]}"
for figure in "${figures[@]}"; do
    report "$figure" "trace_$figure" ns
done
awk '$2 == "off" { off[$1] = $3; next } { print $1, "adds_" $2, $3 - off[$1] }' \
    "$tmp/samples" >"$tmp/adds" && mv "$tmp/adds" "$tmp/samples"
for figure in "${figures[@]:1}"; do
    among off "${figures[@]}" && report "adds_$figure" "trace_adds_$figure" ns
done
exit $own_failed
