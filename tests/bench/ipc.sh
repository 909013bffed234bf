#!/usr/bin/env bash
# Messages between a parent and its child process: troupe side by side with its peers.
#
#     ipc.sh BUILD_DIR [FIGURE...]
#
# A peer is a program called `prog FIGURE`. It starts its child itself, measures, reaps the child
# and prints lines `key<TAB>value`:
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
# none. bench.h says what BENCH_SCALE and BENCH_CHILD_CPU ask of a program. BENCH_RUNS is how often
# each figure is taken (5, or 3 for slow ones). Runs are interleaved, A B C A B C, so that a busy
# moment does not fall on one peer alone; their median is the figure.
#
# Waking another core takes far longer than waking one's own and the scheduler picks either, so the
# round trip is taken in three placements: free, all on one core, and a core for each process.
#
# The report has a line a figure: name, value, unit, and each peer's value with how many times
# better troupe is (above 1 troupe is ahead, in rates and times alike); `-` is what could not be
# taken. Lines with # are facts and warnings. Fails only if troupe's own program does.
set -u
export LC_ALL=C
TIMEFORMAT='%3U %3S'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
figures=(rtt oneway pipeline large64k large1m spawn memory)
peers=(troupe node_json node_advanced nng epoll epoll_spin)
run_max_s=20
foreign_max=8 # per cent of the machine that others may use before a run is called disturbed
own_failed=0

usage() {
    echo "usage: ipc.sh BUILD_DIR [FIGURE...], of: ${figures[*]}" >&2
    exit 2
}

among() { # WORD WORD...: whether the first one is among the others
    [[ " ${*:2} " == *" $1 "* ]]
}

# ---- Peers ----

# program_of PEER: sets program, to be followed by the figure
program_of() {
    case $1 in
    troupe) program=("$build/bench_ipc") ;;
    node_*) program=(node "$here/peers/node_ipc.js" "${1#node_}") ;;
    *) program=("$build/bench_peer_$1") ;;
    esac
}

installed() { # PEER
    local program
    program_of "$1"
    [ -n "$(command -v "${program[0]}")" ]
}

# place PLACEMENT: puts before the program what makes it run there
place() {
    case $1 in
    one_core) program=(taskset -c "$first_cpu" "${program[@]}") ;;
    two_cores) program=(env BENCH_CHILD_CPU="$last_cpu" taskset -c "$first_cpu" "${program[@]}") ;;
    esac
}

# The first and the last processor that we may use: neighbours in number may share a core.
find_cpus() {
    local list
    list=$(sed -n 's/^Cpus_allowed_list:[\t ]*//p' /proc/self/status)
    first_cpu=${list%%[-,]*}
    last_cpu=${list##*[-,]}
}

# ---- Running ----

# The machine's processor time so far, in ticks: busy, and all.
machine_ticks() {
    awk '$1 == "cpu" { busy = $2 + $3 + $4 + $7 + $8 + $9; print busy, busy + $5 + $6 }' /proc/stat
}

# What others used of the machine during a run, in per cent: all that was busy less the program and
# its children, and less two ticks, the error of counting in ticks.
foreign_share() { # BUSY ALL (before) BUSY ALL (after) USER SYSTEM (the program, in s)
    echo "$@" | awk -v hz="$(getconf CLK_TCK)" '
        $4 > $2 { print 100 * ($3 - $1 - ($5 + $6) * hz - 2) / ($4 - $2) }'
}

# run PEER FIGURE PLACEMENT: adds lines `peer key value` to samples and its share to foreign
run() {
    local program before rc
    program_of "$1"
    place "$3"
    before=$(machine_ticks)
    { time timeout --foreground -k 2 "$run_max_s" "${program[@]}" "$2" >"$tmp/out" 2>"$tmp/err"; } \
        2>"$tmp/time"
    rc=$?
    foreign_share "$before" "$(machine_ticks)" "$(tail -n 1 "$tmp/time")" >>"$tmp/foreign"
    if [ $rc != 0 ]; then
        echo "# failed: $1 $2: status $rc: $(head -n 1 "$tmp/err")"
        return 1
    fi
    awk -v peer="$1" '{ print peer, $1, $2 }' "$tmp/out" >>"$tmp/samples"
}

# measure FIGURE PLACEMENT RUNS KEY...: PLACEMENT may be ''. A peer that fails is not run again.
measure() {
    local figure=$1 placement=$2 runs=${BENCH_RUNS:-$3} failed=() peer key i
    shift 3
    : >"$tmp/samples"
    : >"$tmp/foreign"
    for ((i = 0; i < runs; i++)); do
        for peer in "${present[@]}"; do
            among "$peer" "${failed[@]}" || run "$peer" "$figure" "$placement" || failed+=("$peer")
        done
    done
    for key in "$@"; do
        report "$key" "$placement" || failed+=(troupe)
    done
    warn_if_busy "$figure${placement:+ $placement}"
    if among troupe "${present[@]}" && among troupe "${failed[@]}"; then
        own_failed=1
    fi
}

warn_if_busy() { # FIGURE
    awk -v max="$foreign_max" -v figure="$1" '
        $1 > max { disturbed++ }
        $1 > worst { worst = $1 }
        END {
            if (disturbed)
                printf "# busy: %s: in %d of %d runs others used up to %d %% of the machine\n",
                       figure, disturbed, NR, worst
        }' "$tmp/foreign"
}

# report KEY PLACEMENT: the line of one figure, from samples; fails if there is nothing of troupe's
report() {
    awk -v key="$1" -v placement="$2" -v peers="${peers[*]}" '
    function median(text,    list, n, i, j, swap) {
        n = split(text, list, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] + 0 > list[j] + 0; j--) {
                swap = list[j]
                list[j] = list[j - 1]
                list[j - 1] = swap
            }
        return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
    }
    function shown(x) {
        return sprintf((x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f"), x)
    }
    $2 == key { values[$1] = values[$1] " " $3 }
    END {
        name = key
        if (placement)
            sub(/_/, "_" placement "_", name)
        unit = key ~ /_us$/ ? "us" : key ~ /_ms$/ ? "ms" : key ~ /_mib$/ ? "MiB" : \
               key ~ /_kps$/ ? "k/s" : "MB/s"
        n = split(peers, peer, " ") # ours is the first
        own = median(values[peer[1]])
        printf "ipc_%s\t%s\t%s", name, (own > 0 ? shown(own) : "-"), unit
        for (i = 2; i <= n; i++) {
            other = median(values[peer[i]])
            printf "\t%s=%s", peer[i], (other > 0 ? shown(other) : "-")
            if (own > 0 && other > 0)
                printf "(%s)", shown(unit ~ "/s$" ? own / other : other / own)
        }
        print ""
        exit own <= 0
    }' "$tmp/samples"
}

# ---- The whole ----

facts() {
    local peer absent=
    echo "# machine: $(nproc) cores, $(sed -n 's/^model name[\t ]*: //p' /proc/cpuinfo | head -n 1)"
    echo "# kernel: $(uname -sr)"
    echo "# node: $(node --version 2>/dev/null || echo absent)"
    echo "# nng: $("$build/bench_peer_nng" version 2>/dev/null || echo absent)"
    echo "# libuv: $(pkg-config --modversion libuv 2>/dev/null || echo unknown)"
    echo "# build: $(sed -n 's/^CMAKE_BUILD_TYPE:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null)"
    for peer in "${peers[@]}"; do
        among "$peer" "${present[@]}" || absent+=" $peer"
    done
    [ -z "$absent" ] || echo "# absent:$absent"
}

rtt() { # PLACEMENT
    measure rtt "$1" 5 rtt_p50_us rtt_p99_us
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

[ -d "${1-}" ] || usage
build=$(cd "$1" && pwd)
shift
for figure; do
    among "$figure" "${figures[@]}" || usage
done
[ $# != 0 ] || set -- "${figures[@]}"

tmp=$(mktemp -d) || exit 1
export TMPDIR=$tmp
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

present=()
for peer in "${peers[@]}"; do
    if installed "$peer"; then present+=("$peer"); fi
done
find_cpus
facts
for figure; do
    case $figure in
    rtt) rtt_everywhere ;;
    oneway) measure oneway '' 5 oneway_kps ;;
    pipeline) measure pipeline '' 5 pipeline_kps ;;
    large64k) measure large64k '' 5 mbps_64k ;;
    large1m) measure large1m '' 5 mbps_1m ;;
    spawn) measure spawn '' 3 spawn_ms ;;
    memory) measure memory '' 3 private_mib pss_mib ;;
    esac
done
exit $own_failed
