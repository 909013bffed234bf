# Completion of troupe for bash.
_troupe() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        words="run send ask trace ps top tree --help --version"
    else
        case $before in
        -o | --output) words="text jsonl chrome mermaid html" ;;
        -w | --write | --secret)
            COMPREPLY=($(compgen -f -- "$word"))
            return
            ;;
        *)
            case ${COMP_WORDS[1]} in
            run) words="--behavior --name --listen --dial --secret --restart --reload --loops --help" ;;
            send | ask) words="--timeout --secret --help" ;;
            trace) words="--actor --message --where --messages --bad --slow --only --no-body --history --dead
                --for --max --output --write --json --help" ;;
            ps) words="--dead --json --help" ;;
            top) words="--count --interval --json --help" ;;
            tree) words="--json --help" ;;
            esac
            case $word,${COMP_WORDS[1]} in
            -*) ;;
            *,run | *,send | *,ask) words= ;;
            *) words=$("${COMP_WORDS[0]}" ps --json 2>/dev/null |
                sed -n 's/.*"pid":\([0-9]*\).*"name":"\([^"]*\)".*/\1 \2/p') ;;
            esac
            [[ $word != */* && ${COMP_WORDS[1]} != run ]] || COMPREPLY=($(compgen -f -- "$word"))
            ;;
        esac
    fi
    COMPREPLY+=($(compgen -W "$words" -- "$word"))
}
complete -F _troupe troupe
