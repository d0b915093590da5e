# Completion for bash. The program itself says what can stand where the cursor is.
_cred_helper() {
    local IFS=$' \t\n' typed=${COMP_LINE:0:COMP_POINT} words word line breaks
    read -ra words <<<"$typed"
    [[ $typed == *[[:blank:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    # Of a word with `:` or `=` bash replaces what stands behind the last of them.
    breaks=""
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    local taken=""
    [[ -n $breaks && $word == *[$breaks]* ]] && taken=${word%"${word##*[$breaks]}"}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == $'\t'* ]]; then
            compopt -o default 2>/dev/null
            return
        fi
        line=${line%%$'\t'*}
        COMPREPLY+=("$(printf %q "${line#"$taken"}")")
    done < <("${1/#\~\//$HOME/}" complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _cred_helper cred-helper
