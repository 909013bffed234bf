#!/usr/bin/env bash
# trace_ns.sh KEY PROGRAM ARGUMENT...: a rate of round trips, in millions a second, as nanoseconds of a
# message.
set -o pipefail
"${@:2}" | awk -v key="$1" '{ printf "%s\t%f\n", key, 1e3 / $2 / 2 }'
