#!/usr/bin/env bash
# Programs: troupe side by side with Node's child_process, and with bare posix_spawn, the limit.
#
#     process.sh BUILD_DIR [FIGURE...]
#
#   exec1   exec8    a shell that runs `true`, its output and errors read to their ends; one, and
#                    eight at a time
#   spawn1  spawn8   /bin/true with nothing to read or write
#   large            spawn1 in a process with 2 GiB of memory, touched; `small` is troupe without
#
# All in programs a second, each from its call to its end being told. A program prints
# `rate<TAB>value`; it runs for 2 seconds (times BENCH_SCALE), after 20 programs that warm up.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

run_max_s=60 # a busy machine needs long for 2 GiB
figures=(exec1 exec8 spawn1 spawn8 large)
large_mib=2560 # must be available

# program_of PEER FIGURE
program_of() {
    case $1 in
    node) program=(node "$here/peers/process_node.js" "$2") ;;
    posix_spawn) program=("$build/bench_peer_process_spawn" "$2") ;;
    small) program=("$build/bench_process" spawn1) ;;
    *) program=("$build/bench_process" "$2") ;;
    esac
}

# beside PEER...: whom the next figure is measured beside
beside() {
    local peer
    peers=(troupe "$@") present=()
    for peer in "${peers[@]}"; do
        if [ "$peer" != node ] || command -v node >/dev/null; then present+=("$peer"); fi
    done
}

available_mib() {
    awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo
}

begin "$@"
beside posix_spawn node
facts
echo "# node: $(node --version 2>/dev/null || echo absent)"
for figure in "${figures[@]}"; do
    beside posix_spawn node
    if [ "$figure" = large ]; then
        if [ "$(available_mib)" -lt "$large_mib" ]; then
            echo "# skipped: large: less than $large_mib MiB of memory is available"
            continue
        fi
        beside small posix_spawn node
    fi
    measure 3 "$figure"
    report rate "process_$figure" /s
done
exit $own_failed
