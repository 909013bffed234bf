# Prints C sources as file:line:code, without comments, and with blank=1 also without what stands
# between quotes.
FNR == 1 { inside = 0 }
{
    rest = $0
    out = ""
    while (rest != "") {
        if (inside) { # of a comment that may go on in the next line
            end = index(rest, "*/")
            inside = !end
            rest = end ? substr(rest, end + 2) : ""
        } else if (!match(rest, "//|/\\*|[\"']")) {
            out = out rest
            rest = ""
        } else {
            out = out substr(rest, 1, RSTART - 1)
            mark = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            if (mark == "//") {
                rest = ""
            } else if (mark == "/*") {
                inside = 1
                out = out " "
            } else {
                if (!match(rest, "^([^\\\\" mark "]|\\\\.)*" mark))
                    RLENGTH = length(rest)
                out = out (blank ? mark mark : mark substr(rest, 1, RLENGTH))
                rest = substr(rest, RLENGTH + 1)
            }
        }
    }
    print FILENAME ":" FNR ":" out
}
