#!/usr/bin/env bash
# Goal:   recordings of several processes are put together: by what has caused what, also where one
#         clock is behind; and only what is asked for is shown.
# Method: two made-up ones: a shop asks a stock, whose clock is 4 ms behind, and is answered.
#
#     recordings.sh TROUPE
troupe=$1
. "$(dirname "$0")/lib.bash"
shop=$dir/shop.jsonl stock=$dir/stock.jsonl

# event KIND PID TIME SENT ACTOR FROM NAME FLAGS SPAN PARENT AT [BODY]: times are microseconds
event() {
    printf '{"kind":"%s","pid":%d,"time":1700000000%06d000,"sent":1700000000%06d000,"actor":"%s",' "${@:1:5}"
    printf '"from":"%s","name":"%s","flags":[%s],"wait":2000,"run":3000,"bytes":9,"trace":77,' "${@:6:3}"
    printf '"span":%d,"parent":%d,"at":[%s]%s}\n' "$9" "${10}" "${11}" "${12:+,\"body\":${12}}"
}
# record BEHIND: the stock's clock is so many microseconds behind as it asks, and as it answers
record() {
    {
        event message 100 100010 100000 till/1 clock/0 sale '"stamped"' 4 0 '1,1,1,2' \
            '{"what":"bread","price":3,"tags":["a","b"]}'
        event sent 100 100009 100009 till/1 00000000/3 take '"ask","stamped"' 5 4 '1,1,2,3'
        event message 100 100200 100150 till/1 00000000/3 answer '"answer","stamped","remote"' 8 7 \
            '1,1,2,3' '{"left":2.5}'
    } >"$shop"
    {
        event message 200 $((100060 - $1)) $((100009 - $1)) stock/0 00000000/1 take \
            '"ask","stamped","remote"' 6 5 '2,3,1,1' '{"id":7}'
        event sent 200 $((100100 - $2)) $((100100 - $2)) stock/0 00000000/1 answer \
            '"answer","stamped"' 7 6 '2,3,1,1'
    } >"$stock"
}

# ---- Put together ----
record 0 0
"$troupe" trace "$stock" "$shop" >"$dir/out"
grep -q 'set forward' "$dir/out" && fail "clocks that are right are set"
record 4000 4000
"$troupe" trace "$stock" "$shop" >"$dir/out"
expect "clocks" "$dir/out" '^\.\.\. the clock of pid 200 .* is set forward by 4.0ms'
order=$(grep -oE '(->|->>|=>|<=)  ?[a-z@0-9/]+  (sale|take|answer)|<= [a-z@0-9/]+  answer' "$dir/out" | tr '\n' ' ')
[ "$(grep -c '' "$dir/out")" = 6 ] || fail "all of both: $(cat "$dir/out")"
awk 'NR == 2 && !/->> stock\/0@200  take/ || NR == 3 && !/sale/ || NR == 4 && !/till\/1@100 => stock\/0@200  take/ ||
    NR == 5 && !/->> till\/1@100  answer/ || NR == 6 && !/<= stock\/0@200  answer/ { exit 1 }' "$dir/out" ||
    fail "not in the order of causes: $(cat "$dir/out")"
for form in mermaid chrome html; do
    "$troupe" trace -o "$form" -w "$dir/out.$form" "$stock" "$shop"
    expect "clocks in $form" "$dir/out.$form" 'pid 200 .*is set forward by 4.0ms'
done
if command -v node >/dev/null; then
    node "$(dirname "$0")/chrome.js" "$dir/out.chrome" || fail "chrome: schema"
fi
# JSON lines are as they were recorded, so that nothing is set twice.
"$troupe" trace -o jsonl -w "$dir/both.jsonl" "$stock" "$shop"
expect "raw times" "$dir/both.jsonl" '"time":1700000000096060000'
"$troupe" trace "$dir/both.jsonl" >"$dir/again"
cmp -s "$dir/out" "$dir/again" || fail "a recording of both is another one"
# Behind as it asks, and in front as it answers: that is no clock.
record 4000 -9000
"$troupe" trace "$stock" "$shop" | grep -q 'clocks go at different speeds' || fail "drift is not told"
echo '{"kind":"message","time":18446744073709551615,"sent":1,"flags":["remote"]}' >"$dir/odd.jsonl"
"$troupe" trace "$dir/odd.jsonl" "$shop" >/dev/null || fail "times of nobody"
"$troupe" trace "$shop" nobody 2>/dev/null
[ $? = 2 ] || fail "a file and a process at once is exit 2"
"$troupe" trace "$shop" "$dir/nothing.jsonl" >/dev/null 2>&1
[ $? = 1 ] || fail "a file that is not there is exit 1"

# ---- Only what is asked for ----
record 0 0
# takes COUNT EXPRESSION...: so many of the five
takes() {
    local count=$1 got where=()
    for e in "${@:2}"; do where+=(--where "$e"); done
    got=$("$troupe" trace "${where[@]}" "$shop" "$stock" | grep -c '')
    [ "$got" = "$count" ] || fail "--where ${*:2}: takes $got of 5 in place of $count"
}
takes 1 'body.what == "bread"'
takes 1 'body.id=7'
takes 0 'body.id == "7"'
takes 1 'body.id >= 7 && body.id <= 7.0'
takes 0 'body.id < 7'
takes 0 'body.id != 7' # what has none is as little unequal
takes 3 'body'
takes 1 'body.left < 3'
takes 1 'body.tags.1 == "b"'
takes 0 'body.tags.2'
takes 1 'body.what ~ "br*"'
takes 3 'kind == "message"'
takes 2 'actor ~ "stock*" && bytes == 9'
takes 2 'name ~ "t?ke"'
takes 1 'name == "take"' 'kind == "sent"'
takes 5 'time > 1700000000000000000'
takes 1 '"body" . "price" > 2'
event message 100 100010 100000 till/1 clock/0 sale '"stamped"' 4 0 '1,1,1,2' \
    "{\"long\":\"$(printf '%0300d' 1)\"}" >"$stock"
takes 1 'body.long ~ "*1"'
record 0 0
# refuses PATTERN EXPRESSION
refuses() {
    "$troupe" trace --where "$2" "$shop" >"$dir/out" 2>"$dir/said"
    [ $? = 2 ] || fail "--where $2: is not refused"
    expect "--where $2" "$dir/said" "$1"
}
refuses 'a key is wanted' ''
refuses 'a key is wanted' 'body.'
refuses 'a key is wanted' 'body == 1 &&'
refuses 'a key is wanted' '"body'
refuses 'a key is wanted' 'a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q'
refuses 'a key is wanted' "$(printf 'k%.0s' {1..300})"
refuses 'a value: .*wanted' 'body.id =='
refuses 'a value: .*wanted' 'body.id == bread'
refuses 'a value: .*wanted' 'body == [1]'
refuses 'a value: .*wanted' 'body == "x'
refuses 'a text in quotes' 'name ~ 1'
refuses 'operator or &&' 'body.id == 7 8'
refuses 'operator or &&' 'body.id 7'
"$troupe" trace --no-body --where 'body.id' 2>/dev/null
[ $? = 2 ] || fail "--no-body and a look at bodies is exit 2"

exit $failed
