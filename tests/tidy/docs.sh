#!/usr/bin/env bash
# The pages are true to the tree: what a page links to is there, and a block of code under a mark
# like <!-- examples/parent_child.c --> stands in that file as it is.
. "$(dirname "$0")/lib.sh"

exists() { # reads file:line:path
    while IFS=: read -r page line path; do
        [ -e "$(dirname "$page")/$path" ] || echo "$page:$line: links to $path, which is not there"
    done
}

blocks() { # PAGE
    awk '
    /^<!-- [^ ]+ -->$/ { file = $2; next }
    file != "" && /^```/ && !open { open = 1; start = FNR; block = "\n"; next }
    open && /^```/ {
        content = "\n"
        while ((getline line < file) > 0)
            content = content line "\n"
        close(file)
        if (index(content, block) == 0)
            print FILENAME ":" start ": is not what stands in " file "; copy it from there"
        open = 0
        file = ""
    }
    open { block = block $0 "\n" }' "$1"
}

for page in $(find . -maxdepth 1 -name '*.md'; find docs -name '*.md' 2>/dev/null); do
    page=${page#./}
    grep -noE '\]\([^)#]+' "$page" | grep -v :// | sed "s|^|$page:|; s|](||" | exists || true
    blocks "$page"
done | findings
