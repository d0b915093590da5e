
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'cred-helper' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'cred-helper'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'cred-helper' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print an access token')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Start a program with a token in its environment')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Answer requests of the JSON protocol on stdin')
            [CompletionResult]::new('git', 'git', [CompletionResultType]::ParameterValue, 'Answer git as a credential helper')
            [CompletionResult]::new('cargo', 'cargo', [CompletionResultType]::ParameterValue, 'Answer cargo as a credential provider')
            [CompletionResult]::new('docker', 'docker', [CompletionResultType]::ParameterValue, 'Answer docker, podman, skopeo and buildah as a credential helper')
            [CompletionResult]::new('kubectl', 'kubectl', [CompletionResultType]::ParameterValue, 'Answer kubectl and other client-go programs as an exec plugin')
            [CompletionResult]::new('google', 'google', [CompletionResultType]::ParameterValue, 'Answer Google''s libraries as an external account executable')
            [CompletionResult]::new('bazel', 'bazel', [CompletionResultType]::ParameterValue, 'Answer Bazel as a credential helper')
            [CompletionResult]::new('terraform', 'terraform', [CompletionResultType]::ParameterValue, 'Answer Terraform and OpenTofu as a credentials helper')
            [CompletionResult]::new('go', 'go', [CompletionResultType]::ParameterValue, 'Answer Go as a command of GOAUTH')
            [CompletionResult]::new('pnpm', 'pnpm', [CompletionResultType]::ParameterValue, 'Answer pnpm as a tokenHelper')
            [CompletionResult]::new('aws', 'aws', [CompletionResultType]::ParameterValue, 'Answer the AWS CLI and SDKs as a credential_process')
            [CompletionResult]::new('az', 'az', [CompletionResultType]::ParameterValue, 'Answer Azure''s libraries in place of the Azure CLI')
            [CompletionResult]::new('azd', 'azd', [CompletionResultType]::ParameterValue, 'Answer Azure''s libraries in place of the Azure Developer CLI')
            [CompletionResult]::new('nuget', 'nuget', [CompletionResultType]::ParameterValue, 'Answer NuGet as an authentication plugin')
            [CompletionResult]::new('keyring', 'keyring', [CompletionResultType]::ParameterValue, 'Answer pip and uv in place of Python''s keyring')
            [CompletionResult]::new('askpass', 'askpass', [CompletionResultType]::ParameterValue, 'Answer git''s own question for a user name or a password')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Sign in, whatever is kept')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget a sign-in, and revoke it where the authority can')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show who is signed in, and until when')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show what a token says of itself')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'Show who was given which token')
            [CompletionResult]::new('profile', 'profile', [CompletionResultType]::ParameterValue, 'Show and check profiles')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Have a tool ask cred-helper, by the tool''s own configuration')
            [CompletionResult]::new('store', 'store', [CompletionResultType]::ParameterValue, 'See and change how sign-ins lie on this machine')
            [CompletionResult]::new('session', 'session', [CompletionResultType]::ParameterValue, 'Hand sign-ins over to other programs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell what is wrong, and what to do about it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;get' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Choose the profile whose `urls` match; with -p it must match too')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'The method of the request to --url, for a proof of DPoP [default: GET]')
            [CompletionResult]::new('--dpop-nonce', '--dpop-nonce', [CompletionResultType]::ParameterName, 'The nonce that the server of --url wants in the proof')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print [default: token]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print [default: token]')
            [CompletionResult]::new('--output-file', '--output-file', [CompletionResultType]::ParameterName, 'Write it into this file, for its owner alone, and print nothing')
            [CompletionResult]::new('--scope', '--scope', [CompletionResultType]::ParameterName, 'Ask for this scope instead of the profile''s')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Which account of several')
            [CompletionResult]::new('--min-valid', '--min-valid', [CompletionResultType]::ParameterName, 'Valid for at least this long, as `5m`')
            [CompletionResult]::new('--claims', '--claims', [CompletionResultType]::ParameterName, 'A claims request, or the challenge of a 401')
            [CompletionResult]::new('--interactive', '--interactive', [CompletionResultType]::ParameterName, 'Whether a person may be asked [default: auto]')
            [CompletionResult]::new('--env-name', '--env-name', [CompletionResultType]::ParameterName, 'The variable of `-o env` [default: ACCESS_TOKEN]')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'Who reads it: a token that is too long for this program is an error')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--force-refresh', '--force-refresh', [CompletionResultType]::ParameterName, 'Never answer from the cache')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;exec' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'The variable, and what it holds [default: ACCESS_TOKEN=token]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Choose the profile whose `urls` match; with -p it must match too')
            [CompletionResult]::new('--scope', '--scope', [CompletionResultType]::ParameterName, 'Ask for this scope instead of the profile''s')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Which account of several')
            [CompletionResult]::new('--min-valid', '--min-valid', [CompletionResultType]::ParameterName, 'Valid for at least this long, as `5m`')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;serve' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'No hello, one request up to the end of stdin, one answer, and its exit code')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;git' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;cargo' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--cargo-plugin', '--cargo-plugin', [CompletionResultType]::ParameterName, 'As cargo starts it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;docker' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;kubectl' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use, whatever the cluster names')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use, whatever the cluster names')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Which token to answer with [default: the profile''s `token`]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;google' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;bazel' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;terraform' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;go' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;pnpm' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Choose the profile whose `urls` match the registry; with -p it must match too')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;aws' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;az' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;azd' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;nuget' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;keyring' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--alone', '--alone', [CompletionResultType]::ParameterName, 'Ask no other keyring on the PATH')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;askpass' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;login' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Who signs in; anybody else is refused')
            [CompletionResult]::new('--grant', '--grant', [CompletionResultType]::ParameterName, 'How to sign in this time, whatever the profile says')
            [CompletionResult]::new('--interactive', '--interactive', [CompletionResultType]::ParameterName, 'Whether a person may be asked; `always` also where `CI` is set')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--no-browser', '--no-browser', [CompletionResultType]::ParameterName, 'The same as --grant device_code')
            [CompletionResult]::new('--start', '--start', [CompletionResultType]::ParameterName, 'Print the address where to sign in, for --finish; nobody is asked')
            [CompletionResult]::new('--finish', '--finish', [CompletionResultType]::ParameterName, 'Read the address that the browser ended on from stdin, and sign in')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;logout' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'This account alone')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Every profile')
            [CompletionResult]::new('--local', '--local', [CompletionResultType]::ParameterName, 'Revoke nothing at the authority')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;status' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;inspect' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Which account of several')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--id-token', '--id-token', [CompletionResultType]::ParameterName, 'The ID token instead of the access token')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;log' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'The last minutes, hours or days, as `90m` or `7d`')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the profiles, and the file of each')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a profile; secrets are named by their source')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Read every profile, and complain of everything at once')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take in sign-ins of other programs, and write profiles for them')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Show which profile answers for a URL, and why')
            [CompletionResult]::new('presets', 'presets', [CompletionResultType]::ParameterValue, 'Show what is known of providers, and where one registers a client')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;profile;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;check' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;import' {
            [CompletionResult]::new('--msal', '--msal', [CompletionResultType]::ParameterName, 'The cache of a program that uses MSAL')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'This client''s sign-ins alone')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'This account alone')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What the profile is called')
            [CompletionResult]::new('--scope', '--scope', [CompletionResultType]::ParameterName, 'What its tokens are for, where the cache does not tell')
            [CompletionResult]::new('--authority', '--authority', [CompletionResultType]::ParameterName, 'Its authority, where the cache does not tell')
            [CompletionResult]::new('--preset', '--preset', [CompletionResultType]::ParameterName, 'What provider that is: see `profile presets`')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only show what would be written')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;route' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'As if a tool''s helper were given this -p')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'As if a tool''s helper were given this -p')
            [CompletionResult]::new('--tool', '--tool', [CompletionResultType]::ParameterName, 'Say too whether this tool may use the profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;presets' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;profile;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the profiles, and the file of each')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a profile; secrets are named by their source')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Read every profile, and complain of everything at once')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take in sign-ins of other programs, and write profiles for them')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Show which profile answers for a URL, and why')
            [CompletionResult]::new('presets', 'presets', [CompletionResultType]::ParameterValue, 'Show what is known of providers, and where one registers a client')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;profile;help;list' {
            break
        }
        'cred-helper;profile;help;show' {
            break
        }
        'cred-helper;profile;help;check' {
            break
        }
        'cred-helper;profile;help;import' {
            break
        }
        'cred-helper;profile;help;route' {
            break
        }
        'cred-helper;profile;help;presets' {
            break
        }
        'cred-helper;profile;help;help' {
            break
        }
        'cred-helper;setup' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'For this profile, which is named in the configuration')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'For this profile, which is named in the configuration')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'For this URL instead of the profile''s `urls`')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the list')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the list')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be written, and write nothing')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Take out what setup wrote, and nothing else')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Show which tools are here, and which of them ask cred-helper')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;store' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show each session''s file, its seal and its key''s id')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Seal every sign-in in another way')
            [CompletionResult]::new('rekey', 'rekey', [CompletionResultType]::ParameterValue, 'Replace the key that sign-ins are sealed with, and forget the old one')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Drop the keys that the operating system''s memory holds')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;store;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;store;migrate' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'How they are to lie')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only show what would be done')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;store;rekey' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;store;lock' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;store;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show each session''s file, its seal and its key''s id')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Seal every sign-in in another way')
            [CompletionResult]::new('rekey', 'rekey', [CompletionResultType]::ParameterValue, 'Replace the key that sign-ins are sealed with, and forget the old one')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Drop the keys that the operating system''s memory holds')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;store;help;list' {
            break
        }
        'cred-helper;store;help;migrate' {
            break
        }
        'cred-helper;store;help;rekey' {
            break
        }
        'cred-helper;store;help;lock' {
            break
        }
        'cred-helper;store;help;help' {
            break
        }
        'cred-helper;session' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Put a profile''s sign-in into a cache that programs with MSAL read')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;session;export' {
            [CompletionResult]::new('--msal', '--msal', [CompletionResultType]::ParameterName, 'The cache; it is made if it is not there')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'This account alone')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;session;help' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Put a profile''s sign-in into a cache that programs with MSAL read')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;session;help;export' {
            break
        }
        'cred-helper;session;help;help' {
            break
        }
        'cred-helper;doctor' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Look at this profile alone')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Look at this profile alone')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to print')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Leave out what needs the network')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;completions' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'This profile file instead of all others')
            [CompletionResult]::new('--error-format', '--error-format', [CompletionResultType]::ParameterName, 'How errors are written on stderr [default: text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours in errors; auto: on a terminal, without NO_COLOR [default: auto]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings, and no word of what is waited for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say why, on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'cred-helper;help' {
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print an access token')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Start a program with a token in its environment')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Answer requests of the JSON protocol on stdin')
            [CompletionResult]::new('git', 'git', [CompletionResultType]::ParameterValue, 'Answer git as a credential helper')
            [CompletionResult]::new('cargo', 'cargo', [CompletionResultType]::ParameterValue, 'Answer cargo as a credential provider')
            [CompletionResult]::new('docker', 'docker', [CompletionResultType]::ParameterValue, 'Answer docker, podman, skopeo and buildah as a credential helper')
            [CompletionResult]::new('kubectl', 'kubectl', [CompletionResultType]::ParameterValue, 'Answer kubectl and other client-go programs as an exec plugin')
            [CompletionResult]::new('google', 'google', [CompletionResultType]::ParameterValue, 'Answer Google''s libraries as an external account executable')
            [CompletionResult]::new('bazel', 'bazel', [CompletionResultType]::ParameterValue, 'Answer Bazel as a credential helper')
            [CompletionResult]::new('terraform', 'terraform', [CompletionResultType]::ParameterValue, 'Answer Terraform and OpenTofu as a credentials helper')
            [CompletionResult]::new('go', 'go', [CompletionResultType]::ParameterValue, 'Answer Go as a command of GOAUTH')
            [CompletionResult]::new('pnpm', 'pnpm', [CompletionResultType]::ParameterValue, 'Answer pnpm as a tokenHelper')
            [CompletionResult]::new('aws', 'aws', [CompletionResultType]::ParameterValue, 'Answer the AWS CLI and SDKs as a credential_process')
            [CompletionResult]::new('az', 'az', [CompletionResultType]::ParameterValue, 'Answer Azure''s libraries in place of the Azure CLI')
            [CompletionResult]::new('azd', 'azd', [CompletionResultType]::ParameterValue, 'Answer Azure''s libraries in place of the Azure Developer CLI')
            [CompletionResult]::new('nuget', 'nuget', [CompletionResultType]::ParameterValue, 'Answer NuGet as an authentication plugin')
            [CompletionResult]::new('keyring', 'keyring', [CompletionResultType]::ParameterValue, 'Answer pip and uv in place of Python''s keyring')
            [CompletionResult]::new('askpass', 'askpass', [CompletionResultType]::ParameterValue, 'Answer git''s own question for a user name or a password')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Sign in, whatever is kept')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget a sign-in, and revoke it where the authority can')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show who is signed in, and until when')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show what a token says of itself')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'Show who was given which token')
            [CompletionResult]::new('profile', 'profile', [CompletionResultType]::ParameterValue, 'Show and check profiles')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Have a tool ask cred-helper, by the tool''s own configuration')
            [CompletionResult]::new('store', 'store', [CompletionResultType]::ParameterValue, 'See and change how sign-ins lie on this machine')
            [CompletionResult]::new('session', 'session', [CompletionResultType]::ParameterValue, 'Hand sign-ins over to other programs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Tell what is wrong, and what to do about it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cred-helper;help;get' {
            break
        }
        'cred-helper;help;exec' {
            break
        }
        'cred-helper;help;serve' {
            break
        }
        'cred-helper;help;git' {
            break
        }
        'cred-helper;help;cargo' {
            break
        }
        'cred-helper;help;docker' {
            break
        }
        'cred-helper;help;kubectl' {
            break
        }
        'cred-helper;help;google' {
            break
        }
        'cred-helper;help;bazel' {
            break
        }
        'cred-helper;help;terraform' {
            break
        }
        'cred-helper;help;go' {
            break
        }
        'cred-helper;help;pnpm' {
            break
        }
        'cred-helper;help;aws' {
            break
        }
        'cred-helper;help;az' {
            break
        }
        'cred-helper;help;azd' {
            break
        }
        'cred-helper;help;nuget' {
            break
        }
        'cred-helper;help;keyring' {
            break
        }
        'cred-helper;help;askpass' {
            break
        }
        'cred-helper;help;login' {
            break
        }
        'cred-helper;help;logout' {
            break
        }
        'cred-helper;help;status' {
            break
        }
        'cred-helper;help;inspect' {
            break
        }
        'cred-helper;help;log' {
            break
        }
        'cred-helper;help;profile' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the profiles, and the file of each')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a profile; secrets are named by their source')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Read every profile, and complain of everything at once')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take in sign-ins of other programs, and write profiles for them')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Show which profile answers for a URL, and why')
            [CompletionResult]::new('presets', 'presets', [CompletionResultType]::ParameterValue, 'Show what is known of providers, and where one registers a client')
            break
        }
        'cred-helper;help;profile;list' {
            break
        }
        'cred-helper;help;profile;show' {
            break
        }
        'cred-helper;help;profile;check' {
            break
        }
        'cred-helper;help;profile;import' {
            break
        }
        'cred-helper;help;profile;route' {
            break
        }
        'cred-helper;help;profile;presets' {
            break
        }
        'cred-helper;help;setup' {
            break
        }
        'cred-helper;help;store' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show each session''s file, its seal and its key''s id')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Seal every sign-in in another way')
            [CompletionResult]::new('rekey', 'rekey', [CompletionResultType]::ParameterValue, 'Replace the key that sign-ins are sealed with, and forget the old one')
            [CompletionResult]::new('lock', 'lock', [CompletionResultType]::ParameterValue, 'Drop the keys that the operating system''s memory holds')
            break
        }
        'cred-helper;help;store;list' {
            break
        }
        'cred-helper;help;store;migrate' {
            break
        }
        'cred-helper;help;store;rekey' {
            break
        }
        'cred-helper;help;store;lock' {
            break
        }
        'cred-helper;help;session' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Put a profile''s sign-in into a cache that programs with MSAL read')
            break
        }
        'cred-helper;help;session;export' {
            break
        }
        'cred-helper;help;doctor' {
            break
        }
        'cred-helper;help;completions' {
            break
        }
        'cred-helper;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
