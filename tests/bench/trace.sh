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
# The lines trace_adds_* are what a figure adds to `off`, of the same run.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(off facts full body)
peers=(troupe erlang)
declare -A words=([off]=off [facts]= [full]=msg [body]=body)

# program_of PEER FIGURE
program_of() {
    local count
    count=$(awk "BEGIN { print int(${BENCH_SCALE:-1} * $([ "$1" = troupe ] && echo 3000000 || echo 300000)) }")
    case $1 in
    troupe) program=(env TROUPE_TRACE="${words[$2]}" TROUPE_TRACE_DIR="$tmp/traces"
        "$here/trace_ns.sh" "$2" "$build/bench_actors" pingpong 1 "$count") ;;
    erlang) program=(erl +S 1:1 -noinput -pa "$tmp" -s trace_erlang main -extra "$2" "$count") ;;
    esac
}

begin "$@"
present=(troupe)
if erlc -o "$tmp" "$here/peers/trace_erlang.erl" >"$tmp/compile" 2>&1; then present+=(erlang); fi
facts
echo "# erlang: $(erl -noinput -eval \
    'io:put_chars(erlang:system_info(otp_release)), halt().' 2>/dev/null || echo absent)"
: >"$tmp/all"
for figure in "${figures[@]}"; do
    measure 7 "$figure"
    report "$figure" "trace_$figure" ns
    cat "$tmp/samples" >>"$tmp/all"
done
for figure in "${figures[@]:1}"; do # the difference of what stands side by side in time
    awk -v figure="$figure" '
        $2 == "off" { off[$1, ++n[$1]] = $3 }
        $2 == figure { print $1, "adds", $3 - off[$1, ++m[$1]] }' "$tmp/all" >"$tmp/samples"
    among off "${figures[@]}" && report adds "trace_adds_$figure" ns
done
exit $own_failed
