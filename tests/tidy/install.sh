#!/usr/bin/env bash
# Goal:   an installed troupe serves a program outside this tree.
# Method: install the build ($2) to a directory of its own; build a program with what pkg-config
#         says, against either library, and another with find_package; a test with the kit, both
#         ways; run all of them.
. "$(dirname "$0")/lib.sh"
build=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cmake --install "$build" --prefix "$dir/root" >/dev/null
libdir=$(dirname "$(find "$dir/root" -name libtroupe.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir

cat >"$dir/main.c" <<'END'
#include <stdio.h>
#include <troupe.h>
int main(void)
{
    return puts(tr_errname(TR_EFULL)) < 0;
}
END
cat >"$dir/test.c" <<'END'
#include <stdio.h>
#include <troupe/test.h>

#include <cmocka.h>

static const tr_behavior nothing = {.name = "nothing"};
static void starts(void **state)
{
    (void)state;
    TR_STOP(TR_START(&nothing, NULL));
    puts(tr_errname(TR_EFULL));
}
static const struct CMUnitTest tests[] = {TR_TEST(starts)};
TR_TEST_MAIN("outside", TR_APP(&nothing), tests)
END
cat >"$dir/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(outside C)
find_package(troupe 0.1 REQUIRED)
add_executable(found main.c)
target_link_libraries(found troupe::troupe)
add_executable(found_test test.c)
target_link_libraries(found_test troupe::test cmocka)
END
gcc "$dir/main.c" -o "$dir/shared" $(pkg-config --cflags --libs troupe)
gcc "$dir/main.c" -o "$dir/static" $(pkg-config --cflags troupe) "$libdir/libtroupe.a" \
    $(pkg-config --static --libs troupe | sed 's/-ltroupe//')
gcc "$dir/test.c" -o "$dir/test" $(pkg-config --cflags --libs troupe-test)
cmake -G Ninja -S "$dir" -B "$dir/build" -DCMAKE_PREFIX_PATH="$dir/root" >/dev/null
cmake --build "$dir/build" >/dev/null

{
    [[ $(env -u LD_LIBRARY_PATH "$dir/root/bin/troupe" --version) == "troupe "* ]] ||
        echo "bin/troupe: does not run; see the install rules in CMakeLists.txt"
    for program in "$dir"/{shared,static,test} "$dir"/build/{found,found_test}; do
        [[ $("$program" 2>&1) == *TR_EFULL* ]] ||
            echo "$program: does not run; see the install rules in CMakeLists.txt"
    done
} | findings
