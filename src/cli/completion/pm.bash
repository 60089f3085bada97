# Completion of pm for bash: written by `pm completions bash`.
_pm() {
    local line=${COMP_LINE:0:COMP_POINT} words=() piece blanks kept= i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        blanks=${line%%[![:space:]]*}
        line=${line#"$blanks"}
        piece=${COMP_WORDS[i]}
        # What stands behind the cursor is not typed yet.
        ((i == COMP_CWORD)) && piece=$line
        line=${line#"$piece"}
        if ((i > 0)) && [[ -z $blanks ]]; then
            # bash cuts words at = and :, which are part of pm's.
            kept=${words[${#words[@]} - 1]}
            words[${#words[@]} - 1]+=$piece
            case $piece in *[!=:]*) ;; *) kept+=$piece ;; esac
        else
            kept=
            words+=("$piece")
        fi
    done
    local candidate goes_on=
    COMPREPLY=()
    while IFS= read -r candidate || [[ -n $candidate ]]; do
        COMPREPLY+=("${candidate#"$kept"}")
        # Of `web=` nothing is left to give back, and a blank would end the word.
        case $candidate in *[=/,]) goes_on=yes ;; esac
    done < <(_CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
        PM_COMPLETE=bash pm -- "${words[@]}" 2>/dev/null)
    [[ -z $goes_on ]] || compopt -o nospace 2>/dev/null
}
complete -o bashdefault -o default -o nosort -F _pm pm 2>/dev/null ||
    complete -o bashdefault -o default -F _pm pm
