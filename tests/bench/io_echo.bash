# Echo over sockets: troupe side by side with bare libuv and Node. Sourced by io.sh, behind
# runner.bash.
#
# One program (peers/echo_load.c) is the client of all of them, and measures: what differs is the
# server. Each figure is taken over TCP and over a local socket:
#
#   echo_tcp_rtt   echo_unix_rtt    one connection, 64 bytes there and back; 1000 a second
#   echo_tcp_many  echo_unix_many   64 connections, each with 64 bytes on the way; 1000 a second
#   echo_tcp_bulk  echo_unix_bulk   one connection, as fast as it goes; MB/s
#
# and for the last two, ..._cpu: microseconds of the server's processor for each round trip, or MB
echo_figures=(echo_{tcp,unix}_{rtt,many,bulk})

# echo_program_of PEER FIGURE: program_of, for these
echo_program_of() {
    local address=tcp://127.0.0.1:0 server=()
    case $2 in *_unix_*) address=unix:$(mktemp -u "$tmp/echo.XXXXXX") ;; esac
    case $1 in
    troupe) server=("$build/bench_echo") ;;
    libuv) server=("$build/bench_peer_echo_uv") ;;
    node) server=(node "$here/peers/echo_node.js") ;;
    esac
    program=("$build/bench_peer_echo_load" "${2##*_}" "$address" "${server[@]}")
}

echo_figure() { # FIGURE
    local unit=k/s
    [ "${1##*_}" != bulk ] || unit=MB/s
    measure 5 "$1"
    report "${1##*_}" "$1" "$unit"
    [ "${1##*_}" = rtt ] || report cpu "$1_cpu" us
}
