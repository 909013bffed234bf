#!/usr/bin/env bash
# The load on an HTTP server, the same for each: `http_load.bash PEER FIGURE WORKERS BUILD_DIR`, with
# the file 1m.bin in $BENCH_WWW, starts the server, drives it with wrk, ends it by its pids and prints
# `rate`, `p50` and `p99` in microseconds, and `cpu`, microseconds of the server for each request.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peer=$1 figure=$2 workers=$3 build=$4
seconds=${BENCH_HTTP_SECONDS:-3}
tmp=$(mktemp -d)
pids=()

# Those that were started, and whom they have forked.
family() {
    local pid
    for pid in "${pids[@]}"; do
        echo "$pid"
        cat "/proc/$pid/task/$pid/children" 2>/dev/null
    done
}

finish() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$tmp"
}
trap finish EXIT

start() { # OUTPUT COMMAND...
    "${@:2}" >"$1" 2>"$tmp/err" &
    pids+=($!)
}

wait_for_line() { # FILE: its first line
    local i
    for ((i = 0; i < 400; i++)); do
        [ -s "$1" ] && head -n 1 "$1" && return
        read -r -t 0.025 <> <(:) || true
    done
    cat "$tmp/err" >&2
    exit 1
}

# The first one takes a free port, the others share it.
start_sharing() { # COMMAND...: with the address in place of @
    local address=tcp://127.0.0.1:0 i
    for ((i = 0; i < workers; i++)); do
        start "$tmp/at.$i" "${@/#@/$address}"
        address=$(wait_for_line "$tmp/at.$i")
    done
    port=${address##*:}
}

start_nginx() {
    local i
    port=$("$build/bench_peer_http_port")
    cat >"$tmp/nginx.conf" <<CONF
daemon off; master_process on; worker_processes $workers; pid $tmp/pid; error_log $tmp/log;
events { worker_connections 4096; }
http {
    access_log off; sendfile on; keepalive_requests 1000000000;
    client_body_temp_path $tmp/b; proxy_temp_path $tmp/p; fastcgi_temp_path $tmp/f;
    uwsgi_temp_path $tmp/u; scgi_temp_path $tmp/s;
    server { listen 127.0.0.1:$port backlog=511;
             location = / { default_type text/plain; return 200 "Handled by \$pid\\n"; }
             location / { root $BENCH_WWW; } }
}
CONF
    start "$tmp/out" nginx -p "$tmp" -c "$tmp/nginx.conf"
    for ((i = 0; i < 400; i++)); do
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        read -r -t 0.025 <> <(:) || true
    done
    exit 1
}

case $peer in
troupe) start_sharing "$build/bench_http" @ "$BENCH_WWW" ;;
libuv) start_sharing "$build/bench_peer_http_uv" @ "$BENCH_WWW/1m.bin" ;;
nginx)
    command -v nginx >/dev/null || exit 77
    start_nginx
    ;;
node)
    command -v node >/dev/null || exit 77
    start "$tmp/at" node "$here/peers/http_node.js" tcp://127.0.0.1:0 "$BENCH_WWW/1m.bin" "$workers"
    port=$(wait_for_line "$tmp/at")
    port=${port##*:}
    ;;
esac

cpu_ticks() {
    local pid
    for pid in $(family); do
        cut -d ' ' -f 14,15 "/proc/$pid/stat" 2>/dev/null || true
    done | awk '{ n += $1 + $2 } END { print n + 0 }'
}

path= header=()
case $figure in
file) path=1m.bin ;;
conn) header=(-H "Connection: close") ;;
esac
drive() { # SECONDS
    wrk -t1 -c64 -d"$1s" --latency "${header[@]}" "http://127.0.0.1:$port/$path"
}
drive 1 >/dev/null
before=$(cpu_ticks)
drive "$seconds" >"$tmp/wrk"
after=$(cpu_ticks)
awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
function us(text) {
    return text ~ /us$/ ? text + 0 : text ~ /ms$/ ? text * 1000 : text * 1000000
}
$1 == "50%" { p50 = us($2) }
$1 == "99%" { p99 = us($2) }
$1 == "Requests/sec:" { rate = $2 }
/ requests in / { requests = $1 }
/Socket errors|Non-2xx/ { print > "/dev/stderr"; bad = 1 }
END {
    if (!requests || !rate)
        exit 1
    printf "rate\t%.6g\np50\t%.6g\np99\t%.6g\ncpu\t%.6g\n", rate / 1000, p50, p99,
        ticks / hz * 1e6 / requests
}' "$tmp/wrk"
