# Timers and what runs soon: troupe side by side with Node and, where it has the like, bare libuv.
# Sourced by io.sh, behind runner.bash; by itself: io_loop.bash BUILD_DIR [FIGURE...].
#
# A peer is a program called `prog FIGURE COUNT`, without the figure's loop_. It makes two rounds of
# which the first warms up, and prints the second, in millions a second:
#
#   loop_fire        COUNT timers of 1 ms are started at once, and fire
#   loop_spread      likewise over 1 to 100 ms; by processor time, for most of the time is waiting
#   loop_cancel      COUNT timers are started, and then cleared, none of which is due
#   loop_immediates  each calls for the next one: an iteration of the loop for each
#   loop_ticks       likewise, one right after the other
#   loop_microtasks  likewise
#   loop_*_burst     1000 at a time
#   loop_promises    each is settled at once and reacted to, and the reaction makes the next one
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    source "$(dirname "$0")/runner.bash"
fi

loop_figures=(loop_{fire,spread,cancel} loop_{immediates,ticks,microtasks}{,_burst} loop_promises)
loop_peers=(troupe node libuv)

# loop_program_of PEER FIGURE: program_of, for these
loop_program_of() {
    case $1 in
    troupe) program=("$build/bench_loop") ;;
    node) program=(node "$here/peers/node_loop.js") ;;
    libuv) program=("$build/bench_peer_uv_loop") ;;
    esac
    program+=("${2#loop_}" "$(awk "BEGIN { print int(1000000 * ${BENCH_SCALE:-1}) }")")
}

# loop_figure FIGURE: its line. peers and present are those of the loop.
loop_figure() {
    measure 5 "$1"
    report "${1#loop_}" "$1" M/s
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    figures=("${loop_figures[@]}")
    peers=("${loop_peers[@]}")
    program_of() { loop_program_of "$@"; }
    begin "$@"
    present=(troupe libuv)
    [ -z "$(command -v node)" ] || present+=(node)
    facts
    echo "# node: $(node --version 2>/dev/null || echo absent)"
    for figure in "${figures[@]}"; do
        loop_figure "$figure"
    done
    exit $own_failed
fi
