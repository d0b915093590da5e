# Completion for PowerShell. The program itself says what can stand where the cursor is.
Register-ArgumentCompleter -Native -CommandName 'cred-helper' -ScriptBlock {
    param($current, $line, $cursor)
    $words = @($line.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursor } |
        ForEach-Object { $_.ToString() })
    $program, $words = $words
    # An empty word gets lost between PowerShell and a program.
    $next = if ($current -eq '') { @('--next') } else { @() }
    & $program complete @next '--' @words 2>$null | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        # Without an answer the shell proposes files.
        if ($value) {
            if (-not $about) { $about = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
        }
    }
}
