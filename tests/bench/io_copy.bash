# Files: troupe side by side with cp, the kernel, a loop of reads and writes, and Node. Sourced by
# io.sh, behind runner.bash.
#
#   copy_file    a file of 1 GiB to another one, in memory (/dev/shm) where that has room
#   copy_seen    the same with a stream between that passes the bytes on
#   copy_socket  the file over TCP to a program that reads it (peers/file_sink.c)
#
# All in 10^6 bytes a second.
copy_figures=(copy_file copy_seen copy_socket)

# copy_begin: makes the file, once
copy_begin() {
    local bytes room
    [ -z "${copy_dir-}" ] || return
    bytes=$(awk "BEGIN { printf \"%.0f\", 1073741824 * ${BENCH_SCALE:-1} }")
    room=$(df --output=avail -B1 /dev/shm 2>/dev/null | tail -n 1)
    copy_dir=$tmp
    if [ "${room:-0}" -gt $((bytes * 3)) ]; then
        copy_dir=$(mktemp -d /dev/shm/troupe-copy.XXXXXX)
        trap 'rm -rf "$copy_dir"; finish' EXIT
    fi
    head -c "$bytes" /dev/urandom >"$copy_dir/from"
}

# copy_program_of PEER FIGURE: program_of, for these
copy_program_of() {
    local figure=${2#copy_}
    case $1:$figure in
    troupe:*) program=("$build/bench_copy" "$figure") ;;
    node:*) program=(node "$here/peers/file_node.js" "$figure") ;;
    kernel:socket) program=("$build/bench_peer_file_copy" socket) ;;
    cp:file | kernel:file | loop:file) program=("$build/bench_peer_file_copy" "$1") ;;
    *)
        program=(sh -c "exit $absent_status")
        return
        ;;
    esac
    program+=("$copy_dir/from")
    if [ "$figure" = socket ]; then
        program=("$build/bench_peer_file_sink" "$copy_dir/from" "${program[@]}")
    else
        program+=("$copy_dir/to")
    fi
}

# copy_figure FIGURE: its line. peers and present are those of the copies.
copy_figure() {
    copy_begin
    measure 5 "$1"
    report "${1#copy_}" "$1" MB/s
}
