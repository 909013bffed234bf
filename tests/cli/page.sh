#!/usr/bin/env bash
# Goal:   the page that is made of a traced HTTP request shows its way through four processes, in
#         order and with times, in a browser.
# Method: tests/cli/prog_chain.c: a request to the shop, whose cart and pricer are processes of its
#         own; the pricer asks a bank, a node of its own over TCP. Then headless Chromium, where there
#         is one: what it has made of the page, and a picture of that.
#
#     page.sh TROUPE CHAIN
troupe=$1 chain=$2
. "$(dirname "$0")/lib.bash"
export TROUPE_TRACE=body

# line_of PROGRAM ARGUMENT...: what it says first
line_of() {
    : >"$dir/line"
    "$@" >"$dir/line" &
    pids+=("$!")
    until_true grep -q . "$dir/line"
    line=$(cat "$dir/line")
}
line_of "$chain" bank tcp://127.0.0.1:0
line_of "$chain" shop "$line"
port=${line##*:}
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET / HTTP/1.0\r\n\r\n' >&3
grep -q '{"price":42}' <&3 || fail "the request is not answered"
exec 3>&-

# ---- The records ----
"$troupe" trace --dead -M chain >"$dir/out"
expect "the way of a request" "$dir/out" 'chain/0@[0-9]+ => cart/[0-9]+@[0-9]+  items \{"id":7\}  wait' \
    'chain/[0-9]+@[0-9]+ => pricer/[0-9]+@[0-9]+  price ' 'pricer/[0-9]+@[0-9]+ => bank@[0-9]+  rate "EUR"  wait'
for form in html chrome; do
    "$troupe" trace --dead -o "$form" -w "$dir/page.$form" chain || fail "$form"
done
trace=$(grep -m1 'n:"items"' "$dir/page.html" | sed 's/.*,i:"\([0-9a-f]*\)".*/\1/')
[ "$(grep -c "^{k:\"message\".*i:\"$trace\"" "$dir/page.html")" = 6 ] || fail "three asks and their answers are one trace"
# without PROGRAM: what follows needs it
without() {
    echo "$1 is not installed: nobody looks at the page" >&2
    exit $((failed ? 1 : 77))
}
command -v node >/dev/null || without node
node "$(dirname "$0")/chrome.js" "$dir/page.chrome" || fail "chrome: schema"
command -v chromium >/dev/null || without chromium

# ---- In a browser ----
browser() {
    timeout 100 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --user-data-dir="$dir/chromium" "$@" "file://$dir/page.html#$trace" 2>"$dir/browser.err"
}
browser --dump-dom >"$dir/dom" || fail "chromium: $(tail -3 "$dir/browser.err")"
browser --window-size=1500,900 --screenshot="$dir/page.png" >/dev/null || fail "chromium: $(tail -3 "$dir/browser.err")"
node "$(dirname "$0")/page.js" "$dir/dom" "$dir/page.png" || fail "the page"

exit $failed
