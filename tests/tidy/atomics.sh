#!/usr/bin/env bash
# Atomics only in the files of atomics.txt, each with its reason: everything else belongs to one
# thread. A file that is listed and uses none is found, too.
. "$(dirname "$0")/lib.sh"
list=tests/tidy/atomics.txt

code blank=1 $(files src) | awk -F: -v list="$list" '
BEGIN {
    while ((getline line < list) > 0) {
        number++
        if (line ~ /^src/) {
            sub(/[ \t].*/, "", line)
            at[line] = number
        }
    }
}
/<stdatomic\.h>|(^|[^A-Za-z0-9_])(_Atomic|__atomic_|__sync_|atomic_)/ {
    used[$1] = 1
    if (!($1 in at))
        print $1 ":" $2 ": atomics outside the files that own them; keep the data with one loop, " \
            "or list the file in " list " with its reason"
}
END {
    for (file in at)
        if (!(file in used))
            print list ":" at[file] ": " file " uses no atomics; remove the line"
}' | findings
