#!/usr/bin/env bash
# The shared library ($2) exports the names of symbols.txt and of the lists named after it, and
# nothing else, all of them tr_*.
. "$(dirname "$0")/lib.sh"

nm -D --defined-only "$2" | awk -v lists="tests/tidy/symbols.txt ${*:3}" '
BEGIN {
    n = split(lists, list, " ")
    for (i = 1; i <= n; i++) {
        for (count = 1; (getline name < list[i]) > 0; count++) {
            place[name] = list[i] ":" count
            if (name !~ /^tr_[a-z]/)
                print place[name] ": " name " does not start with tr_; rename it"
        }
    }
    last = list[n] ":" count - 1
}
{
    exported[$3] = 1
    if (!($3 in place))
        print last ": " $3 " is exported and not listed; hide it (no TR_API), or add it"
}
END {
    for (name in place)
        if (!(name in exported))
            print place[name] ": " name " is not exported; users link to it: declare it " \
                "with TR_API and define it, or take it off the list"
}' | sort -t: -k2n | findings
