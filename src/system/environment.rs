//! The process' environment variables.

use std::env::VarError;

use super::zone;
use crate::context::Environment;
use crate::token::Timestamp;

/// The process' environment variables.
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        let value = match std::env::var(name) {
            // One directory of it that is no text takes away none of the others.
            Err(VarError::NotUnicode(path)) if name == "PATH" => {
                path.to_string_lossy().into_owned()
            }
            value => value.ok()?,
        };
        Some(value).filter(|value| !value.is_empty())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the environment")]
    fn is_set_to_nothing(&self, name: &str) -> bool {
        std::env::var_os(name).is_some_and(|value| value.is_empty())
    }

    fn wall_clock(&self, time: Timestamp) -> String {
        zone::wall_clock(time)
    }
}

/// A secret of an application in Azure, which a managed identity is asked with.
pub const IDENTITY_HEADER: &str = "IDENTITY_HEADER";
/// The same in Machine Learning.
pub const MSI_SECRET: &str = "MSI_SECRET";
/// What a job of GitHub Actions asks for its own token with.
pub const ACTIONS_ID_TOKEN_REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// What a job of Azure Pipelines asks for its own token with.
pub const SYSTEM_ACCESSTOKEN: &str = "SYSTEM_ACCESSTOKEN";

/// Every variable in which a platform gives what runs there a secret of its own.
pub const SECRETS_OF_PLATFORMS: [&str; 4] = [
    IDENTITY_HEADER,
    MSI_SECRET,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN,
    SYSTEM_ACCESSTOKEN,
];

/// Every variable that changes what we do, with its meaning: the manual's section is made of it.
pub const VARIABLES: &[(&str, &str)] = &[
    (
        "CRED_HELPER_CONFIG",
        "profile file instead of all others, like --config",
    ),
    (
        "CRED_HELPER_PROFILE",
        "profile to use where -p does not name one",
    ),
    (
        "CRED_HELPER_STATE",
        "directory of sessions instead of the user's data directory",
    ),
    (
        "CRED_HELPER_INTERACTIVE",
        "auto, never or always: whether a person may be asked",
    ),
    (
        "CRED_HELPER_ERROR_FORMAT",
        "text or json, like --error-format",
    ),
    (
        "CRED_HELPER_LOG",
        "LEVEL[,FILE]: error, warning, information, debug or trace",
    ),
    (
        "CI",
        "if set and not `false`, a person is asked only with --interactive always, and without a browser",
    ),
    (
        "CRED_HELPER_BROWSER",
        "the command that opens a URL; `none`: there is no browser",
    ),
    (
        "BROWSER",
        "commands that open a URL, where CRED_HELPER_BROWSER names none",
    ),
    (
        "SSH_CONNECTION, SSH_CLIENT, SSH_TTY",
        "if one is set, there is no browser unless BROWSER names it",
    ),
    ("WSL_DISTRO_NAME", "if it is set, Windows opens the browser"),
    (
        "WAYLAND_DISPLAY, DISPLAY",
        "if one is set, there is a desktop, and so a browser (Linux and other Unix systems)",
    ),
    (
        "container",
        "that this is a container, for whoever asks why there is no browser",
    ),
    (
        "GIT_TERMINAL_PROMPT",
        "if `0`, `false` or empty, git does not have a person asked",
    ),
    (
        "SSH_ASKPASS",
        "if it is set, `askpass` looks whether ssh asks, which gets no token",
    ),
    (
        "KUBERNETES_EXEC_INFO",
        "what kubectl wants of us; it sets it itself",
    ),
    (
        "ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "where GitHub Actions gives a job its own token; it sets them itself",
    ),
    (
        "SYSTEM_OIDCREQUESTURI, SYSTEM_ACCESSTOKEN",
        "the same of Azure Pipelines, the second where a step asks for it",
    ),
    (
        "IDENTITY_ENDPOINT, IDENTITY_HEADER, IDENTITY_SERVER_THUMBPRINT, IMDS_ENDPOINT, MSI_ENDPOINT, \
         MSI_SECRET, AZUREPS_HOST_ENVIRONMENT, AZURE_POD_IDENTITY_AUTHORITY_HOST",
        "where Azure gives tokens to what runs there; it sets them itself",
    ),
    (
        "GIT_CONFIG_GLOBAL, CARGO_HOME, KUBECONFIG, DOCKER_CONFIG, AWS_CONFIG_FILE, \
         AWS_SHARED_CREDENTIALS_FILE, TF_CLI_CONFIG_FILE, NPM_CONFIG_USERCONFIG, PIP_CONFIG_FILE, \
         UV_CONFIG_FILE",
        "where `setup` finds the configuration of the tools",
    ),
    (
        "AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE",
        "where AWS is asked for a role's credentials, and the certificate authorities for that",
    ),
    (
        "DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR",
        "where the keyring of a Linux desktop is found",
    ),
    (
        "CRED_HELPER_KEY_ASKED",
        "that a key's command must not ask for that key; cred-helper sets it itself",
    ),
    (
        "CRED_HELPER_PASSED_ON",
        "the stand-ins that passed a call on, so that it does not come back; cred-helper sets it itself",
    ),
    (
        "AZURE_CORE_OUTPUT",
        "how `az` answers, where --output does not say it",
    ),
    (
        "TZ",
        "the time zone in which `az` and a sign-in tell when a token ends, instead of the system's",
    ),
    (
        "HTTPS_PROXY, NO_PROXY",
        "the proxy; never used for loopback",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "certificate authorities instead of the system's",
    ),
    (
        "NO_COLOR",
        "no colours in help and errors, and a sign-in in plain lines",
    ),
    (
        "TERM",
        "`dumb`: a sign-in in plain lines; the same where it is not set, but for Windows",
    ),
    (
        "WT_SESSION",
        "that this is Windows Terminal, which does what TERM stands for elsewhere; it sets it itself",
    ),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "if the first that is set names UTF-8, a sign-in is shown with a QR code (not on Windows)",
    ),
];
