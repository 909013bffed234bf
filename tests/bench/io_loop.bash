# The loop's part of io.sh, which sources this file after runner.bash: `prog FIGURE COUNT` for troupe,
# Node and, where it has the like, bare libuv. All figures are millions a second.
#
#   fire              COUNT timers of 1 ms are started at once, and fire
#   spread            likewise over 1 to 100 ms; by processor time, for most of the time is waiting
#   cancel            COUNT timers are started, and then cleared, none of which is due
#   immediates        each calls for the next one: an iteration of the loop for each
#   immediates_burst  1000 at a time
#   ticks, microtasks, *_burst
#   promises          each is settled at once and reacted to, and the reaction makes the next one
loop_figures=(fire spread cancel immediates immediates_burst ticks ticks_burst microtasks
    microtasks_burst promises)

# loop_program_of PEER FIGURE: sets program
loop_program_of() {
    case $1 in
    troupe) program=("$build/bench_loop") ;;
    node) program=(node "$here/peers/node_loop.js") ;;
    uv) program=("$build/bench_peer_uv_loop") ;;
    esac
    program+=("$2" "$(awk "BEGIN { print int(1000000 * ${BENCH_SCALE:-1}) }")")
}

loop_report() { # FIGURE
    measure 5 "$1"
    report "$1" "loop_$1" M/s
}
