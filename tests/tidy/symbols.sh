#!/usr/bin/env bash
# The shared library ($2) exports the names of symbols.txt and nothing else, all of them tr_*.
. "$(dirname "$0")/lib.sh"

nm -D --defined-only "$2" | awk -v list=tests/tidy/symbols.txt '
BEGIN {
    while ((getline name < list) > 0) {
        line[name] = ++count
        if (name !~ /^tr_[a-z]/)
            print list ":" count ": " name " does not start with tr_; rename it"
    }
}
{
    exported[$3] = 1
    if (!($3 in line))
        print list ":" count ": " $3 " is exported and not listed; hide it (no TR_API), or add it"
}
END {
    for (name in line)
        if (!(name in exported))
            print list ":" line[name] ": " name " is not exported; users link to it: declare it " \
                "with TR_API and define it, or take it off the list"
}' | sort -t: -k2n | findings
