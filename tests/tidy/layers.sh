#!/usr/bin/env bash
# Who may include what: our layers point down only, foreign headers stay in the one place that
# translates them, and what is written as a user would write it sees only <troupe.h>.
. "$(dirname "$0")/lib.sh"

code $(files src include examples actors) | awk -F: '
BEGIN {
    below["base"] = "base"
    below["data"] = "base data"
    below["core"] = "base data core"
    below["streams"] = "base data streams"
    below["uv"] = "base data core uv"
    below["nng"] = "base core nng"
    below["filter"] = "base data core filter"
    below["trace"] = "base data core trace"
    below["remote"] = "base data core remote"
    below["sim"] = "base data core remote sim"
    below["kit"] = "base data core kit"
    below["cli"] = "cli" # and <troupe.h>, as any program
    below["troupe.c"] = "base data core remote trace uv nng filter"

    home["uv.h"] = "^src/uv/"
    home["llhttp.h"] = "^(actors/http_parse|src/filter/ws_hands)\\.c$"
    home["openssl/"] = "^src/(remote/(secret|carry)|filter/(tls|ws_hands))"
    home["zlib.h"] = "^src/streams/zip\\.c$"
    home["msgpack.h"] = "^src/data/pack\\.c$"
    home["nng/"] = "^src/nng/"
    home["cmocka.h"] = "^(tests/|examples/|src/kit/fail\\.c$)"

    count = split("assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp " \
        "signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string " \
        "tgmath threads time uchar wchar wctype", names, " ")
    for (i = 1; i <= count; i++)
        standard[names[i] ".h"] = 1
}

function finding(what) {
    print $1 ":" $2 ": " what
}

# A header of ours in quotes, seen from the layer that the file is in.
function ours(header,    from, to) {
    split($1, from, "/")
    split(header, to, "/")
    if (from[1] == "actors" && header ~ /^[a-z_]+\.h$/)
        return # of one that has several files
    if (from[1] != "src")
        finding("\"" header "\" is internal; include <troupe.h>")
    else if (!(from[2] in below))
        finding("src/" from[2] " is no layer; give it its place in tests/tidy/layers.sh")
    else if (index(" " below[from[2]] " ", " " to[1] " ") == 0)
        finding(from[2] " is not above " to[1] "; move what is shared down, or call up through " \
            "a table as core/world.h does")
}

# Anything in angle brackets.
function foreign(header,    prefix) {
    for (prefix in home)
        if (index(header, prefix) == 1 && $1 !~ home[prefix])
            finding("<" header "> belongs in " home[prefix] "; go through what that offers")
    if (header in standard)
        return
    if ($1 ~ /^(examples|actors)\// && !(header in home && $1 ~ home[header]) && header !~ /^(troupe\.h|troupe\/test\.h|cmocka\.h)$/)
        finding("<" header ">: only <troupe.h> and standard headers here; the public API is enough")
    if ($1 ~ /^include\// && header !~ /^troupe\//)
        finding("<" header ">: public headers include only each other and standard headers")
    if ($1 ~ /^src\/core\// && header !~ /^troupe/ && header != "sys/types.h")
        finding("<" header ">: the core has no system; add a slot to core/world.h")
}

match($0, /:[ \t]*#[ \t]*include[ \t]*["<][^">]+/) {
    header = substr($0, RSTART, RLENGTH)
    quoted = header ~ /"/
    sub(/.*["<]/, "", header)
    if (quoted)
        ours(header)
    else
        foreign(header)
}' | findings
