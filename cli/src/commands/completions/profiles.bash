
# The names of profiles after --profile and --from, as they are in the files at that moment.
_rolecall_with_profiles() {
    local before="${COMP_WORDS[COMP_CWORD-1]}" current="${COMP_WORDS[COMP_CWORD]}" name
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $before == "=" ]]; then
        before="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    if [[ $before != --profile && $before != --from ]]; then
        _rolecall "$@"
        return
    fi
    COMPREPLY=()
    while IFS= read -r name; do
        [[ $name == "$current"* ]] && COMPREPLY+=("$name")
    done < <(rolecall configure list-profiles 2>/dev/null)
}
complete -F _rolecall_with_profiles -o bashdefault -o default rolecall
