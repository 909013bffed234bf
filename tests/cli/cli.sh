#!/usr/bin/env bash
# Goal:   the command shows what runs, what is stuck and what is dead, in each of its forms.
# Method: a program with a child is looked at by troupe ($1), in a directory of its own.
#
#     cli.sh TROUPE PROGRAM
troupe=$1 program=$2
. "$(dirname "$0")/lib.bash"
has_stock() { "$troupe" tree "$pid" 2>/dev/null | grep -q stock; }

"$troupe" --help >"$dir/out" || fail "help"
expect help "$dir/out" 'troupe COMMAND' '^  trace'
"$troupe" --version | grep -q '^troupe [0-9]' || fail version
"$troupe" nothing 2>"$dir/out"
[ $? = 2 ] || fail "a command that is not there is exit 2"
"$troupe" trace nobody 2>"$dir/out"
[ $? = 1 ] || fail "a process that is not there is exit 1"

# ---- One that runs ----
begin "$program"
until_true has_stock
"$troupe" tree "$pid" >"$dir/out"
expect tree "$dir/out" '^clock/0' '^  till/' '^    stock/0  \(.*pid [0-9]+\)'
"$troupe" ps >"$dir/out"
expect ps "$dir/out" "^ *$pid .* runs"
[ "$(wc -l <"$dir/out")" = 3 ] || fail "ps: a line for each of two processes"
"$troupe" ps --json "$pid" >"$dir/out"
expect "ps --json" "$dir/out" "^\{\"pid\":$pid," '"state":"runs"'
"$troupe" trace --max 40 --for 60 "$pid" >"$dir/out"
expect trace "$dir/out" 'clock/0@[0-9]+ -> till/[0-9]+@[0-9]+  sale \{"what":"bread","price":3\}  wait [0-9]+' \
    'till/[0-9]+@[0-9]+ => stock/0@[0-9]+  take \{"id":[0-9]+\}' 'till/[0-9]+@[0-9]+ <= stock/0@[0-9]+  answer \{"left":[0-9]+\}' 'messages are traced'
[ "$(wc -l <"$dir/out")" = 40 ] || fail "trace: --max"
"$troupe" trace -M -a stock -m 'ta*' --max 5 --for 60 "$pid" >"$dir/out"
[ "$(grep -c '=> stock.* take\|->> stock.* take' "$dir/out")" = 5 ] || { fail "trace: filters"; cat "$dir/out" >&2; }
"$troupe" trace --max 60 --for 60 -o jsonl -w "$dir/kept.jsonl" "$pid" || fail "a recording"
for form in text mermaid html chrome jsonl; do
    "$troupe" trace -o "$form" -w "$dir/out.$form" "$dir/kept.jsonl" || fail "$form of a recording"
done
# Processes are looked at one after the other: what one did meanwhile comes with the next look.
cmp -s <(sort "$dir/kept.jsonl") <(sort "$dir/out.jsonl") || fail "a recording is not what was read of it"
expect mermaid "$dir/out.mermaid" '^sequenceDiagram' 'participant till' '->>till.*: sale' '->>stock.*: take'
expect html "$dir/out.html" '<!doctype html>' 'n:"sale"' '</html>'
grep -qE '(src|href)=' "$dir/out.html" && fail "html: asks for another file"
# In a browser, where there is one that answers: the page has drawn each of its events.
if command -v chromium >/dev/null && timeout 60 chromium --headless --no-sandbox --disable-gpu \
    --user-data-dir="$dir/chromium" --dump-dom "file://$dir/out.html" >"$dir/dom" 2>/dev/null; then
    expect "html in a browser" "$dir/dom" "data-rows=\"$(grep '^{k:' "$dir/out.html" | grep -vc '^{k:"sent"')\"" '<line[^>]*marker-end'
fi
if command -v node >/dev/null; then
    node "$(dirname "$0")/chrome.js" "$dir/out.chrome" || fail "chrome: schema"
    node "$(dirname "$0")/page_large.js" "$dir/out.html" || fail "html of a large recording"
fi
"$troupe" top -n 2 -i 0.3 "$pid" >"$dir/out"
expect top "$dir/out" "^ *$pid  .*%" "till/[0-9]+ +[1-9][0-9]* "
"$troupe" top -n 1 -i 0.3 --json "$pid" >"$dir/out"
expect "top --json" "$dir/out" '"kind":"actor".*"name":"till/[0-9]+","messages_per_s":[1-9]'
# Who is killed while attached leaves nothing on, when its lease is over.
"$troupe" trace --for 0 --max 0 -w "$dir/out" "$pid" &
tracer=$!
until_true grep -q sale "$dir/out"
kill -9 $tracer
wait $tracer 2>/dev/null
has_detached() { # whatever else has been written down since
    "$troupe" trace --dead --only "$pid" | grep -oE 'messages are traced|not traced any more' | tail -1 | grep -q not
}
until_true has_detached
kill -9 "$pid"

# ---- One whose name would do something to a terminal ----
cp "$program" "$dir/"$'odd\e[31m'
begin "$dir/"$'odd\e[31m'
until_true has_stock
for command in ps tree "top -n 1 -i 0.3"; do
    # shellcheck disable=SC2086
    "$troupe" $command "$pid" >"$dir/out"
    expect "$command" "$dir/out" 'odd\\x1b\[31m'
    grep -q $'\e' "$dir/out" && fail "$command: a name speaks to the terminal"
done
kill -9 "$pid"

# ---- One that is stuck ----
begin "$program" hang
is_stuck() { "$troupe" ps "$pid" 2>/dev/null | grep -q 'stuck for'; }
until_true is_stuck
"$troupe" trace --dead "$pid" >"$dir/out"
expect "a stuck one" "$dir/out" 'till/[0-9]+.* starts' 'starts process stock'
"$troupe" trace --for 0.3 "$pid" >"$dir/out" || fail "attaching to a stuck one"
kill -9 "$pid"

# ---- One that has died ----
export TROUPE_TRACE=body
begin "$program" crash
until_true grep -q 'child.trace: .*for take' "$dir/err" # the last one
expect "its parent's report" "$dir/err" 'child.trace: .*=?> stock/0  take \{"id":9,' 'for take'
stock=$(sed -n 's/.*child.trace: pid=\([0-9]*\) .*/\1/p;T;q' "$dir/err")
until_true compgen -G "$TROUPE_TRACE_DIR/kept-*-$stock.trace" >/dev/null
"$troupe" trace --dead "$stock" >"$dir/out"
expect "--dead" "$dir/out" 'stock/0 starts' '=> stock/0  take \{"id":9,'
# A recording is shown as a whole, and what is there already as far as was said.
for i in {1..30}; do cat "$dir/kept.jsonl"; done >"$dir/long.jsonl"
[ "$("$troupe" trace "$dir/long.jsonl" | wc -l)" = 1800 ] || fail "a long recording is cut"
"$troupe" trace -n 1000 "$dir/long.jsonl" | wc -l | grep -qx 1000 || fail "--max of a recording"
"$troupe" ps --dead | grep -qE "^ *$stock .* ended" || fail "ps --dead"

exit $failed
