# shellcheck shell=bash
# Shared by the checks of this directory. They guard the architecture, not taste. Each is called
# with the root of a source tree, prints what it finds as
#     file:line: what is wrong; what to do instead
# and fails if it found anything. selftest.sh shows that each of them can fail.
set -euo pipefail
export LC_ALL=C
tidy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$1"

# files DIRECTORY...: the C sources and headers below those directories that exist
files() {
    local dir
    for dir in "$@"; do
        if [ -d "$dir" ]; then find "$dir" -name '*.[ch]'; fi
    done | sort
}

# code [AWK-VARIABLE=VALUE] FILE...: see code.awk
code() {
    awk -f "$tidy/code.awk" "$@" /dev/null
}

# Pass the findings on, and fail if there are any.
findings() {
    ! grep .
}
