# What the scripts that try the command share: a directory of their own, processes that do not
# outlive them, and what to say when something is not as expected.
set -u
dir=$(mktemp -d)
export TROUPE_TRACE_DIR=$dir/traces TROUPE_TRACE= NO_COLOR=
pids=()
end() {
    [ ${#pids[@]} = 0 ] || { kill -9 "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null
    rm -rf "$dir"
}
trap end EXIT
failed=0
fail() {
    echo "FAILED: $*" >&2
    failed=1
}
# expect WORDS FILE PATTERN...: each stands in it
expect() {
    local words=$1 file=$2 pattern
    shift 2
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$file" || { fail "$words: no $pattern"; head -20 "$file" >&2; }
    done
}
# begin PROGRAM [ARGUMENT...]: its pid in $pid; what it says of errors in $dir/err
begin() {
    : >"$dir/err" # what the last one has said is not this one's
    "$@" 2>"$dir/err" &
    pid=$!
    pids+=("$pid")
}
# until_true COMMAND...: it comes true before the test's deadline
until_true() {
    until "$@"; do read -rt 0.02 <> <(:); done
}
