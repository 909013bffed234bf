# Transforms: troupe side by side with Node. Sourced by io.sh, behind runner.bash; by itself:
# io_transform.bash BUILD_DIR [FIGURE...].
#
#   transform_identity  chunks of 64 KiB by a transform that passes them on; MB/s
#   transform_lines     lines of 64 bytes out of such chunks; 1000 a second. Node's are strings
#   transform_gzip      a sentence over and over, at level 6; MB/s of input. Ours is the distribution's
#                       zlib, Node's one of its own, with vector instructions
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    source "$(dirname "$0")/runner.bash"
fi

transform_figures=(transform_{identity,lines,gzip})
transform_peers=(troupe node)

# transform_program_of PEER FIGURE: program_of, for these
transform_program_of() {
    case $1 in
    troupe) program=("$build/bench_transform" "$2") ;;
    node) program=(node "$here/peers/transform_node.js" "$2") ;;
    esac
}

# transform_figure FIGURE: its line. peers and present are those of the transforms.
transform_figure() {
    measure 5 "$1"
    case $1 in
    *_lines) report k "$1" k/s ;;
    *) report mb "$1" MB/s ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    figures=("${transform_figures[@]}")
    peers=("${transform_peers[@]}")
    program_of() { transform_program_of "$@"; }
    begin "$@"
    present=(troupe)
    [ -z "$(command -v node)" ] || present+=(node)
    facts
    echo "# node: $(node --version 2>/dev/null || echo absent)"
    for figure in "${figures[@]}"; do
        transform_figure "$figure"
    done
    exit "$own_failed"
fi
