#!/usr/bin/env bash
# Messages between a parent and its child process: troupe side by side with its peers.
#
#     ipc.sh BUILD_DIR [FIGURE...]
#
# A peer is a program called `prog FIGURE`. It starts its child itself, measures, reaps the child
# and prints (runner.bash says how):
#
#   rtt       rtt_p50_us rtt_p99_us    {"hello":"world"} answered by {"response":"Hello back!"}
#   oneway    oneway_kps               the former, thousands a second, from the first send until the
#                                      receiver, which counts, has acknowledged the last one
#   pipeline  pipeline_kps             thousands of round trips a second, 1000 in flight
#   large64k  mbps_64k                 payload one way, 64 KiB messages, 10^6 bytes a second
#   large1m   mbps_1m                  likewise, 1 MiB messages
#   spawn     spawn_ms                 from the call to the child's first message, median of 21
#   memory    private_mib pss_mib      of an idle child that has exchanged a message
#
# The child's start is in no figure but spawn, and a first round of messages that warms up is in
# none. bench.h says what BENCH_SCALE and BENCH_CHILD_CPU ask of a program.
#
# Waking another core takes far longer than waking one's own and the scheduler picks either, so the
# round trip is taken in three placements: free, all on one core, and a core for each process.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

figures=(rtt oneway pipeline large64k large1m spawn memory)
peers=(troupe node_json node_advanced nng epoll epoll_spin)

# program_of PEER [FIGURE [PLACEMENT]]
program_of() {
    case $1 in
    troupe) program=("$build/bench_ipc") ;;
    node_*) program=(node "$here/peers/node_ipc.js" "${1#node_}") ;;
    *) program=("$build/bench_peer_$1") ;;
    esac
    program+=("${@:2:1}")
    case ${3-} in
    one_core) program=(taskset -c "$first_cpu" "${program[@]}") ;;
    two_cores) program=(env BENCH_CHILD_CPU="$last_cpu" taskset -c "$first_cpu" "${program[@]}") ;;
    esac
}

find_present() {
    local peer program
    present=()
    for peer in "${peers[@]}"; do
        program_of "$peer"
        [ -z "$(command -v "${program[0]}")" ] || present+=("$peer")
    done
}

# The first and the last processor that we may use: neighbours in number may share a core.
find_cpus() {
    local list
    list=$(sed -n 's/^Cpus_allowed_list:[\t ]*//p' /proc/self/status)
    first_cpu=${list%%[-,]*}
    last_cpu=${list##*[-,]}
}

# figure RUNS FIGURE UNIT KEY...
figure() {
    local key
    measure "$1" "$2"
    for key in "${@:4}"; do
        report "$key" "ipc_$key" "$3"
    done
}

rtt() { # PLACEMENT
    measure 5 rtt "$1"
    report rtt_p50_us "ipc_rtt_$1_p50_us" us
    report rtt_p99_us "ipc_rtt_$1_p99_us" us
}

rtt_everywhere() {
    rtt free
    if ! command -v taskset >/dev/null; then
        echo "# skipped: rtt one_core, two_cores: there is no taskset"
        return
    fi
    rtt one_core
    if [ "$first_cpu" = "$last_cpu" ]; then
        echo "# skipped: rtt two_cores: there is one core"
    else
        rtt two_cores
    fi
}

begin "$@"
find_present
find_cpus
facts
echo "# node: $(node --version 2>/dev/null || echo absent)"
echo "# nng: $("$build/bench_peer_nng" version 2>/dev/null || echo absent)"
echo "# libuv: $(pkg-config --modversion libuv 2>/dev/null || echo unknown)"
for figure in "${figures[@]}"; do
    case $figure in
    rtt) rtt_everywhere ;;
    oneway) figure 5 oneway k/s oneway_kps ;;
    pipeline) figure 5 pipeline k/s pipeline_kps ;;
    large64k) figure 5 large64k MB/s mbps_64k ;;
    large1m) figure 5 large1m MB/s mbps_1m ;;
    spawn) figure 3 spawn ms spawn_ms ;;
    memory) figure 3 memory MiB private_mib pss_mib ;;
    esac
done
exit $own_failed
