
# The names of profiles, as they are in the files at that moment.
complete -c rolecall -l profile -x -a "(rolecall configure list-profiles 2>/dev/null)"
complete -c rolecall -n "__fish_rolecall_using_subcommand update" -l from -x -a "(rolecall configure list-profiles 2>/dev/null)"
