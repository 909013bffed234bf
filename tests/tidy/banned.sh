#!/usr/bin/env bash
# Calls that are not made here, where, and what is done instead.
. "$(dirname "$0")/lib.sh"

# calls ; where they are banned ; except there ; the cure
rules='
sleep usleep nanosleep ; . ; - ; wait for an event, or advance virtual time
strcpy strcat stpcpy strncpy strncat ; . ; - ; memcpy what was measured, or snprintf
sprintf vsprintf ; . ; - ; snprintf
gets ; . ; - ; fgets
strtok ; . ; - ; strchr or strcspn, which write nothing
alloca ; . ; - ; an array of fixed size, or tr__alloc
system popen ; . ; - ; spawn the program without a shell
fork vfork ; . ; - ; posix_spawn: a fork without exec is unsafe with threads, and slow in a large process
malloc calloc realloc free strdup strndup aligned_alloc posix_memalign ; ^(src|actors)/ ; ^src/((base|kit)/memory\.c$|cli/) ; tr__alloc and its family, so that the allocator and fault injection see it
assert ; ^src/ ; - ; tr_assert or tr_check
printf fprintf vprintf vfprintf puts fputs putchar perror ; ^src/ ; ^src/(base|cli)/ ; tr__warn: the library does not print
time gettimeofday clock_gettime rand random srand getrandom ; ^src/ ; ^src/(uv/|cli/|trace/clock\.c$) ; ask the world (core/world.h), which may be simulated
'
code blank=1 $(files src include actors examples tests) | awk -F: -v rules="$rules" '
BEGIN {
    count = split(rules, lines, "\n")
    for (i = 1; i <= count; i++) {
        if (split(lines[i], rule, " ; ") != 4)
            continue
        n = split(rule[1], names, " ")
        for (j = 1; j <= n; j++) {
            where[names[j]] = rule[2]
            except[names[j]] = rule[3]
            cure[names[j]] = rule[4]
        }
    }
}
{
    rest = $0
    sub(/^[^:]*:[^:]*:/, "", rest)
    # Every name before a parenthesis that is not a member of something.
    while (match(rest, /[A-Za-z0-9_.>]*[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/[ \t]+$/, "", name)
        if (name in cure && $1 ~ where[name] && $1 !~ except[name])
            print $1 ":" $2 ": " name "() is banned here; " cure[name]
    }
}' | findings
