#!/usr/bin/env bash
# Buffers: troupe side by side with Node.
#
#     io.sh BUILD_DIR [FIGURE...]
#
# A peer is a program called `prog FIGURE`. It measures and prints (runner.bash says how):
#
#   enc_ENCODING_encode   64 4k 1m   so many bytes to text, as buf.toString(encoding), in 10^6 bytes
#                                    a second; the text is a new one each time
#   enc_ENCODING_decode   64 4k 1m   that text to bytes again, as Buffer.from(text, encoding)
#
# utf8 is text of many scripts, latin1 and utf16le of a Western language, ascii English; the others
# are random bytes. Text is UTF-8 in troupe; in Node it is Latin-1 or UTF-16, so that from and to
# these two it copies what we convert.
source "$(dirname "${BASH_SOURCE[0]}")/runner.bash"

encodings=(utf8 hex base64 base64url latin1 ascii utf16le)
figures=()
for encoding in "${encodings[@]}"; do
    figures+=("enc_${encoding}_encode" "enc_${encoding}_decode")
done
peers=(troupe node)

# program_of PEER FIGURE
program_of() {
    case $1 in
    troupe) program=("$build/bench_encodings" "$2") ;;
    node) program=(node "$here/peers/encodings_node.js" "$2") ;;
    esac
}

begin "$@"
present=(troupe)
[ -z "$(command -v node)" ] || present+=(node)
facts
echo "# node: $(node --version 2>/dev/null || echo absent)"
for figure in "${figures[@]}"; do
    measure 5 "$figure"
    for size in 64 4k 1m; do
        report $size "${figure}_$size" MB/s
    done
done
exit $own_failed
