#!/usr/bin/env bash
# trace_ns.sh BENCH_ACTORS COUNT FIGURE...: nanoseconds of a message, for each figure of trace.sh in turn.
set -o pipefail
declare -A words=([off]=off [facts]= [full]=msg [body]=body)
for figure in "${@:3}"; do
    TROUPE_TRACE=${words[$figure]} "$1" pingpong 1 "$2" |
        awk -v key="$figure" '{ printf "%s\t%f\n", key, 1e3 / $2 / 2 }' || exit # millions of round trips a second
done
