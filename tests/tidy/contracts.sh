#!/usr/bin/env bash
# Every public function has a contract: a comment in its paragraph (the lines around it up to the
# next empty ones), above the type in the paragraph before, or a ---- heading right above.
. "$(dirname "$0")/lib.sh"

awk '
function finish_paragraph(    i) {
    for (i = 1; i <= count; i++)
        if (!commented && !covered)
            print where[i] ": " name[i] "() has no contract; say in a comment above it who owns " \
                "what, which errors come, and which thread may call"
    covered = count == 0 && ((commented || covered) && text ~ /typedef/ || text ~ /^\/\* ----/)
    count = commented = 0
    text = ""
}
FNR == 1 { finish_paragraph(); covered = 0 }
/^[ \t]*$/ { if (text != "") finish_paragraph(); next }
{ text = text $0 }
/\/\*/ { commented = 1 }
/^TR_API/ && !/tr_[a-z0-9_]+\(/ {
    print FILENAME ":" FNR ": TR_API without a name; put the name of the function on this line"
}
/^TR_API/ && match($0, /tr_[a-z0-9_]+\(/) {
    where[++count] = FILENAME ":" FNR
    name[count] = substr($0, RSTART, RLENGTH - 1)
}
END { finish_paragraph() }' $(files include) | findings
