#!/usr/bin/env bash
# Encodings, the loop, sockets, files and transforms: troupe side by side with Node and, where there is
# the like, bare libuv.
#
#     io.sh BUILD_DIR [FIGURE...]
#
# The figures of each are described in its part, io_*.bash.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"
for part in encodings loop echo copy transform; do
    source "$here/io_$part.bash"
done

figures=("${enc_figures[@]}" "${loop_figures[@]}" "${echo_figures[@]}"
    "${copy_figures[@]}" "${transform_figures[@]}")

# program_of PEER FIGURE
program_of() {
    case $2 in
    enc_*) enc_program_of "$@" ;;
    echo_*) echo_program_of "$@" ;;
    copy_*) copy_program_of "$@" ;;
    transform_*) transform_program_of "$@" ;;
    *) loop_program_of "$@" ;;
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

begin "$@"
beside node
facts
echo "# node: $(node --version 2>/dev/null || echo absent)"
echo "# libuv: $(pkg-config --modversion libuv 2>/dev/null || echo unknown)"
for figure in "${figures[@]}"; do
    case $figure in
    enc_*)
        beside node
        enc_figure "$figure"
        ;;
    echo_*)
        beside libuv node
        echo_figure "$figure"
        ;;
    copy_*)
        beside cp kernel loop node
        copy_figure "$figure"
        ;;
    transform_*)
        beside node
        transform_figure "$figure"
        ;;
    *)
        beside libuv node
        loop_figure "$figure"
        ;;
    esac
done
exit $own_failed
