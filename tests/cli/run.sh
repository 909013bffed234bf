#!/usr/bin/env bash
# Goal:   a shared object runs as a service, and its actor is spoken with from the shell; what cannot
#         be done has a word and an exit status of its own.
# Method: troupe run with tests/cli/app_stage.c; troupe send and ask by path and over TCP.
#
#     run.sh TROUPE STAGE.so LIBRARY.so
troupe=$1 stage=$2 library=$3
. "$(dirname "$0")/lib.bash"
here=ipc://$dir/stage

# exits STATUS PATTERN COMMAND...: with a word of it on standard error, or none, and nothing else
exits() {
    local status=$1 pattern=$2 got
    shift 2
    "$@" >"$dir/out" 2>"$dir/said" </dev/null
    got=$?
    [ $got = "$status" ] || fail "$*: exits with $got in place of $status: $(cat "$dir/said")"
    [ ! -s "$dir/out" ] || fail "$*: says $(cat "$dir/out")"
    if [ -n "$pattern" ]; then expect "$*" "$dir/said" "$pattern"; else
        [ ! -s "$dir/said" ] || fail "$*: says $(cat "$dir/said")"
    fi
}
# says ANSWER COMMAND...
says() {
    local answer=$1 got
    shift
    got=$("$@" 2>"$dir/said" </dev/null)
    [ "$got" = "$answer" ] || fail "$*: says $got in place of $answer: $(cat "$dir/said")"
}
ask() { "$troupe" ask "$here" stage "$@"; }
# run [OPTION...]: until it listens
run() {
    begin "$troupe" run "$@"
    until_true grep -q 'listening at' "$dir/err"
}
# ends STATUS: as the program that runs does
ends() {
    local got
    wait "$pid"
    got=$?
    [ $got = "$1" ] || fail "the program exits with $got in place of $1: $(cat "$dir/err")"
}

# ---- What cannot be run ----
exits 2 'which program' "$troupe" run
exits 2 'no good value' "$troupe" run --loops 0 "$stage"
exits 2 'no good value' "$troupe" run --restart -1 "$stage"
exits 1 'No such file' "$troupe" run "$dir/nothing.so"
exits 1 'exports no behaviours' "$troupe" run "$library"
echo 'no object' >"$dir/text.so"
exits 1 'text.so' "$troupe" run "$dir/text.so"
exits 1 'no behaviour nobody' "$troupe" run -b nobody "$stage"
exits 1 'cannot listen|not supported|TCP' "$troupe" run -l tcp://127.0.0.1:0 "$stage"
exits 1 'ipc:///nowhere' "$troupe" run -l ipc:///nowhere/at/all "$stage"
TROUPE_SECRET=short exits 2 'too short' "$troupe" run "$stage"
exits 1 'TROUPE_APP' env TROUPE_LINK=3:$$ "$troupe" run "$stage"

# ---- What cannot be sent ----
exits 2 'are wanted' "$troupe" ask "$here" stage
exits 2 'names have' "$troupe" send "$here" '' echo
exits 2 'JSON' "$troupe" ask "$here" stage echo '{"a":'
exits 2 'no good time' "$troupe" ask -t never "$here" stage echo
exits 2 'cannot dial' "$troupe" ask nowhere stage echo
exits 2 'secret is wanted' "$troupe" ask tcp://127.0.0.1:1 stage echo
exits 3 'unreachable' "$troupe" ask "$here" stage echo
TROUPE_SECRET='the stage knows it' exits 3 'unreachable' "$troupe" send tcp://127.0.0.1:1 stage echo

# ---- Speaking with it ----
echo 'the stage knows it' >"$dir/secret"
run -n stage -l "$here" -l tcp://127.0.0.1:0 --secret "$dir/secret" "$stage" one -2
until_true [ "$(grep -c 'listening at' "$dir/err")" = 2 ]
tcp=$(sed -n 's/.*listening at \(tcp.*\)/\1/p' "$dir/err")
says '["one","-2"]' ask args
says '{"a":[1,-2.5,"é",null,true]}' ask echo '{"a": [1, -2.5, "\u00e9", null, true]}'
says -5 ask echo -5
says null ask echo
[ "$(echo '[7]' | ask echo -)" = '[7]' ] || fail "what is in it from standard input"
TROUPE_TRACE='a warning' says 1 "$troupe" ask "$here" stage echo 1 # which is not of the link
says '"over"' "$troupe" ask --secret "$dir/secret" "$tcp" stage echo '"over"'
TROUPE_SECRET='the stage knows it' says '"over"' "$troupe" ask "$tcp" stage echo '"over"'
TROUPE_SECRET='the stage does not' exits 3 'refuse' "$troupe" ask "$tcp" stage echo
exits 4 'nobody is called audience' "$troupe" ask "$here" audience echo
exits 1 'TR_EUNKNOWN' ask nonsense
exits 5 'answer|deadline' "$troupe" ask -t 1 "$here" stage late
exits 0 '' "$troupe" send "$here" stage echo
says "$(($(ask nodes) + 1))" ask nodes
# A process of its is this command with the same shared object.
child=$(ask child)
[ "$child" -gt 1 ] && [ "$child" != "$pid" ] || fail "a process of its own: $child"
until_true eval '"$troupe" tree "$pid" | grep -q helper'
"$troupe" ps "$pid" >"$dir/out"
expect "the program's name" "$dir/out" "^ *$pid .* app_stage .*runs" "^ *$child  *$pid  app_stage "
# Another node joins it.
"$troupe" run --dial "$here" -l "ipc://$dir/other" -n other "$stage" 2>"$dir/other.err" &
other=$!
pids+=("$other")
until_true grep -q listening "$dir/other.err"
joined() { [ "$("$troupe" ask "ipc://$dir/other" other nodes)" -ge 2 ]; } # this one, and the stage
until_true joined
kill -TERM "$other"
wait "$other" || fail "a service that is stopped exits with $?"
# Its link is lost while it is asked.
ask late >"$dir/out" 2>"$dir/said" &
asker=$!
until_true eval '[ "$(ask waiting)" = 2 ]'
kill -9 "$pid"
wait $asker
[ $? = 3 ] || fail "one whose link is lost is exit 3: $(cat "$dir/said")"
rm -f "$dir/stage"

# ---- The secret stays in it ----
TROUPE_SECRET='the stage knows it' run -n stage -l tcp://127.0.0.1:0 -l "$here" "$stage"
until_true [ "$(grep -c 'listening at' "$dir/err")" = 2 ]
tcp=$(sed -n 's/.*listening at \(tcp.*\)/\1/p' "$dir/err")
says 1 "$troupe" ask --secret "$dir/secret" "$tcp" stage echo 1
for process in "$pid" "$(ask child)"; do
    tr '\0' '\n' <"/proc/$process/environ" >"$dir/out"
    expect "an environment" "$dir/out" '^PATH='
    ! grep -q 'knows it' "$dir/out" || fail "the secret is in the environment of $process"
done
kill -TERM "$pid"
ends 0

# ---- Its end ----
run -n stage -l "$here" "$stage"
kill -TERM "$pid"
ends 0
[ ! -e "$dir/stage" ] || fail "a path that is left"
run -n stage -l "$here" "$stage"
exits 0 '' "$troupe" send "$here" stage leave
ends 0
run -n stage -l "$here" "$stage"
exits 0 '' "$troupe" send "$here" stage fail
ends 1
run -n stage -l "$here" -r 2 "$stage"
for i in 1 2; do
    exits 0 '' "$troupe" send "$here" stage fail
    until_true eval "[ \$(grep -c supervisor.restart '$dir/err') = $i ]"
    until_true eval '[ "$(ask echo 1 2>/dev/null)" = 1 ]'
done
exits 0 '' "$troupe" send "$here" stage fail
ends 1
run -r 2 -n stage -l "$here" "$stage"
exits 0 '' "$troupe" send "$here" stage leave
ends 0
run -b helper -n stage -l "$here" "$stage"
says "$pid" ask which
kill -TERM "$pid"
ends 0

exit $failed
