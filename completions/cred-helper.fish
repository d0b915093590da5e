# Completion for fish. The program itself says what can stand where the cursor is.
function __cred_helper_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command $words[1] complete -- $words[2..-1] $current 2>/dev/null)
    if string match -q -- \t'*' "$found[1]"
        # An option's value is completed behind its name.
        __fish_complete_path $current
    else
        printf '%s\n' $found
    end
end
complete -c cred-helper -f -a '(__cred_helper_complete)'
