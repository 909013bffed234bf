# What the runners (*.sh) share: each sources this file. It runs the programs of peers in turn, keeps
# what they print and reports the figures. The peer `troupe` is ours, and the first one.
#
# A program prints lines `key<TAB>value`, or ends with status 77: it does not have that figure.
# Runs are interleaved, A B C A B C, so that a busy moment does not fall on one peer alone; their
# median is the figure. A peer that fails or takes too long is not run again for that figure.
#
# The report has a line a figure: name, value, unit, and each peer's value with how many times
# better troupe is (above 1 troupe is ahead, in rates and times alike); `-` is what could not be
# taken. Lines with # are facts and warnings.
#
# A runner sets peers, and program_of PEER FIGURE..., which sets program: the command to be run.
# BENCH_RUNS is how often each figure is taken, instead of the runner's own number.
set -u
export LC_ALL=C
TIMEFORMAT='%3U %3S'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run_max_s=20
foreign_max=8 # per cent of the machine that others may use before a run is called disturbed
absent_status=77
own_failed=0 # whether troupe's program has: only then the runner fails

among() { # WORD WORD...: whether the first one is among the others
    [[ " ${*:2} " == *" $1 "* ]]
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

# In a group of its own, which timeout ends as a whole; a signal for the runner ends this wait.
run_program() {
    timeout -k 2 "$run_max_s" "${program[@]}" >"$tmp/out" 2>"$tmp/err" &
    running=$!
    wait "$running"
    local rc=$?
    running=
    return $rc
}

# run PEER FIGURE...: adds lines `peer key value` to samples and its share to foreign
run() {
    local program before rc
    program_of "$@"
    before=$(machine_ticks)
    { time run_program; } 2>"$tmp/time"
    rc=$?
    [ $rc != $absent_status ] || return 1
    foreign_share "$before" "$(machine_ticks)" "$(tail -n 1 "$tmp/time")" >>"$tmp/foreign"
    if [ $rc != 0 ]; then
        echo "# failed: $*: status $rc: $(head -n 1 "$tmp/err")"
        [ "$1" != troupe ] || own_failed=1
        return 1
    fi
    awk -v peer="$1" '{ print peer, $1, $2 }' "$tmp/out" >>"$tmp/samples"
}

# measure RUNS FIGURE...: fills samples from all that are present
measure() {
    local runs=${BENCH_RUNS:-$1} failed=() peer i
    shift
    : >"$tmp/samples"
    : >"$tmp/foreign"
    for ((i = 0; i < runs; i++)); do
        for peer in "${present[@]}"; do
            among "$peer" "${failed[@]}" || run "$peer" "$@" || failed+=("$peer")
        done
    done
    warn_if_busy "$*"
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

# report KEY NAME UNIT: the line of one figure, from samples
report() {
    awk -v key="$1" -v name="$2" -v unit="$3" -v peers="${peers[*]}" '
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
        return sprintf((x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f"), x)
    }
    $2 == key { values[$1] = values[$1] " " $3 }
    END {
        n = split(peers, peer, " ") # ours is the first
        own = median(values[peer[1]])
        printf "%s\t%s\t%s", name, (own > 0 ? shown(own) : "-"), unit
        for (i = 2; i <= n; i++) {
            other = median(values[peer[i]])
            printf "\t%s=%s", peer[i], (other > 0 ? shown(other) : "-")
            if (own > 0 && other > 0)
                printf "(%s)", shown(unit ~ "/s$" ? own / other : other / own)
        }
        print ""
    }' "$tmp/samples"
}

# ---- Facts ----

facts() { # those of every run
    local peer absent=
    echo "# machine: $(nproc) cores, $(sed -n 's/^model name[\t ]*: //p' /proc/cpuinfo | head -n 1)"
    echo "# kernel: $(uname -sr)"
    echo "# build: $(sed -n 's/^CMAKE_BUILD_TYPE:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null)"
    for peer in "${peers[@]}"; do
        among "$peer" "${present[@]}" || absent+=" $peer"
    done
    [ -z "$absent" ] || echo "# absent:$absent"
}

# What was started is ended, by its id.
finish() {
    local pids=(${running:+"$running"} ${epmd:+"$epmd"})
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$tmp"
}

# The runner's own arguments, BUILD_DIR [FIGURE...], and a directory that lives as long as it.
begin() {
    local figure
    [ -d "${1-}" ] || usage
    build=$(cd "$1" && pwd)
    for figure in "${@:2}"; do
        among "$figure" "${figures[@]}" || usage
    done
    [ $# = 1 ] || figures=("${@:2}")
    tmp=$(mktemp -d) || exit 1
    export TMPDIR=$tmp
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

usage() {
    echo "usage: $(basename "$0") BUILD_DIR [FIGURE...], of: ${figures[*]}" >&2
    exit 2
}
