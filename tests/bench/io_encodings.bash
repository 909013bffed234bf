# Encodings: troupe side by side with Node. Sourced by io.sh, behind runner.bash.
#
#   enc_ENCODING_encode   64 4k 1m   so many bytes to text, as buf.toString(encoding), in 10^6 bytes
#                                    a second; the text is a new one each time
#   enc_ENCODING_decode   64 4k 1m   that text to bytes again, as Buffer.from(text, encoding)
#
# utf8 is text of many scripts, latin1 and utf16le of a Western language, ascii English; the others
# are random bytes. Text is UTF-8 in troupe; in Node it is Latin-1 or UTF-16, so that from and to
# these two it copies what we convert.
enc_figures=(enc_{utf8,hex,base64,base64url,latin1,ascii,utf16le}_{encode,decode})

# enc_program_of PEER FIGURE: program_of, for these
enc_program_of() {
    case $1 in
    troupe) program=("$build/bench_encodings" "$2") ;;
    node) program=(node "$here/peers/encodings_node.js" "$2") ;;
    esac
}

enc_figure() { # FIGURE
    local size
    measure 5 "$1"
    for size in 64 4k 1m; do
        report $size "$1_$size" MB/s
    done
}
