
# The names of profiles, as they are in the files at that moment.
_rolecall_profiles() {
    local -a names
    names=("${(@f)$(rolecall configure list-profiles 2>/dev/null)}")
    compadd -a names
}
