#!/usr/bin/env bash
# Links between two nodes on this host, by scheme: troupe side by side with libnng's pair1 sockets over
# the same, and with Erlang's distribution, which is over TCP and stands beside each of them.
#
#     link.sh BUILD_DIR [FIGURE...]
#
#   rtt       a round trip of {"hello":"world"} and {"response":"Hello back!"}, its median
#   pipeline  thousands of round trips a second, 1000 in flight
#   oneway    thousands of the former a second, one way, until the receiver has acknowledged them all
#   large64k  64 KiB messages one way, 10^6 bytes a second
#
# Each is taken for ipc, tcp, tls+tcp, ws, wss and nng+ipc: the last one goes through libnng on troupe's
# side as well. Certificates are of EC keys, both ways.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(rtt pipeline oneway large64k)
peers=(troupe nng erlang)
schemes=(ipc tcp tls+tcp ws wss nng+ipc)

erlang_count() { # FIGURE: of messages, for about half a second
    case $1 in
    rtt) echo 5000 ;;
    pipeline) echo 100000 ;;
    oneway) echo 300000 ;;
    *) echo 1000 ;;
    esac
}

url_of() { # PEER SCHEME
    case $2 in
    ipc) echo "ipc://$tmp/$1.$RANDOM" ;;
    nng+ipc) [ "$1" = nng ] && echo "ipc://$tmp/n.$RANDOM" || echo "nng+ipc://$tmp/t.$RANDOM" ;;
    ws | wss) echo "$2://127.0.0.1:0/link" ;;
    *) echo "$2://127.0.0.1:0" ;;
    esac
}

program_of() { # PEER [FIGURE SCHEME]
    case $1 in
    troupe) program=("$build/bench_ipc" "${@:2:1}") ;;
    nng) program=("$build/bench_peer_nng" "${@:2:1}") ;;
    erlang)
        program=(erl -noshell -noinput -start_epmd false -name "bench_$$@127.0.0.1" -setcookie bench
            -pa "$tmp" -s link_erlang main -extra "${2-}" "$(erlang_count "${2-}")")
        ;;
    esac
    if [ $# -gt 2 ] && [ "$1" != erlang ]; then
        program=(env "BENCH_LISTEN=$(url_of "$1" "$3")" "BENCH_PAPERS=$tmp" "${program[@]}")
    fi
}

find_present() {
    local peer program
    present=()
    for peer in "${peers[@]}"; do
        program_of "$peer"
        [ -z "$(command -v "${program[0]}")" ] || present+=("$peer")
    done
    ! among erlang "${present[@]}" || erlc -o "$tmp" "$here/peers/link_erlang.erl" || exit 1
}

# Erlang's nodes find each other by a daemon, which is one of our own, at a free port. One that they start
# themselves is not there yet when they ask it, on a busy machine, and stays when they have ended.
start_epmd() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        if [ -z "$epmd" ] || ! kill -0 "$epmd" 2>/dev/null; then # somebody else has that port
            ERL_EPMD_PORT=$("$build/bench_peer_http_port")
            export ERL_EPMD_PORT
            epmd -address 127.0.0.1 >"$tmp/epmd" 2>&1 &
            epmd=$!
        fi
        ! epmd -names >"$tmp/names" 2>&1 || return 0
        read -r -t 0.025 <> <(:) || true
    done
    echo "# failed: epmd: $(head -n 1 "$tmp/epmd")"
    return 1
}

make_papers() {
    local request=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
    {
        "${request[@]}" -subj /CN=authority -keyout "$tmp/ca.key" -out "$tmp/ca.pem" &&
            "${request[@]}" -subj /CN=node.test -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" \
                -addext basicConstraints=critical,CA:FALSE -keyout "$tmp/node.key" \
                -out "$tmp/node.pem"
    } 2>/dev/null || { echo "# failed: openssl makes no certificates" && exit 1; }
    cat "$tmp/node.pem" "$tmp/node.key" >"$tmp/node.both"
}

figure() { # RUNS FIGURE UNIT KEY
    local scheme
    for scheme in "${schemes[@]}"; do
        measure "$1" "$2" "$scheme"
        report "$4" "link_${scheme}_$4" "$3"
    done
}

begin "$@"
epmd=
find_present
! among erlang "${present[@]}" || start_epmd || exit 1
make_papers
facts
echo "# nng: $("$build/bench_peer_nng" version 2>/dev/null || echo absent)"
for figure in "${figures[@]}"; do
    case $figure in
    rtt) figure 5 rtt us rtt_p50_us ;;
    pipeline) figure 3 pipeline k/s pipeline_kps ;;
    oneway) figure 3 oneway k/s oneway_kps ;;
    large64k) figure 3 large64k MB/s mbps_64k ;;
    esac
done
exit $own_failed
