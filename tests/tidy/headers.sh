#!/usr/bin/env bash
# Every public header compiles alone, twice over, as C99, C11 and C++17, without a warning.
. "$(dirname "$0")/lib.sh"

compile() { # LANGUAGE STANDARD HEADER
    printf '#include <%s>\n#include <%s>\n' "$3" "$3" |
        gcc -x "$1" -std="$2" -I include -fsyntax-only -Wall -Wextra -pedantic -Werror - 2>&1 ||
        echo "include/$3:1: does not stand alone as $2; include what it uses, and keep C11 in macros"
}

for header in $(cd include && files .); do
    header=${header#./}
    compile c c99 "$header"
    compile c c11 "$header"
    compile c++ c++17 "$header"
done | findings
