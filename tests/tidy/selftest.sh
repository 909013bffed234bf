#!/usr/bin/env bash
# Goal:   no check is one that cannot fail.
# Method: give each a small tree with one fault, and look for the finding at its place; then one
#         with something like it that is allowed.
set -euo pipefail
tidy=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
wrong=0

# plant FILE TEXT: a tree with this file only
plant() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/$(dirname "$1")" "$tree/tests/tidy" "$tree/include"
    printf '%b\n' "$2" >"$tree/$1"
}

# finds CHECK FILE LINE TEXT WORDS...: the check fails, and says so at that line in those words
finds() {
    local check=$1 place=$2:$3 words=$5 out
    plant "$2" "$4"
    if out=$("$tidy/$check.sh" "$tree" 2>&1) || [[ $out != *"$place: "*"$words"* ]]; then
        printf '%s.sh did not find "%s" at %s in:\n%b\nit said: %s\n' \
            "$check" "$words" "$place" "$4" "$out"
        wrong=1
    fi
}

# allows CHECK FILE TEXT
allows() {
    local out
    plant "$2" "$3"
    if ! out=$("$tidy/$1.sh" "$tree" 2>&1); then
        printf '%s.sh does not allow:\n%b\nit said: %s\n' "$1" "$3" "$out"
        wrong=1
    fi
}

finds layers src/base/a.c 2 '\n#include "core/world.h"' 'base is not above core'
finds layers src/data/a.c 1 '#include "core/world.h"' 'data is not above core'
finds layers src/core/a.h 1 '#  include "sim/sim.h"' 'core is not above sim'
finds layers src/uv/a.c 1 '#include "remote/link.h"' 'uv is not above remote'
finds layers src/streams/a.c 1 '#include "core/stream.h"' 'streams is not above core'
finds layers src/streams/map.c 1 '#include <zlib.h>' '<zlib.h> belongs in'
finds layers src/remote/a.c 1 '#include "uv/uv.h"' 'remote is not above uv'
finds layers src/core/a.c 1 '#include "world.h"' 'core is not above world.h'
finds layers src/core/a.c 1 '#include "kit/kit.h"' 'core is not above kit'
finds layers src/kit/node.c 1 '#include <cmocka.h>' '<cmocka.h> belongs in'
finds layers src/new/a.c 1 '#include "base/list.h"' 'src/new is no layer'
finds layers src/core/a.c 1 '#include <uv.h>' '<uv.h> belongs in ^src/uv/'
finds layers src/core/a.c 1 '#include <unistd.h>' 'the core has no system'
finds layers src/data/json.c 1 '#include <msgpack.h>' '<msgpack.h> belongs in'
finds layers src/remote/link_sp.c 1 '#include <nng/nng.h>' '<nng/nng.h> belongs in'
finds layers examples/a.c 1 '#include <unistd.h>' 'only <troupe.h>'
finds layers examples/a.c 1 '#include "core/world.h"' 'is internal'
finds layers actors/a.c 1 '#include <troupe/val.h>' 'only <troupe.h>'
finds layers include/troupe/a.h 1 '#include <unistd.h>' 'public headers include only'
allows layers src/uv/a.c '#include <uv.h>\n#include "core/world.h"\n#include "base/list.h"'
allows layers src/troupe.c '#include <troupe.h>\n#include "uv/world.h"\n#include "remote/peer.h"'
allows layers src/base/a.c '// #include "core/world.h"\n/*\n#include "core/world.h"\n*/'
allows layers examples/a.c '#include <stdio.h>\n#include <troupe.h>'
allows layers examples/a.c '#include <troupe/test.h>\n#include <cmocka.h>'

finds banned tests/unit/a.c 1 'int x = 0; usleep(1);' 'usleep() is banned here; wait for an event'
finds banned src/core/a.c 1 '/* "*/ free (p);' 'free() is banned here; tr__alloc'
finds banned src/core/a.c 2 '\nif ((pid = fork()) == 0)' 'fork() is banned here'
finds banned src/core/a.c 1 'now = time(NULL);' 'time() is banned here; ask the world'
finds banned src/remote/a.c 1 'printf("x");' 'printf() is banned here'
for call in sleep nanosleep strcpy strcat sprintf gets strtok alloca system popen; do
    finds banned examples/a.c 1 "$call(x);" "$call() is banned here"
done
for call in malloc calloc realloc free; do
    finds banned src/data/a.c 1 "p = $call(p);" "$call() is banned here"
done
allows banned src/base/memory.c 'p = malloc(n);'
allows banned src/uv/a.c 'clock_gettime(CLOCK_MONOTONIC, &ts);'
allows banned src/core/a.c 'tr_fork(self); ops->free(x); up.time(y); // free(x)\nx = "free(x)";'

finds atomics src/core/a.c 1 '#include <stdatomic.h>' 'atomics outside the files that own them'
finds atomics src/core/a.c 2 '\nstatic _Atomic int n;' 'atomics outside the files that own them'
finds atomics tests/tidy/atomics.txt 2 '# files\nsrc/core/a.c gone' 'src/core/a.c uses no atomics'
allows atomics src/core/a.c 'int subatomic_n; // _Atomic'

finds contracts include/troupe/a.h 3 '/* Chapter. */\n\nTR_API int tr_a(void);' 'tr_a() has no contract'
finds contracts include/troupe/a.h 4 '/* A. */\nTR_API int tr_a(void);\n\nTR_API int tr_b(void);' \
    'tr_b() has no contract'
finds contracts include/troupe/a.h 1 'TR_API int\ntr_a(void);' 'put the name'
allows contracts include/troupe/a.h '/* A and b. */\nTR_API int tr_a(void);\nTR_API int tr_b(void);'
allows contracts include/troupe/a.h '/* A. */\ntypedef int tr_t;\n\nTR_API tr_t tr_a(void);'
allows contracts include/troupe/a.h '/* ---- Group ---- */\n\nTR_API int tr_a(void);'

finds headers include/troupe/a.h 1 'static inline size_t tr_a(void) { return 0; }' 'c99'
finds headers include/troupe/a.h 1 'int *tr_a(int new);' 'does not stand alone as c++17'
finds headers include/troupe/a.h 1 'inline int tr_a(int x) { int y = x; (void)x; }' 'c11'
allows headers include/troupe/a.h '#include <stddef.h>\nsize_t tr_a(void);'

finds docs docs/a.md 1 'see [b](b.md#c)' 'links to b.md, which is not there'
finds docs docs/a.md 2 '<!-- examples/a.c -->\n```c\nint main;\n```' 'is not what stands in'
allows docs docs/a.md '[a](a.md) [w](https://a.b/c)\n<!-- docs/a.md -->\n```c\nx();\n```\nx();'

# library CODE: a shared library for symbols.sh, with its list naming only tr_a
library() {
    plant tests/tidy/symbols.txt "${2:-tr_a}"
    printf '%s\n' "$1" | gcc -x c -shared -fPIC -o "$tree/lib.so" -
    "$tidy/symbols.sh" "$tree" "$tree/lib.so" 2>&1
}
exports() { # WORDS CODE [LIST]
    local out
    if out=$(library "$2" "${3-}") || [[ $out != *"$1"* ]]; then
        printf 'symbols.sh did not say "%s"; it said: %s\n' "$1" "$out"
        wrong=1
    fi
}
exports 'symbols.txt:1: tr__b is exported and not listed' 'int tr_a, tr__b;'
exports 'symbols.txt:1: tr_a is not exported' 'int tr_b;'
exports 'symbols.txt:1: a does not start with tr_' 'int a;' a
if ! out=$(library 'int tr_a;'); then
    echo "symbols.sh does not allow what is listed: $out"
    wrong=1
fi
exit $wrong
