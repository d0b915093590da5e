# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cred_helper_global_optspecs
    string join \n config= error-format= q/quiet v/verbose color= h/help V/version
end

function __fish_cred_helper_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cred_helper_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cred_helper_using_subcommand
    set -l cmd (__fish_cred_helper_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cred-helper -n "__fish_cred_helper_needs_command" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_needs_command" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_needs_command" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_needs_command" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -s V -l version -d 'Print version'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "get" -d 'Print an access token'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "exec" -d 'Start a program with a token in its environment'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "serve" -d 'Answer requests of the JSON protocol on stdin'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "git" -d 'Answer git as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "cargo" -d 'Answer cargo as a credential provider'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "docker" -d 'Answer docker, podman, skopeo and buildah as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "kubectl" -d 'Answer kubectl and other client-go programs as an exec plugin'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "google" -d 'Answer Google\'s libraries as an external account executable'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "bazel" -d 'Answer Bazel as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "terraform" -d 'Answer Terraform and OpenTofu as a credentials helper'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "go" -d 'Answer Go as a command of GOAUTH'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "pnpm" -d 'Answer pnpm as a tokenHelper'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "aws" -d 'Answer the AWS CLI and SDKs as a credential_process'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "az" -d 'Answer Azure\'s libraries in place of the Azure CLI'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "azd" -d 'Answer Azure\'s libraries in place of the Azure Developer CLI'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "nuget" -d 'Answer NuGet as an authentication plugin'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "keyring" -d 'Answer pip and uv in place of Python\'s keyring'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "askpass" -d 'Answer git\'s own question for a user name or a password'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "login" -d 'Sign in, whatever is kept'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "logout" -d 'Forget a sign-in, and revoke it where the authority can'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "status" -d 'Show who is signed in, and until when'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "inspect" -d 'Show what a token says of itself'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "log" -d 'Show who was given which token'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "profile" -d 'Show and check profiles'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "setup" -d 'Have a tool ask cred-helper, by the tool\'s own configuration'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "store" -d 'See and change how sign-ins lie on this machine'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "session" -d 'Hand sign-ins over to other programs'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "doctor" -d 'Tell what is wrong, and what to do about it'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c cred-helper -n "__fish_cred_helper_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l url -d 'Choose the profile whose `urls` match; with -p it must match too' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l method -d 'The method of the request to --url, for a proof of DPoP [default: GET]' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l dpop-nonce -d 'The nonce that the server of --url wants in the proof' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -s o -l output -d 'What to print [default: token]' -r -f -a "token\t''
id-token\t''
bearer\t''
header\t''
headers\t''
json\t''
env\t''
netrc\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l output-file -d 'Write it into this file, for its owner alone, and print nothing' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l scope -d 'Ask for this scope instead of the profile\'s' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l account -d 'Which account of several' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l min-valid -d 'Valid for at least this long, as `5m`' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l claims -d 'A claims request, or the challenge of a 401' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l interactive -d 'Whether a person may be asked [default: auto]' -r -f -a "auto\t''
never\t''
always\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l env-name -d 'The variable of `-o env` [default: ACCESS_TOKEN]' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l for -d 'Who reads it: a token that is too long for this program is an error' -r -f -a "msmtp\t''
mbsync\t''
neomutt\t''
neomutt-oauthbearer\t''
curl-netrc\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -l force-refresh -d 'Never answer from the cache'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand get" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l env -d 'The variable, and what it holds [default: ACCESS_TOKEN=token]' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l url -d 'Choose the profile whose `urls` match; with -p it must match too' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l scope -d 'Ask for this scope instead of the profile\'s' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l account -d 'Which account of several' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l min-valid -d 'Valid for at least this long, as `5m`' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand exec" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -l once -d 'No hello, one request up to the end of stdin, one answer, and its exit code'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand serve" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand git" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -l cargo-plugin -d 'As cargo starts it'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand cargo" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand docker" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -s p -l profile -d 'Profile to use, whatever the cluster names' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -l token -d 'Which token to answer with [default: the profile\'s `token`]' -r -f -a "access\t''
id\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand kubectl" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand google" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand bazel" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand terraform" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand go" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -l url -d 'Choose the profile whose `urls` match the registry; with -p it must match too' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand pnpm" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand aws" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand az" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand azd" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand nuget" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -l alone -d 'Ask no other keyring on the PATH'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand keyring" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand askpass" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l account -d 'Who signs in; anybody else is refused' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l grant -d 'How to sign in this time, whatever the profile says' -r -f -a "auto\t''
authorization_code\t''
device_code\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l interactive -d 'Whether a person may be asked; `always` also where `CI` is set' -r -f -a "auto\t''
never\t''
always\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l no-browser -d 'The same as --grant device_code'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l start -d 'Print the address where to sign in, for --finish; nobody is asked'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -l finish -d 'Read the address that the browser ended on from stdin, and sign in'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand login" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l account -d 'This account alone' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l all -d 'Every profile'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -l local -d 'Revoke nothing at the authority'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand logout" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand status" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -l account -d 'Which account of several' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -l id-token -d 'The ID token instead of the access token'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -l since -d 'The last minutes, hours or days, as `90m` or `7d`' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand log" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "list" -d 'List the profiles, and the file of each'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "show" -d 'Show a profile; secrets are named by their source'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "check" -d 'Read every profile, and complain of everything at once'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "import" -d 'Take in sign-ins of other programs, and write profiles for them'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "route" -d 'Show which profile answers for a URL, and why'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "presets" -d 'Show what is known of providers, and where one registers a client'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and not __fish_seen_subcommand_from list show check import route presets help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -s o -l output -d 'What to print' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -s o -l output -d 'What to print' -r -f -a "toml\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l msal -d 'The cache of a program that uses MSAL' -r -F
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l client -d 'This client\'s sign-ins alone' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l account -d 'This account alone' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l name -d 'What the profile is called' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l scope -d 'What its tokens are for, where the cache does not tell' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l authority -d 'Its authority, where the cache does not tell' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l preset -d 'What provider that is: see `profile presets`' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -l dry-run -d 'Only show what would be written'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -s p -l profile -d 'As if a tool\'s helper were given this -p' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -l tool -d 'Say too whether this tool may use the profile' -r -f -a "get\t''
exec\t''
serve\t''
git\t''
cargo\t''
docker\t''
kubectl\t''
google\t''
bazel\t''
terraform\t''
go\t''
pnpm\t''
aws\t''
az\t''
azd\t''
nuget\t''
keyring\t''
askpass\t''
request\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -s o -l output -d 'What to print' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from route" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -s o -l output -d 'What to print' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from presets" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the profiles, and the file of each'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a profile; secrets are named by their source'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "check" -d 'Read every profile, and complain of everything at once'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "import" -d 'Take in sign-ins of other programs, and write profiles for them'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "route" -d 'Show which profile answers for a URL, and why'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "presets" -d 'Show what is known of providers, and where one registers a client'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -s p -l profile -d 'For this profile, which is named in the configuration' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l url -d 'For this URL instead of the profile\'s `urls`' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -s o -l output -d 'How to print the list' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l dry-run -d 'Show what would be written, and write nothing'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l undo -d 'Take out what setup wrote, and nothing else'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -l list -d 'Show which tools are here, and which of them ask cred-helper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand setup" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -f -a "list" -d 'Show each session\'s file, its seal and its key\'s id'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -f -a "migrate" -d 'Seal every sign-in in another way'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -f -a "rekey" -d 'Replace the key that sign-ins are sealed with, and forget the old one'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -f -a "lock" -d 'Drop the keys that the operating system\'s memory holds'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and not __fish_seen_subcommand_from list migrate rekey lock help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -l to -d 'How they are to lie' -r -f -a "keyring\t''
command\t''
none\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -l dry-run -d 'Only show what would be done'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from migrate" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -s o -l output -d 'What to print' -r -f -a "table\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from rekey" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from lock" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show each session\'s file, its seal and its key\'s id'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "migrate" -d 'Seal every sign-in in another way'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "rekey" -d 'Replace the key that sign-ins are sealed with, and forget the old one'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "lock" -d 'Drop the keys that the operating system\'s memory holds'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand store; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -f -a "export" -d 'Put a profile\'s sign-in into a cache that programs with MSAL read'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and not __fish_seen_subcommand_from export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -l msal -d 'The cache; it is made if it is not there' -r -F
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -s p -l profile -d 'Profile to use' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -l account -d 'This account alone' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "export" -d 'Put a profile\'s sign-in into a cache that programs with MSAL read'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -s p -l profile -d 'Look at this profile alone' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -s o -l output -d 'What to print' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -l offline -d 'Leave out what needs the network'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -l config -d 'This profile file instead of all others' -r
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -l error-format -d 'How errors are written on stderr [default: text]' -r -f -a "text\t''
json\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -l color -d 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -s q -l quiet -d 'No warnings, and no word of what is waited for'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -s v -l verbose -d 'Say why, on stderr'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand completions" -s h -l help -d 'Print help'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "get" -d 'Print an access token'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "exec" -d 'Start a program with a token in its environment'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "serve" -d 'Answer requests of the JSON protocol on stdin'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "git" -d 'Answer git as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "cargo" -d 'Answer cargo as a credential provider'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "docker" -d 'Answer docker, podman, skopeo and buildah as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "kubectl" -d 'Answer kubectl and other client-go programs as an exec plugin'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "google" -d 'Answer Google\'s libraries as an external account executable'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "bazel" -d 'Answer Bazel as a credential helper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "terraform" -d 'Answer Terraform and OpenTofu as a credentials helper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "go" -d 'Answer Go as a command of GOAUTH'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "pnpm" -d 'Answer pnpm as a tokenHelper'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "aws" -d 'Answer the AWS CLI and SDKs as a credential_process'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "az" -d 'Answer Azure\'s libraries in place of the Azure CLI'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "azd" -d 'Answer Azure\'s libraries in place of the Azure Developer CLI'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "nuget" -d 'Answer NuGet as an authentication plugin'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "keyring" -d 'Answer pip and uv in place of Python\'s keyring'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "askpass" -d 'Answer git\'s own question for a user name or a password'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "login" -d 'Sign in, whatever is kept'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "logout" -d 'Forget a sign-in, and revoke it where the authority can'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "status" -d 'Show who is signed in, and until when'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "inspect" -d 'Show what a token says of itself'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "log" -d 'Show who was given which token'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "profile" -d 'Show and check profiles'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "setup" -d 'Have a tool ask cred-helper, by the tool\'s own configuration'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "store" -d 'See and change how sign-ins lie on this machine'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "session" -d 'Hand sign-ins over to other programs'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "doctor" -d 'Tell what is wrong, and what to do about it'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "completions" -d 'Print a completion script'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and not __fish_seen_subcommand_from get exec serve git cargo docker kubectl google bazel terraform go pnpm aws az azd nuget keyring askpass login logout status inspect log profile setup store session doctor completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "list" -d 'List the profiles, and the file of each'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "show" -d 'Show a profile; secrets are named by their source'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "check" -d 'Read every profile, and complain of everything at once'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "import" -d 'Take in sign-ins of other programs, and write profiles for them'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "route" -d 'Show which profile answers for a URL, and why'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "presets" -d 'Show what is known of providers, and where one registers a client'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "list" -d 'Show each session\'s file, its seal and its key\'s id'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "migrate" -d 'Seal every sign-in in another way'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "rekey" -d 'Replace the key that sign-ins are sealed with, and forget the old one'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from store" -f -a "lock" -d 'Drop the keys that the operating system\'s memory holds'
complete -c cred-helper -n "__fish_cred_helper_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "export" -d 'Put a profile\'s sign-in into a cache that programs with MSAL read'
