#!/usr/bin/env bash
# The HTTP server: troupe side by side with Node (its cluster, with two workers), nginx, and a server on
# bare libuv that looks at next to nothing, as the limit.
#
#     http.sh BUILD_DIR [FIGURE...]
#
# wrk drives all of them with 64 connections over loopback, from one thread on the same machine. Workers
# are processes that share a port (nginx's and Node's: as they do it).
#
#   http_hello   a short answer, on connections that are kept
#   http_conn    the same, a connection for each request
#   http_file    a file of 1 MiB
#
# each with 1 and 2 workers (..._1, ..._2), as thousands of requests a second, and microseconds: ..._p50
# and ..._p99 of latency, and ..._cpu of the servers' processor for each request.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(http_{hello,conn,file}_{1,2})
peers=(troupe libuv nginx node)

program_of() { # PEER FIGURE
    local kind=${2#http_}
    program=("$here/http_load.bash" "$1" "${kind%_*}" "${kind##*_}" "$build")
}

begin "$@"
command -v wrk >/dev/null || { echo "# absent: wrk"; exit 0; }
present=()
for peer in "${peers[@]}"; do
    case $peer in
    nginx | node) if command -v "$peer" >/dev/null; then present+=("$peer"); fi ;;
    *) present+=("$peer") ;;
    esac
done
export BENCH_WWW=$tmp/www
mkdir "$BENCH_WWW"
chmod 755 "$tmp" "$BENCH_WWW"
head -c 1048576 /dev/zero | tr '\0' 'x' >"$BENCH_WWW/1m.bin"
facts
echo "# node: $(node --version 2>/dev/null || echo absent)"
echo "# nginx: $(nginx -v 2>&1 | sed 's/.*: //')"
echo "# wrk: $(wrk -v 2>&1 | sed -n '1s/ \[.*//p')"
for figure in "${figures[@]}"; do
    measure 3 "$figure"
    report rate "$figure" k/s
    report p50 "${figure}_p50" us
    report p99 "${figure}_p99" us
    report cpu "${figure}_cpu" us
done
exit $own_failed
